#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The package under systemd itself, booted in a tree where it is installed (package_boot.sh): the unit becomes ready,
answers, reloads, comes back after it was killed or hung, gives its sockets and its place to the next without losing a
question, is upgraded, removed and purged. Wants root.

    package_systemd.py ROOT NEWER.deb       ROOT: the tree; NEWER: a later version of the package

Prints one line per check and, last, "N passed, N failed".
"""

import contextlib
import ctypes
import json
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

TESTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TESTS / "e2e"))
import run as e2e  # noqa: E402  (how checks are counted)

CLONE_NEWNET = 0x40000000
LANDLOCK_CREATE_RULESET = 444  # on all machines
WAIT_S = 60
UNIT = "pintled.service"
QUESTION = b"\x01\0\0\1\0\0\0\0\0\0\3web\7default\3svc\7cluster\5local\0\0\1\0\1"
ANSWER = bytes((10, 96, 0, 1))
CONFIG = """\
apiVersion: pintle.dev/v1alpha1
kind: PintleConfig
listen:
  - {address: 127.0.0.1:53}
admin: {address: 127.0.0.1:9153}
clusters:
  - {name: local, directory: clusters/local}
defaultCluster: local
shutdown: {lameduck: 0s}
"""


class Machine:
    """A tree with systemd as its first process."""

    def __init__(self, root):
        self.root = root
        self.log = open(root.parent / "boot.log", "wb")
        self.shell = subprocess.Popen([TESTS / "package_boot.sh", root], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)

    def first(self):
        """The first process as the host numbers it; 0: there is none yet."""
        try:
            children = pathlib.Path(f"/proc/{self.shell.pid}/task/{self.shell.pid}/children").read_text().split()
            return int(children[0]) if pathlib.Path(f"/proc/{children[0]}/comm").read_text() == "systemd\n" else 0
        except (OSError, IndexError):
            return 0

    def state(self):
        if self.shell.poll() is not None:
            return "ended"
        return self.systemctl("is-system-running")[1].strip() if self.first() else "starting"

    def run(self, *command):
        """Exit code and output of a program inside."""
        done = subprocess.run(["nsenter", "-t", str(self.first()), "-m", "-u", "-i", "-n", "-p", "-C", "env", "-i",
                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive", *map(str, command)],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.returncode, done.stdout

    def systemctl(self, *args):
        return self.run("systemctl", *args)

    def show(self, unit=UNIT):
        return dict(line.split("=", 1) for line in self.systemctl("show", unit)[1].splitlines() if "=" in line)

    def processes(self, unit=UNIT):
        """Those of the unit's control group: number, as the machine has it, and name."""
        group = self.show(unit).get("ControlGroup") or f"/system.slice/{unit}"
        numbers = self.run("cat", f"/sys/fs/cgroup{group}/cgroup.procs")[1].split()
        names = {number: self.run("cat", f"/proc/{number}/comm")[1].strip() for number in numbers if number.isdigit()}
        return {number: name for number, name in names.items() if name.startswith("pintled")}

    def journal(self, *args):
        """(priority, line) of what the daemon logged."""
        lines = self.run("journalctl", "-o", "json", "--no-pager", "_COMM=pintled", *args)[1].splitlines()
        entries = [json.loads(line) for line in lines if line.startswith("{")]
        return [(int(entry["PRIORITY"]), str(entry["MESSAGE"])) for entry in entries]

    def write(self, path, text):
        """In one step, as editors and packages do."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".new").write_text(text)
        file.with_suffix(".new").replace(file)

    def enter_net(self):
        """This thread's sockets are the machine's from now on."""
        with open(f"/proc/{self.first()}/ns/net", "rb") as net:
            if ctypes.CDLL(None, use_errno=True).setns(net.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")

    def stop(self):
        self.shell.send_signal(signal.SIGKILL)  # its child is killed with it
        self.shell.wait()
        self.log.close()
        with tempfile.TemporaryDirectory() as groups:  # empty, once all processes are gone
            subprocess.run(["mount", "-t", "cgroup2", "cgroup2", groups], check=True)
            for group in sorted(pathlib.Path(groups).glob(f"pintle-package.{self.shell.pid}/**/"), reverse=True):
                self.remove(group)
            subprocess.run(["umount", groups], check=True)

    @staticmethod
    def remove(group):
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            try:
                return group.rmdir()
            except OSError:
                time.sleep(e2e.POLL_S)
        raise RuntimeError(f"{group} does not get empty")


class Asker(threading.Thread):
    """Asks one question after the other, each once, and waits for the answer for as long as it takes."""

    def __init__(self, machine, transport, port=53):
        super().__init__(daemon=True)
        self.machine, self.transport, self.port = machine, transport, port
        self.n_asked = self.n_answered = 0
        self.lost = []
        self.has_ended = threading.Event()

    def ask(self, number):
        identity = (number & 0xFFFF).to_bytes(2, "big")
        with socket.socket(socket.AF_INET, self.transport) as client:
            client.settimeout(WAIT_S)
            client.connect(("127.0.0.1", self.port))
            if self.transport == socket.SOCK_DGRAM:
                client.send(identity + QUESTION)
                reply = client.recv(4096)
            else:
                message = identity + QUESTION
                client.sendall(len(message).to_bytes(2, "big") + message)
                reply = client.recv(4096)[2:]
            return "" if reply[:2] == identity and reply.endswith(ANSWER) else reply.hex()

    def run(self):
        self.machine.enter_net()
        while not self.has_ended.is_set():
            self.n_asked += 1
            try:
                fault = self.ask(self.n_asked)
                self.n_answered += not fault
                self.lost += [fault] if fault else []
            except OSError as error:
                self.lost.append(repr(error))
            time.sleep(0.002)


def answer(machine, port=53):
    return machine.run("dig", "+short", "+tries=1", "+time=2", "-p", port, "@127.0.0.1", "web.default.svc.cluster.local", "A")[1].strip()


def is_up(machine, but=""):
    """Whether the unit runs, by another process than `but`."""
    seen = machine.show()
    return seen.get("ActiveState") == "active" and seen["MainPID"] not in ("0", but)


def comes_back(checks, machine, what, before):
    checks.becomes(f"{what}: systemd starts it again", lambda: is_up(machine, before), bool, WAIT_S)
    checks.becomes(f"{what}: and it answers", lambda: answer(machine, 5300), lambda seen: seen == "10.96.0.1", WAIT_S)


def starts(checks, machine):
    checks.becomes("systemd is up", machine.state, lambda seen: seen in ("running", "ended"), 2 * WAIT_S)
    if machine.state() == "ended":
        raise SystemExit((machine.root.parent / "boot.log").read_text())
    seen = machine.show()
    checks.check("the unit is active, and said so itself", (seen["ActiveState"], seen["Type"]) == ("active", "notify"), seen.get("Result"))
    checks.becomes("the status tells of clusters", lambda: machine.systemctl("status", "--no-pager", UNIT)[1],
                   lambda text: 'Status: "answering on 127.0.0.1:5300, 1 of 1 clusters listed"' in text)
    checks.equal("it answers", answer(machine, 5300), "10.96.0.1")
    checks.equal("pintlectl reaches it", machine.run("pintlectl", "status")[0], 0)
    lines = machine.journal()
    checks.check("the journal has what the sandbox is, as a notice without a time",
                 any(priority == 6 and text.startswith("app: sandbox: ") and "seccomp on, no_new_privs, no dumps" in text
                     for priority, text in lines), lines)
    abi = ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    checks.check(f"landlock is on where the kernel has it (ABI {abi} here)",
                 any(f"landlock ABI {abi}," in text or (abi < 1 and "landlock off" in text) for _, text in lines), lines)
    status = pathlib.Path(f"/proc/{machine.first()}/root/proc/{seen['MainPID']}/status").read_text()
    checks.check("it has no capability and a filter of system calls", "CapEff:\t0000000000000000" in status and "Seccomp:\t2" in status, status)
    checks.equal("the socket unit is not enabled, by a preset neither",
                 (machine.systemctl("is-enabled", "pintled.socket")[1].strip(), machine.systemctl("preset", "pintled.socket")[0],
                  machine.systemctl("is-enabled", "pintled.socket")[1].strip()), ("disabled", 0, "disabled"))


def reloads(checks, machine):
    file = "etc/pintle/pintle.yaml"
    good = (machine.root / file).read_text() + "shutdown: {lameduck: 0s}\n"
    before = machine.show()["MainPID"]
    machine.write(file, good + "log: {level: debug}\n")
    checks.equal("systemctl reload takes another configuration", machine.systemctl("reload", UNIT)[0], 0)
    checks.becomes("which is in force", machine.journal, lambda lines: any("reload: in force" in text for _, text in lines))
    machine.write(file, good + "nonsense: 1\n")
    code, text = machine.systemctl("reload", UNIT)
    checks.check("a fault fails the reload", code != 0, text)
    checks.becomes("with its place in the journal, as an error", machine.journal, lambda lines: any(
        priority == 3 and text.startswith("/etc/pintle/pintle.yaml:") and "nonsense" in text for priority, text in lines))
    checks.becomes("the status says what is refused", lambda: machine.show()["StatusText"],
                   lambda text: "; configuration refused, as before: /etc/pintle/pintle.yaml:" in text)
    checks.equal("the same process answers as before", (machine.show()["MainPID"], answer(machine, 5300)), (before, "10.96.0.1"))
    machine.write(file, good)
    checks.equal("the reload after it is good again", machine.systemctl("reload", UNIT)[0], 0)
    checks.becomes("and the status says no more of it", lambda: machine.show()["StatusText"], lambda text: "refused" not in text)


def recovers(checks, machine):
    machine.run("mkdir", "-p", f"/run/systemd/system/{UNIT}.d")
    machine.run("sh", "-c", f"printf '[Service]\\nRestartSec=100ms\\nWatchdogSec=2s\\n' >/run/systemd/system/{UNIT}.d/quick.conf")
    machine.systemctl("daemon-reload")
    machine.systemctl("restart", UNIT)
    for i in range(7):  # more often than systemd's usual limit
        before = machine.show()["MainPID"]
        machine.systemctl("kill", "-s", "KILL", UNIT)
        comes_back(checks, machine, f"killed, time {i + 1}", before)
    before = machine.show()["MainPID"]
    machine.systemctl("kill", "-s", "STOP", "--kill-who=main", UNIT)
    comes_back(checks, machine, "hung", before)
    text = machine.run("journalctl", "--no-pager", "-u", UNIT)[1]
    checks.check("because the watchdog heard nothing", "Watchdog timeout" in text, text[-800:])
    machine.run("rm", "-r", f"/run/systemd/system/{UNIT}.d")
    machine.systemctl("daemon-reload")


@contextlib.contextmanager
def asked(checks, machine, what, port=53):
    """Questions over UDP and TCP meanwhile, of which none is lost; gives what waits for some answers more."""
    askers = [Asker(machine, kind, port) for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM)]
    for asker in askers:
        asker.start()

    def wait():
        n_before = [asker.n_answered for asker in askers]
        end = time.monotonic() + WAIT_S
        while any(asker.n_answered < n + 10 for asker, n in zip(askers, n_before)) and time.monotonic() < end:
            time.sleep(e2e.POLL_S)

    try:
        wait()
        yield wait
    finally:
        for asker in askers:
            asker.has_ended.set()
        for asker in askers:
            asker.join(2 * WAIT_S)
    for asker, name in zip(askers, ("UDP", "TCP")):
        checks.check(f"{what} lose no question over {name} ({asker.n_asked} asked)",
                     asker.n_asked == asker.n_answered > 30, (asker.n_answered, asker.lost[:3]))


def replaces(checks, machine, port, how):
    """Another process takes the place of the main one, once asked by pintlectl, once by the signal."""
    orders = (("pintlectl replace --wait", ("pintlectl", "replace", "--wait", "--timeout", f"{WAIT_S}s")),
              ("systemctl kill -s USR2", ("systemctl", "kill", "-s", "USR2", UNIT)))
    with asked(checks, machine, f"{how}: replacements", port) as wait:
        for name, order in orders:
            before = machine.show()
            code, text = machine.run(*order)
            checks.check(f"{how}: {name}", code == 0, text)
            checks.becomes("systemd follows the next process", lambda: is_up(machine, before["MainPID"]), bool, WAIT_S)
            main = machine.show()["MainPID"]
            checks.becomes("which is alone with its starter soon", lambda: sorted(machine.processes().values()),
                           lambda seen: seen == ["pintled", "pintled-starter"], WAIT_S)
            checks.check("the one before is none of them", machine.processes().get(main) == "pintled", machine.processes())
            checks.equal("systemd has started nothing anew", machine.show()["NRestarts"], before["NRestarts"])
            checks.becomes("it is systemd's child, so that its end is heard",
                           lambda: machine.run("sed", "-n", "s/^PPid:\t//p", f"/proc/{main}/status")[1].strip(),
                           lambda seen: seen == "1", WAIT_S)
            wait()
            n_before = sum("reload: in force" in text for _, text in machine.journal())
            checks.equal("systemctl reload", machine.systemctl("reload", UNIT)[0], 0)
            checks.equal("it is the next one that reloads", machine.show()["MainPID"], main)
            checks.becomes("which says so", lambda: sum("reload: in force" in text for _, text in machine.journal()),
                           lambda seen, n=n_before: seen > n, WAIT_S)


def crashes(checks, machine, port, how):
    """The next one crashes while the one before waits for its connections: it is started again."""
    machine.run("sh", "-c", f"mkdir -p /run/systemd/system/{UNIT}.d && "
                f"printf '[Service]\\nRestartSec=100ms\\n' >/run/systemd/system/{UNIT}.d/quick.conf")
    machine.systemctl("daemon-reload")
    first = machine.show()
    machine.enter_net()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(WAIT_S)
        message = b"\0\x01" + QUESTION
        client.sendall(len(message).to_bytes(2, "big") + message)
        checks.check(f"{how}: a connection is there", client.recv(4096).endswith(ANSWER))
        code, text = machine.run("pintlectl", "replace", "--wait", "--timeout", f"{WAIT_S}s")
        checks.check("another process takes over", code == 0, text)
        checks.becomes("systemd follows it", lambda: is_up(machine, first["MainPID"]), bool, WAIT_S)
        main = machine.show()["MainPID"]
        checks.check("the one before is there for the connection", first["MainPID"] in machine.processes(), machine.processes())
        machine.systemctl("kill", "-s", "KILL", "--kill-who=main", UNIT)
        checks.becomes("a crash of the next one is heard, and made good",
                       lambda: (is_up(machine, main), machine.show()["NRestarts"] != first["NRestarts"]),
                       lambda seen: seen == (True, True), WAIT_S)
    checks.becomes("it answers", lambda: answer(machine, port), lambda seen: seen == "10.96.0.1", WAIT_S)
    machine.run("rm", "-r", f"/run/systemd/system/{UNIT}.d")
    machine.systemctl("daemon-reload")


def stops_replaced(checks, machine, how):
    code, text = machine.run("pintlectl", "replace", "--wait", "--timeout", f"{WAIT_S}s")
    checks.check(f"{how}: replaced once more, to be stopped", code == 0, text)
    checks.equal("systemctl stop", machine.systemctl("stop", "pintled.socket", UNIT)[0], 0)
    seen = machine.show()
    checks.equal("ends what took over, cleanly", (seen["ActiveState"], seen["Result"]), ("inactive", "success"))
    checks.equal("and leaves no process", machine.processes(), {})


def takes_places(checks, machine):
    """Without the socket unit."""
    replaces(checks, machine, 5300, "own sockets")
    crashes(checks, machine, 5300, "own sockets")
    stops_replaced(checks, machine, "own sockets")
    checks.equal("and starts again", machine.systemctl("start", UNIT)[0], 0)


def hands_over(checks, machine):
    machine.write("etc/pintle/pintle.yaml", CONFIG)
    code, text = machine.systemctl("enable", "pintled.socket")
    checks.check("the socket unit is enabled while the daemon runs", code == 0, text)
    code, text = machine.systemctl("restart", UNIT)
    checks.check("a restart of the daemon brings it along", code == 0 and machine.show("pintled.socket")["ActiveState"] == "active", text)
    checks.equal("it answers on port 53", answer(machine), "10.96.0.1")
    with asked(checks, machine, "five restarts") as wait:
        for _ in range(5):
            if machine.systemctl("restart", UNIT)[0] != 0:
                break
            wait()
    text = machine.run("journalctl", "--no-pager", "-o", "cat", "-p", "warning", "-u", "pintled.socket")[1].strip()
    checks.check("systemd has no complaint about the socket unit", text in ("", "-- No entries --"), text)
    replaces(checks, machine, 53, "systemd's sockets")
    with asked(checks, machine, "three restarts of what took another one's place") as wait:
        for _ in range(3):
            code, text = machine.systemctl("restart", UNIT)
            checks.check("a restart after a replacement", code == 0, text)
            wait()
            code, text = machine.run("pintlectl", "replace", "--wait", "--timeout", f"{WAIT_S}s")
            checks.check("and another one", code == 0, text)
    stops_replaced(checks, machine, "systemd's sockets")
    checks.equal("and starts with its sockets again", machine.systemctl("start", "pintled.socket", UNIT)[0], 0)


def upgrades(checks, machine, newer):
    file = machine.root / "etc/pintle/pintle.yaml"
    before, kept = machine.show()["MainPID"], file.read_text()
    shutil.copy(newer, machine.root / "root" / "newer.deb")
    code, text = machine.run("dpkg", "--install", "--force-confdef", "--force-confold", "/root/newer.deb")
    checks.check("a later version installs over it", code == 0, text[-800:])
    checks.check("which runs, as another process", is_up(machine, before), machine.show()["MainPID"])
    checks.equal("with the configuration as it was", file.read_text(), kept)
    checks.equal("and answers", answer(machine), "10.96.0.1")
    machine.systemctl("stop", "pintled.socket", UNIT)
    machine.run("dpkg", "--install", "--force-confold", "/root/newer.deb")
    checks.equal("what was stopped stays so in the next", machine.show()["ActiveState"], "inactive")
    checks.equal("and starts when told", machine.systemctl("start", "pintled.socket", UNIT)[0], 0)


def ends(checks, machine):
    checks.equal("it stops when told", machine.systemctl("stop", "pintled.socket", UNIT)[0], 0)
    seen = machine.show()
    checks.equal("cleanly", (seen["ActiveState"], seen["Result"], seen["ExecMainStatus"]), ("inactive", "success", "0"))
    checks.becomes("its last word is that it ended", lambda: machine.journal()[-1][1], lambda text: text == "app: ended")
    machine.systemctl("start", UNIT)
    code, text = machine.run("apt-get", "remove", "-qy", "pintle")
    checks.check("removing the package stops it", code == 0 and machine.show()["ActiveState"] in ("inactive", "failed"), text[-800:])
    checks.check("and leaves the configuration", (machine.root / "etc/pintle/pintle.yaml").exists() and not (machine.root / "usr/bin/pintled").exists())
    for file in (machine.root / "etc/pintle/clusters/local/web.yaml", *(machine.root / "root").glob("*.deb")):
        file.unlink()  # the administrator's own
    code, text = machine.run("dpkg", "--purge", "pintle")
    checks.check("it is purged", code == 0, text[-800:])
    checks.equal("and nothing of its name is left", machine.run("find", "/", "-xdev", "-name", "*pintle*")[1], "")


def main():
    checks = e2e.Checks()
    root, newer = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    machine = Machine(root)
    try:
        starts(checks, machine)
        reloads(checks, machine)
        recovers(checks, machine)
        takes_places(checks, machine)
        hands_over(checks, machine)
        upgrades(checks, machine, newer)
        ends(checks, machine)
    finally:
        machine.stop()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 0 if checks.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
