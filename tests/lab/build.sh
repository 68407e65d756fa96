#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# build.sh [lab|coredns]...    builds what is named (default: both) and prints where each landed.
#
# Each build goes into a directory of $PINTLE_CACHE whose name carries a hash of its Go sources and
# module versions, so a second call costs nothing and two checkouts do not disturb each other:
#     lab-<hash>/pintle-lab, crd/*.yaml, stages/*.yaml        bin/pintle-lab -> ../lab-<hash>/pintle-lab
#     coredns-<hash>/coredns                                  bin/coredns -> ../coredns-<hash>/coredns
# The first build takes minutes; Go's own cache makes later ones short.
set -eu

HERE=$(cd "$(dirname "$0")" && pwd)
CACHE=${PINTLE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/pintle}

# key DIR: a hash of everything in DIR that the result depends on, and of this script.
key() {
    (cd "$HERE" && cat "$1"/*.go "$1/go.mod" "$1/go.sum" build.sh | sha256sum | cut -c 1-16)
}

# module_dir PATH: where the files of a module of tests/lab/go are, fetched if need be.
module_dir() {
    "$HERE/go.sh" mod download "$1"
    "$HERE/go.sh" list -m -f '{{.Dir}}' "$1"
}

# The lab's data files: CRDs from the modules that define the kinds, and kwok's behaviours.
copy_assets() {
    dir=$(module_dir sigs.k8s.io/gateway-api)
    install -D -m 644 -t "$1/crd" "$dir"/config/crd/standard/gateway.networking.k8s.io_*s.yaml
    rm -f "$1"/crd/*_vap_*.yaml # an admission policy, not a kind
    dir=$(module_dir sigs.k8s.io/mcs-api)
    install -D -m 644 -t "$1/crd" "$dir"/config/crd/*.yaml
    dir=$(module_dir sigs.k8s.io/kwok)/kustomize/stage
    install -D -m 644 -t "$1/stages" "$dir"/node/fast/node-*.yaml \
        "$dir"/node/heartbeat/node-*.yaml "$dir"/pod/fast/pod-*.yaml
}

# build NAME SOURCE PROGRAM: one keyed directory and the link to it.
build() {
    out=$CACHE/$1-$(key "$2")
    if [ ! -e "$out/$3" ]; then
        echo "build.sh: building $3 (minutes the first time)" >&2
        new=$out.new.$$
        rm -rf "$new"
        mkdir -p "$new"
        cd "$HERE/$2"
        CGO_ENABLED=0 nice "$HERE/go.sh" build -p 2 -trimpath -buildvcs=false -ldflags '-s -w' \
            -o "$new/$3" .
        [ "$1" != lab ] || copy_assets "$new"
        rm -rf "$out"
        mv "$new" "$out"
    fi
    mkdir -p "$CACHE/bin"
    ln -sfn "../${out##*/}/$3" "$CACHE/bin/$3"
    echo "$out/$3"
}

[ $# -gt 0 ] || set -- lab coredns
for what in "$@"; do
    case $what in
    lab) build lab go pintle-lab ;;
    coredns) build coredns go-coredns coredns ;;
    *)
        echo "usage: build.sh [lab|coredns]..." >&2
        exit 2
        ;;
    esac
done
