# SPDX-License-Identifier: Apache-2.0
"""How long answers take: at half of what a server can do (row latency), and while names change (row churn)."""

import os
import random
import select
import subprocess
import time

import ratio
from ask import Asker
from data import NAMESPACE, ZONE, Services, service_name
from peers import Knot, Nsd
from servers import Failed, Gdnsd, Pintle, cpu_ns, spawn

QUANTILES = ("p50_us", "p99_us", "p999_us", "max_us")
CHURN_RATE = 50000      # queries a second
CHURN_CHANGES = 1000    # changes a second
CHURN_TARGET = 2.0
START_S = 120


def ask_at(bench, port, names_path, rate, seconds, more=()):
    """Queries at a rate for a while; what the generator says."""
    return ratio.run_generator(bench, [
        bench.program("load"), "--server", f"127.0.0.1:{port}", "--names", names_path, "--rate",
        f"{rate:.0f}", *more], seconds)


def print_line(label, rate, best, rest=""):
    """One line of a table of quantiles."""
    print(f"{label:<22}{rate:>10.0f}" + "".join(f"{float(best[q]):>10.1f}" for q in QUANTILES)
          + f"  {rest}", flush=True)


def print_head(title):
    """Its head."""
    print(f"\n{title}\n{'server':<22}{'q/s':>10}{'p50 us':>10}{'p99 us':>10}{'p99.9 us':>10}"
          f"{'max us':>10}  p99 of all rounds")


def run(bench):
    """Row latency: each server at half of its own maximum rate, in turns; the best p99 counts."""
    data = Services(bench.args.names)
    root, core, zones = os.path.join(bench.work, "latency"), bench.server_core, data.zones()
    row = ratio.Row("latency", f"latency at half of the maximum rate: A over UDP, {data.n} names",
                    data, [lambda: Gdnsd(root, core, zones), lambda: Knot(root, core, zones),
                           lambda: Nsd(root, core, zones),
                           lambda: Pintle(root, core, bench.pintled(), data=data)],
                    ratio.check_services(data), {})
    row.base = None
    print(f"\n== {row.name}", flush=True)
    ratio.write_questions(bench, row)
    servers = ratio.start_all(bench, row, data.names[-1])
    try:
        ratio.drop_failing(bench, row, servers, lambda server: ratio.measure(
            bench, row, server, ratio.WARM_UP_S))
        rates = {server.name: ratio.measure(bench, row, server, bench.args.seconds)["qps"] / 2
                 for server in servers}
        rounds = {server.name: [] for server in servers}
        for _ in range(bench.args.rounds):
            for server in servers:
                found, line = ask_at(bench, server.port, row.names_path, rates[server.name],
                                     bench.args.seconds)
                ratio.judge(server, found, line)
                rounds[server.name].append(found)
    finally:
        ratio.stop_all(servers)
    print_head(row.title)
    for server in servers:
        best = min(rounds[server.name], key=lambda one: float(one["p99_us"]))
        print_line(server.label, rates[server.name], best,
                   " ".join(one["p99_us"] for one in rounds[server.name]))
        bench.results.append({"row": row.name, "server": server.label, "name": server.name,
                              "rate": rates[server.name], "rounds": rounds[server.name],
                              **{q: float(best[q]) for q in QUANTILES}})


