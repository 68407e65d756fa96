#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs external-dns itself, with the arguments given; without any it only sees to it that it is there. Built once from
# its Go module as it is published, below $PINTLE_CACHE.
set -eu

VERSION=v0.20.0
HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
HOME_OF_IT=$CACHE/external-dns-$VERSION

if ! [ -x "$HOME_OF_IT/external-dns" ]; then
    mkdir -p "$HOME_OF_IT"
    exec 9>"$HOME_OF_IT/lock"
    flock 9 # tests that run at the same time wait for one build
fi
if ! [ -x "$HOME_OF_IT/external-dns" ]; then
    echo "external_dns.sh: building $HOME_OF_IT/external-dns (minutes the first time)" >&2
    GOBIN=$HOME_OF_IT/new.$$ CGO_ENABLED=0 nice "$HERE/../lab/go.sh" install -p 2 -trimpath -buildvcs=false \
        -ldflags '-s -w' "sigs.k8s.io/external-dns@$VERSION"
    mv "$HOME_OF_IT/new.$$/external-dns" "$HOME_OF_IT/external-dns"
    rmdir "$HOME_OF_IT/new.$$"
fi
exec 9>&- # else it would have the lock for as long as it runs
[ $# -eq 0 ] || exec "$HOME_OF_IT/external-dns" "$@"
