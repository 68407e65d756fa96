#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every case that Pintle must answer has a test named after it: "case 44, 45: ..." names two.

Titles are read where tests have them: `case` lines of scenarios, strings of C and Python tests. Cases 116 to 129 are
about records outside and are not looked for. Exits with 1 when a case has no test and is not in NOT_YET.
"""

import pathlib
import re
import sys

TESTS = pathlib.Path(__file__).resolve().parent
WANTED = [*range(1, 116), *range(130, 144)]
NOT_YET = {  # case -> what has to be built first
    **dict.fromkeys((32, 33, 62, 63), "PTR"),
    61: "names below an ExternalName",
    **dict.fromkeys(range(64, 71), "_zone and _cluster names"),
    **dict.fromkeys((76, 77, 78), "compat.lighthouse"),
    84: "compat.filterFamilies",
    138: "gateways by host name",
    139: "stale: probe",
}
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
    missing = [n for n in WANTED if n not in tested and n not in NOT_YET]
    for n in sorted(NOT_YET):
        print(f"not yet  case {n}: {NOT_YET[n]}" if n not in tested
              else f"tested   case {n} in {tested[n][0]}: take it off the list")
    for n in missing:
        print(f"missing  case {n} has no test named after it")
    n_tested = sum(n in tested for n in WANTED)
    print(f"{n_tested} of {len(WANTED)} cases have tests, "
          f"{sum(n not in tested for n in NOT_YET)} not yet, {len(missing)} missing")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
