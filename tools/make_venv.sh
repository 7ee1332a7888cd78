#!/bin/sh
# Makes a virtual environment with pip, whatever parts this machine's Python comes with.
set -eu
venv=$1

fail() {
    echo "$*" >&2
    exit 1
}

command -v cargo >/dev/null || fail "Rust is needed: install it from https://rustup.rs, then try again."

for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && break
    python=
done
[ -n "$python" ] || fail "Python 3.10 or newer is needed; set PYTHON=/path/to/python if it has another name."

rm -rf "$venv"
if ! "$python" -m venv "$venv" 2>/dev/null; then
    # Debian keeps ensurepip in a package of its own.
    rm -rf "$venv"
    "$python" -m pip --version >/dev/null 2>&1 ||
        fail "$python has neither venv nor pip: install one of them (Debian: python3-venv), then try again."
    "$python" -m venv --without-pip "$venv"
    "$python" -m pip --python "$venv/bin/python" install --quiet pip ||
        fail "$python could not install pip into $venv: install python3-venv, then try again."
fi
