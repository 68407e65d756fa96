# SPDX-License-Identifier: Apache-2.0
"""Credentials that end, CAs that change, stores and API servers that die while objects change."""

import json
import os
import random
import shutil
import subprocess
import threading
import time

import lab
from stage import BACK_SECONDS, KILLED_SECONDS, LIVE_SECONDS

SPACE = "faults"
ADDRESS = "198.51.100.{}"
SHORT_SECONDS = 40  # how long the short-lived certificate is good for
KILLS = int(os.environ.get("PINTLE_LAB_KILLS", "10"))
SERVICES = 50
SLICES = 500


def service(name):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": SPACE, "name": name},
            "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 80}]}}


def endpoint_slice(name, owner, address):
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"namespace": SPACE, "name": name,
                         "labels": {"kubernetes.io/service-name": owner}},
            "ports": [{"name": "http", "port": 80}],
            "endpoints": [{"addresses": [address], "conditions": {"ready": True}}]}


def name_of(owner):
    return f"{owner}.{SPACE}.svc.c2.cluster.local"


class Door:
    """A kubeconfig of its own for c2, whose user and CA can be exchanged."""

    def __init__(self, stage):
        self.cluster = stage.lab.cluster("c2")
        self.dir = stage.dir
        self.path = stage.dir / "door.yaml"
        self.ca = lab.b64(self.cluster.pki.path("ca.crt"))
        self.user = {"client-certificate-data": lab.b64(self.cluster.pki.path("admin.crt")),
                     "client-key-data": lab.b64(self.cluster.pki.path("admin.key"))}

    def write(self):
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "c2",
            "clusters": [{"name": "c2", "cluster": {
                "server": f"https://127.0.0.1:{self.cluster.api_port}",
                "certificate-authority-data": self.ca}}],
            "users": [{"name": "u", "user": self.user}],
            "contexts": [{"name": "c2", "context": {"cluster": "c2", "user": "u"}}]}))
        fresh.rename(self.path)


class Scene:
    """A daemon that has c1 by the lab's kubeconfig and c2 through the door."""

    def __init__(self, stage, name):
        self.checks = stage.checks
        self.door = Door(stage)
        self.stage = stage
        self.name = name
        self.daemon = None

    def start(self):
        self.door.write()
        self.daemon = self.stage.pintle(self.name, config={"clusters": [
            self.stage.cluster("c1", "c1"),
            {"name": "c2", "context": "c2", "kubeconfig": str(self.door.path)}]})

    def answer(self):
        found = self.daemon.dig(name_of("steady"), "A")
        return found.rcode, tuple(found.addresses), found.ede

    def is_kept(self, what, seconds, *words):
        """c2 is lost, its answer stays, c1 does not notice; the log says these words."""
        address = ADDRESS.format(1)
        self.checks.becomes(f"{what}: noticed, pintle_cluster_up 0", 0,
                            lambda: self.daemon.cluster_up("c2"), seconds)
        self.checks.becomes(f"{what}: the answer stays, with EDE 3",
                            ("NOERROR", (address, ), (3, )), self.answer)
        self.checks.check(f"{what}: c1 is up", self.daemon.cluster_up("c1") == 1)
        self.checks.eventually(
            f"{what}: the log says '{' '.join(words)}'", LIVE_SECONDS, self.daemon.log_text,
            lambda text: any(all(word in line for word in words) for line in text.splitlines()))

    def is_back(self, what):
        self.checks.becomes(f"{what}: pintle_cluster_up 1", 1,
                            lambda: self.daemon.cluster_up("c2"), BACK_SECONDS)
        self.checks.becomes(f"{what}: fresh", ("NOERROR", (ADDRESS.format(1), ), ()), self.answer)


def set_up(stage):
    stage.lab.kubectl("--context", "c2", "create", "namespace", SPACE)  # it may be there already
    stage.apply_objects("c2", [service("steady"),
                               endpoint_slice("steady-1", "steady", ADDRESS.format(1))])


# -- certificates

