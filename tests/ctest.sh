#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the ctests of a preset that is built: ctest.sh PRESET [CTEST-ARGUMENTS]
#
# Many tests wait for what a daemon promises within some seconds, sixteen of them beside each other. Up to three that
# fail so are run once more, one after the other and alone, and the last lines say which: a test of that list is to be
# mended. What a sanitizer reports, a crash and what hangs get no second try (docs/decisions/0049-a-second-try.md).
set -euo pipefail
preset=$1
shift
results=build/Testing/Temporary
[ "$preset" = default ] || results=build/$preset/Testing/Temporary
max_tries=3
rm -f "$results"/LastTestsFailed*.log

code=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
ctest --preset "$preset" "$@" 2>&1 | tee "$log" || code=$?
[ "$code" != 0 ] || exit 0

failed=$(sed -n 's/^[0-9]*://p' "$results/LastTestsFailed.log" 2>/dev/null || true)
n_failed=$(wc -w <<<"$failed")
if [ "$n_failed" = 0 ] || [ "$n_failed" -gt "$max_tries" ]; then
    exit "$code"
fi
if grep -Eq '(ERROR|WARNING): (Address|Leak|Memory|Thread|UndefinedBehavior)Sanitizer|: runtime error: ' "$results/LastTest.log"; then
    echo "ctest.sh: a sanitizer reports something: no second try" >&2
    exit "$code"
fi
for name in $failed; do
    if ! grep -Eq "[0-9] - $name \(Failed\)" "$log"; then
        echo "ctest.sh: $name did not just fail: no second try" >&2
        exit "$code"
    fi
done

echo "ctest.sh: once more, alone: ${failed//$'\n'/ }"
ctest --preset "$preset" --rerun-failed -j 1
for name in $failed; do
    echo "SECOND TRY $preset: $name failed beside the others and passed alone: mend it"
    echo "$preset: $name" >>"${PINTLE_SECOND_TRIES:-/dev/null}"
done
