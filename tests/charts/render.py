# SPDX-License-Identifier: Apache-2.0
"""Helm and kustomize, what they make of deploy/, and the shape of a pod."""

import os
import pathlib
import subprocess
import sys

import yaml  # python3-yaml

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
CHART = ROOT / "deploy" / "helm" / "pintle"
KUSTOMIZE = ROOT / "deploy" / "kustomize"
RBAC = ROOT / "deploy" / "rbac"
SETS = sorted(CHART.glob("ci/*-values.yaml"))
SPACE = "pintle-system"
CONFIG = "/etc/pintle/config/pintle.yaml"


class ToolError(Exception):
    """A program that did not do what it has to: its words."""


def tool(script, *args, stdin=None, env=None):
    """(exit code, standard output, standard error) of one of the scripts beside this file."""
    source = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    done = subprocess.run([HERE / script, *map(str, args)], capture_output=True, text=True, timeout=600,
                          check=False, env={**os.environ, **(env or {})}, **source)
    return done.returncode, done.stdout, done.stderr


def objects_of(text):
    return [item for item in yaml.safe_load_all(text) if item]


def template(*args, name="pintle", space=SPACE):
    """The chart's objects."""
    code, out, err = tool("helm.sh", "template", name, CHART, "--namespace", space, *args)
    if code != 0:
        raise ToolError(err)
    return objects_of(out)


def kustomized(folder):
    code, out, err = tool("kustomize.sh", "build", folder)
    if code != 0 or err:
        raise ToolError(err)
    return objects_of(out)


def of_kind(objects, kind, name=None):
    return [item for item in objects if item["kind"] == kind and name in (None, item["metadata"]["name"])]


def one(objects, kind, name=None):
    found = of_kind(objects, kind, name)
    if len(found) != 1:
        raise ToolError(f"{len(found)} of {kind} {name or ''}")
    return found[0]


def workload(objects):
    return (of_kind(objects, "Deployment") + of_kind(objects, "DaemonSet"))[0]


def pod_of(objects):
    """The pod that a Deployment or DaemonSet makes, as an object of its own."""
    made = workload(objects)
    return {"apiVersion": "v1", "kind": "Pod",
            "metadata": {**made["spec"]["template"]["metadata"], "name": "pintle-once",
                         "namespace": made["metadata"]["namespace"]},
            "spec": made["spec"]["template"]["spec"]}


def container_of(pod):
    return pod["spec"]["containers"][0]


def config_text(objects):
    """The configuration that the pod mounts."""
    volume = next(v for v in pod_of(objects)["spec"]["volumes"] if v["name"] == "config")
    return one(objects, "ConfigMap", volume["configMap"]["name"])["data"]["pintle.yaml"]


def selects(selector, labels):
    return selector and all(labels.get(key) == value for key, value in selector.items())
