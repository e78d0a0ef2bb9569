# Sourced by the scripts that need more than Rust: nginx, and a Python environment in $python. Installs what is missing.

if ! command -v nginx >/dev/null; then
    echo "-- installing nginx"
    # Fails loudly: what is not there is not skipped.
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light >/dev/null
fi

venv=target/ci/e2e
python=$venv/bin/python
if ! cmp -s ci/e2e/requirements.txt "$venv/installed.txt"; then
    echo "-- installing what ci/e2e/requirements.txt lists"
    rm -rf "$venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r ci/e2e/requirements.txt
    cp ci/e2e/requirements.txt "$venv/installed.txt"
fi