def issue(cluster, name, seconds, at):
    """A client certificate of the cluster's CA that is good for that long."""
    def stamp(offset):
        return time.strftime("%y%m%d%H%M%SZ", time.gmtime(time.time() + offset))
    (at / "ca.cnf").write_text(
        "[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\nserial = serial\nnew_certs_dir = .\n"
        "default_md = sha256\npolicy = p\nunique_subject = no\nx509_extensions = x\n"
        "[x]\nextendedKeyUsage = clientAuth\n[p]\norganizationName = optional\n"
        "commonName = supplied\n")
    (at / "index.txt").touch()
    if not (at / "serial").exists():
        (at / "serial").write_text("1000\n")
    for command in (
            ["req", "-new", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-subj", "/O=system:masters/CN=short", "-keyout", f"{name}.key", "-out",
             f"{name}.csr"],
            ["ca", "-batch", "-notext", "-config", "ca.cnf", "-cert", cluster.pki.path("ca.crt"),
             "-keyfile", cluster.pki.path("ca.key"), "-in", f"{name}.csr", "-out", f"{name}.crt",
             "-startdate", stamp(-60), "-enddate", stamp(seconds)]):
        done = subprocess.run(["openssl", *map(str, command)], cwd=at, capture_output=True,
                              text=True, stdin=subprocess.DEVNULL)
        if done.returncode != 0:
            raise lab.LabError(f"openssl {command[0]}: {done.stderr}")


def use(at, name):
    for end in ("crt", "key"):
        shutil.copy(at / f"{name}.{end}", at / f"new.{end}")
    for end in ("crt", "key"):
        (at / f"new.{end}").rename(at / f"used.{end}")


def story_certificate(stage):
    """A client certificate ends while it is used, and is renewed in its file."""
    set_up(stage)
    scene = Scene(stage, "certificate")
    at = stage.dir / "short"
    at.mkdir()
    issue(scene.door.cluster, "short", SHORT_SECONDS, at)
    use(at, "short")
    scene.door.user = {"client-certificate": str(at / "used.crt"),
                       "client-key": str(at / "used.key")}
    scene.start()
    stage.checks.becomes("the answer is there", ("NOERROR", (ADDRESS.format(1), ), ()),
                         scene.answer)
    stage.checks.check("its end was told ahead",
                       "cluster c2: our credentials expire at" in scene.daemon.log_text(),
                       scene.daemon.log_text())
    stage.checks.eventually(
        "its end is a metric", LIVE_SECONDS, lambda: scene.daemon.get("/metrics")[1],
        lambda text: 'pintle_cluster_credentials_expire_seconds{cluster="c2"}' in text)
    scene.is_kept("client certificate expired", SHORT_SECONDS + KILLED_SECONDS,
                  "does not accept our credentials (401: they have expired)", "renew the client certificate's file")
    issue(scene.door.cluster, "long", 30 * 86400, at)
    use(at, "long")
    scene.is_back("renewed in its file")
    stage.end(scene.daemon)


def story_new_ca(stage):
    """The API server comes back with a certificate of another CA; the kubeconfig follows."""
    set_up(stage)
    scene = Scene(stage, "new-ca")
    scene.start()
    stage.checks.becomes("the answer is there", ("NOERROR", (ADDRESS.format(1), ), ()),
                         scene.answer)
    cluster, pki = scene.door.cluster, scene.door.cluster.pki
    before = {name: pki.path(name).read_bytes()
              for name in ("ca.crt", "ca.key", "server.crt", "server.key")}
    old_ca = scene.door.ca
    cluster.kill_api()
    try:
        pki._issue("ca", "/CN=another-ca", "basicConstraints=critical,CA:TRUE",
                   "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
        scene.door.ca = lab.b64(pki.path("ca.crt"))
        pki._issue("server", "/CN=kube-apiserver", "basicConstraints=critical,CA:FALSE",
                   "extendedKeyUsage=serverAuth", "subjectAltName=DNS:localhost,IP:127.0.0.1")
        # clients keep their certificates, and the lab itself trusts both
        pki.path("ca.crt").write_bytes(pki.path("ca.crt").read_bytes() + before["ca.crt"])
        cluster.start_api()
        scene.is_kept("a new CA", KILLED_SECONDS + BACK_SECONDS, "certificate",
                      "to do: set certificate-authority(-data) in the kubeconfig")
        scene.door.write()
        scene.is_back("the kubeconfig says the new CA")
    finally:
        cluster.kill_api()
        for name, data in before.items():
            pki.path(name).write_bytes(data)
        cluster.start_api()
    scene.door.ca = old_ca
    scene.door.write()
    scene.is_back("the former CA again")
    stage.end(scene.daemon)


# -- plugins

PLUGIN = """#!/bin/sh
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":'
printf '{"token":"%s"}}' "$(cat "$(dirname "$0")/token")"
"""


def new_token(stage):
    """A token of a service account that may read all; a former account of that name goes."""
    stage.lab.kubectl("--context", "c2", "-n", SPACE, "delete", "serviceaccount", "reader",
                      "--ignore-not-found")
    stage.kubectl("c2", "-n", SPACE, "create", "serviceaccount", "reader")
    token = stage.kubectl("c2", "-n", SPACE, "create", "token", "reader").strip()
    fresh = stage.dir / "token.new"
    fresh.write_text(token)
    fresh.rename(stage.dir / "token")
    return token


def story_plugin(stage):
    """A service account's token by an exec plugin; the account goes, another one comes."""
    set_up(stage)
    scene = Scene(stage, "plugin")
    stage.lab.kubectl("--context", "c2", "create", "clusterrolebinding", "faults-reader",
                      "--clusterrole=cluster-admin", f"--serviceaccount={SPACE}:reader")
    (stage.dir / "plugin").write_text(PLUGIN)
    tokens = [new_token(stage)]
    scene.door.user = {"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "provideClusterInfo": True,
        "interactiveMode": "Never", "args": [str(stage.dir / "plugin")]}}
    scene.start()
    stage.checks.becomes("the answer is there", ("NOERROR", (ADDRESS.format(1), ), ()),
                         scene.answer)
    stage.kubectl("c2", "-n", SPACE, "delete", "serviceaccount", "reader")
    scene.is_kept("the account is gone", KILLED_SECONDS + 30,
                  "does not accept our credentials (401)", "run the exec plugin")
    tokens.append(new_token(stage))
    scene.is_back("another token by the plugin")
    stage.checks.check("no token stands in the log",
                       not any(token in scene.daemon.log_text() for token in tokens))
    stage.end(scene.daemon)