class Churn:
    """bench/churn as a child: the builder's and the workers' threads, and changes on demand."""

    label = "Pintle"

    def __init__(self, bench, n):
        self.n = n
        self.process = spawn([bench.program("churn"), str(n)], bench.server_core,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = self.read("port")

    def read(self, key):
        """The number that the next line gives for a key."""
        ready, _, _ = select.select([self.process.stdout], [], [], START_S)
        line = self.process.stdout.readline().decode() if ready else ""
        if not line.startswith(key + "="):
            self.stop()
            raise Failed(f"bench/churn says {line!r}, not its {key}")
        return int(line.split("=")[1])

    def change(self, rate):
        """From now on so many changes a second; how many there were so far."""
        self.process.stdin.write(f"{rate}\n".encode("ascii"))
        self.process.stdin.flush()
        return self.read("changes")

    def stop(self):
        """Ends it."""
        self.process.stdin.close()
        try:
            self.process.wait(START_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def expected(i, n, n_changes):
    """The addresses of the i-th name after so many changes (churn.c says how they come about)."""
    last = i if n_changes <= i else n + i + (n_changes - 1 - i) // n * n
    return sorted(f"10.{ip >> 16 & 255}.{ip >> 8 & 255}.{ip & 255}"
                  for ip in range(4 * last, 4 * last + 4))


def check_last(churn, names, n_changes):
    """Every change is there: some names, and all that were changed last."""
    with Asker(churn.port) as asker:
        chosen = random.Random(4).sample(range(churn.n), min(ratio.N_CHECKED, churn.n))
        chosen += [k % churn.n for k in range(max(0, n_changes - 20), n_changes)]
        for i in chosen:
            rcode, got = asker.ask(names[i])
            if rcode != 0 or sorted(got) != expected(i, churn.n, n_changes):
                raise Failed(f"churn: after {n_changes} changes {names[i]} gives rcode {rcode}, "
                             f"{got}, not {expected(i, churn.n, n_changes)}")


def wait_served(churn, names):
    """Waits until the builder has been through all names."""
    deadline = time.monotonic() + START_S
    while True:
        try:
            return check_last(churn, names, 0)
        except Failed:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def run_churn(bench):
    """Row churn: quiet and changing in turns; the best p99 of each counts."""
    n = bench.args.names
    names = [f"{service_name(i)}.{NAMESPACE}.svc.{ZONE}" for i in range(n)]
    print("\n== churn", flush=True)
    path = ratio.write_names(bench, "churn", [f"{name} A 0 4" for name in names])
    churn = Churn(bench, n)
    try:
        wait_served(churn, names)
        rounds = {"quiet": [], "changing": []}
        ask_at(bench, churn.port, path, CHURN_RATE, ratio.WARM_UP_S)
        cpu = {"quiet": 0, "changing": 0}
        for number in range(2 * bench.args.rounds):
            kind = "changing" if number % 2 else "quiet"
            n_before = churn.change(CHURN_CHANGES if number % 2 else 0)
            before_ns = cpu_ns(churn.process.pid)
            found, line = ask_at(bench, churn.port, path, CHURN_RATE, bench.args.seconds,
                                 ["--generations"])
            cpu[kind] += cpu_ns(churn.process.pid) - before_ns
            n_changes = churn.change(0)
            ratio.judge(churn, found, line)
            if int(found["lost"]) + int(found["unasked"]) > 0:
                bench.complain(f"churn, {kind}: {line}")
            if number % 2 and n_changes - n_before < 0.9 * CHURN_CHANGES * bench.args.seconds:
                bench.complain(f"churn: only {n_changes - n_before} changes in "
                               f"{bench.args.seconds} s")
            check_last(churn, names, n_changes)
            rounds[kind].append(found)
    finally:
        churn.stop()
    report_churn(bench, n, n_changes, rounds, cpu)


def report_churn(bench, n, n_changes, rounds, cpu):
    """The row's table."""
    print_head(f"{CHURN_CHANGES} changes a second under {CHURN_RATE} queries a second: {n} names, "
               f"{n_changes} changes; no answer lost, none mixed")
    best = {}
    for kind, found in rounds.items():
        best[kind] = min(found, key=lambda one: float(one["p99_us"]))
        busy = cpu[kind] / 1e9 / (bench.args.seconds * len(found))
        print_line(f"Pintle, {kind}", CHURN_RATE, best[kind],
                   " ".join(one["p99_us"] for one in found) + f"  busy {busy:.0%}")
    times = float(best["changing"]["p99_us"]) / float(best["quiet"]["p99_us"])
    print(f"p99 while changing: {times:.2f} x quiet, target <= {CHURN_TARGET:.0f}", flush=True)
    bench.results.append({"row": "churn", "server": "Pintle", "name": "pintle", "ratio": times,
                          "target": f"<= {CHURN_TARGET:.0f}", "rounds": rounds})
    if bench.args.strict and times > CHURN_TARGET:
        bench.complain(f"churn: p99 is {times:.2f} times the quiet one")
