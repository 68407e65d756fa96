# SPDX-License-Identifier: Apache-2.0
"""A start with many clusters at once: how long until all of them are there, and how much memory then (row crowd)."""

import os
import subprocess
import sys
import time

import crowd_api
from ask import StreamAsker
from data import write
from servers import Failed, Pintle, spawn

N_CLUSTERS = 50
N_SERVICES = 200  # of each cluster
N_EACH = 100      # endpoints of each Service
LIMIT_S = 30
BYTES_EACH = 180
BYTES_REST = 64 << 20
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crowd_api.py")


def wait_all_right(server):
    """Every name has exactly its addresses."""
    with StreamAsker(server.port) as asker:
        for c in range(N_CLUSTERS):
            for i in range(N_SERVICES):
                name = f"{crowd_api.name_of(c, i)}.ns.svc.clusterset.local"
                wanted = sorted(crowd_api.address_of(c, i * N_EACH + k) for k in range(N_EACH))
                found = asker.ask(name)
                if sorted(found[1]) != wanted:
                    raise Failed(f"{server.label}: {name} gives {found}")


def run(bench):
    """The row."""
    n = N_CLUSTERS * N_SERVICES * N_EACH
    title = f"start, {N_CLUSTERS} clusters at once: {N_CLUSTERS * N_SERVICES} Services, {n} endpoints"
    print("\n== crowd", flush=True)
    apis = spawn([sys.executable, PROGRAM, str(N_CLUSTERS), str(N_SERVICES), str(N_EACH)],
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        kubeconfig = os.path.join(bench.work, "crowd.kubeconfig")
        write(kubeconfig, apis.stdout.readline().decode("ascii"))
        pintle = Pintle(os.path.join(bench.work, "crowd"), None, bench.pintled(),
                        source=["--kubeconfig", kubeconfig, "--all-contexts"])
        try:
            last = crowd_api.name_of(N_CLUSTERS - 1, N_SERVICES - 1)
            pintle.start(f"{last}.ns.svc.clusterset.local")
            took_s = time.monotonic() - pintle.started_s
            wait_all_right(pintle)
            pss_mib = pintle.pss_mib()
        finally:
            pintle.stop()
    finally:
        apis.stdin.close()
        apis.wait()
    allowed_mib = (n * BYTES_EACH + BYTES_REST) / 2**20
    print(f"\n{title}\n{'server':<16}{'all synced s':>13}{'PSS MiB':>9}{'bytes each':>12}  target\n"
          f"{pintle.label:<16}{took_s:>13.2f}{pss_mib:>9.1f}{pss_mib * 2**20 / n:>12.0f}"
          f"  {LIMIT_S} s, {allowed_mib:.0f} MiB", flush=True)
    bench.results.append({"row": title, "server": pintle.label, "start_s": took_s,
                          "pss_mib": pss_mib, "pss_limit_mib": allowed_mib})
    if bench.args.strict and (took_s > LIMIT_S or pss_mib > allowed_mib):
        bench.complain(f"{title}: {took_s:.1f} s, {pss_mib:.0f} MiB")
