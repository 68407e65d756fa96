#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fetches what is vendored here anew, from npm: the tarball must have the hash that is written below. People run it to
# take another version; no build does.
set -eu
cd "$(dirname "$0")"

VERSION=1.6.32
SHA256=4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
curl -fsSL -o "$work/uplot.tgz" "https://registry.npmjs.org/uplot/-/uplot-$VERSION.tgz"
echo "$SHA256  $work/uplot.tgz" | sha256sum -c --quiet
tar -xzf "$work/uplot.tgz" -C "$work"
cp "$work/package/dist/uPlot.iife.min.js" uplot.js
cp "$work/package/dist/uPlot.min.css" uplot.css
cp "$work/package/LICENSE" uplot.LICENSE
sha256sum uplot.js uplot.css uplot.LICENSE >SHA256SUMS
