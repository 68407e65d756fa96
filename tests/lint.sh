#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every check that ends an argument. `--changed` gives clang-tidy only the files that differ from HEAD.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f build/compile_commands.json ] || { echo "lint: build/compile_commands.json is missing: ./x build" >&2; exit 1; }

failed=()
check() { # name, command...
    local started=$SECONDS name=$1
    shift
    "$@" || failed+=("$name")
    echo "lint: $name, $((SECONDS - started)) s"
}

mapfile -t c_files < <(git ls-files --cached --others --exclude-standard '*.c' '*.h')
mapfile -t scripts < <(git ls-files --cached --others --exclude-standard x .ci/run '*.sh')
mapfile -t pythons < <(git ls-files --cached --others --exclude-standard '*.py')
tidy_of='^'$PWD'/(base|zones|sync|resolver|cli|tests|bench)/'
if [ "${1:-}" = --changed ]; then
    changed=$(git diff --name-only HEAD -- '*.c' | paste -sd'|')
    tidy_of="^$PWD/(${changed:-none})\$"
fi

clang_tidy() { # two at a time: the analyzer needs memory; a file of several programs once
    mkdir -p build/tidy
    python3 -c 'import json, sys
once = {one["file"]: one for one in json.load(sys.stdin)}
json.dump(list(once.values()), sys.stdout)' <build/compile_commands.json >build/tidy/compile_commands.json
    run-clang-tidy-14 -quiet -j 2 -p build/tidy "$tidy_of" >build/tidy.log 2>&1 && return
    sed 's/\x1b\[[0-9;]*m//g' build/tidy.log | grep -E '(warning|error):' | sort -u || tail -5 build/tidy.log
    return 1
}

check layers tests/layers.sh
check rules python3 tests/lint.py
check scripts shellcheck --severity=style "${scripts[@]}"
[ ${#pythons[@]} -eq 0 ] || check python python3 -W error -c 'import ast, pathlib, sys
for path in sys.argv[1:]:
    ast.parse(pathlib.Path(path).read_text(encoding="utf-8"), path)' "${pythons[@]}"
check clang-format clang-format-14 --dry-run -Werror "${c_files[@]}"
check clang-tidy clang_tidy

[ ${#failed[@]} -eq 0 ] || { echo "lint: failed: ${failed[*]}" >&2; exit 1; }
echo "lint: nothing to report"
