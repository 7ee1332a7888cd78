#!/bin/sh
# Installs what is benchmarked against, each library by itself: one that cannot be is skipped.
set -eu
python=$1
libraries=$2

sed 's/#.*//; /^[[:space:]]*$/d' "$libraries" | while read -r library; do
    "$python" -m pip install --quiet "$library" </dev/null ||
        echo "not installed, and so not measured: $library" >&2
done
