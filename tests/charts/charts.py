#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The Helm chart and the kustomize bases, without a cluster: what they make, and what they refuse.

Prints one line per check and, alone on the last line, "N passed, N failed". PINTLED names the program.
"""

import copy
import json
import re
import shlex
import subprocess
import sys

import yaml

import render
from render import CHART, KUSTOMIZE, RBAC, SETS, container_of, of_kind, one, pod_of, template, workload
from run import PINTLECTL, PINTLED, play, run  # noqa: E402: pylint: disable=wrong-import-order

VALUES = yaml.safe_load((CHART / "values.yaml").read_text())
FLEET = next(path for path in SETS if path.name.startswith("fleet"))
ROLES = ("read", "write-annotations", "write-events", "write-mcs", "write-status")


def merged(base, over):
    """Values as Helm lays them over each other: maps key by key."""
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{key: merged(base.get(key), value) for key, value in over.items()}}


def values_of(path):
    return merged(VALUES, yaml.safe_load(path.read_text()) or {})


# --- What Helm itself says ---------------------------------------------------------------------------


def lint(checks, _):
    for path in SETS:
        code, out, err = render.tool("helm.sh", "lint", "--strict", CHART, "--values", path)
        checks.check(f"helm lint --strict, {path.stem}", code == 0 and "[WARNING]" not in out, out + err)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    version = run(PINTLED, "--version")[1]
    checks.check("appVersion is what pintled says it is", chart["appVersion"] in version.split(), version)


def both_ways(values, schema, at=""):
    """Keys that stand in one of values.yaml and its schema only. Maps that are free have no keys there;
    of config, which is Pintle's own, values.yaml has what the chart needs."""
    known = schema.get("properties")
    if known is None or at == "config." or not isinstance(values, dict) or schema.get("additionalProperties") is not False:
        return []
    wrong = [f"{at}{key}: not in the schema" for key in values if key not in known]
    wrong += [f"{at}{key}: not in values.yaml" for key in known if key not in values and (at, key) != ("", "global")]
    for key in set(values) & set(known):
        wrong += both_ways(values[key], known[key], f"{at}{key}.")
    return wrong


def schema(checks, _):
    values_schema = json.loads((CHART / "values.schema.json").read_text())
    checks.equal("values.yaml and its schema have the same keys", both_ways(VALUES, values_schema), [])
    known = json.loads(run(PINTLECTL, "config", "schema")[1])["properties"]
    checks.equal("config has the keys that pintled knows", set(values_schema["properties"]["config"]["properties"]), set(known))
    for setting, word in (
            ("replicacount=3", "replicacount"), ("image.repo=x", "repo"), ("serviceMonitor.enable=true", "enable"),
            ("mode=statefulset", "mode"), ("replicaCount=many", "replicaCount"), ("service.type=ExternalName", "type"),
            ("service.ports=53", "ports"), ("logLevel=chatty", "logLevel"), ("networkPolicy.enabled=sure", "enabled"),
            ("config.clusters=null", "clusters"), ("config.metrics=null", "metrics"), ("config.stateDir=state", "stateDir"), ("config.forwrad=x", "forwrad"),
            ("kubeconfigs.secret=x", "secret"), ("podDisruptionBudget.max=1", "max"), ("secrets.TLS=x", "TLS")):
        code, out, err = render.tool("helm.sh", "template", "pintle", CHART, "--set", setting)
        checks.check(f"--set {setting} is refused, and named", code != 0 and word in err and not out, (code, out, err))
    code, _, err = render.tool("helm.sh", "template", "pintle", CHART, "--set", "serviceMonitor.enabled=true",
                               "--set", "prometheus.service.enabled=false")
    checks.check("a ServiceMonitor without the Service that it selects is refused", code != 0
                 and "prometheus.service.enabled" in err, err)


# --- What is made ------------------------------------------------------------------------------------


def identity(item):
    return item["kind"], item["metadata"].get("namespace"), item["metadata"]["name"]


