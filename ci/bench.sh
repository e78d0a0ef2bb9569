#!/usr/bin/env bash
# What mcpload costs and how exact it is, side by side with other generators: CPU per call, latency against a server's own log, memory
# per client, the report of a long run. Needs a quiet machine with two cores; installs wrk, hey, h2load (Debian packages, as root) and oha.
# Writes reports/benchmarks/ and the block in README.md; prints the same. Fails only if something could not be measured: a target that
# is missed stands in the table.
set -euo pipefail
cd "$(dirname "$0")/.."

# Which parts: `PARTS=memory bash ci/bench.sh` measures that alone; the tables keep what the others said last.
PARTS=${PARTS:-cpu open memory report}
# How long: see the head of each ci/bench/*.py for its settings.
MCPLOAD=${MCPLOAD:-target/release/mcpload}
OUT=${OUT:-reports/benchmarks}
README=${README:-README.md}
OHA_VERSION=1.16.0
LAG_RATE=10000

mkdir -p "$OUT" target/ci
export PYTHONDONTWRITEBYTECODE=1
# Stands beside the figures; of a binary that was built elsewhere it is not known.
export COMMIT=unknown
if [ "$MCPLOAD" = target/release/mcpload ]; then
    cargo build --release --quiet --locked
    COMMIT=$(git rev-parse --short HEAD)
    [ -z "$(git status --porcelain --untracked-files=no -- src Cargo.toml Cargo.lock)" ] || COMMIT+=" with changes"
fi
MCPLOAD=$(realpath "$MCPLOAD")
# Connections of 10,000 clients, in servers and workers; each raises its own soft limit too.
ulimit -Sn "$(ulimit -Hn)"

# measure PART SCRIPT ARGUMENT…: into the working directory first, so that a part that fails leaves what was there.
work=$(mktemp -d "$PWD/target/ci/bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
measure() {
    echo "== $1"
    python3 "ci/bench/$2" "${@:3}"
    mv "$work/$1.json" "$OUT/$1.json"
}

if [[ $PARTS == *cpu* ]]; then
    missing=()
    for pair in wrk:wrk hey:hey h2load:nghttp2-client; do
        command -v "${pair%:*}" >/dev/null || missing+=("${pair#*:}")
    done
    if ((${#missing[@]})); then
        echo "-- installing ${missing[*]}"
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
    oha=target/ci/oha-$OHA_VERSION/bin/oha
    if [ ! -x "$oha" ]; then
        echo "-- building oha $OHA_VERSION"
        cargo install --quiet --locked oha --version "$OHA_VERSION" --root "target/ci/oha-$OHA_VERSION" --target-dir target/ci/oha-build
        rm -rf target/ci/oha-build
    fi
    measure cpu cpu.py "$MCPLOAD" "$work/cpu.json" wrk="$(command -v wrk)" h2load="$(command -v h2load)" oha="$PWD/$oha" hey="$(command -v hey)"
fi

if [[ $PARTS == *open* ]]; then
    # Half of what part `cpu` found, unless RATE says another.
    RATE=${RATE:-$(python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))["rates"]["half"])' "$OUT/cpu.json")}
    measure open latency.py "$MCPLOAD" "$work/open.json" "$LAG_RATE" "$RATE"
fi

if [[ $PARTS == *memory* ]]; then
    measure memory memory.py "$MCPLOAD" "$work/memory.json"
fi

if [[ $PARTS == *report* ]]; then
    # shellcheck source=ci/e2e/prepare.sh
    source ci/e2e/prepare.sh
    measure report report.py "$MCPLOAD" "$PWD/$python" "$work/report.json"
fi

python3 ci/bench/tables.py "$OUT" "$README"
