#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every libFuzzer program of the fuzz build for SECONDS or RUNS inputs, whichever comes first, as many side by side
# as there are processors. New inputs are kept in build/fuzz/corpus; one that breaks a target stays beside it and fails.
#
#     tests/fuzz/run.sh [SECONDS [RUNS]]     default: 60 seconds, 2 million inputs; RUNS 0: no limit
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/side_by_side.sh
seconds=${1:-60}
runs=${2:-2000000}
[ "$runs" -gt 0 ] || runs=-1

shopt -s nullglob
programs=(build/fuzz/tests/fuzz_*)
[ ${#programs[@]} -gt 0 ] || { echo "fuzz: no target is built" >&2; exit 1; }

one() { # program -> a line; the whole output when it fails
    local program=$1 target corpus log dictionary=()
    target=${program##*/fuzz_}
    corpus=build/fuzz/corpus/$target
    log=build/fuzz/$target.log
    mkdir -p "$corpus"
    [ ! -f "tests/fuzz/$target/dictionary" ] || dictionary=("-dict=tests/fuzz/$target/dictionary")
    if "$program" -max_total_time="$seconds" -runs="$runs" -timeout=30 -rss_limit_mb=2048 -max_len=65536 \
        -print_final_stats=1 -verbosity=0 "${dictionary[@]}" -artifact_prefix="$corpus-" \
        "$corpus" "tests/fuzz/$target/seeds" >"$log" 2>&1; then
        echo "ok      $target, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") inputs"
    else
        echo "not ok  $target" && tail -60 "$log" && return 1
    fi
}

for program in "${programs[@]}"; do
    side_by_side one "$program"
done
side_by_side_end || true
echo "fuzz: ${#programs[@]} targets, $side_failed failed"
[ "$side_failed" -eq 0 ]