def is_restricted(pod):
    """What the restricted Pod Security Standard asks for and 65532 by number; a real API server judges elsewhere."""
    spec, container = pod["spec"], container_of(pod)
    inner, outer = container["securityContext"], spec["securityContext"]
    return (outer["runAsNonRoot"] is True and outer["runAsUser"] == outer["runAsGroup"] == outer["fsGroup"] == 65532
            and outer["seccompProfile"] == {"type": "RuntimeDefault"} and inner["capabilities"] == {"drop": ["ALL"]}
            and inner["allowPrivilegeEscalation"] is False and inner["readOnlyRootFilesystem"] is True
            and all(set(v) - {"name"} <= {"configMap", "secret", "emptyDir"} for v in spec["volumes"]))


def lameduck_of(config):
    return int(re.match(r"\d+", str(config.get("shutdown", {}).get("lameduck", "5s"))).group())


def ports_fit(checks, what, objects, config):
    """Ports of the configuration, the container, Services, probes and the NetworkPolicy are the same."""
    def port_of(address, fallback):
        found = re.search(r"^(?:[^:]*|.*\]):(\d+)$", address)
        return int(found.group(1)) if found else fallback
    container = container_of(pod_of(objects))
    by_name = {port["name"]: port for port in container["ports"]}
    metrics = port_of(config["metrics"]["address"], 9154)
    wanted = {(metrics, "TCP")}
    for listen in config["listen"]:
        secure = "tls" in listen or "https" in listen
        wanted |= {(port_of(listen["address"], 5300), kind) for kind in (("TCP",) if secure else ("UDP", "TCP"))}
    checks.equal(f"{what}: the container's ports are those of the configuration",
                 {(p["containerPort"], p["protocol"]) for p in container["ports"]}, wanted)
    checks.check(f"{what}: port names are unique", len(by_name) == len(container["ports"]), container["ports"])
    for service in of_kind(objects, "Service"):
        checks.check(f"{what}: each port of Service {service['metadata']['name']} leads to one of the container", all(
            by_name.get(p["targetPort"], {}).get("protocol") == p["protocol"] for p in service["spec"]["ports"]),
            service)
        checks.check(f"{what}: it selects the pods", render.selects(
            service["spec"]["selector"], pod_of(objects)["metadata"]["labels"]), service["spec"]["selector"])
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        checks.equal(f"{what}: {probe} asks the metrics port", container[probe]["httpGet"]["port"], "metrics")
    for policy in of_kind(objects, "NetworkPolicy"):
        let_in = {(p["port"], p["protocol"]) for rule in policy["spec"]["ingress"] for p in rule["ports"]}
        checks.equal(f"{what}: the NetworkPolicy lets in what is listened on", let_in, wanted)


def accepted(checks, what, objects, dir):
    """pintled --check takes the configuration as the pod would see it, with the files of Secrets beside it."""
    home = dir / what
    home.mkdir()
    config = home / "pintle.yaml"
    config.write_text(render.config_text(objects).replace("/etc/pintle/secrets", str(home)).replace(
        "/var/lib/pintle", str(home)))
    if "/etcd/ca.crt" in config.read_text():
        (home / "etcd").mkdir()
        (home / "etcd" / "ca.crt").write_text("")
    if "/tls/tls.crt" in config.read_text():
        (home / "tls").mkdir()
        (home / "tsig").mkdir()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", home / "tls" / "tls.key", "-out", home / "tls" / "tls.crt", "-subj", "/CN=pintle"],
                       check=True, capture_output=True)
        (home / "tsig" / "tsig.key").write_text("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=\n")
        for path in home.glob("t*/*.key"):
            path.chmod(0o640)
    args = [arg for arg in container_of(pod_of(objects))["args"] if not arg.startswith("--config=")]
    code, out, err = run(PINTLED, f"--config={config}", *args, "--check")
    checks.check(f"{what}: pintled --check takes the configuration, and the container's other arguments", code == 0,
                 (code, out, err))


def made(checks, dir):
    for path in SETS:
        what, values = path.stem.removesuffix("-values"), values_of(path)
        objects = template("--values", path)
        names = [identity(item) for item in objects]
        checks.check(f"{what}: every object is there once", len(names) == len(set(names)), names)
        checks.equal(f"{what}: the configuration goes through word for word",
                     yaml.safe_load(render.config_text(objects)), values["config"])
        checks.check(f"{what}: the pod is restricted, as uid 65532", is_restricted(pod_of(objects)), pod_of(objects))
        checks.check(f"{what}: there is more time to end than lameduck takes",
                     pod_of(objects)["spec"]["terminationGracePeriodSeconds"] > lameduck_of(values["config"]))
        checks.check(f"{what}: the workload selects its pods", render.selects(
            workload(objects)["spec"]["selector"]["matchLabels"], pod_of(objects)["metadata"]["labels"]))
        ports_fit(checks, what, objects, values["config"])
        accepted(checks, what, objects, dir)


