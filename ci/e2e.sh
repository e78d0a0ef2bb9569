#!/usr/bin/env bash
# End to end against real components, which this script installs: nginx (Debian), a Python MCP server (PyPI), readers of the
# run directory that share no code with mcpload (PyPI). A component that is missing is a failure. Run as root on a machine that
# you can spare. Load goes to loopback addresses only; every wait has an end; only what was started here is ended.
set -euo pipefail
cd "$(dirname "$0")/.."

MCP_VERSION=2.3.0
work=$(mktemp -d)
started=()
cleanup() {
    for pid in "${started[@]}"; do kill -KILL "$pid" 2>/dev/null || true; done
    rm -rf "$work"
}
trap cleanup EXIT

step() { echo "-- $*"; }
refuse() {
    echo "e2e: $*" >&2
    exit 1
}
# Runs a command that must end with this code.
expect() {
    local code=$1 found=0
    shift
    timeout 180 "$@" >"$work/out" 2>"$work/err" || found=$?
    if [ "$found" != "$code" ]; then
        tail -n 40 "$work/out" "$work/err" >&2
        refuse "exit code $found instead of $code: $*"
    fi
}
# Processes that carry the mark of a run in their environment, as all that a run starts do.
marked() {
    local pid
    for pid in /proc/[0-9]*; do
        if tr '\0' '\n' 2>/dev/null <"$pid/environ" | grep -qxF "MCPLOAD_E2E=$1"; then echo "${pid#/proc/}"; fi
    done
}

step "nginx, and a Python with mcp $MCP_VERSION, pandas, zstandard, hdrhistogram"
if ! command -v nginx >/dev/null || ! command -v zstd >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq nginx-light zstd python3-venv >/dev/null
fi
venv=target/ci/e2e-$MCP_VERSION
if [ ! -e "$venv/ready" ]; then
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "mcp==$MCP_VERSION" pandas zstandard hdrhistogram
    touch "$venv/ready"
fi
python=$PWD/$venv/bin/python

step "build"
cargo build --quiet
mcpload=$PWD/target/debug/mcpload

step "the README's first command, two seeds, and an independent reading of what it left"
for seed in 1 2; do
    began=$SECONDS
    expect 0 cargo run --quiet -- run scenarios/quickstart.toml --seed "$seed" --out "$work/quickstart-$seed"
    ((SECONDS - began <= 25)) || refuse "the quickstart took $((SECONDS - began)) s, more than 25"
    "$python" ci/e2e/check_run.py "$work/quickstart-$seed"
done

step "a report is rendered again byte for byte"
cp -r "$work/quickstart-1/report" "$work/before"
expect 0 "$mcpload" report "$work/quickstart-1"
diff -r "$work/before" "$work/quickstart-1/report" || refuse "the second report differs"

step "nginx as the balancer"
expect 0 "$mcpload" run scenarios/nginx.toml --seed 1 --out "$work/nginx"
"$python" ci/e2e/check_run.py "$work/nginx"

step "kill -9 of mcpload with nginx as the balancer: nothing is left, and the report says 7"
MCPLOAD_E2E="$work" "$mcpload" run scenarios/nginx.toml --out "$work/killed" >/dev/null 2>&1 &
pid=$!
started+=("$pid")
for _ in $(seq 200); do
    [ ! -s "$work/killed/counts.csv" ] || [ "$(wc -l <"$work/killed/counts.csv")" -lt 6 ] || break
    sleep 0.1
done
workers=$(for one in $(marked "$work"); do tr '\0' ' ' 2>/dev/null <"/proc/$one/cmdline" || true; echo; done | grep -c 'nginx: worker' || true)
[ "$workers" = 2 ] || refuse "expected 2 workers of nginx before the kill, found $workers"
kill -KILL "$pid"
killed=$(date +%s%N)
wait "$pid" 2>/dev/null || true
while [ -n "$(marked "$work")" ]; do
    (($(date +%s%N) - killed < 2000000000)) || refuse "2 s after kill -9 these are left: $(marked "$work" | tr '\n' ' ')"
    sleep 0.02
done
echo "   all processes gone $((($(date +%s%N) - killed) / 1000000)) ms after kill -9"
expect 7 "$mcpload" report "$work/killed"

step "one command against a Python server (mcp $MCP_VERSION)"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$python" fixtures/python/server.py "$port" >"$work/python.log" 2>&1 &
started+=("$!")
for _ in $(seq 150); do
    ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    sleep 0.2
done
began=$SECONDS
expect 0 "$mcpload" run --url "http://127.0.0.1:$port/mcp" --rate 50/s --clients 50 --for 30s --out "$work/python"
((SECONDS - began < 60)) || refuse "a verdict took $((SECONDS - began)) s, more than a minute"
head -n 3 "$work/out" | sed 's/^/   /'
grep -q 'tool = "add"' "$work/python/scenario.toml" || refuse "the scenario that was made does not call the server's tool"
"$python" ci/e2e/check_run.py "$work/python"

echo "e2e: all as expected"
