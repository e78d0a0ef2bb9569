#!/usr/bin/env bash
# A run of SOAK_SECONDS (600) at SOAK_RATE (2000) operations a second on the reference fleet, with a release build: nothing may
# fail, and the memory of every process must stay the same. `ci/long/soak.py` has the rule.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=${SOAK_SECONDS:-600}
rate=${SOAK_RATE:-2000}

mkdir -p target/ci
work=$(mktemp -d "$PWD/target/ci/soak.XXXXXX")
trap 'rm -rf "$work"' EXIT
cargo build --release --quiet --locked

cat >"$work/soak.toml" <<END
version = 1
name = "soak"

[fleet]
driver = "process"

[fleet.role.server]
replicas = 3

[workload]
clients = 200
protocol = { "2025-11-25" = 7, "2026-07-28" = 3 }

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
name = "soak"
duration = "${seconds}s"
rate = "$rate/s"

[[slo]]
errors = { under = "0.1%" }
END

echo "$seconds s at $rate operations a second"
code=0
timeout $((seconds + 120)) target/release/mcpload run "$work/soak.toml" --seed 1 --out "$work/run" >"$work/run.txt" 2>&1 || code=$?
if [ "$code" != 0 ]; then
    cat "$work/run.txt"
    echo "the soak ended with exit code $code"
    exit 1
fi
grep -m 1 '^PASS' "$work/run.txt"
python3 ci/long/soak.py "$work/run"
