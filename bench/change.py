# SPDX-License-Identifier: Apache-2.0
"""How long a change takes until an answer shows it."""

import os
import random
import select
import subprocess
import time

from data import address, endpoints_of, service_manifest, write
from servers import Failed, Pintle, spawn

LIMIT_MS = 2000        # a change that does not show by then is missing
GAP_S = (0.004, 0.024) # between changes, so that they do not fall into step with anything
N_IDLE = 20            # questions whose answer is there already: what asking itself takes
NEW_NET = 200          # 10.200.0.0/16 and on: addresses that no manifest starts with


class Watcher:
    """bench/change as a child: one wish in, one moment out."""

    def __init__(self, program, port, cores, flags=()):
        self.process = spawn([program, "--server", f"127.0.0.1:{port}", *flags], cores,
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(LIMIT_MS / 1000 + 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def wish(self, name, wanted):
        """From now on it asks for `name` until an answer holds the address `wanted`."""
        self.process.stdin.write(f"{name} {wanted} {LIMIT_MS}\n".encode("ascii"))
        self.process.stdin.flush()

    def seen_ns(self):
        """The moment of that answer on the monotonic clock; 0 when it never came."""
        ready, _, _ = select.select([self.process.stdout], [], [], LIMIT_MS / 1000 + 2)
        line = self.process.stdout.readline() if ready else b""
        if not line:
            raise Failed("bench/change ended or hangs")
        return int(line.split()[0])


def percentile(sorted_values, share):
    """The smallest value that `share` of all do not exceed."""
    return sorted_values[max(0, -(-len(sorted_values) * share // 100) - 1)]


def idle_ms(watcher, name, known):
    """Median time from a wish that is true already to its moment: pipe, one query, clock."""
    took = []
    for _ in range(N_IDLE):
        start_ns = time.monotonic_ns()
        watcher.wish(name, known)
        took.append((watcher.seen_ns() - start_ns) / 1e6)
    return sorted(took)[N_IDLE // 2]


def time_changes(watcher, n, make_change):
    """
    Makes n changes. Returns ({what time counts from: sorted milliseconds}, how many never showed).

    make_change(k) prepares the k-th change and returns (name, new address, do); do() makes it and
    returns {what time counts from: moment}. An answer that was there before that moment took 0.
    """
    took, n_missing = {}, 0
    for k in range(n):
        name, wanted, do_change = make_change(k)
        watcher.wish(name, wanted)
        time.sleep(random.uniform(*GAP_S))
        moments = do_change()
        seen_ns = watcher.seen_ns()
        if seen_ns == 0:
            n_missing += 1
            continue
        for since, start_ns in moments.items():
            took.setdefault(since, []).append(max(0, seen_ns - start_ns) / 1e6)
    return {since: sorted(values) for since, values in took.items()}, n_missing


def report(bench, title, server, findings, target):
    """A line of figures for each moment that time counts from; a missing change is a complaint."""
    times, n_missing = findings
    if n_missing > 0 or not times:
        bench.complain(f"{title}: {server.label}: {n_missing} changes never showed")
    for since, took in times.items():
        p50, p99, worst = percentile(took, 50), percentile(took, 99), took[-1]
        print(f"{server.label:<16}{since:<10}{len(took):>8}{p50:>9.2f}{p99:>9.2f}{worst:>9.2f}"
              f"  {target.get(since, '')}", flush=True)
        bench.results.append({"row": title, "server": server.label, "since": since, "p50_ms": p50,
                              "p99_ms": p99, "max_ms": worst, "n": len(took),
                              "missing": n_missing})


def print_head(title):
    """The head of a table of such lines."""
    print(f"\n{title}\n{'server':<16}{'since':<10}{'changes':>8}{'p50 ms':>9}{'p99 ms':>9}"
          f"{'max ms':>9}  target")


def file_changes(bench, services, clusters_dir):
    """Each change gives one endpoint of one Service a new address, by rename into place."""
    spare = os.path.join(bench.work, "next.yaml")
    chosen = random.Random(2)

    def make_change(k):
        i = chosen.randrange(services.n)
        new = address(NEW_NET + (k >> 16), k)
        write(spare, service_manifest(0, i, [new] + endpoints_of(0, i, services.split[0])[1:]))
        target = services.manifest_path(clusters_dir, 0, i)

        def do_change():
            start_ns = time.monotonic_ns()
            os.rename(spare, target)
            return {"rename": start_ns}
        return services.names[i], new, do_change
    return make_change


def run(bench, services):
    """The row: Pintle on a directory. Only the asker is pinned to a core."""
    n_endpoint = services.n * sum(services.split)
    title = (f"change -> answer, directory: one file of {services.n * len(services.split)}, "
             f"{services.n} Services, {n_endpoint} endpoints")
    print("\n== change", flush=True)
    pintle = Pintle(os.path.join(bench.work, "change"), None, bench.pintled(), data=services)
    try:
        pintle.start(services.names[-1])
        print(f"- {pintle.label}: ready after {pintle.ready_s:.2f} s, {pintle.pss_mib():.1f} MiB",
              flush=True)
        pintle.settle()
        with Watcher(bench.program("change"), pintle.port, bench.load_core) as watcher:
            known = endpoints_of(0, 0, 1)[0]
            print(f"- asking alone takes {idle_ms(watcher, services.names[0], known):.2f} ms")
            findings = time_changes(
                watcher, bench.args.changes, file_changes(bench, services, pintle.clusters_dir))
        print_head(title)
        report(bench, title, pintle, findings, {"rename": "p99 <= 1.2 ms"})
    finally:
        pintle.stop()