def modes(checks, _):
    plain, each_node, on_node = (template("--values", CHART / "ci" / f"{name}-values.yaml")
                                 for name in ("default", "daemonset", "hostnetwork"))
    checks.equal("Deployment: two replicas, spread over nodes and zones, with a PodDisruptionBudget", (
        workload(plain)["kind"], workload(plain)["spec"]["replicas"],
        [c["topologyKey"] for c in pod_of(plain)["spec"]["topologySpreadConstraints"]],
        one(plain, "PodDisruptionBudget")["spec"]["maxUnavailable"]),
        ("Deployment", 2, ["kubernetes.io/hostname", "topology.kubernetes.io/zone"], 1))
    checks.check("DaemonSet: no replicas, no budget, questions stay on their node",
                 workload(each_node)["kind"] == "DaemonSet" and "replicas" not in workload(each_node)["spec"]
                 and not of_kind(each_node, "PodDisruptionBudget")
                 and one(each_node, "Service", "pintle")["spec"]["internalTrafficPolicy"] == "Local"
                 and one(each_node, "Service", "pintle")["spec"]["clusterIP"] == "10.97.0.53", each_node)
    checks.check("hostNetwork: port 53 of the node, no Service for DNS", pod_of(on_node)["spec"]["hostNetwork"] is True
                 and container_of(pod_of(on_node))["ports"][0]["containerPort"] == 53
                 and not of_kind(on_node, "Service", "pintle"), on_node)
    single = template("--set", "replicaCount=1")
    checks.equal("one replica has no budget that would keep its node from being drained",
                 of_kind(single, "PodDisruptionBudget"), [])
    scaled = template("--values", CHART / "ci" / "etcd-values.yaml")
    checks.equal("hpa: scales the Deployment, which says no number of its own; with a budget", (
        one(scaled, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"],
        "replicas" in workload(scaled)["spec"], len(of_kind(scaled, "PodDisruptionBudget"))),
        (workload(scaled)["metadata"]["name"], False, 1))
    fleet = template("--values", FLEET)
    container = container_of(pod_of(fleet))
    checks.equal("image, flags", (container["image"], container["args"]), (
        "registry.example/pintle:1.2.3", [f"--config={render.CONFIG}", "--log-level=info", "--log-format=json", "--workers=2"]))
    checks.equal("DoT and DoH have their usual ports at the Service", {
        port["name"]: port["port"] for port in one(fleet, "Service", "pintle")["spec"]["ports"]},
        {"dns": 53, "dns-tcp": 53, "dot": 853, "doh": 443})
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    checks.equal("Secrets are files, for the process alone", (mounts, {
        v["name"]: (v["secret"]["secretName"], v["secret"]["defaultMode"])
        for v in pod_of(fleet)["spec"]["volumes"] if "secret" in v}), (
            {"config": "/etc/pintle/config", "kubeconfigs": "/etc/pintle/kubeconfigs", "state": "/var/lib/pintle",
             "secret-tls": "/etc/pintle/secrets/tls", "secret-tsig": "/etc/pintle/secrets/tsig"},
            {"kubeconfigs": ("pintle-kubeconfigs", 0o440), "secret-tls": ("pintle-tls", 0o440),
             "secret-tsig": ("pintle-tsig", 0o440)}))
    monitor = one(fleet, "ServiceMonitor")
    metrics = one(fleet, "Service", "pintle-metrics")
    checks.check("the ServiceMonitor selects the metrics Service and its port", render.selects(
        monitor["spec"]["selector"]["matchLabels"], metrics["metadata"]["labels"])
        and monitor["spec"]["endpoints"][0]["port"] in [p["name"] for p in metrics["spec"]["ports"]]
        and not render.selects(monitor["spec"]["selector"]["matchLabels"],
                               one(fleet, "Service", "pintle")["metadata"]["labels"]), monitor)
    checks.equal("the PrometheusRule is files/alerts.yaml", one(fleet, "PrometheusRule")["spec"],
                 yaml.safe_load((CHART / "files" / "alerts.yaml").read_text()))
    checks.equal("the dashboard is files/dashboard.json", json.loads(
        one(fleet, "ConfigMap", "pintle-dashboard")["data"]["pintle.json"]),
        json.loads((CHART / "files" / "dashboard.json").read_text()))
    before, after = (pod_of(template("--set", f"config.clusterSet={name}")) for name in ("a", "b"))
    checks.check("another configuration makes other pods", before["metadata"]["annotations"]
                 != after["metadata"]["annotations"] and before["spec"] == after["spec"])


# --- What it may do ----------------------------------------------------------------------------------


def role_of(name):
    return one(render.objects_of((RBAC / f"{name}.yaml").read_text()), "ClusterRole")["rules"]


def granted(objects):
    """{role: rules} of what is bound to the chart's service account, and to nobody else."""
    roles = {item["metadata"]["name"]: item["rules"] for item in of_kind(objects, "ClusterRole") + of_kind(objects, "Role")}
    bound = {}
    for binding in of_kind(objects, "ClusterRoleBinding") + of_kind(objects, "RoleBinding"):
        if [(s["kind"], s["namespace"], s["name"]) for s in binding["subjects"]] != [
                ("ServiceAccount", render.SPACE, pod_of(objects)["spec"]["serviceAccountName"])]:
            raise render.ToolError(f"bound to {binding['subjects']}")
        bound[binding["roleRef"]["name"]] = roles[binding["roleRef"]["name"]]
    return bound


def rights(checks, _):
    for path in sorted(RBAC.glob("*.yaml")):
        checks.equal(f"files/rbac/{path.name} is deploy/rbac's, byte for byte",
                     (CHART / "files" / "rbac" / path.name).read_bytes(), path.read_bytes())
    for path in sorted((render.ROOT / "deploy" / "crd").glob("*.yaml")):
        checks.equal(f"crds/{path.name} is deploy/crd's, byte for byte", (CHART / "crds" / path.name).read_bytes(),
                     path.read_bytes())
    checks.equal("by default the cluster is read, and nothing else", granted(template()),
                 {"pintle-system-pintle-read": role_of("read")})
    everything = granted(template("--values", FLEET))
    lease = one(render.objects_of((RBAC / "write-lease.yaml").read_text()), "Role")["rules"]
    checks.equal("with all of writeBack: the roles of deploy/rbac", everything, {
        **{f"pintle-system-pintle-{name}": role_of(name) for name in ROLES}, "pintle-lease": lease})
    for switch, wanted in (("annotations", {"write-annotations"}), ("latticeAnnotation", {"write-annotations"}),
                           ("status", {"write-status"}), ("mcs", {"write-mcs"}), ("events", {"write-events"}),
                           ("cleanup", {"write-annotations", "write-mcs", "write-status"})):
        seen = granted(template("--set", f"config.writeBack.{switch}=true"))
        checks.equal(f"writeBack.{switch}: its own role and the Lease", {
            name.removeprefix("pintle-system-pintle-") for name in seen}, {"read", "pintle-lease", *wanted})
    leases = granted(template("--set", "config.recordsLease.cluster=local"))
    checks.equal("recordsLease in this cluster: its Lease by name", leases["pintle-lease"][1]["resourceNames"],
                 ["pintle-records"])
    checks.check("recordsLease in another cluster: nothing here", "pintle-lease" not in granted(template(
        "--set", "config.recordsLease.cluster=c2")))
    checks.equal("who does not read this cluster has no rights in it",
                 granted(template("--values", CHART / "ci" / "etcd-values.yaml")), {})
    more = granted(template("--set-json", 'rbac.additionalPermissions=[{"apiGroups":[""],"resources":["pods"],"verbs":["get"]}]'))
    checks.equal("additional permissions stand beside", more["pintle-system-pintle-extra"],
                 [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}])
    checks.equal("rbac.create=false makes none", [i["kind"] for i in template("--set", "rbac.create=false")
                                                   if "Role" in i["kind"]], [])
    other = template("--set", "serviceAccount.create=false", "--set", "serviceAccount.name=mine")
    checks.check("a service account of one's own is the one that is bound", pod_of(other)["spec"]["serviceAccountName"]
                 == "mine" and granted(other) and not of_kind(other, "ServiceAccount"))


