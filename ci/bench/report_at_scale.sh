#!/usr/bin/env bash
# How long `mcpload report` takes on a run of CALLS calls (ten million), and how much memory: a real run of half a minute on the
# reference fleet, repeated by make_run.py. Checks that the report says what the short one says, only more often. Fails if it
# takes more than MOST_SECONDS (20) or MOST_MIB (500). Needs a release build, which it makes.
set -euo pipefail
cd "$(dirname "$0")/../.."

calls=${CALLS:-10000000}

mkdir -p target/ci
work=$(mktemp -d "$PWD/target/ci/scale.XXXXXX")
trap 'rm -rf "$work"' EXIT
# shellcheck source=ci/e2e/prepare.sh
source ci/e2e/prepare.sh
cargo build --release --quiet --locked

cat >"$work/scale.toml" <<'END'
version = 1
name = "scale"

[fleet]
driver = "process"

[fleet.role.server]
replicas = 3

[workload]
clients = 200
protocol = { "2025-11-25" = 5, "2026-07-28" = 5 }

[[workload.operation]]
tool = "echo"
arguments = { text = "{{ random.hex(64) }}" }
weight = 8

[[workload.operation]]
tool = "add"
arguments = { a = 19, b = 23 }
weight = 1

[[workload.operation]]
call = "tools/list"
weight = 1

[[phase]]
name = "warm-up"
duration = "3s"
rate = "2000/s"
measure = false

[[phase]]
name = "main"
duration = "20s"
rate = "2000/s"

[[slo]]
name = "fast"
latency = { share = "99%", under = "250ms" }

[[slo]]
name = "answers"
errors = { under = "1%" }
END

timeout 120 target/release/mcpload run "$work/scale.toml" --seed 1 --out "$work/short" >"$work/run.txt" 2>&1 || {
    cat "$work/run.txt"
    exit 1
}
"$python" ci/bench/make_run.py "$work/short" "$work/long" "$calls"
"$python" ci/bench/report_at_scale.py target/release/mcpload "$work/short" "$work/long" "${MOST_SECONDS:-20}" "${MOST_MIB:-500}"
