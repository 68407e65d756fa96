#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Pintle beside other servers in one run. README.md says how to read the tables."""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import api
import change
import crowd
import fleet
import latency
import profile
import rows
import scale
import summary
import views
from data import Services
from servers import Failed, Missing

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(BENCH)


class Bench:
    """What all rows share: the programs, the cores, the length and the findings."""

    def __init__(self, args, work):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise Failed("two cores are needed: one for the server, one for the generator")
        self.args = args
        self.work = work
        self.server_core, self.load_core = {cores[0]}, {cores[1]}
        self.results = []
        self.complaints = []
        self.notes = []

    def program(self, name):
        """One of the programs of this directory, from the build."""
        path = os.path.join(self.args.build, "bench", name)
        if not os.access(path, os.X_OK):
            raise Failed(f"{path} is not built (./x build)")
        return path

    def pintled(self):
        """The daemon to measure."""
        return os.environ.get("PINTLED") or os.path.join(self.args.build, "pintled")

    @staticmethod
    def find_coredns():
        """CoreDNS of $PINTLE_CACHE; tests/lab builds it there."""
        cache = os.environ.get("PINTLE_CACHE") or os.path.join(
            os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pintle")
        path = os.path.join(cache, "bin", "coredns")
        if os.access(path, os.X_OK):
            return path
        build = os.path.join(ROOT, "tests", "lab", "build.sh")
        try:
            subprocess.run([build, "coredns"], check=True, stdin=subprocess.DEVNULL, timeout=1800)
        except (OSError, subprocess.SubprocessError) as why:
            raise Missing(f"CoreDNS is not at {path} and cannot be built: {why}") from why
        return path

    def note(self, text):
        """Something that a reader of the figures has to know."""
        self.notes.append(text)
        print(f"- {text}", flush=True)

    def complain(self, text):
        """A finding that makes the run fail."""
        self.complaints.append(text)
        print(f"! {text}", flush=True)


def row_change(bench):
    """A changed file until the answer shows it."""
    change.run(bench, Services(bench.args.names, split=(3, 2)))


def row_api(bench):
    """The same from a real API server, and what a start takes."""
    api.run(bench, bench.find_coredns, [5])


def row_scale(bench):
    """That with twenty times as many endpoints, too."""
    api.run(bench, bench.find_coredns, [5, 100])


ROWS = {**{name: lambda bench, name=name: rows.run(bench, name) for name in rows.ROWS},
        "latency": latency.run, "size": scale.run_size, "publish": scale.run_publish,
        "churn": latency.run_churn, "micro": scale.run_micro, "profile": profile.run,
        "change": row_change, "views": views.run, "crowd": crowd.run,
        "fleet": fleet.run, "api": row_api, "scale": row_scale}
ON_REQUEST = ("fleet", "api", "scale")  # they need tests/lab and minutes


def parse_args():
    """The command line; --quick is what CI can afford."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(row for row in ROWS if row not in ON_REQUEST),
                        help=f"comma list of {', '.join(ROWS)} (default: all but "
                             f"{' and '.join(ON_REQUEST)})")
    parser.add_argument("--quick", action="store_true",
                        help="short rounds and fewer changes: shows that it works, not the figures")
    parser.add_argument("--rounds", type=int, help="of each server, interleaved (default 5)")
    parser.add_argument("--seconds", type=float, help="of each round (default 3)")
    parser.add_argument("--names", type=int, default=10000, help="how many (default 10000)")
    parser.add_argument("--changes", type=int, help="of the change row (default 400)")
    parser.add_argument("--window", type=int, default=256, help="queries in flight (default 256)")
    parser.add_argument("--connections", type=int, default=32,
                        help="of the rows over TCP and TLS (default 32)")
    parser.add_argument("--pipeline", type=int, default=8,
                        help="most queries in flight on each of those (default 8)")
    parser.add_argument("--edns", action="store_true", help="queries carry EDNS")
    parser.add_argument("--limit", type=float,
                        help="fail when Pintle costs more than this many times the floor")
    parser.add_argument("--strict", action="store_true", help="fail when Pintle misses a target")
    parser.add_argument("--build", default=os.path.join(ROOT, "build"),
                        help="build directory (default: build; $PINTLED names another daemon)")
    parser.add_argument("--lab", action="store_true",
                        help="row api as well: changes at a real API server of tests/lab")
    parser.add_argument("--json", metavar="FILE", help="write the findings there as well")
    parser.add_argument("--keep", action="store_true", help="keep the work directory")
    args = parser.parse_args()
    args.rounds = args.rounds or (2 if args.quick else 5)
    args.seconds = args.seconds or (0.5 if args.quick else 3.0)
    args.changes = args.changes or (50 if args.quick else 400)
    args.rows = args.rows.split(",") + (["api"] if args.lab else [])
    if set(args.rows) - set(ROWS) or not 1 <= args.names <= 20000:
        parser.error(f"--rows takes {', '.join(ROWS)}; --names 1 to 20000")
    return args


def main():
    """Runs the rows asked for. 0: measured; 1: something did not do its work."""
    args = parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    work = tempfile.mkdtemp(prefix="pintle-bench-")
    try:
        bench = Bench(args, work)
        for row in args.rows:
            try:
                ROWS[row](bench)
            except (Failed, Missing, subprocess.TimeoutExpired) as why:
                bench.complain(f"{row}: {why}")
        summary.show(bench.results)
        if args.json:
            with open(args.json, "w", encoding="ascii") as file:
                json.dump(bench.results, file, indent=1)
        return 1 if bench.complaints else 0
    except Failed as why:
        print(f"bench: {why}", file=sys.stderr)
        return 1
    finally:
        if args.keep:
            print(f"work directory: {work}")
        else:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