# --- kustomize ---------------------------------------------------------------------------------------


def bare(pod):
    """A pod without what names the release and the way it was made."""
    pod = copy.deepcopy(pod)
    del pod["metadata"]["labels"]
    pod["metadata"].pop("annotations", None)
    for volume in pod["spec"]["volumes"]:
        if "configMap" in volume:
            volume["configMap"]["name"] = "pintle"
    for constraint in pod["spec"].get("topologySpreadConstraints", []):
        del constraint["labelSelector"]
    return pod


def kustomize(checks, dir):
    base = render.kustomized(KUSTOMIZE / "base")
    checks.equal("kustomize's base has the pod of the chart", bare(pod_of(base)), bare(pod_of(template())))
    checks.equal("and its configuration", yaml.safe_load(render.config_text(base)), VALUES["config"])
    checks.equal("and reads alone", granted(base), {"pintle-read": role_of("read")})
    checks.equal("its namespace is restricted", one(base, "Namespace")["metadata"]["labels"][
        "pod-security.kubernetes.io/enforce"], "restricted")
    each_node = render.kustomized(KUSTOMIZE / "daemonset")
    chart = template("--values", CHART / "ci" / "daemonset-values.yaml", "--set", "priorityClassName=")
    checks.equal("kustomize's daemonset has the pod of the chart's", bare(pod_of(each_node)), bare(pod_of(chart)))
    checks.check("as a DaemonSet, without a budget", workload(each_node)["kind"] == "DaemonSet"
                 and not of_kind(each_node, "PodDisruptionBudget") and one(each_node, "Service", "pintle")["spec"][
                     "internalTrafficPolicy"] == "Local", each_node)
    fleet = render.kustomized(KUSTOMIZE / "fleet")
    checks.equal("kustomize's fleet may write all", set(granted(fleet)), {
        "pintle-lease", *(f"pintle-{name}" for name in ROLES)})
    for what, objects in (("base", base), ("daemonset", each_node), ("fleet", fleet)):
        config = yaml.safe_load(render.config_text(objects))
        ports_fit(checks, f"kustomize {what}", objects, config)
        accepted(checks, f"kustomize-{what}", objects, dir)
        checks.check(f"kustomize {what}: the pod is restricted, as uid 65532", is_restricted(pod_of(objects)))
    monitor = one(fleet, "ServiceMonitor")["spec"]["selector"]["matchLabels"]
    checks.equal("the ServiceMonitor selects one Service", [s["metadata"]["name"] for s in of_kind(fleet, "Service")
                                                           if render.selects(monitor, s["metadata"]["labels"])],
                 ["pintle-metrics"])


