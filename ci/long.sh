#!/usr/bin/env bash
# What takes too long for every change: the quickstart with 20 seeds, every scenario, and the line coverage of the pure half.
# Results are appended to reports/long.md. Run as root (installs LLVM's tools for coverage), about 20 minutes on 2 cores.
set -euo pipefail
cd "$(dirname "$0")/.."

SEEDS=${SEEDS:-20}
LEAST_COVERAGE=90
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
results=reports/long.md
note() { echo "$*" | tee -a "$results"; }

cargo build --quiet
mcpload=$PWD/target/debug/mcpload
note ""
note "## $(date -u +%Y-%m-%d), $(git rev-parse --short HEAD), $(nproc) cores"
note ""

passed=0
for seed in $(seq "$SEEDS"); do
    code=0
    timeout 120 "$mcpload" run scenarios/quickstart.toml --seed "$seed" --out "$work/quickstart-$seed" >"$work/out" 2>&1 || code=$?
    if [ "$code" = 0 ]; then passed=$((passed + 1)); else note "- seed $seed: exit code $code: $(grep -m1 -E 'FAIL|INCONCLUSIVE' "$work/out" || true)"; fi
done
note "- quickstart: $passed of $SEEDS seeds passed"

declare -A codes=([no-restart]=6 [no-failover]=4 [slow-server]=4 [beyond-the-machine]=7 [closed-users]=0)
for scenario in "${!codes[@]}"; do
    code=0
    timeout 120 "$mcpload" run "scenarios/$scenario.toml" --out "$work/$scenario" >"$work/out" 2>&1 || code=$?
    note "- $scenario: exit code $code, expected ${codes[$scenario]}"
    [ "$code" = "${codes[$scenario]}" ] || { note "FAILED"; exit 1; }
done
[ "$passed" = "$SEEDS" ] || { note "FAILED"; exit 1; }

# Coverage with rustc's own instrumentation; LLVM's tools must be at least as new as rustc's LLVM to read its profiles.
llvm=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
tools=$(dirname "$(find "$(rustc --print sysroot)" /usr/lib/llvm-* -name llvm-profdata 2>/dev/null | sort -V | tail -n 1)" 2>/dev/null || true)
python3 -m venv target/ci/coverage
target/ci/coverage/bin/pip install --quiet --disable-pip-version-check gcovr >/dev/null
echo "LLVM $llvm, tools in ${tools:-none}"
