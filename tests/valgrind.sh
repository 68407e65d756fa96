#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The unit tests and a live daemon under valgrind: reads of what was never written, and what is lost. No suppressions.
#
#     tests/valgrind.sh BUILD_DIR
#
# Only what is lost for certain counts: liburcu's own thread lives until the process ends and "may be lost" then.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/side_by_side.sh
export PINTLE_SOURCE_DIR=$PWD # as ctest tells tests
build=$(realpath "$1")
command -v valgrind >/dev/null || { echo "valgrind: it is not installed (./x setup valgrind)" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options=(-q --error-exitcode=9 --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite --num-callers=30)

# Whoever starts pintled gets one under valgrind.
cat >"$work/pintled" <<RUN
#!/bin/sh
exec valgrind ${options[*]} $build/pintled "\$@"
RUN
chmod +x "$work/pintled"

one() { # test program -> its output when it fails
    local name log
    name=$(basename "$1") log=$work/$(basename "$1").log
    if nice -n 10 valgrind "${options[@]}" "$1" >"$log" 2>&1; then
        echo "ok      $name"
    else
        echo "not ok  $name" && tail -40 "$log" && return 1
    fi
}

live() { # script, arguments -> its output when it fails
    local script=$1 log=$work/$1.log
    shift
    if PINTLED=$work/pintled PINTLECTL=$build/pintlectl /usr/bin/python3 "tests/e2e/$script" "$@" >"$log" 2>&1; then
        echo "ok      $script, $(tail -1 "$log")"
    else
        echo "not ok  $script" && cat "$log" && return 1
    fi
}

# What is left out waits for timers (sync), is late for its own
# (base_loop) or counts descriptors and system calls, some of which are valgrind's (resolver_tcp, resolver_hot_path;
# streams.py goes the same ways).
side_by_side live differential.py 500
for program in "$build"/tests/test_{base,zones,resolver,cli}_* "$build"/tests/test_scenario_{explain,sticky,synth}; do
    case $program in *_base_loop | *_resolver_tcp | *_resolver_hot_path | *.c* ) continue ;; esac
    side_by_side one "$program"
done
side_by_side_end || true
live streams.py || side_failed=$((side_failed + 1)) # alone: it looks at the clock
[ "$side_failed" -eq 0 ] || { echo "valgrind: $side_failed failed" >&2; exit 1; }
echo "valgrind: nothing to report"
