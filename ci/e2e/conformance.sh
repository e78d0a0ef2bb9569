#!/usr/bin/env bash
# The official conformance suite against the reference server (`server`), or against our client (`client`). Ends only what
# it started.
set -euo pipefail
cd "$(dirname "$0")/../.."

mcpload=${MCPLOAD:-target/debug/mcpload}
mkdir -p target/ci
results=$(mktemp -d "$PWD/target/ci/conformance.XXXXXX")
started=()
cleanup() {
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$results"
}
trap cleanup EXIT

fail() {
    echo "conformance: $*" >&2
    exit 1
}

# shellcheck source=ci/e2e/prepare_node.sh
source ci/e2e/prepare_node.sh

# run_suite NAME ARGUMENT… : runs it, and fails with its output if it found what was not expected.
run_suite() {
    local name=$1 code=0
    shift
    timeout 300 "$node" "$conformance" "$@" --output-dir "$results/$name" >"$results/$name.txt" 2>&1 || code=$?
    if [ "$code" != 0 ]; then
        sed -n '/=== SUMMARY/,$p' "$results/$name.txt" | grep -v '^✓' || tail -n 40 "$results/$name.txt"
        fail "exit code $code: $name"
    fi
    echo "$name: $(grep -c '^✓' "$results/$name.txt") scenarios pass, $(grep -c '^✗' "$results/$name.txt" || true) fail as expected"
}

server() {
    local port version
    port=$("$node" -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })')
    "$mcpload" serve server --listen "127.0.0.1:$port" --conformance >"$results/server.txt" 2>&1 &
    started+=("$!")
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
        kill -0 "${started[-1]}" 2>/dev/null || { cat "$results/server.txt"; fail "the reference server has ended"; }
        sleep 0.1
    done
    local common=(server --url "http://127.0.0.1:$port/mcp" --suite all --expected-failures ci/e2e/conformance-server.yaml)
    for version in 2025-03-26 2025-06-18 2025-11-25 2026-07-28; do
        run_suite "server-$version" "${common[@]}" --spec-version "$version"
    done
    # Each scenario at the newest version that it knows, and the extensions.
    run_suite server-newest "${common[@]}"
}

client() {
    fail "the client's side is not here yet"
}

case ${1:-} in
server | client) "$1" ;;
*) fail "say which side: server or client" ;;
esac
