# Sourced by the scripts that need more than Rust: nginx, Redis, and a Python environment in $python. Installs what is missing.

packages=()
command -v nginx >/dev/null || packages+=(nginx-light)
command -v redis-server >/dev/null || packages+=(redis-server)
if ((${#packages[@]})); then
    echo "-- installing ${packages[*]}"
    # Fails loudly: what is not there is not skipped.
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
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
