#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# go_tool.sh PACKAGE VERSION [ARGUMENT...]    runs a Go program with the arguments given; without any it only sees to it
# that it is there. Built once from its Go module as it is published, into <name>-<version> below $PINTLE_CACHE.
set -eu

PACKAGE=$1
VERSION=$2
shift 2
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
NAME=$(echo "$PACKAGE" | sed 's|/v[0-9]*$||; s|.*/||') # sigs.k8s.io/kustomize/kustomize/v5 makes "kustomize"
HOME_OF_IT=$CACHE/$NAME-$VERSION

if ! [ -x "$HOME_OF_IT/$NAME" ]; then
    mkdir -p "$HOME_OF_IT"
    exec 9>"$HOME_OF_IT/lock"
    flock 9 # tests that run at the same time wait for one build
fi
if ! [ -x "$HOME_OF_IT/$NAME" ]; then
    echo "go_tool.sh: building $HOME_OF_IT/$NAME (minutes the first time)" >&2
    GOBIN=$HOME_OF_IT/new.$$ CGO_ENABLED=0 nice "$HERE/go.sh" install -p 2 -trimpath -buildvcs=false \
        -ldflags '-s -w' "$PACKAGE@$VERSION"
    mv "$HOME_OF_IT/new.$$/$NAME" "$HOME_OF_IT/$NAME"
    rmdir "$HOME_OF_IT/new.$$"
fi
exec 9>&- # else it would have the lock for as long as it runs
[ $# -eq 0 ] || exec "$HOME_OF_IT/$NAME" "$@"
