#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`metrics.address`: health and metrics where others reach them, and nothing else there.

Same form of report as run.py, whose tools it uses.
"""

import json
import re
import signal
import socket
import sys
import urllib.error
import urllib.request

from run import Daemon, PINTLED, play, run

CONFIG = """\
metrics: {{address: "127.0.0.1:{port}"}}
shutdown: {{lameduck: {lameduck}}}
clusters: [{{name: c1, directory: {dir}}}]
"""


def start(dir, name, lameduck="5s"):
    """A daemon with both addresses, and the second one."""
    (dir / "c1").mkdir(exist_ok=True)
    config = dir / f"{name}.yaml"
    config.write_text(CONFIG.format(port=0, dir=dir / "c1", lameduck=lameduck))
    daemon = Daemon(dir, name, "--config", config)
    return daemon, re.search(r"health and metrics on (http://\S+)/", daemon.log_text()).group(1)


def get(url, **more):
    """(status, text); status 0 when nobody is there."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **more), timeout=30) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as err:
        return err.code, err.read().decode(errors="replace")
    except OSError as err:
        return 0, str(err)


def pages(checks, daemon, url):
    checks.becomes("readiness is told there, too", lambda: get(f"{url}/readyz")[0], lambda code: code == 200)
    for path in ("/livez", "/health", "/healthz", "/readyz?verbose", "/ready", "/metrics"):
        checks.equal(f"GET {path} at metrics.address", get(url + path)[0], 200)
    ours, theirs = (set(re.findall(r"^# TYPE (\S+)", text, re.M))
                    for text in (get(f"{url}/metrics")[1], daemon.get("/metrics")[1]))
    checks.check("both addresses show the same families", ours == theirs and "pintle_cluster_up" in ours, ours ^ theirs)
    for path in ("/", "/api/v1/status", "/api/v1/names", "/api/v1/explain?name=a.&type=A", "/api/v1/drains",
                 "/api/v1/cache", "/api/v1/records", "/api/v1/clusters/c1", "/nope"):
        code, text = get(url + path)
        checks.check(f"GET {path} is not there", code == 404 and set(json.loads(text)) == {"error"}, (code, text))
    for path in ("/api/v1/drains", "/api/v1/clusters/c1/check"):
        code, text = get(url + path, data=b"{}", method="POST", headers={"Content-Type": "application/json"})
        checks.equal(f"POST {path} is not taken there", code, 404)
    checks.equal("POST /metrics is 405", get(f"{url}/metrics", data=b"", method="POST")[0], 405)
    checks.equal("DELETE /api/v1/cache is not taken there", get(f"{url}/api/v1/cache", method="DELETE")[0], 404)
    checks.equal("all of it is at admin.address", daemon.get("/api/v1/status")[0], 200)


def crowd(checks, daemon, url):
    """Clients that fill one address have no part in the other: kubelet's question comes through."""
    host, _, port = daemon.admin.rpartition(":")
    held = []
    try:
        for _ in range(60):
            held.append(socket.create_connection((host, int(port)), timeout=30))
        checks.equal("60 silent connections to the admin address do not keep a probe waiting",
                     get(f"{url}/livez")[0], 200)
    finally:
        for link in held:
            link.close()


def ending(checks, dir):
    daemon, url = start(dir, "ending", lameduck="60s")
    try:
        checks.becomes("a daemon that is ready", lambda: get(f"{url}/readyz")[0], lambda code: code == 200)
        daemon.child.send_signal(signal.SIGTERM)
        checks.becomes("SIGTERM: not ready at metrics.address", lambda: get(f"{url}/readyz")[0],
                       lambda code: code == 503)
        checks.equal("and alive", get(f"{url}/livez")[0], 200)
        checks.equal("not ready at admin.address", daemon.get("/readyz")[0], 503)
    finally:
        checks.equal("a second SIGTERM ends it", daemon.stop(), 0)


def taken(checks, dir):
    """A port that somebody has is said, with the key to change."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        config = dir / "taken.yaml"
        config.write_text(CONFIG.format(port=port, dir=dir / "c1", lameduck="0s"))
        code, _, err = run(PINTLED, "--config", config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        checks.check("a port in use is told by its key",
                     code == 1 and f"metrics 127.0.0.1:{port}: the port is in use" in err and "metrics.address" in err,
                     (code, err))


def everything(checks, dir):
    daemon, url = start(dir, "probes")
    try:
        pages(checks, daemon, url)
        crowd(checks, daemon, url)
    finally:
        checks.equal("it ends as asked", daemon.stop(signal.SIGINT), 0)


if __name__ == "__main__":
    sys.exit(play("probes", everything, ending, taken))
