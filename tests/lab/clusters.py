# SPDX-License-Identifier: Apache-2.0
"""A user that may do just enough, made by `pintlectl clusters add`, and what `clusters check`, `clusters list`
and `status --wait` say of it: while all is well, when a verb is lacking, and when the API server, its CA
or the token is not what it was. docs/guide.md, docs/kubernetes.md and docs/how-to/troubleshoot.md show these
commands."""

import base64
import json
import subprocess
import time

import lab
import pintle
from stage import BACK_SECONDS, KILLED_SECONDS, LIVE_SECONDS

SPACE = "pintle"
ROLE = "pintle-reader"
HOME = "pintle-system"
SLICES = "endpointslices.discovery.k8s.io"
ROUTES = "httproutes.gateway.networking.k8s.io"
WAIT_SECONDS = 120


def add(stage, *args):
    """pintlectl clusters add for c3, from the lab's kubeconfig: what it prints."""
    done = subprocess.run(
        [pintle.PINTLECTL, "clusters", "add", *args, "--context", "c3", "--name", "c3", "--kubeconfig",
         str(stage.lab.kubeconfig)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    if done.returncode != 0:
        raise lab.LabError(f"clusters add: {done.returncode} {done.stderr}")
    return done.stdout


class Grant:
    """What `clusters add` printed, applied, and its kubeconfig with the token beside it."""

    def __init__(self, stage):
        self.stage = stage
        self.checks = stage.checks
        self.cluster = stage.lab.cluster("c3")
        self.dir = stage.dir / "grant"
        self.dir.mkdir()
        self.path = self.dir / "c3.kubeconfig"
        self.token = self.dir / "c3.token"

    def apply(self, *more):
        self.stage.kubectl("c3", "apply", "-f", "-", stdin=add(self.stage, *more))

    def make(self):
        self.apply()
        self.path.write_text(add(self.stage, "kubeconfig"))
        self.renew()

    def renew(self):
        self.write_token(self.stage.kubectl("c3", "-n", SPACE, "create", "token", "pintle", "--duration=1h").strip())

    def write_token(self, token):
        fresh = self.token.with_suffix(".new")
        fresh.write_text(token)
        fresh.rename(self.token)

    def start(self, name, **more):
        """Not Stage.pintle(): some of these never get ready."""
        daemon = pintle.Pintle(self.stage.dir, name)
        self.stage.daemons.append(daemon)
        daemon.start_with_config({"clusters": [
            {"name": "c3", "context": "c3", "kubeconfig": str(self.path)}], **more})
        self.checks.eventually(f"{name}: its admin side answers", LIVE_SECONDS,
                               lambda: daemon.get("/livez")[0], lambda code: code == 200)
        return daemon

    def says(self, daemon, what, wanted_code, *words, seconds=LIVE_SECONDS, without=()):
        """clusters check ends with that code and says all these words in one line each."""
        def look():
            return daemon.ctl("clusters", "check", "c3")

        def is_good(got):
            code, text = got
            return (code == wanted_code and all(any(word in line for line in text.splitlines()) for word in words)
                    and not any(word in text for word in without))
        self.checks.eventually(f"check, {what}", seconds, look, is_good)


def role_of(stage):
    return json.loads(stage.kubectl("c3", "get", "clusterrole", ROLE, "-o", "json"))


def without_verb(role, group, verb):
    """The role's rules less one verb of one API group."""
    return [{**rule, "verbs": [v for v in rule["verbs"] if v != verb or group not in rule["apiGroups"]]}
            for rule in role["rules"]]


def set_rules(stage, rules):
    stage.patch("c3", "clusterrole", ROLE, [{"op": "replace", "path": "/rules", "value": rules}])


# -- what is granted

def is_least(grant):
    """What is printed lets its user list and watch, and nothing else."""
    role = role_of(grant.stage)
    verbs = {verb for rule in role["rules"] for verb in rule["verbs"]}
    named = {resource for rule in role["rules"] for resource in rule["resources"]}
    grant.checks.check("the role printed has list and watch, and neither Secrets nor Pods",
                       verbs == {"list", "watch"} and not named & {"secrets", "pods", "*"}, role["rules"])
    user = f"--as=system:serviceaccount:{SPACE}:pintle"
    for verb, resource, wanted in (("list", "services", "yes"), ("get", "secrets", "no"), ("list", "pods", "no"),
                                   ("patch", ROUTES, "no")):
        done = grant.stage.lab.kubectl("--context", "c3", "auth", "can-i", verb, resource, "-A", user)
        grant.checks.check(f"the API server: may it {verb} {resource}? {wanted}", done.stdout.strip() == wanted,
                           done.stdout + done.stderr)


def reads(grant):
    daemon = grant.start("granted")
    code, text = daemon.ctl("status", "--wait", "--timeout", "55s")
    grant.checks.check("pintled reads c3 by that kubeconfig", code == 0 and "1 of 1 clusters up" in text, text)
    grant.checks.check("status --wait says nothing of kinds that it may not see", "403" not in text, text)
    grant.says(daemon, "all is granted", 0, "c3: ok", f"known as system:serviceaccount:{SPACE}:pintle",
               "may list and watch all", "signed by CN = c3-ca", without=("Secrets", "fail"))
    return daemon


def lacks_verbs(grant, daemon):
    """A verb less, and a kind less: named with what to do, while what is known is served on."""
    role = role_of(grant.stage)
    try:
        set_rules(grant.stage, without_verb(role, "discovery.k8s.io", "watch"))
        grant.says(daemon, "watch on slices is taken away", 1, f"may not watch {SLICES}",
                   f"try: bind a ClusterRole with watch on {SLICES} to this user", without=("may not list",))
        set_rules(grant.stage, [rule for rule in role["rules"] if "discovery.k8s.io" not in rule["apiGroups"]])
        grant.says(daemon, "slices may not be seen at all", 1, f"may not list and watch {SLICES}")
        late = grant.start("late")
        code, text = late.ctl("status", "--wait", "--timeout", "15s")
        grant.checks.check("a daemon that starts now is not well: 403, the kind, and what to do",
                           code == 4 and SLICES in text and "403" in text and "bind a ClusterRole" in text, text)
        grant.stage.end(late)
    finally:
        set_rules(grant.stage, role["rules"])
    grant.says(daemon, "granted again", 0, "c3: ok")


def lacks_kind(grant, daemon):
    """A CRD that is not installed: a cluster without it is fine, and the check names it."""
    crd = "targetgrouppolicies.application-networking.k8s.aws"
    text = grant.stage.kubectl("c3", "get", "crd", crd, "-o", "json")
    grant.stage.kubectl("c3", "delete", "crd", crd)
    try:
        grant.says(daemon, "a CRD is not there", 0, f"not served: {crd}", without=("fail",))
    finally:
        kept = json.loads(text)
        made = {"apiVersion": kept["apiVersion"], "kind": kept["kind"], "spec": kept["spec"],
                "metadata": {"name": crd, "annotations": kept["metadata"].get("annotations", {})}}
        grant.stage.kubectl("c3", "create", "-f", "-", stdin=json.dumps(made))
    grant.says(daemon, "and again", 0, "kinds that are read are served", without=("not served",))


# -- writing back

def writes(grant):
    """What writeBack needs is asked for, and printed by --write-back."""
    daemon = grant.start("writes", writeBack={"annotations": True, "mcs": True})
    try:
        grant.says(daemon, "writeBack without its roles", 1,
                   "may not create, get, update leases.coordination.k8s.io in pintle-system; without it, nothing at all is written",
                   f"may not patch {ROUTES}", "routes do not show their assigned names",
                   "exported services of other clusters are not imported here",
                   "'pintlectl clusters add --write-back annotations' prints")
        grant.apply("--write-back", "annotations,mcs")
        grant.says(daemon, "writeBack with the roles printed", 0, "may write all that writeBack needs", "c3: ok")
        grant.checks.eventually("and the Lease is taken", BACK_SECONDS, daemon.log_text,
                                lambda text: f"Lease {HOME}/pintle-writer is ours" in text)
    finally:
        for kind, names in (("clusterrolebinding", ("pintle-write-annotations", "pintle-write-mcs")),
                            ("clusterrole", ("pintle-write-annotations", "pintle-write-mcs"))):
            grant.stage.lab.kubectl("--context", "c3", "delete", kind, *names, "--ignore-not-found")
    grant.stage.end(daemon)
    for kind in ("rolebinding", "role"):
        grant.stage.kubectl("c3", "-n", HOME, "delete", kind, "pintle-lease", "--ignore-not-found")
    grant.stage.kubectl("c3", "-n", HOME, "delete", "lease", "pintle-writer", "--ignore-not-found")


# -- what goes wrong outside

class Waiting:
    """pintlectl status --wait in the background; where all is well at its first look it has nothing to tell."""

    def __init__(self, daemon, path):
        self.path = path
        with open(path, "wb") as out:
            self.child = subprocess.Popen(
                [pintle.PINTLECTL, "status", "--wait", "--timeout", f"{WAIT_SECONDS}s", "--admin", daemon.admin],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def text(self):
        return self.path.read_text()

    def end(self):
        """Its exit code."""
        try:
            return self.child.wait(WAIT_SECONDS + BACK_SECONDS)
        finally:
            self.child.kill()
            self.child.wait()


def server_away(grant, daemon):
    grant.cluster.kill_api()
    try:
        grant.says(daemon, "the API server is away", 1, "cannot reach https://127.0.0.1:",
                   "try: check that the API server runs")
        grant.checks.eventually(
            "clusters list says that it is down, and for how long its data is stale", KILLED_SECONDS,
            lambda: daemon.ctl("clusters", "list"),
            lambda got: "down, stale" in got[1] and " s " in got[1] and "cannot reach" in got[1])
        code, text = daemon.ctl("status", "--wait", "--timeout", "5s")
        grant.checks.check("status --wait: exit code 4, naming c3, since when and why",
                           code == 4 and "c3 is down for" in text and "cannot reach" in text, text)
        waiting = Waiting(daemon, grant.dir / "waiting.log")  # it sees c3 down, then up
        grant.checks.eventually("status --wait says that c3 is down", KILLED_SECONDS, waiting.text,
                                lambda text: "c3: down" in text)
    finally:
        grant.cluster.start_api()
    code, text = waiting.end(), waiting.text()
    grant.checks.check("it is back: status --wait ends with 0 and says how it went",
                       code == 0 and "c3: up: synced in" in text, text)


def wrong_ca(grant):
    """A daemon that trusts another cluster's CA: who the server says it is, and whom we believe."""
    good = grant.path.read_text()
    ours, other = (lab.b64(grant.stage.lab.cluster(name).pki.path("ca.crt")) for name in ("c3", "c2"))
    grant.checks.check("the CA is in the kubeconfig that was printed", ours in good)
    grant.path.write_text(good.replace(ours, other))
    daemon = grant.start("wrong-ca")
    grant.says(daemon, "a wrong CA", 1, "its certificate is CN = kube-apiserver", "signed by CN = c3-ca",
               "try: set certificate-authority(-data) in the kubeconfig to the CA that signed it")
    grant.path.write_text(good)
    grant.checks.eventually("the right CA in the file is enough", 60 + BACK_SECONDS, lambda: daemon.ctl("status"),
                            lambda got: got[0] == 0)
    grant.stage.end(daemon)


def signed(cluster, token, **claims):
    """The token with other claims, signed as the API server would."""
    def packed(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def padded(text):
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    head, body, _ = token.split(".")
    text = head + "." + packed(json.dumps({**json.loads(padded(body)), **claims}).encode())
    der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", str(cluster.pki.path("sa.key"))],
                         input=text.encode(), capture_output=True, check=True).stdout
    # SEQUENCE { INTEGER r, INTEGER s } as two numbers of 32 octets
    r_end = 4 + der[3]
    numbers = int.from_bytes(der[4:r_end], "big"), int.from_bytes(der[r_end + 2:], "big")
    return text + "." + packed(b"".join(number.to_bytes(32, "big") for number in numbers))


def expired_token(grant):
    good = grant.token.read_text()
    now = int(time.time())
    grant.write_token(signed(grant.cluster, good, exp=now - 3600, iat=now - 7200, nbf=now - 7200))
    daemon = grant.start("expired")
    grant.says(daemon, "an expired token", 1, "our credentials are not accepted (401): they expired at ",
               "try: renew the user's token or client certificate",
               "does not accept our credentials (401: they have expired)", "check the token file")
    grant.write_token(signed(grant.cluster, good, exp=now + 3600))
    grant.checks.eventually("one that is good in the same file is taken", 60 + BACK_SECONDS,
                            lambda: daemon.ctl("status"), lambda got: got[0] == 0)
    grant.checks.check("no token stands in the log", good.split(".")[2] not in daemon.log_text())
    grant.stage.end(daemon)


def story_clusters(stage):
    grant = Grant(stage)
    grant.make()
    is_least(grant)
    daemon = reads(grant)
    lacks_verbs(grant, daemon)
    lacks_kind(grant, daemon)
    writes(grant)
    server_away(grant, daemon)
    stage.end(daemon)
    wrong_ca(grant)
    expired_token(grant)
