# SPDX-License-Identifier: Apache-2.0
"""Story 3, health: real servers at the addresses of pods, asked by Pintle as TargetGroupPolicy says."""

import http.server
import threading

from stage import LIVE_SECONDS, assigned_name, share

PORT = 8080
# Two probes a second apart decide, each may take a second.
VERDICT_SECONDS = LIVE_SECONDS


class Instance:
    """What listens in a pod. `status` is what it says of itself."""

    def __init__(self, address):
        self.address = address
        self.status = 200
        self.paths = set()
        self.start()

    def start(self):
        instance = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                instance.paths.add(self.path)
                self.send_response(instance.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass
        self._server = http.server.ThreadingHTTPServer((self.address, PORT), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()


def story_health(stage):
    checks = stage.checks
    stage.apply("health")
    standby = {stage.cluster_ip("c1", "default", "standby")}
    stage.endpoints("c1", "default", "standby", 1)
    workers = stage.endpoints("c2", "default", "workers", 3)
    pods = [Instance(address) for address in sorted(workers)]
    daemon = stage.pintle("probing", config={
        "clusterSet": "demo", "clusters": [stage.cluster(c, c) for c in ("c1", "c2")]})
    name = assigned_name("demo", "c1", "HTTPRoute", "default", "probed")

    def seen():
        return {address for _ in range(20) for address in daemon.dig(name, "A", "c1").addresses}

    def becomes(what, wanted):
        checks.becomes(what, set(wanted) | standby, seen, VERDICT_SECONDS)

    checks.eventually("TargetGroupPolicy: three instances are asked and found healthy",
                      VERDICT_SECONDS, lambda: daemon.get("/metrics")[1],
                      lambda text: 'pintle_health_addresses{state="healthy"} 3' in text)
    checks.check("by the path of the policy", all(pod.paths == {"/healthz"} for pod in pods),
                 [pod.paths for pod in pods])
    becomes("all healthy: all are answered", workers)
    pods[0].status = 503
    becomes("one says 503: left out", workers - {pods[0].address})
    code, text = daemon.ctl("explain", name, "A", "--from", "c1")
    checks.check("explain tells which one, and why", code == 0 and "unhealthy" in text
                 and "503" in text, f"exit {code}\n{text}")
    pods[1].stop()
    becomes("one does not listen any more: left out", {pods[2].address})
    checks.eventually("the shares stay as the route says: 3 +/- 1 of 30 for the standby",
                      LIVE_SECONDS, lambda: daemon.firsts(name, "c1"),
                      lambda firsts: abs(share(firsts, standby) - 3) <= 1)
    pods[0].status = 200
    pods[1].start()
    becomes("both recover: they are back", workers)
    for pod in pods:
        pod.status = 500
    all_fail(stage, daemon, becomes, workers)
    stage.end(daemon)
    for pod in pods:
        pod.stop()


def all_fail(stage, daemon, becomes, workers):
    stage.checks.eventually(
        "all three fail", VERDICT_SECONDS, lambda: daemon.get("/metrics")[1],
        lambda text: 'pintle_health_addresses{state="unhealthy"} 3' in text)
    becomes("their share goes to what is left of the route", ())
    stage.kubectl("c2", "delete", "targetgrouppolicy", "workers")
    becomes("the policy is deleted: nobody is asked, all are answered", workers)
