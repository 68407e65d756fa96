#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every command of the documentation is run, every link leads somewhere.

    run.py [PAGE...]

Each page is played (pages.py says how blocks are marked, play.py what is done with them) in a directory and a network
namespace of its own, where the ports that the page names are free and addresses kept for documentation can be listened
on and asked from. PINTLED and PINTLECTL name the programs (default: build/). Prints a line a check, "N passed, N failed" last.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

import pages
import play

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from apart import apart  # noqa: E402

INSIDE = "--inside"
AT_ONCE = 6
# All of them are this machine's, in the namespace of a page.
HERE = ("10.0.0.0/8", "192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24")
SERVERS = ("192.0.2.1", "192.0.2.2")  # BIND listens on addresses that a device has


class Report:
    """Counts, and prints a line a check."""

    def __init__(self):
        self.n_passed = self.n_failed = 0

    def __call__(self, what, is_good, detail=""):
        if is_good:
            self.n_passed += 1
        else:
            self.n_failed += 1
        print(f"{'ok     ' if is_good else 'not ok '} {what}", flush=True)
        if not is_good:
            print("".join(f"        {line}\n" for line in str(detail).splitlines()), end="", flush=True)

    def close(self):
        print(f"{self.n_passed} passed, {self.n_failed} failed")
        return 1 if self.n_failed or not self.n_passed else 0


def is_played(page):
    return any((block.language in pages.COMMANDS and not {"by"} & set(block.values) and "lab" not in block.flags)
               or "config" in block.flags for block in pages.blocks(page))


def play_inside(page):
    """In the namespace: one page, from its first block to its last."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for range_ in HERE:
        subprocess.run(["ip", "route", "add", "local", range_, "dev", "lo"], check=True)
    for address in SERVERS:
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="pintle-docs-") as dir:
        programs = pathlib.Path(dir) / "programs"
        work = pathlib.Path(dir) / "work"
        programs.mkdir()
        work.mkdir()
        for name in ("pintled", "pintlectl"):
            given = os.environ.get(name.upper(), str(pages.ROOT / "build" / name))
            (programs / name).symlink_to(os.path.abspath(given))
        player = play.Player(work, programs, report)
        try:
            player.play(page)
        finally:
            player.done()
    return 1 if report.n_failed else 0


def play_all(wanted, report):
    command = apart("--net")
    if not command:
        sys.exit("run.py: pages are played in networks of their own: root, or sysctl kernel.unprivileged_userns_clone=1")

    def one(page):
        done = subprocess.run([*command, sys.executable, __file__, INSIDE, page], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return page, done
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for page, done in pool.map(one, wanted):
            n_ok = sum(line.startswith("ok ") for line in done.stdout.splitlines())
            report(f"{page}: {n_ok} commands do what it says", done.returncode == 0 and n_ok > 0, done.stdout)


def main(arguments):
    if arguments[:1] == [INSIDE]:
        return play_inside(arguments[1])
    report = Report()
    wanted = arguments or pages.names()
    for page in wanted:
        marks = [fault for block in pages.blocks(page) for fault in pages.faults(block)]
        links = list(pages.broken_links(page))
        if marks or links or arguments:
            report(f"{page}: blocks say where they run, links lead somewhere", not marks + links, "\n".join(marks + links))
    report(f"{len(wanted)} pages were looked at", len(wanted) > 0)
    play_all([page for page in wanted if is_played(page)], report)
    return report.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