# -- deaths while objects change (K16)

class Churn(threading.Thread):
    """Creates and deletes slices, whatever the API server does meanwhile."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.cluster = cluster
        self.is_over = threading.Event()
        self.counts = {"done": 0, "refused": 0}
        self.path = f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices"
        self.random = random.Random(16)

    def run(self):
        number = 0
        while not self.is_over.is_set() or number < SLICES:
            number += 1
            owner = f"s{number % SERVICES}"
            name = f"{owner}-{self.random.randrange(SLICES // SERVICES)}"
            address = f"198.51.{self.random.randrange(101, 200)}.{self.random.randrange(1, 255)}"
            if self.random.random() < 0.4:
                status, _ = self.cluster.request("DELETE", f"{self.path}/{name}", timeout=2)
            else:
                status, _ = self.cluster.request(
                    "POST", self.path, endpoint_slice(name, owner, address), timeout=2)
            self.counts["done" if 200 <= status < 500 else "refused"] += 1


def wanted_addresses(cluster):
    wanted = {f"s{i}": set() for i in range(SERVICES)}
    for item in cluster.get_items(
            f"/apis/discovery.k8s.io/v1/namespaces/{SPACE}/endpointslices"):
        owner = item["metadata"]["labels"]["kubernetes.io/service-name"]
        if owner in wanted:
            wanted[owner] |= {a for e in item["endpoints"] for a in e["addresses"]}
    return wanted


def story_kills(stage):
    """The final answers equal the final objects, however often store and API server die."""
    set_up(stage)
    scene = Scene(stage, "kills")
    cluster = scene.door.cluster
    stage.apply_objects("c2", [service(f"s{i}") for i in range(SERVICES)])
    scene.start()
    for what, kill, start in (
            ("the API server", cluster.kill_api, cluster.start_api),
            ("etcd", cluster.processes["etcd"].kill, cluster.processes["etcd"].start)):
        churn = Churn(cluster)
        churn.start()
        strangers = set()
        for _ in range(KILLS):
            time.sleep(random.random())
            kill()
            strangers.add(scene.answer()[:2])
            start()
            lab.wait_until("API server of c2", 120, cluster.is_ready)
            strangers.add(scene.answer()[:2])
        churn.is_over.set()
        churn.join()
        stage.checks.check(f"{what} killed {KILLS} times: a name that did not change was answered",
                           strangers == {("NOERROR", (ADDRESS.format(1), ))}, strangers)
        print(f"# {churn.counts}", flush=True)
        wanted = wanted_addresses(cluster)
        stage.checks.becomes(
            f"{what} killed {KILLS} times: the answers of {SERVICES} names equal the objects", wanted,
            lambda: {owner: set(scene.daemon.dig(name_of(owner), "A").addresses)
                     for owner in wanted}, BACK_SECONDS)
        scene.is_back(f"{what} lives")
    stage.end(scene.daemon)
