#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Real Kubernetes control planes without containers, for Pintle's tests.

A lab is a directory. It holds N clusters c1..cN, each an etcd, a kube-apiserver, a
kube-controller-manager, a kube-scheduler and a kwok that plays two nodes, all processes of the
caller on 127.0.0.1. Cluster i has the pod range 10.(i*10).0.0/16 and the Service range
10.(96+i).0.0/16. Everything is written below the directory; process ids are recorded there with
their start times, so that only what was started here is ever signalled.
"""

import base64
import concurrent.futures
import http.client
import json
import os
import pathlib
import shutil
import signal
import ssl
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from ports import free_port  # noqa: E402

ROOT = HERE.parents[1]

USAGE = """usage: lab.py VERB DIR [ARGUMENT...]

  up N DIR                start clusters c1..cN (1 to 9) in DIR, which must be new or empty
  down DIR                stop them all and remove DIR
  kubectl DIR ARG...      kubectl with the lab's kubeconfig; contexts c1..cN
  stop-api DIR CLUSTER    freeze an API server: its sockets stay open, nothing answers
  cont-api DIR CLUSTER    let it go on
  kill-api DIR CLUSTER    kill an API server: its sockets close
  start-api DIR CLUSTER   start it again, same port, same data
"""

# What `up` waits for at most; on an idle machine all of it takes a few seconds.
START_SECONDS = 120
STOP_SECONDS = 60
NODES = 2
# An API server that is well may still have a moment in which it says: come again.
CALM_SECONDS = 30
AGAIN = (0, 429, 500, 503, 504)
AGAIN_WORDS = ("connection refused", "connection reset", "connection lost", "unexpected EOF", "i/o timeout",
               "TLS handshake timeout", "context deadline exceeded", "etcdserver: ", "try again",
               "server is currently unable", "server was unable to return a response", "request timed out",
               "too many requests", "storage is (re)initializing")


class LabError(Exception):
    """What went wrong, in words for the person who called."""


def wait_until(what, seconds, is_done, alive=lambda: None):
    """Polls is_done() until it returns something true, and returns that.

    alive() is called between polls and raises where waiting makes no sense any more.
    """
    deadline = time.monotonic() + seconds
    while True:
        result = is_done()
        if result:
            return result
        alive()
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(0.05)


def tail(path, n_lines=15):
    try:
        return "".join(path.read_text(errors="replace").splitlines(keepends=True)[-n_lines:])
    except OSError as err:
        return f"({err})\n"


def conditions_of(item):
    return item.get("status", {}).get("conditions") or []


def b64(path):
    return base64.b64encode(path.read_bytes()).decode()


class Process:
    """A program that outlives the caller; known by NAME.pid, NAME.argv and NAME.log in `dir`."""

    def __init__(self, dir, name):
        self.name = name
        self.pid_file = dir / f"{name}.pid"
        self.argv_file = dir / f"{name}.argv"
        self.log = dir / f"{name}.log"

    def start(self, argv=None, env=None):
        """Starts it; without argv again with the arguments of the last time."""
        if argv is None:
            argv = json.loads(self.argv_file.read_text())
        self.argv_file.write_text(json.dumps(argv))
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                cwd=self.log.parent, start_new_session=True)
        started = self._stat(child.pid)[1]
        self.pid_file.write_text(f"{child.pid} {started}\n")

    @staticmethod
    def _stat(pid):
        """The state letter and the start time (clock ticks since boot) of a process, or None."""
        try:
            text = pathlib.Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            return None, None
        fields = text.rpartition(")")[2].split()
        return fields[0], fields[19]

    def pid(self):
        """Its process id while it runs (frozen counts as running), else None."""
        try:
            pid, started = self.pid_file.read_text().split()
        except (OSError, ValueError):
            return None
        state, now_started = self._stat(pid)
        if now_started != started or (state in ("Z", "X") and not self._has_threads(pid)):
            return None
        return int(pid)

    @staticmethod
    def _has_threads(pid):
        """Whether others than the first thread are left: until they go, so do no sockets."""
        try:
            return len(os.listdir(f"/proc/{pid}/task")) > 1
        except OSError:
            return False

    def send(self, number):
        pid = self.pid()
        if pid is None:
            raise LabError(f"{self.name} does not run")
        os.kill(pid, number)

    def kill(self):
        """Ends it, frozen or not, and waits for that. Fine when it does not run."""
        pid = self.pid()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            wait_until(f"end of {self.name}", STOP_SECONDS, lambda: self.pid() is None)

    def check_alive(self):
        if self.pid() is None:
            raise LabError(f"{self.name} ended; the end of {self.log}:\n{tail(self.log)}")


class Pki:
    """A cluster's certificates in `dir`: all keys are P-256, made by the openssl program."""

    def __init__(self, dir):
        self.dir = dir

    def path(self, name):
        return self.dir / name

    def _openssl(self, *args):
        done = subprocess.run(
            ["openssl", *map(str, args)], cwd=self.dir, stdin=subprocess.DEVNULL,
            capture_output=True, text=True)
        if done.returncode != 0:
            raise LabError(f"openssl {args[0]} failed:\n{done.stderr}")

    def _issue(self, name, subject, *extensions):
        signer = [] if name == "ca" else ["-CA", "ca.crt", "-CAkey", "ca.key"]
        self._openssl(
            "req", "-x509", "-config", "req.cnf", "-days", 30, "-nodes",
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", subject, *signer,
            *(part for extension in extensions for part in ("-addext", extension)))

    def make(self, cluster):
        self.dir.mkdir()
        self.path("req.cnf").write_text("[req]\ndistinguished_name = dn\n[dn]\n")
        self._issue("ca", f"/CN={cluster.name}-ca", "basicConstraints=critical,CA:TRUE",
                    "keyUsage=critical,keyCertSign,cRLSign,digitalSignature")
        self._issue("server", "/CN=kube-apiserver", "basicConstraints=critical,CA:FALSE",
                    "extendedKeyUsage=serverAuth",
                    "subjectAltName=DNS:localhost,DNS:kubernetes.default.svc,IP:127.0.0.1,"
                    f"IP:10.{96 + cluster.number}.0.1")
        self._issue("admin", "/O=system:masters/CN=admin", "basicConstraints=critical,CA:FALSE",
                    "extendedKeyUsage=clientAuth")
        # known to the API server, allowed nothing
        self._issue("nobody", "/CN=nobody", "basicConstraints=critical,CA:FALSE",
                    "extendedKeyUsage=clientAuth")
        # "BEGIN EC PRIVATE KEY", the older form that many kubeconfig files carry
        self._openssl("ec", "-in", "admin.key", "-out", "admin-ec.key")
        os.replace(self.path("admin-ec.key"), self.path("admin.key"))
        self._openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "sa.key")
        self._openssl("ec", "-in", "sa.key", "-pubout", "-out", "sa.pub")


