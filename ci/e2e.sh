#!/usr/bin/env bash
# What a user does, with what a user has: the README's first command, nginx, Redis, real Python servers, pandas and DuckDB; and
# what the protocol's own conformance suite says.
# Every wait is bounded; ends only what it started.
set -euo pipefail
cd "$(dirname "$0")/.."

GONE_WITHIN=2

mkdir -p target/ci
work=$(mktemp -d "$PWD/target/ci/run.XXXXXX")
started=()
cleanup() {
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "e2e: $*" >&2
    exit 1
}

# expect_code CODE COMMAND… : runs it, and fails with its output if it ends otherwise.
expect_code() {
    local wanted=$1 code=0
    shift
    "$@" >"$work/output.txt" 2>&1 || code=$?
    if [ "$code" != "$wanted" ]; then
        cat "$work/output.txt"
        fail "exit code $code, not $wanted: $*"
    fi
}

# wait_for SECONDS COMMAND… : until it succeeds.
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        [ "$SECONDS" -lt "$until" ] || fail "waited in vain: $*"
        sleep 0.1
    done
}

# shellcheck source=ci/e2e/prepare.sh
source ci/e2e/prepare.sh

echo "== the quickstart, as the README starts it"
expect_code 0 timeout 900 cargo run --locked -- run scenarios/quickstart.toml --out "$work/quickstart"
grep -m 1 '^PASS' "$work/output.txt"
"$python" ci/e2e/check_run.py "$work/quickstart"

mcpload=target/debug/mcpload

echo "== nginx in front of the fleet, a server dies"
expect_code 0 timeout 120 "$mcpload" run scenarios/nginx.toml --out "$work/nginx"
grep -m 1 '^PASS' "$work/output.txt"
"$python" ci/e2e/check_run.py "$work/nginx" >"$work/check.txt" || { cat "$work/check.txt"; fail "the reading of the run with nginx differs"; }
tail -n 1 "$work/check.txt"

echo "== kill -9 in the middle, nginx with its workers included"
"$mcpload" run scenarios/nginx.toml --out "$work/killed" >"$work/killed.txt" 2>&1 &
victim=$!
started+=("$victim")
wait_for 60 grep -q '"phase":"chaos"' "$work/killed/events.jsonl"
mapfile -t processes < <("$python" ci/e2e/processes.py below "$victim")
nginx=$(printf '%s\n' "${processes[@]}" | grep -c ':nginx$' || true)
[ "$nginx" -ge 3 ] || fail "expected nginx with two workers, found ${processes[*]}"
kill -9 "$victim"
# Without this the shell tells of the death that was wanted.
wait "$victim" 2>/dev/null || true
"$python" ci/e2e/processes.py gone "$GONE_WITHIN" "${processes[@]}" || fail "processes outlived mcpload"
expect_code 7 timeout 60 "$mcpload" report "$work/killed"
grep -m 1 'exit code 7' "$work/output.txt"

echo "== nginx restarted and killed, and a slow link behind it"
expect_code 0 timeout 120 "$mcpload" run scenarios/nginx-restarts.toml --out "$work/restarts"
grep -m 1 '^PASS' "$work/output.txt"
"$python" ci/e2e/balancer.py "$work/restarts" >"$work/check.txt" || { cat "$work/check.txt"; fail "nginx's own log says otherwise"; }
tail -n 1 "$work/check.txt"

# with_redis CODE limited|unlimited ARGUMENT… : plays scenarios/redis.toml, while its Redis is looked at from outside.
with_redis() {
    local code=$1 kind=$2 looking
    shift 2
    timeout 240 "$python" ci/e2e/dependency.py "$work/redis-$kind" "$kind" >"$work/check.txt" 2>&1 &
    looking=$!
    started+=("$looking")
    # The servers of the scenario are Python programs that need what was installed.
    PATH="$PWD/$venv/bin:$PATH" expect_code "$code" timeout 120 "$mcpload" run scenarios/redis.toml --out "$work/redis-$kind" "$@"
    grep -m 1 -E '^(PASS|FAIL)' "$work/output.txt"
    wait "$looking" || { cat "$work/check.txt"; fail "Redis itself, or its servers, say otherwise"; }
    tail -n 1 "$work/check.txt"
}

echo "== Redis behind the servers: killed, paused, and its network silent"
with_redis 0 limited

echo "== the same with servers that wait for Redis as long as it takes"
with_redis 4 unlimited --variant no-timeout
grep -q 'FAIL *sums-go-on \[silent\]' "$work/output.txt" || fail "the tool without Redis is not missed"

echo "== a real Python server, one command"
port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$python" fixtures/python/server.py "$port" >"$work/python.txt" 2>&1 &
started+=("$!")
wait_for 60 "$python" -c "import socket; socket.create_connection(('127.0.0.1', $port), 1).close()"
began=$SECONDS
expect_code 0 timeout 60 "$mcpload" run --url "http://127.0.0.1:$port/mcp" --out "$work/python"
grep -m 1 '^PASS' "$work/output.txt"
echo "a verdict after $((SECONDS - began)) s"
"$python" ci/e2e/check_run.py "$work/python" >"$work/check.txt" || { cat "$work/check.txt"; fail "the reading of the run on the Python server differs"; }
tail -n 1 "$work/check.txt"

echo "== the official conformance suite, the server's side"
ci/e2e/conformance.sh server

echo "== the official conformance suite, the client's side"
ci/e2e/conformance.sh client

echo "== servers that others wrote"
ci/e2e/interop.sh

echo "e2e: all as expected, in $SECONDS s"
