#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs every libFuzzer program of the fuzz build for SECONDS each. New inputs are kept in build/fuzz/corpus;
# an input that breaks a target stays beside it and ends the run.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:-60}

shopt -s nullglob
programs=(build/fuzz/tests/fuzz_*)
[ ${#programs[@]} -gt 0 ] || { echo "fuzz: no target is built" >&2; exit 1; }
for program in "${programs[@]}"; do
    target=${program##*/fuzz_}
    corpus=build/fuzz/corpus/$target
    mkdir -p "$corpus"
    echo "fuzz: $target for $seconds s"
    dictionary=()
    [ ! -f "tests/fuzz/$target/dictionary" ] || dictionary=("-dict=tests/fuzz/$target/dictionary")
    "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 -print_final_stats=1 \
        -verbosity=0 "${dictionary[@]}" -artifact_prefix="$corpus-" "$corpus" "tests/fuzz/$target/seeds"
done