class Cluster:
    """One cluster of a lab. Its files are in `dir`; `api_port` is where its API server listens."""

    CLIENTS = ("kube-controller-manager", "kube-scheduler", "kwok")
    PROGRAMS = ("etcd", "kube-apiserver", *CLIENTS)

    def __init__(self, lab, number, api_port=None):
        self.lab = lab
        self.number = number
        self.name = f"c{number}"
        self.dir = lab.dir / self.name
        self.api_port = api_port
        self.pki = Pki(self.dir / "pki")
        self.processes = {name: Process(self.dir, name) for name in self.PROGRAMS}
        self.api = self.processes["kube-apiserver"]

    # -- the API, as little of it as the lab itself needs

    def request(self, method, path, body=None, timeout=5, content_type="application/json"):
        """One request as admin. Returns (status, text); (0, reason) when nothing answers."""
        context = ssl.create_default_context(cafile=self.pki.path("ca.crt"))
        context.load_cert_chain(self.pki.path("admin.crt"), self.pki.path("admin.key"))
        link = http.client.HTTPSConnection(
            "127.0.0.1", self.api_port, timeout=timeout, context=context)
        try:
            link.request(method, path, body and json.dumps(body),
                         {"Content-Type": content_type} if body else {})
            response = link.getresponse()
            return response.status, response.read().decode(errors="replace")
        except (OSError, http.client.HTTPException) as err:
            return 0, str(err)
        finally:
            link.close()

    def get(self, path):
        """(status, text) of what is there to be read. A server that has no time gets CALM_SECONDS; one that is
        still away then is an error."""
        def look():
            last[:] = self.request("GET", path)
            return last[0] not in AGAIN
        last = []
        try:
            wait_until("", CALM_SECONDS, look)
        except LabError:
            raise LabError(f"GET {path} of {self.name}: {last[0]} {last[1]}") from None
        return tuple(last)

    def get_items(self, path):
        """The objects below a path; none where there is no such kind."""
        status, text = self.get(path)
        return json.loads(text)["items"] if status == 200 else []

    def is_ready(self):
        return self.request("GET", "/readyz")[0] == 200

    # -- starting

    def _start(self, name, *args):
        self.processes[name].start([str(self.lab.program), name, *map(str, args)])

    def _start_store(self):
        """etcd and the API server, on free ports; on others when somebody was faster."""
        for attempt in range(3):
            etcd_port, self.api_port = free_port(), free_port()
            etcd = f"http://127.0.0.1:{etcd_port}"
            peer = "http://127.0.0.1:0"  # a single member: nobody ever dials it
            self._start(
                "etcd", "--name", self.name, "--data-dir", self.dir / "etcd", "--unsafe-no-fsync",
                "--log-level", "warn", "--listen-client-urls", etcd,
                "--advertise-client-urls", etcd, "--listen-peer-urls", peer,
                "--initial-advertise-peer-urls", peer, "--initial-cluster", f"{self.name}={peer}")
            self._start(
                "kube-apiserver", f"--etcd-servers={etcd}", "--bind-address=127.0.0.1",
                f"--secure-port={self.api_port}", f"--cert-dir={self.pki.dir}",
                f"--tls-cert-file={self.pki.path('server.crt')}",
                f"--tls-private-key-file={self.pki.path('server.key')}",
                f"--client-ca-file={self.pki.path('ca.crt')}",
                "--service-account-issuer=https://kubernetes.default.svc",
                f"--service-account-key-file={self.pki.path('sa.pub')}",
                f"--service-account-signing-key-file={self.pki.path('sa.key')}",
                f"--service-cluster-ip-range=10.{96 + self.number}.0.0/16,fd00:{96 + self.number}::/112",
                f"--advertise-address=10.{96 + self.number}.255.254",  # of nobody; else it wants a default route
                "--authorization-mode=RBAC", "--endpoint-reconciler-type=none",
                "--disable-admission-plugins=ServiceAccount")
            try:
                wait_until(f"API server of {self.name}", START_SECONDS, self.is_ready, self._check)
                return
            except LabError as err:
                if "address already in use" not in str(err) or attempt == 2:
                    raise
                self.stop()
                shutil.rmtree(self.dir / "etcd", ignore_errors=True)

    def _start_controllers(self):
        kubeconfig = f"--kubeconfig={self.dir / 'kubeconfig'}"
        # Nodes stay ready however long an API server was frozen: kwok's sign of life may come late.
        self._start(
            "kube-controller-manager", kubeconfig, "--leader-elect=false", "--secure-port=0",
            "--controllers=*,-serviceaccount-token-controller,-node-ipam-controller",
            "--node-monitor-grace-period=24h", f"--flex-volume-plugin-dir={self.dir / 'volumes'}")
        self._start("kube-scheduler", kubeconfig, "--leader-elect=false", "--secure-port=0")
        stages = sorted((self.lab.program.parent / "stages").glob("*.yaml"))
        self._start(
            "kwok", kubeconfig, "--manage-all-nodes=true", "--node-ip=127.0.0.1",
            f"--cidr=10.{self.number * 10}.0.1/16", *(f"--config={stage}" for stage in stages))

    def _make_node(self, number):
        name = f"{self.name}-node-{number}"
        zone = f"zone-{'ab'[(number - 1) % 2]}"
        node = {
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {
                "kubernetes.io/hostname": name,
                "topology.kubernetes.io/region": "lab",
                "topology.kubernetes.io/zone": zone}},
            "spec": {"podCIDR": f"10.{self.number * 10}.{number}.0/24",
                     "podCIDRs": [f"10.{self.number * 10}.{number}.0/24"]}}
        self._create("/api/v1/nodes", node)

    def _make_first_pods(self):
        """One pod on each node, alone: kwok makes a node's pool of addresses when its first pod
        comes, and makes two, with the same addresses, when two come at the same moment."""
        pods = "/api/v1/namespaces/kube-system/pods"
        for number in range(1, NODES + 1):
            node = f"{self.name}-node-{number}"
            self._create(pods, {
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"first-on-{node}"},
                "spec": {"nodeName": node, "tolerations": [{"operator": "Exists"}],
                         "containers": [{"name": "first", "image": "none"}]}})
        wait_until(f"first pods of {self.name}", START_SECONDS, lambda: all(
            pod["status"].get("podIP") for pod in self.get_items(pods)), self._check)

    def _create(self, path, item):
        """Creates an object. Tries for a while: a namespace may be about to be made."""
        def try_once():
            last[:] = self.request("POST", path, item)
            return last[0] == 201
        last = []
        try:
            wait_until("", 20, try_once, self._check)
        except LabError:
            raise LabError(f"{item['kind']} {item['metadata']['name']} of {self.name} refused: "
                           f"{last}") from None

    def _make_kinds(self):
        """Applies all CRDs and waits until their kinds are served."""
        done = self.lab.kubectl("--context", self.name, "create", "--validate=false",
                                "-f", self.lab.program.parent / "crd", "-f", HERE / "crd",
                                "-f", ROOT / "deploy" / "crd")
        if done.returncode != 0:
            raise LabError(f"CRDs of {self.name} refused:\n{done.stderr}")
        wait_until(f"kinds of {self.name}", START_SECONDS, self._are_kinds_served, self._check)

    def _are_kinds_served(self):
        crds = self.get_items("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        return crds and all(
            any(c["type"] == "Established" and c["status"] == "True"
                for c in conditions_of(crd)) for crd in crds)

    def _are_nodes_ready(self):
        nodes = self.get_items("/api/v1/nodes")
        return len(nodes) == NODES and all(
            not node["spec"].get("taints")
            and any(c["type"] == "Ready" and c["status"] == "True"
                    for c in conditions_of(node)) for node in nodes)

    def _check(self):
        for process in self.processes.values():
            if process.pid_file.exists():
                process.check_alive()

    def up(self):
        self.dir.mkdir()
        self.pki.make(self)
        self._start_store()
        (self.dir / "kubeconfig").write_text(json.dumps(kubeconfig_of([self]), indent=1))
        for number in range(1, NODES + 1):
            self._make_node(number)
        self._start_controllers()
        self._make_kinds()
        wait_until(f"nodes of {self.name}", START_SECONDS, self._are_nodes_ready, self._check)
        self._make_first_pods()

    # -- ending and disturbing

    def stop(self):
        for process in reversed(list(self.processes.values())):
            process.kill()  # nothing of a lab is worth a slow farewell

    # What talks to the API server all day (controllers, scheduler, kwok) is frozen for as long as
    # the server is away: else each would come back at the end of a back-off of up to 30 s, and
    # nobody could tell from outside when a change can act again.

    def _send_clients(self, number):
        for name in self.CLIENTS:
            self.processes[name].send(number)

    def stop_api(self):
        self._send_clients(signal.SIGSTOP)
        self.api.send(signal.SIGSTOP)

    def cont_api(self):
        self.api.send(signal.SIGCONT)
        self._come_back()

    def kill_api(self):
        self._send_clients(signal.SIGSTOP)
        self.api.kill()

    def start_api(self):
        if self.api.pid() is not None:
            raise LabError(f"the API server of {self.name} runs already")
        self.api.start()
        self._come_back()

    def _come_back(self):
        wait_until(f"API server of {self.name}", START_SECONDS, self.is_ready, self._check)
        self._send_clients(signal.SIGCONT)


