# SPDX-License-Identifier: Apache-2.0
"""A network of the lab's own, in which every pod and Service address is at home.

The stories run in a network namespace whose only device is the loopback one. All of 10.0.0.0/8 is
local there: a program can ask from a pod's address and listen on a Service's, and two labs on one
machine never meet. Nothing of it outlives the last process inside.
"""

import os
import shutil
import subprocess
import sys

import lab

MARK = "PINTLE_LAB_GROUND"
PODS = "10.0.0.0/8"


def is_entered():
    return os.environ.get(MARK) == "1"


def _run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise lab.LabError(f"{' '.join(command)}: {done.stderr.strip()}")


def _first_that_works(*commands):
    for command in commands:
        try:
            _run(*command, "true")
            return command
        except lab.LabError as err:
            why = err
    raise lab.LabError(f"{why}\nthe stories need a network of their own: root, or "
                       "sysctl kernel.unprivileged_userns_clone=1")


def enter():
    """Comes back inside; the program starts anew for that. Needs root or user namespaces."""
    if not is_entered():
        for program in ("unshare", "ip"):
            if shutil.which(program) is None:
                raise lab.LabError(f"{program} is missing: ./x setup lab")
        space = _first_that_works(["unshare", "--net"],
                                  ["unshare", "--net", "--user", "--map-root-user"])
        os.environ[MARK] = "1"
        os.execvp(space[0], [*space, sys.executable, *sys.argv])
    _run("ip", "link", "set", "lo", "up")
    _run("ip", "route", "add", "local", PODS, "dev", "lo")


def give_address(address, source):
    """Whoever sends to `address` from no address in particular sends from `source`."""
    _run("ip", "route", "replace", "local", f"{address}/32", "dev", "lo", "src", source)
