#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What people get wrong, and what they do to a running daemon: each mistake is told with its place and ends with the right
exit code, each rough handling is survived.

Same form of report as run.py, whose tools it uses.
"""

import os
import signal
import socket
import sys
import threading

import run as e2e
from run import PINTLED, WAIT_S, Daemon, play, run

NAME = "helloworld.sample.svc.clusterset.local"
CLUSTER = "clusters: [{name: c1, directory: c1}]\n"
BOMB = "".join(f"{key}: &{key} [{', '.join([item] * 9)}]\n"
               for key, item in zip("abcdefgh", ("x", *(f"*{key}" for key in "abcdefg"))))

# What is said, the configuration, what the message holds beside the file's name.
MISTAKES = [
    ("an empty file", "", "wrong.yaml:1:1: want one document"),
    ("a file of aliases of aliases", BOMB, "aliases expand to too many nodes"),
    ("an alias inside its own anchor", "a: &a [*a]\n", "stands inside its own anchor"),
    ("a deep file", "[" * 50000 + "\n", "nested too deeply"),
    ("a key that is given twice", CLUSTER + "workers: 1\nworkers: 2\n", ":3:1: key 'workers' is given twice"),
    ("no cluster", "workers: 1\n", "no clusters: fill clusters:"),
    ("a cluster's directory that is a file", "clusters: [{name: c1, directory: wrong.yaml}]\n", "cluster directory '"),
    ("a number that is too large", CLUSTER + "cache: {size: 65Gi}\n", ":2:15: cache.size: 65Gi is out of range"),
    ("a negative duration", CLUSTER + "shutdown: {lameduck: -1s}\n", ":2:22: shutdown.lameduck: \"-1s\" is no duration"),
    ("a certificate that is not there", CLUSTER + "listen: [{address: 127.0.0.1:0, tls: {certificate: no.crt, key: no.key}}]\n",
     ":2:10: listen[0].tls: open '"),
    ("a certificate that is a directory", CLUSTER + "listen: [{address: 127.0.0.1:0, tls: {certificate: c1, key: c1}}]\n",
     ":2:10: listen[0].tls: '"),
    ("more listeners than there can be",
     CLUSTER + "listen:\n" + "".join(f"  - {{address: 127.0.0.1:{20000 + i}}}\n" for i in range(65)),
     ":67:5: listen: more than 64 listeners"),
    ("a listener behind another one", CLUSTER + "listen: [{address: \"[::]:53\"}, {address: 127.0.0.1:53}, {address: 0.0.0.0:53}]\n",
     ":2:32: listen[1]: 127.0.0.1:53 is one of all addresses"),
    ("a name as it is not asked for", CLUSTER + "zones: {custom: [b\u00fccher.example]}\n", "write its xn-- form"),
    ("a resolver that is this server", CLUSTER + "listen: [{address: 0.0.0.0:5399}]\nforward: [{to: [127.0.0.1:5399]}]\n",
     ":3:11: forward: \"127.0.0.1:5399\" is a listener of this server"),
    ("a forward zone of our own", CLUSTER + "forward: [{zone: svc.cluster.local, to: [192.0.2.1]}]\n",
     ":2:11: forward: \"svc.cluster.local\" lies in our zone \"cluster.local\""),
    ("ten thousand forward zones",
     CLUSTER + "forward:\n" + "".join(f"  - {{zone: z{i}.example, to: [192.0.2.1]}}\n" for i in range(10000)),
     ":3:5: forward: more than 64 zones"),
    ("a resolver's CA that is not there", CLUSTER + "forward: [{to: [\"tls://192.0.2.1\"], ca: no.pem}]\n",
     ":2:11: forward[0].ca: open '"),
    ("a custom zone that is named twice", CLUSTER + "zones: {custom: [e.x, E.x]}\n", "zones.custom: \"e.x\" is a zone already"),
    ("a static zone that is named twice",
     CLUSTER + "zones: {files: [{zone: e.x, file: a}, {zone: e.x, file: b}]}\n", ":2:39: zones.files[1]: zone \"e.x\" has a file"),
    ("a zone file that is not there", CLUSTER + "zones: {files: [{zone: e.x, file: no.zone}]}\n", ":2:17: zones.files[0]: open '"),
    ("a zone file that is a directory", CLUSTER + "zones: {files: [{zone: e.x, file: c1}]}\n", ":2:17: zones.files[0]: "),
    ("a key that is named twice", CLUSTER + "tsigKeys: [{name: k, secretFile: a}, {name: k, secretFile: a}]\n",
     ":2:38: tsigKeys[1]: there is a key \"k\" already"),
    ("a secret that is not there", CLUSTER + "tsigKeys: [{name: k, secretFile: no.key}]\n", ":2:12: tsigKeys \"k\": open '"),
    ("a cookie secret that is none", CLUSTER + "cookies: {secretFile: wrong.yaml}\n", "cookies.secretFile: '"),
    ("a mailbox with an @", CLUSTER + "dns: {hostmaster: joe@example.com}\n", "dns.hostmaster: "),
    ("a query log that goes nowhere", CLUSTER + "queryLog: {sample: 10}\n", "queryLog: nothing would be written"),
]

# What only shows at the start: the configuration or flags, what the message holds.
STARTS = [
    ("a query log in no directory", CLUSTER + "queryLog: {file: no/queries.log}\n", "no/queries.log"),
    ("a state directory in no directory", CLUSTER + "stateDir: no/state\n", "no/state"),
    ("a state directory that is a file", CLUSTER + "stateDir: wrong.yaml\n", "is no directory"),
    ("an address that is not ours", CLUSTER + "listen: [{address: 192.0.2.1:0}]\n", "192.0.2.1"),
]


def mistakes(checks, dir):
    (dir / "c1").mkdir()
    config = dir / "wrong.yaml"
    for what, text, wanted in MISTAKES:
        config.write_text(text)
        seen = {run("timeout", WAIT_S, PINTLED, "--config", config, "--admin", "127.0.0.1:0", *flags)
                for flags in (["--check"], [])}
        code, _, err = min(seen)
        checks.check(f"{what}: told by --check and at the start, exit 1",
                     len(seen) == 1 and code == 1 and str(config) in err and wanted in err, seen)
    for what, text, wanted in STARTS:
        config.write_text(text)
        code, _, err = run("timeout", WAIT_S, PINTLED, "--config", config, "--admin", "127.0.0.1:0",
                           *([] if "listen" in text else ["--listen", "127.0.0.1:0"]))
        checks.check(f"{what}: told at the start, exit 1", code == 1 and wanted in err, (code, err))
    config.write_text(CLUSTER)
    config.chmod(0)
    if os.geteuid() != 0:
        code, _, err = run(PINTLED, "--config", config)
        checks.check("a file that may not be read, exit 1", code == 1 and str(config) in err, err)


def notes(checks, dir):
    """What may come later: --check tells it, and is content."""
    config, kubeconfig = dir / "later.yaml", dir / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\ncontexts: [{name: a, context: {cluster: a, user: a}}]\n"
                          "clusters: [{name: a, cluster: {server: 'https://127.0.0.1:1'}}]\nusers: [{name: a, user: {token: t}}]\n")
    for what, cluster, wanted in (("a directory", "directory: later", "there is no directory '"),
                                  ("a kubeconfig", "context: a, kubeconfig: later", "later"),
                                  ("a context", "context: b, kubeconfig: kubeconfig", "the kubeconfig has no context \"b\""),
                                  ("nothing", "context: a, kubeconfig: kubeconfig", "")):
        config.write_text(f"clusters: [{{name: c1, {cluster}}}]\n")
        code, out, err = run(PINTLED, "--config", config, "--check")
        checks.check(f"{what} that is not there yet is noted, exit 0", code == 0 and "1 clusters" in out and wanted in err
                     and err.startswith(f"{config}:1:12: cluster \"c1\": " if wanted else "") and (wanted or not err),
                     (code, out, err))


def second(checks, dir):
    first = Daemon(dir, "first", "--dev")
    try:
        for flags in (["--listen", f"127.0.0.1:{first.port}", "--admin", "127.0.0.1:0"],
                      ["--listen", f"0.0.0.0:{first.port}", "--admin", "127.0.0.1:0"],
                      ["--listen", "127.0.0.1:0", "--admin", first.admin]):
            code, _, err = run("timeout", WAIT_S, PINTLED, "--dev", *flags)
            checks.check(f"a second one with {' '.join(flags)} does not start", code == 1 and "in use" in err, (code, err))
        checks.equal("the first goes on", first.dig(NAME).status, "NOERROR")
    finally:
        checks.equal("and ends as told", first.stop(), 0)


def rough(checks, dir):
    daemon = Daemon(dir, "rough", "--dev")
    asking = threading.Event()
    answered = []

    def ask():
        while not asking.is_set():
            answered.append(daemon.dig(NAME).status)

    busy = threading.Thread(target=ask)
    try:
        busy.start()
        for _ in range(300):
            daemon.child.send_signal(signal.SIGHUP)
        for _ in range(20):
            daemon.child.send_signal(signal.SIGSTOP)
            daemon.child.send_signal(signal.SIGCONT)
        before = len(answered)
        checks.becomes("after 300 SIGHUP and 20 stops, questions are answered", lambda: len(answered), lambda n: n > before + 5)
        checks.equal("as all before were", set(answered), {"NOERROR"})
        daemon.child.send_signal(signal.SIGTERM)
        daemon.child.send_signal(signal.SIGTERM)
        checks.equal("SIGTERM, twice and amid questions, ends it well", daemon.child.wait(WAIT_S), 0)
    finally:
        asking.set()
        busy.join()
        daemon.stop()


def small(checks, dir):
    """Less memory than asked for; sanitizers cannot even begin with so little."""
    little = ["sh", "-c", 'ulimit -v 400000; exec "$@"', "sh", "timeout", WAIT_S, PINTLED]
    if run(*little, "--version")[0] != 0:
        return
    config = dir / "large.yaml"
    config.write_text(CLUSTER + "cache: {size: 4Gi}\nforward: [{to: [192.0.2.1]}]\n")
    code, _, err = run(*little, "--config", config, "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    checks.check("a cache that there is no memory for: told at the start, exit 1",
                 code == 1 and "out of memory: a cache of 4294967296 bytes" in err, (code, err))


def poor(checks, dir):
    """64 descriptors, and a disk that is full."""
    (dir / "full.yaml").write_text(CLUSTER + "shutdown: {lameduck: 0s}\nqueryLog: {file: /dev/full}\n")
    few = dir / "few"
    few.write_text(f'#!/bin/sh\nulimit -n 64\nexec "{PINTLED}" "$@"\n')
    few.chmod(0o755)
    e2e.PINTLED = str(few)
    try:
        daemon = Daemon(dir, "poor", "--config", dir / "full.yaml")
    finally:
        e2e.PINTLED = PINTLED
    streams = []
    try:
        for _ in range(200):
            streams.append(socket.create_connection(("127.0.0.1", daemon.port), WAIT_S))
        checks.equal("with 64 descriptors and 200 connections, UDP is answered", daemon.dig(NAME).status, "NXDOMAIN")
        checks.equal("and so is one more connection", daemon.dig(NAME, "A", "+tcp").status, "NXDOMAIN")
        checks.equal("and the admin side", daemon.get("/healthz")[0], 200)
        checks.becomes("a full disk is told", daemon.log_text, lambda text: "writing /dev/full failed (ENOSPC)" in text)
    finally:
        for stream in streams:
            stream.close()
        checks.equal("it ends as told", daemon.stop(), 0)


if __name__ == "__main__":
    sys.exit(play("mistakes", mistakes, notes, small, second, rough, poor))