def kubeconfig_of(clusters, aliases=()):
    """One kubeconfig for several clusters; aliases are further (context, cluster) pairs.

    All credentials are inside (base64, "-data" fields), so that the file can be copied anywhere.
    It is JSON, which is YAML.
    """
    contexts = [(cluster.name, cluster) for cluster in clusters] + list(aliases)
    return {
        "apiVersion": "v1", "kind": "Config", "preferences": {},
        "clusters": [{"name": cluster.name, "cluster": {
            "server": f"https://127.0.0.1:{cluster.api_port}",
            "certificate-authority-data": b64(cluster.pki.path("ca.crt"))}}
            for cluster in clusters],
        "users": [{"name": f"{cluster.name}-admin", "user": {
            "client-certificate-data": b64(cluster.pki.path("admin.crt")),
            "client-key-data": b64(cluster.pki.path("admin.key"))}} for cluster in clusters],
        "contexts": [{"name": name, "context": {
            "cluster": cluster.name, "user": f"{cluster.name}-admin"}}
            for name, cluster in contexts],
        "current-context": contexts[0][0]}


class Lab:
    """All clusters below one directory; `program` is the multi-call binary that build.sh makes."""

    def __init__(self, dir, program, n_clusters):
        self.dir = pathlib.Path(dir).resolve()
        self.program = pathlib.Path(program)
        self.kubeconfig = self.dir / "kubeconfig"
        self.clusters = {f"c{i}": Cluster(self, i) for i in range(1, n_clusters + 1)}

    @classmethod
    def up(cls, dir, n_clusters):
        """Builds what is missing, starts all clusters at once. Leaves nothing behind on failure."""
        dir = pathlib.Path(dir)
        if dir.exists() and any(dir.iterdir()):
            raise LabError(f"{dir} is not empty; an old lab goes with: lab.py down {dir}")
        lab = cls(dir, build_program(), n_clusters)
        lab.dir.mkdir(parents=True, exist_ok=True)
        (lab.dir / "lab.json").write_text(json.dumps(
            {"program": str(lab.program), "n_clusters": n_clusters}))
        try:
            with concurrent.futures.ThreadPoolExecutor(n_clusters) as pool:
                list(pool.map(Cluster.up, lab.clusters.values()))
        except BaseException:
            lab.stop()
            raise
        aliases = [(name, lab.clusters[cluster]) for name, cluster in
                   (("bastion02", "c1"), ("bastion03", "c2")) if cluster in lab.clusters]
        lab.kubeconfig.write_text(
            json.dumps(kubeconfig_of(lab.clusters.values(), aliases), indent=1))
        lab.kubeconfig.chmod(0o600)
        return lab

    @classmethod
    def open(cls, dir):
        """A lab that was started before."""
        try:
            known = json.loads((pathlib.Path(dir) / "lab.json").read_text())
        except (OSError, ValueError) as err:
            raise LabError(f"{dir} holds no lab: {err}") from None
        lab = cls(dir, known["program"], known["n_clusters"])
        for cluster in lab.clusters.values():
            if (cluster.dir / "kubeconfig").exists():
                text = (cluster.dir / "kubeconfig").read_text()
                server = json.loads(text)["clusters"][0]["cluster"]["server"]
                cluster.api_port = int(server.rpartition(":")[2])
        return lab

    def cluster(self, name):
        if name not in self.clusters:
            raise LabError(f"no cluster {name} here; there are {' '.join(self.clusters)}")
        return self.clusters[name]

    def kubectl_argv(self, *args):
        """The command and the environment of one kubectl call; nothing outside the lab is used."""
        env = dict(os.environ, KUBECACHEDIR=str(self.dir / "kubectl-cache"), KUBERC="off")
        kubeconfig = self.kubeconfig
        names = list(map(str, args))
        if not kubeconfig.exists() and "--context" in names:  # still starting: the cluster's own
            kubeconfig = self.dir / names[names.index("--context") + 1] / "kubeconfig"
        env["KUBECONFIG"] = str(kubeconfig)
        return [str(self.program), "kubectl", *names], env

    def kubectl(self, *args, stdin=None):
        """One call; the words of a server that has but a moment's weakness are not its last for CALM_SECONDS."""
        argv, env = self.kubectl_argv(*args)
        source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        end = time.monotonic() + CALM_SECONDS
        was_lost = False
        while True:
            done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=120, **source)
            if done.returncode != 0 and was_lost and any(verb in args and word in done.stderr for verb, word in (
                    ("create", "(AlreadyExists)"), ("delete", "(NotFound)"))):
                done.returncode = 0  # a former attempt did it, and its answer was lost
            if (done.returncode == 0 or not any(word in done.stderr for word in AGAIN_WORDS)
                    or time.monotonic() > end):
                return done
            was_lost = True
            time.sleep(0.2)

    def stop(self):
        for cluster in self.clusters.values():
            cluster.stop()

    def down(self):
        self.stop()
        shutil.rmtree(self.dir)


