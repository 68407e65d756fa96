#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Pintle beside other servers in one run. README.md says how to read the tables."""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile

import api
import change
import views
from ask import Asker
from data import Routes, Services
from servers import CoreDns, Failed, Floor, Gdnsd, Missing, Pintle, spawn

BENCH = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(BENCH)
ROWS = ("a-udp", "weighted", "change", "views", "api")
N_CHECKED = 200        # names asked before a server is measured
N_SHARE = 1000         # questions that the 10/90 check asks of one name
LOST_MAX = 0.01        # more than this share lost: the round does not count
WARM_UP_S = 0.5


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

    def program(self, name):
        """One of the programs of this directory, from the build."""
        path = os.path.join(self.args.build, "bench", name)
        if not os.access(path, os.X_OK):
            raise Failed(f"{path} is not built (./x build)")
        return path

    def pintled(self):
        """The daemon to measure."""
        return os.environ.get("PINTLED") or os.path.join(self.args.build, "pintled")

    def complain(self, text):
        """A finding that makes the run fail."""
        self.complaints.append(text)
        print(f"! {text}", flush=True)


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


def measure(bench, server, names_path, seconds):
    """One round: what the server spent for each query it answered, and what the generator saw."""
    command = [bench.program("load"), "--server", f"127.0.0.1:{server.port}", "--names", names_path,
               "--seconds", str(seconds), "--window", str(bench.args.window)]
    if bench.args.edns:
        command.append("--edns")
    before_ns = server.cpu_ns()
    with spawn(command, bench.load_core, stdout=subprocess.PIPE, text=True) as load:
        try:
            line, _ = load.communicate(timeout=seconds + 30)
        except subprocess.TimeoutExpired:
            load.kill()
            raise
    spent_ns = server.cpu_ns() - before_ns
    found = dict(pair.split("=") for pair in line.split())
    answered, sent = int(found.get("answered", 0)), int(found.get("sent", 0))
    good = int(found.get("NOERROR", 0)) if server.name != "floor" else answered
    if answered == 0 or good < answered or int(found["wrong"]) > 0:
        raise Failed(f"{server.label}: {line.strip() or 'no answer'}")
    return {"ns": spent_ns / answered, "busy": spent_ns / 1e9 / float(found["seconds"]),
            "qps": float(found["qps"]), "lost": (sent - answered) / sent,
            "bytes": int(found["answer_bytes"])}


def run_rounds(bench, servers, names_path):
    """Rounds of all servers in turn; {server's name: its rounds}."""
    rounds = {server.name: [] for server in servers}
    for server in servers:
        measure(bench, server, names_path, WARM_UP_S)
    for number in range(bench.args.rounds):
        for server in servers:
            found = measure(bench, server, names_path, bench.args.seconds)
            if found["lost"] > LOST_MAX:
                bench.complain(f"{server.label}: round {number + 1} lost {found['lost']:.1%}")
                continue
            rounds[server.name].append(found)
    return rounds


def print_table(bench, title, servers, rounds, targets):
    """The row's table; every server's cheapest round counts."""
    floor_ns = min(found["ns"] for found in rounds["floor"])
    print(f"\n{title}")
    print(f"{'server':<16}{'ns/query':>9}{'x floor':>9}{'target':>9}{'q/s':>10}{'busy':>7}"
          f"{'bytes':>7}  rounds, ns/query")
    for server in servers:
        found = rounds[server.name]
        if not found:
            bench.complain(f"{server.label}: no round counts")
            continue
        best = min(found, key=lambda one: one["ns"])
        ratio = best["ns"] / floor_ns
        target = targets.get(server.name, "")
        print(f"{server.label:<16}{best['ns']:>9.0f}{ratio:>9.2f}{target:>9}{best['qps']:>10.0f}"
              f"{best['busy']:>7.0%}{best['bytes']:>7}  "
              + " ".join(f"{one['ns']:.0f}" for one in found), flush=True)
        bench.results.append({"row": title, "server": server.label, "ns_per_query": best["ns"],
                              "ratio": ratio, "target": target, "rounds": found})
        if server.name == "pintle" and bench.args.limit and ratio > bench.args.limit:
            bench.complain(f"{title}: Pintle is at {ratio:.2f} x floor, more than "
                           f"{bench.args.limit}")


def answer_bytes(name, n_address, edns):
    """The size of an answer with its addresses behind pointers to the question."""
    return 12 + len(name) + 2 + 4 + 16 * n_address + (11 if edns else 0)


def start_all(bench, makers, probe, check):
    """Starts the servers that this machine has, and checks that each says the right thing."""
    servers = []
    try:
        for make in makers:
            try:
                server = make()
            except Missing as why:
                print(f"- left out: {why}", flush=True)
                continue
            servers.append(server)
            server.start(probe)
            if server.name != "floor":
                check(server)
            print(f"- {server.label}: ready after {server.ready_s:.2f} s, "
                  f"{server.pss_mib():.1f} MiB", flush=True)
    except BaseException:
        stop_all(servers)
        raise
    return servers


