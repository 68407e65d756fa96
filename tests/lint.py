#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Rules of the house that no ready-made tool checks. Prints FILE:LINE: what is wrong; exits 1 on any finding.

It reads the layout that clang-format gives: a function's braces stand alone in column 1.
"""

import ast
import pathlib
import re
import subprocess
import sys

FUNCTION_MAX_LINES = 70
FILE_MAX_LINES = 800
ROOMS = ("base", "zones", "sync", "resolver", "cli")

BANNED = re.compile(r"(?<![\w.>])(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|alloca)\s*\(")
ASSERT = re.compile(r"(?<![\w.>])assert\s*\(")
CLOCK = re.compile(r"(?<![\w.>])(time|clock_gettime|gettimeofday|clock)\s*\(")
SPDX = "SPDX-License-Identifier: Apache-2.0"

findings = []


def report(path, line, text):
    findings.append(f"{path}:{line}: {text}")


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        check=True, capture_output=True, text=True)
    paths = (pathlib.Path(name) for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def without_comments_and_strings(text):
    """Blanks comments, strings and character constants; every line keeps its number."""
    pattern = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def functions(lines):
    """Yields (first, last) line numbers of function bodies, braces included."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number
            start = None


def check_functions(path, code_lines):
    for first, last in functions(code_lines):
        if last - first - 1 > FUNCTION_MAX_LINES:
            report(path, first, f"function body of {last - first - 1} lines, limit {FUNCTION_MAX_LINES}")
        for number in range(first, last):
            if re.match(r"\s*#\s*if", code_lines[number - 1]):
                report(path, number, "#if inside a function body: make it two functions or a table")


def check_calls(path, code_lines):
    in_room = path.parts[0] in ROOMS or path.parts[0] == "include"
    for number, line in enumerate(code_lines, 1):
        if line.lstrip().startswith("#"):
            continue
        if call := BANNED.search(line):
            report(path, number, f"{call.group(1)}() is banned: use a bounded form")
        if in_room and ASSERT.search(line):
            report(path, number, "assert() outside tests: return an error or prove it in a test")
        if in_room and str(path) != "base/clock.c" and (call := CLOCK.search(line)):
            report(path, number, f"{call.group(1)}() outside base/clock.c: use pin_clock_*")


def is_documented(lines, number):
    """True when the paragraph of line `number` (no blank line within) opens with a /** comment."""
    first = number - 1
    while first > 0 and lines[first - 1].strip():
        first -= 1
        if lines[first].startswith("/**"):
            return True
    return False


def check_documented(path, lines, code_lines):
    """Every prototype, inline function, struct, enum, union and function-like macro has its comment."""
    depth, continues = 0, False
    for number, line in enumerate(code_lines, 1):
        text = line.strip()
        starts = depth == 0 and not continues and bool(line[:1].strip()) and not text.startswith(("#", "}", "{"))
        is_forward = re.fullmatch(r"(struct|union|enum) \w+;", text)
        is_anchor = text.startswith(("_Static_assert", "static_assert"))
        macro = re.match(r"#define (\w{2,})\(", text)
        if ((starts and not is_forward and not is_anchor) or macro) and not is_documented(lines, number):
            what = macro.group(1) + "()" if macro else text.split("{")[0].strip()
            if "/**<" not in lines[number - 1]:
                report(path, number, f"undocumented: {what}")
        depth += line.count("{") - line.count("}")
        if text and not text.startswith("#"):
            continues = depth == 0 and not text.endswith((";", "}"))
        if text.startswith("#") and text.endswith("\\"):
            continues = True
        elif text.startswith("#"):
            continues = False


def check_tests_run(path, text):
    """Tests that stand before those of a table have as many places as there are: what has none is overwritten."""
    for table in re.finditer(r"struct CMUnitTest \w+\[[^\]]*\+ (\d+)\] = \{\n(.*?)\n    \};", text, re.S):
        n = len(re.findall(r"^ {8}(?:\{|\w+\()", table.group(2), re.M))
        if n != int(table.group(1)):
            report(path, text.count("\n", 0, table.start()) + 1, f"places for {table.group(1)} tests, {n} are listed")


def check_c(path):
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    code_lines = without_comments_and_strings(text).split("\n")
    if len(lines) - 1 > FILE_MAX_LINES:
        report(path, FILE_MAX_LINES, f"{len(lines) - 1} lines, limit {FILE_MAX_LINES}")
    check_functions(path, code_lines)
    check_calls(path, code_lines)
    if path.parts[0] == "tests":
        check_tests_run(path, text)
    if path.suffix == ".h" and path.parts[0] == "include":
        check_documented(path, lines, code_lines)
    if path.suffix == ".h" and "#pragma once" not in text:
        report(path, 1, "header without #pragma once")


def check_spdx(path):
    if SPDX not in "\n".join(path.read_text(encoding="utf-8").split("\n")[:2]):
        report(path, 1, f"no '{SPDX}' in the first two lines")


def check_imports(path):
    """Whatever a Python file imports it names again, or says why not (noqa)."""
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            name = (alias.asname or alias.name).split(".")[0]
            if len(re.findall(rf"\b{name}\b", text)) == 1 and "noqa" not in lines[node.lineno - 1]:
                report(path, node.lineno, f"'{name}' is imported and not used")


def check_include_cycles(headers):
    uses = {}
    for path in headers:
        names = re.findall(r'^#include "(pintle/[^"]+)"', path.read_text(encoding="utf-8"), re.M)
        uses[str(path.relative_to("include"))] = names

    def walk(name, trail):
        if name in trail:
            report(f"include/{name}", 1, "include cycle: " + " -> ".join([*trail[trail.index(name):], name]))
            return
        if name not in seen:
            for used in uses.get(name, ()):
                walk(used, [*trail, name])
            seen.add(name)

    seen = set()
    for name in uses:
        walk(name, [])


def check_errors(c_files):
    """Every error of the one list is returned somewhere and met by a test."""
    header = pathlib.Path("include/pintle/base/error.h")
    if not header.exists():
        return
    def text_of(rooms):
        return "\n".join(p.read_text(encoding="utf-8") for p in c_files if p.parts[0] in rooms)

    rooms, tests = text_of(ROOMS), text_of(("tests",))
    for number, line in enumerate(header.read_text(encoding="utf-8").split("\n"), 1):
        if entry := re.match(r"\s*X\((\w+),", line):
            name = f"PIN_{entry.group(1)}"
            if not re.search(rf"\b{name}\b", rooms):
                report(header, number, f"{name} is never used: drop it")
            elif not re.search(rf"\b{name}\b", tests):
                report(header, number, f"{name} is met by no test")


def main():
    c_files = tracked("*.c", "*.h")
    for path in c_files:
        check_c(path)
    for path in [*c_files, *tracked("*.sh", "*.py", "*CMakeLists.txt", "x", ".ci/run", "Dockerfile")]:
        check_spdx(path)
    for path in tracked("*.py"):
        check_imports(path)
    check_include_cycles([p for p in c_files if p.parts[0] == "include"])
    check_errors(c_files)
    print("\n".join(findings), end="\n" if findings else "")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
