#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs moto's server, which plays AWS, with the arguments given; without any it only sees to it that it is there.
# Installed once from PyPI, below $PINTLE_CACHE.
set -eu

VERSION=5.2.1
HOME_OF_ALL=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
DIR=$HOME_OF_ALL/moto-$VERSION

if ! [ -x "$DIR/bin/moto_server" ]; then
    echo "moto.sh: installing moto $VERSION from PyPI into $DIR" >&2
    mkdir -p "$HOME_OF_ALL"
    /usr/bin/python3 -m venv "$DIR.new.$$" || { echo "moto.sh: install python3-venv first" >&2; exit 1; }
    # "python -m pip": the programs in a venv name the place it was made in
    "$DIR.new.$$/bin/python" -m pip install --quiet --disable-pip-version-check "moto[server]==$VERSION"
    mv -T "$DIR.new.$$" "$DIR" 2>/dev/null || rm -rf "$DIR.new.$$" # somebody else was faster
fi
[ $# -eq 0 ] || exec "$DIR/bin/python" -m moto.server "$@"
