#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every case has a test named after it: "case 44, 45: ..." names two.

Titles are read where tests have them: `case` lines of scenarios, strings of C and Python tests. Exits with 1 when a
case has no test.
"""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent
WANTED = range(1, 144)
TITLE = {".scn": re.compile(r"^case ([0-9][0-9, -]*):", re.M),
         ".c": re.compile(r'"case ([0-9][0-9, -]*):'),
         ".py": re.compile(r"[\"']case ([0-9][0-9, -]*):")}


def numbers(text):
    """ "44, 45" or "64-66" """
    for part in re.split(r", *", text.strip()):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def main():
    tested = {}
    for path in sorted(TESTS.rglob("*")):
        if path.suffix in TITLE and path != pathlib.Path(__file__).resolve():
            for title in TITLE[path.suffix].findall(path.read_text(encoding="utf-8")):
                for number in numbers(title):
                    tested.setdefault(number, []).append(path.name)
    missing = [n for n in WANTED if n not in tested]
    for n in missing:
        print(f"missing  case {n} has no test named after it")
    print(f"{len(WANTED) - len(missing)} of {len(WANTED)} cases have tests")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
