#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Runs external-dns's webhook server with its in-memory provider, with the arguments given; without any it only
# sees to it that it is there. Built once from Go modules, below $PINTLE_CACHE, into a directory whose name carries
# a hash of the sources and versions.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}
KEY=$(cd "$HERE" && cat go-webhook/*.go go-webhook/go.mod go-webhook/go.sum | sha256sum | cut -c 1-16)
PROGRAM=$CACHE/webhook-$KEY/webhook

if ! [ -x "$PROGRAM" ]; then
    mkdir -p "$CACHE/webhook-$KEY"
    exec 9>"$CACHE/webhook-$KEY/lock"
    flock 9 # tests that run at the same time wait for one build
fi
if ! [ -x "$PROGRAM" ]; then
    echo "webhook.sh: building $PROGRAM (minutes the first time)" >&2
    (cd "$HERE/go-webhook" && CGO_ENABLED=0 nice "$HERE/../lab/go.sh" build -p 2 -trimpath -buildvcs=false \
        -ldflags '-s -w' -o "$PROGRAM.new.$$" .)
    mv "$PROGRAM.new.$$" "$PROGRAM"
fi
exec 9>&- # else it would have the lock for as long as it runs
[ $# -eq 0 ] || exec "$PROGRAM" "$@"