def build_program():
    """The path of the multi-call binary: PINTLE_LAB_PROGRAM, else what build.sh gives."""
    given = os.environ.get("PINTLE_LAB_PROGRAM")
    if given:
        return given
    done = subprocess.run([HERE / "build.sh", "lab"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise LabError("build.sh could not build the control plane (its words are above)")
    return done.stdout.strip().splitlines()[-1]


def main(argv):
    if len(argv) == 3 and argv[0] == "up" and argv[1].isdigit() and 1 <= int(argv[1]) <= 9:
        began = time.monotonic()
        lab = Lab.up(argv[2], int(argv[1]))
        print(f"{len(lab.clusters)} clusters up in {time.monotonic() - began:.1f} s\n"
              f"export KUBECONFIG={lab.kubeconfig}")
    elif len(argv) == 2 and argv[0] == "down":
        Lab.open(argv[1]).down()
    elif len(argv) >= 2 and argv[0] == "kubectl":
        lab = Lab.open(argv[1])
        if not lab.kubeconfig.exists():
            raise LabError(f"the lab in {lab.dir} did not come up")
        command, env = lab.kubectl_argv(*argv[2:])
        os.execve(command[0], command, env)
    elif len(argv) == 3 and argv[0] in ("stop-api", "cont-api", "kill-api", "start-api"):
        getattr(Lab.open(argv[1]).cluster(argv[2]), argv[0].replace("-", "_"))()
    else:
        sys.stderr.write(USAGE)
        return 2
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        sys.exit(main(sys.argv[1:]))
    except LabError as err:
        sys.exit(f"lab: {err}")
    except KeyboardInterrupt:
        sys.exit(130)
