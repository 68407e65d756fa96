#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Prints the python that has Selenium; beside it, in ../axe.min.js, lies axe-core. Installed once from PyPI and npm,
# below $PINTLE_CACHE, by version; the tarball of axe-core must have the hash that is written here.
set -eu

SELENIUM=4.44.0
AXE=4.14.1
AXE_SHA256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
HOME_OF_ALL=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
DIR=$HOME_OF_ALL/web-$SELENIUM-$AXE

if ! [ -x "$DIR/bin/python" ]; then
    echo "tools.sh: installing selenium $SELENIUM and axe-core $AXE into $DIR" >&2
    mkdir -p "$HOME_OF_ALL"
    NEW=$DIR.new.$$
    /usr/bin/python3 -m venv "$NEW" || { echo "tools.sh: install python3-venv first" >&2; exit 1; }
    "$NEW/bin/python" -m pip install --quiet --disable-pip-version-check "selenium==$SELENIUM" dnspython >&2
    curl -fsSL -o "$NEW/axe.tgz" "https://registry.npmjs.org/axe-core/-/axe-core-$AXE.tgz"
    echo "$AXE_SHA256  $NEW/axe.tgz" | sha256sum -c --quiet >&2
    tar -xzf "$NEW/axe.tgz" -C "$NEW" --strip-components 1 package/axe.min.js
    rm "$NEW/axe.tgz"
    mv -T "$NEW" "$DIR" 2>/dev/null || rm -rf "$NEW" # somebody else was faster
fi
echo "$DIR/bin/python"
