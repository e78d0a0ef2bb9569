#!/usr/bin/env bash
# Clients of every version against servers that others wrote, and against ours: every method that a server speaks, and every
# call that does not end ok explained (`EXPLAINED` in interop.py). Usage: interop.sh [COUNT], the operations for each server
# and mode, 200 if left out. Every wait is bounded; ends only what it started.
set -euo pipefail
cd "$(dirname "$0")/../.."

COUNT=${1:-200}
# Runs at a time: the servers answer on the same cores, and no number of time is judged here.
ABREAST=3
# The cases over HTTP+SSE; INTEROP_SSE=0 leaves them out.
INTEROP_SSE=${INTEROP_SSE:-1}

mcpload=${MCPLOAD:-target/debug/mcpload}
mkdir -p target/ci
work=$(mktemp -d "$PWD/target/ci/interop.XXXXXX")
started=()
cleanup() {
    for pid in "${started[@]}"; do
        kill "$pid" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap cleanup EXIT

fail() {
    echo "interop: $*" >&2
    exit 1
}

# shellcheck source=ci/e2e/prepare.sh
source ci/e2e/prepare.sh
# shellcheck source=ci/e2e/prepare_node.sh
source ci/e2e/prepare_node.sh

# The more operations the faster, up to what a Python server takes in its stride; three in five are of the legacy workload.
rate=$((COUNT / 20))
rate=$((rate < 50 ? 50 : rate > 100 ? 100 : rate / 5 * 5))
export INTEROP_DURATION="$(((COUNT + rate - 1) / rate))s"
export INTEROP_RATE="$rate/s" INTEROP_LEGACY_RATE="$((rate * 3 / 5))/s" INTEROP_MODERN_RATE="$((rate * 2 / 5))/s"

# Held open together, so that they differ.
mapfile -t ports < <("$python" - <<'PYTHON'
import socket
held = [socket.socket() for _ in range(10)]
for one in held:
    one.bind(("127.0.0.1", 0))
    print(one.getsockname()[1])
PYTHON
)

# serve CASE SCENARIO PATH VARIANT COMMAND… : starts a server that takes its port from $PORT or from the word PORT.
cases=()
serve() {
    local name=$1 scenario=$2 path=$3 variant=$4 port=${ports[${#cases[@]}]}
    shift 4
    PORT=$port "${@/PORT/$port}" >"$work/$name.server.txt" 2>&1 &
    started+=("$!")
    cases+=("$name $scenario $port $path $variant $!")
}

everything() {
    serve "$1" everything "$2" "$3" "$node" --require ./ci/e2e/loopback.cjs "$everything_server" "$4"
}

for mode in stateful stateless json event-store; do
    serve "python-$mode" python /mcp - "$python" fixtures/python/everything.py "$mode" PORT
done
everything everything /mcp - streamableHttp
reference=("$mcpload" serve server --listen)
serve reference reference /mcp - "${reference[@]}" 127.0.0.1:PORT
serve reference-json reference /mcp - "${reference[@]}" 127.0.0.1:PORT --json
serve reference-stateless reference /mcp - "${reference[@]}" 127.0.0.1:PORT --stateless
if [ "$INTEROP_SSE" != 0 ]; then
    serve python-sse python /sse sse "$python" fixtures/python/everything.py sse PORT
    everything everything-sse /sse sse sse
fi

# play CASE SCENARIO PORT PATH VARIANT PID : waits for the server, runs, and judges the calls; its last line is the result.
play() {
    local name=$1 port=$3 code=0 variant=()
    local until=$((SECONDS + 60))
    until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
        kill -0 "$6" 2>/dev/null || { cat "$work/$name.server.txt"; echo "$name: the server has ended"; return 1; }
        [ "$SECONDS" -lt "$until" ] || { echo "$name: the server does not listen"; return 1; }
        sleep 0.1
    done
    [ "$5" = - ] || variant=(--variant "$5")
    INTEROP_URL="http://127.0.0.1:$port$4" timeout 180 "$mcpload" run "fixtures/interop/$2.toml" "${variant[@]}" \
        --out "$work/$name" >"$work/$name.run.txt" 2>&1 || code=$?
    # Code 7 is a generator that was late, on a machine that is full: what was called and answered is right all the same.
    if [ "$code" != 0 ] && [ "$code" != 7 ]; then
        cat "$work/$name.run.txt"
        echo "$name: exit code $code"
        return 1
    fi
    "$python" ci/e2e/interop.py "$work/$name" "$name" "$COUNT"
}

failed=()
for ((first = 0; first < ${#cases[@]}; first += ABREAST)); do
    players=()
    for one in "${cases[@]:first:ABREAST}"; do
        read -r -a words <<<"$one"
        play "${words[@]}" >"$work/${words[0]}.txt" 2>&1 &
        players+=("$!")
    done
    for number in "${!players[@]}"; do
        name=${cases[first + number]%% *}
        wait "${players[number]}" || failed+=("$name")
        cat "$work/$name.txt"
    done
done
[ "${#failed[@]}" = 0 ] || fail "not as expected: ${failed[*]}"

# A process for each client is no load that one machine makes: over standard streams there is one client, which does COUNT calls.
asked=()
while [ "${#asked[@]}" -lt $((COUNT * 3)) ]; do
    asked+=(+ echo message=hello)
done
for version in 2024-11-05 2025-11-25 auto; do
    timeout 180 "$mcpload" call "stdio:$node $everything_server stdio" --protocol "$version" --quiet \
        tools/list + resources/list + prompts/list + ping "${asked[@]}" >"$work/stdio.txt" 2>&1 ||
        { grep -v ': ok ·' "$work/stdio.txt"; fail "everything over stdio, $version"; }
    echo "everything-stdio $version: $(grep -c '^= tools/call echo: ok' "$work/stdio.txt") calls of a tool ok"
done
