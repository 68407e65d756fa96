#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the unit tests of the preset cov (PINTLE_COVERAGE), which is built, and counts what they take.
# Fails unless every branch of the wire parsers and the encoder is taken, and 85 % of all lines.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
build=$root/build/cov

find "$build" -name '*.gcda' -delete
tests/ctest.sh cov -L '^(base|zones|sync|resolver|cli|scenario|fuzz)$'

# What outside bytes meet first: queries, replies of upstreams, PROXY headers, names, messages out.
parser="$root/(resolver/(query|response|response_opt|proxy|reply|reply_body|reply_name|reply_rdata)\.c|zones/name\.c|include/pintle/base/buf\.h)"
echo "coverage: branches of the parsers of queries, replies and PROXY headers, and of the encoder"
gcovr -r "$root" --object-directory "$build" --branches --exclude-unreachable-branches -f "$parser" \
    --fail-under-branch 100 "$build"

# The programs' own files are run by tests/e2e, not by unit tests.
echo "coverage: lines of all rooms"
gcovr -r "$root" --object-directory "$build" -f "$root/(base|zones|sync|resolver|cli|include)/" \
    -e "$root/resolver/(main|app|app_.*|dev|greeting|metrics|admin.*|tapper|drain_store|zonefiles)\.c" \
    -e "$root/resolver/(config_schema|sandbox|service|starter)\.c" \
    -e "$root/cli/(main|analyze|complete|config|config_show|kubectl|log|man|pintled|reload|replace|sysdump|tail|tarball|top|top_busy|top_routes|weights)\.c" \
    --fail-under-line 85 -s -o "$build/coverage.txt" "$build"
