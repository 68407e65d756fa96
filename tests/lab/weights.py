# SPDX-License-Identifier: Apache-2.0
"""Weights of a route by `pintlectl weights set`, as people with and without the right to write it."""

import json
import os
import shlex
import subprocess

import pintle
from stage import assigned_name, split_becomes
from story1 import INVENTORY, inventory_config, set_up_inventory

ROUTE = "default/inventory"


class Person:
    """Somebody with kubectl and a kubeconfig; `before_patch` is run once, before their first patch."""

    def __init__(self, stage, name, before_patch=None):
        self.dir = stage.dir / name
        self.dir.mkdir()
        argv, self.env = stage.lab.kubectl_argv()
        script = [f"#!/bin/sh\nkubectl() {{ {shlex.join(argv)} \"$@\"; }}\n"]
        if before_patch is not None:
            script.append(f"if [ \"$1\" = patch ] && mkdir {self.dir}/once 2>/dev/null; then "
                          f"kubectl {shlex.join(before_patch)} >/dev/null; fi\n")
        script.append(f"exec {shlex.join(argv)} \"$@\"\n")
        (self.dir / "kubectl").write_text("".join(script))
        (self.dir / "kubectl").chmod(0o755)
        self.env["PATH"] = f"{self.dir}:{os.environ['PATH']}"

    def set(self, *args):
        done = subprocess.run([pintle.PINTLECTL, "weights", "set", *args, "--context", "c1"], env=self.env,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout, done.stderr


def weights(stage):
    rules = json.loads(stage.kubectl("c1", "get", "httproute", "inventory", "-o", "json"))["spec"]["rules"]
    return [backend["weight"] for backend in rules[0]["backendRefs"]]


def story_weights(stage):
    check, equal = stage.checks.check, lambda what, seen, wanted: stage.checks.check(what, seen == wanted, seen)
    ver1, ver2 = set_up_inventory(stage)
    daemon = stage.pintle("weights", config=inventory_config(stage))
    name = assigned_name("demo", *INVENTORY)
    split_becomes(stage, daemon, name, 3, ver1, ver2, "10/90 as applied")
    somebody = Person(stage, "somebody")

    code, text, err = somebody.set(ROUTE, "inventory-ver1=90,inventory-ver2=10", "--dry-run", "-o", "json")
    shown = json.loads(text) if code == 0 else {}
    check("--dry-run tells what would be", code == 0 and shown["dryRun"] and [
        (item["name"], item["before"], item["after"]) for item in shown["backends"]]
        == [("inventory-ver1", 10, 90), ("inventory-ver2", 90, 10)], text + err)
    equal("and writes nothing", weights(stage), [10, 90])
    code, text, err = somebody.set(ROUTE, "inventory-ver1=90,inventory-ver2=10")
    check("both weights are set at once", code == 0 and weights(stage) == [90, 10], text + err)
    split_becomes(stage, daemon, name, 27, ver1, ver2, "weights set to 90/10")
    code, text, err = somebody.set("HTTPRoute/" + ROUTE, "inventory-ver2=90")
    check("a weight that is not named stays", code == 0 and weights(stage) == [90, 90], text + err)
    code, text, err = somebody.set(ROUTE, "inventory-ver2=90")
    check("what is so already is told", code == 0 and "nothing to change" in err, text + err)
    code, _, err = somebody.set(ROUTE, "inventory-ver3=1")
    check("a backend that is none is named", code == 1 and "inventory-ver3" in err, err)
    code, _, err = somebody.set("default/nothing", "inventory-ver1=1")
    check("so is a route that is none", code == 1 and "nothing" in err, err)

    racer = Person(stage, "racer", ["--context", "c1", "annotate", "httproute", "inventory", "written=meanwhile"])
    code, text, err = racer.set(ROUTE, "inventory-ver1=10")
    route = json.loads(stage.kubectl("c1", "get", "httproute", "inventory", "-o", "json"))
    check("what others write meanwhile stays, and the weight is set", code == 0 and weights(stage) == [10, 90]
          and route["metadata"]["annotations"].get("written") == "meanwhile" and (racer.dir / "once").exists(), text + err)
    check("the API server knows who did it", any(
        entry["manager"] == "pintlectl" for entry in json.loads(stage.kubectl(
            "c1", "get", "httproute", "inventory", "-o", "json", "--show-managed-fields"))["metadata"]["managedFields"]))

    stranger = Person(stage, "stranger")
    config = json.loads(stage.kubectl("c1", "config", "view", "--raw", "-o", "json"))
    for user in config["users"]:
        user["user"]["as"] = "stranger"
    (stranger.dir / "kubeconfig").write_text(json.dumps(config))
    code, _, err = stranger.set(ROUTE, "inventory-ver1=50", "--kubeconfig", str(stranger.dir / "kubeconfig"))
    check("who has no right to is told so, exit 5", code == 5 and "forbidden" in err.lower(), err)
    equal("and nothing changed", weights(stage), [10, 90])
    split_becomes(stage, daemon, name, 3, ver1, ver2, "10/90 again")
    stage.end(daemon)