def stop_all(servers):
    """Stops whatever of them runs."""
    for server in servers:
        server.stop()


def check_services(services):
    """A check that names give exactly their addresses, in any order."""
    def check(server):
        with Asker(server.port) as asker:
            for i in random.Random(1).sample(range(services.n), min(N_CHECKED, services.n)):
                rcode, got = asker.ask(services.names[i])
                if rcode != 0 or sorted(got) != sorted(services.addresses(i)):
                    raise Failed(f"{server.label}: {services.names[i]} gives rcode {rcode}, {got}; "
                                 f"expected {services.addresses(i)}")
    return check


def check_routes(routes):
    """A check that names give one address each, and one of them about 10 to 90."""
    def check(server):
        with Asker(server.port) as asker:
            for i in random.Random(1).sample(range(routes.n), min(N_CHECKED, routes.n)):
                rcode, got = asker.ask(routes.names[i])
                if rcode != 0 or len(got) != 1 or got[0] not in routes.addresses(i):
                    raise Failed(f"{server.label}: {routes.names[i]} gives rcode {rcode}, {got}; "
                                 f"expected one of {routes.addresses(i)}")
            blue = routes.addresses(0)[0]
            n_blue = sum(asker.ask(routes.names[0])[1] == [blue] for _ in range(N_SHARE))
            if not 0.06 < n_blue / N_SHARE < 0.14:
                raise Failed(f"{server.label}: weight 10 of 100 got {n_blue} of {N_SHARE}")
    return check


def write_names(path, names):
    """The generator's input."""
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(names) + "\n")
    return path


def run_row(bench, row, title, data, makers, check, targets):
    """One row of CPU ratios, from the data to the table."""
    print(f"\n== {row}", flush=True)
    names_path = write_names(os.path.join(bench.work, f"{row}.names"), data.names)
    servers = start_all(bench, makers, data.names[-1], check)
    try:
        rounds = run_rounds(bench, servers, names_path)
        print_table(bench, title, servers, rounds, targets)
    finally:
        stop_all(servers)
    if not any(server.name == "pintle" for server in servers):
        bench.complain(f"{row}: Pintle was not measured")


def row_a_udp(bench):
    """A over UDP: every name has the same number of addresses, all of them in the answer."""
    args, services = bench.args, Services(bench.args.names)
    root, core = os.path.join(bench.work, "a-udp"), bench.server_core
    size = answer_bytes(services.names[0], sum(services.split), args.edns)
    run_row(bench, "a-udp", f"A over UDP: {args.names} names, {sum(services.split)} addresses each",
            services, [
                lambda: Floor(root, core, bench.program("floor"), size),
                lambda: Gdnsd(root, core, services=services),
                lambda: CoreDns(root, core, find_coredns(), services=services),
                lambda: Pintle(root, core, bench.pintled(), data=services),
            ], check_services(services), {"gdnsd": "(1.07)", "coredns": "(10.3)",
                                          "pintle": "<= 1.07"})


def row_weighted(bench):
    """Weighted 10/90, one address chosen for each query."""
    args, routes = bench.args, Routes(bench.args.names)
    root, core = os.path.join(bench.work, "weighted"), bench.server_core
    size = answer_bytes(routes.names[0], 1, args.edns)
    run_row(bench, "weighted", f"weighted 10/90 over UDP, single: {args.names} names",
            routes, [
                lambda: Floor(root, core, bench.program("floor"), size),
                lambda: Gdnsd(root, core, routes=routes),
                lambda: Pintle(root, core, bench.pintled(), data=routes),
            ], check_routes(routes), {"gdnsd": "(1.13)", "pintle": "<= 1.13"})


def row_change(bench):
    """A changed file until the answer shows it."""
    change.run(bench, Services(bench.args.names, split=(3, 2)))


def row_api(bench):
    """The same from a real API server."""
    api.run(bench, find_coredns)


def parse_args():
    """The command line; --quick is what CI can afford."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default=",".join(ROWS[:4]),
                        help=f"comma list of {', '.join(ROWS)} (default: all but api)")
    parser.add_argument("--quick", action="store_true",
                        help="short rounds and fewer changes: shows that it works, not the figures")
    parser.add_argument("--rounds", type=int, help="of each server, interleaved (default 5)")
    parser.add_argument("--seconds", type=float, help="of each round (default 3)")
    parser.add_argument("--names", type=int, default=10000, help="how many (default 10000)")
    parser.add_argument("--changes", type=int, help="of the change row (default 400)")
    parser.add_argument("--window", type=int, default=256, help="queries in flight (default 256)")
    parser.add_argument("--edns", action="store_true", help="queries carry EDNS")
    parser.add_argument("--limit", type=float,
                        help="fail when Pintle costs more than this many times the floor")
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
                {"a-udp": row_a_udp, "weighted": row_weighted, "change": row_change,
                 "views": views.run, "api": row_api}[row](bench)
            except (Failed, Missing, subprocess.TimeoutExpired) as why:
                bench.complain(f"{row}: {why}")
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