# --- docs/kubernetes.md --------------------------------------------------------------------------------


def guide(checks, dir):
    """The commands and values of the page, as far as no cluster is needed: what is installed there is rendered here."""
    page = (render.ROOT / "docs" / "kubernetes.md").read_text()
    blocks = re.findall(r"^```(?:sh|yaml) by=tests/charts/charts\.py\n(.*?)^```$", page, re.M | re.S)
    values = next(text for text in blocks if text.startswith("kubeconfigs:"))
    (dir / "mine.yaml").write_text(values)
    accepted(checks, "the page's clusters", template("--values", dir / "mine.yaml"), dir)
    n = 0
    for line in "".join(blocks).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["helm"]:
            verb = "template" if words[1] in ("install", "upgrade") else words[1]
            there = {"deploy/helm/pintle": CHART, "mine.yaml": dir / "mine.yaml"}
            code, out, err = render.tool("helm.sh", verb, *(there.get(word, word) for word in words[2:]))
            checks.check(f"the page: {line}", code == 0 and render.objects_of(out), err)
            n += 1
        elif words[:3] == ["kubectl", "apply", "-k"]:
            checks.check(f"the page: {line}", render.kustomized(render.ROOT / words[3]))
            n += 1
    checks.equal("commands of the page", n, 4)


if __name__ == "__main__":
    sys.exit(play("charts", lint, schema, made, modes, rights, kustomize, guide))
