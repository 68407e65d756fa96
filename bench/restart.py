#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 -> first right answer, from the state directory alone: restart.py [SERVICES] (50000, each exported: two names).

The cluster is a directory that is moved away before the restart. PINTLED names the program (default: build/pintled).
"""

import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
from ask import Asker  # noqa: E402
from run import PINTLED  # noqa: E402
from zones import free_port  # noqa: E402

TIMES, STEP, SYNC_S, ASK_S = 9, 10000, 600, 0.05


def write(folder, n):
    """One List of Service, ServiceExport and EndpointSlice with four addresses for each 10,000."""
    folder.mkdir(parents=True)
    for low in range(0, n, STEP):
        items = []
        for i in range(low, min(n, low + STEP)):
            meta = {"name": f"svc{i}", "namespace": "ns"}
            slice_meta = {**meta, "labels": {"kubernetes.io/service-name": f"svc{i}"}}
            endpoints = [{"addresses": [f"10.{i >> 14 & 255}.{i >> 6 & 255}.{(i << 2 & 252) + k}"]} for k in range(4)]
            items += [
                {"apiVersion": "v1", "kind": "Service", "metadata": meta,
                 "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}},
                {"apiVersion": "multicluster.x-k8s.io/v1alpha1", "kind": "ServiceExport", "metadata": meta},
                {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
                 "metadata": slice_meta, "ports": [{"name": "http", "port": 80}], "endpoints": endpoints}]
        (folder / f"{low}.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": items}))


def restart(config, port, name):
    """Seconds from the start of the program to the first right answer."""
    start = time.monotonic()
    with subprocess.Popen([PINTLED, "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
        reply = None
        while reply is None or reply.status != "NOERROR" or not reply.data:
            try:
                reply = Asker(port)(name, timeout=ASK_S)
            except OSError:
                pass
            time.sleep(0.001)
        took = time.monotonic() - start
        child.send_signal(signal.SIGKILL)
    return took, reply.ede


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 50000
    with tempfile.TemporaryDirectory(prefix="pintle-restart-") as temporary:
        dir = pathlib.Path(temporary)
        port, config = free_port(), dir / "pintle.yaml"
        write(dir / "c1", n)
        config.write_text("apiVersion: pintle.dev/v1alpha1\nkind: PintleConfig\n"
                          f"listen: [{{address: '127.0.0.1:{port}'}}]\nadmin: {{address: '127.0.0.1:{free_port()}'}}\n"
                          f"clusters: [{{name: c1, directory: {dir}/c1}}]\nstateDir: {dir}/state\n")
        with subprocess.Popen([PINTLED, "--config", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            end = time.monotonic() + SYNC_S
            reply = None
            while time.monotonic() < end and (reply is None or reply.status != "NXDOMAIN"):
                time.sleep(0.1)
                try:
                    reply = Asker(port)("nobody.ns.svc.clusterset.local")
                except OSError:
                    pass
            time.sleep(1)
            child.send_signal(signal.SIGKILL)
        (dir / "c1").rename(dir / "away")
        took = [restart(config, port, f"svc{(i * 7919) % n}.ns.svc.clusterset.local")[0] * 1000 for i in range(TIMES)]
        size = os.stat(dir / "state" / "catalog.pintle").st_size
    print(f"restart: {2 * n} names, {size / 2**20:.1f} MiB on disk: first right answer after {statistics.median(took):.0f} ms "
          f"(median of {TIMES}; {min(took):.0f} to {max(took):.0f})")


if __name__ == "__main__":
    main()
