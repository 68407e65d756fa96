# SPDX-License-Identifier: Apache-2.0
"""Does what a page says: one shell for its commands, a process for each of its servers, its files in a directory."""

import os
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time

import pages

WAIT_S = int(os.environ.get("PINTLE_DOCS_WAIT", "90"))  # for an output to become what the page shows, and for a server to be there
COMMAND_S = 300
POLL_S = 0.2
# Commands that only look: what they look at may come a moment later.
LOOKS = re.compile(r"^(dig|kdig|curl|for|grep|name=|kubectl (\S+ )*get|(build/)?pintlectl "
                   r"(status|clusters (list|show|check)|names|services|explain|query|drains|records (plan|list|drift))|delv)\b")
SERVES = ("answering DNS on", "ready to handle")
# Stands for ./x, which builds and tests: a page may name its verbs, .ci/run is where they run.
X = """#!/bin/sh
sh -c "cd {root} && ./x help" | grep -q "^\\./x $1 "
"""
END = "--end-of-command--"


class Shell:
    """One bash, whose variables and directory last from command to command."""

    def __init__(self, dir, env):
        self.child = subprocess.Popen(["bash", "--norc"], cwd=dir, env=env, stdin=subprocess.PIPE, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.child.stdout:
            self.lines.put(line.rstrip("\n"))
        self.lines.put(None)

    def run(self, command):
        """(exit code, lines); the code is None when it did not end in time or took the shell with it."""
        self.child.stdin.write(f"{{ {command}\n}} </dev/null; printf '\\n{END}%d\\n' $?\n")
        self.child.stdin.flush()
        seen, end = [], time.monotonic() + COMMAND_S
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                return None, seen
            if line is None:
                return None, seen
            if line.startswith(END):
                return int(line[len(END):]), seen
            seen.append(line)

    def done(self):
        os.killpg(self.child.pid, signal.SIGKILL)
        self.child.wait()


class Server:
    """What runs in a terminal of its own, and ends by Ctrl-C."""

    def __init__(self, command, dir, env, log):
        self.log = log
        with open(log, "wb") as out:
            self.child = subprocess.Popen(["bash", "--norc", "-c", command], cwd=dir, env=env, stdout=out,
                                          stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT, start_new_session=True)

    def lines(self):
        return self.log.read_text(errors="replace").splitlines()

    def is_up(self):
        """Waits until it serves; False when it has ended or time is up."""
        end = time.monotonic() + WAIT_S
        while self.child.poll() is None and time.monotonic() < end:
            if any(word in line for line in self.lines() for word in SERVES):
                return True
            time.sleep(POLL_S)
        return False

    def stop(self):
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGINT)
            try:
                self.child.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()


class Player:
    """Plays the blocks of a page that are meant for one place: "" here, or "lab"."""

    def __init__(self, dir, programs, report, env=None):
        """`programs`: a directory whose pintled and pintlectl the page means. report(what, is_good, detail)."""
        self.dir, self.report = pathlib.Path(dir), report
        self.programs = pathlib.Path(programs)
        (self.dir / "build").symlink_to(self.programs)
        (self.dir / "x").write_text(X.format(root=pages.ROOT))
        (self.dir / "x").chmod(0o755)
        self.env = {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8", "COLUMNS": "200",
                    "HOME": str(self.dir), "NO_COLOR": "1", **(env or {})}
        self.shell = Shell(self.dir, self.env)
        self.server, self.n_servers = None, 0

    def done(self):
        if self.server is not None:
            self.server.stop()
        self.shell.done()

    def play(self, page, place=""):
        for block in pages.blocks(page):
            if ("lab" in block.flags) != (place == "lab"):
                continue
            if "file" in block.values:
                path = self._here() / block.values["file"]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text)
            elif "config" in block.flags:
                self._config(block)
            elif "server" in block.flags:
                self._serve(block)
            elif block.language in pages.COMMANDS and "by" not in block.values:
                self._commands(block)

    def _here(self):
        """Where the shell stands: files and servers belong there, too."""
        return pathlib.Path(self.shell.run("pwd")[1][0])

    def _config(self, block):
        path = self.dir / f"example-{block.line}.yaml"
        more = "" if "\nclusters:" in f"\n{block.text}" else "clusters: [{name: c1, directory: .}, {name: c2, directory: .}]\n"
        path.write_text(block.text + more)
        done = subprocess.run([self.programs / "pintled", "--config", path, "--check"], cwd=self.dir,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        self.report(f"{block.where}: a good configuration", done.returncode == 0, done.stdout + done.stderr)

    def _serve(self, block):
        (command, wanted), = block.commands()
        if self.server is not None:
            self.server.stop()
        self.n_servers += 1
        self.server = Server(command, self._here(), self.env, self.dir / f"server-{self.n_servers}.log")
        is_good = self.server.is_up()
        if is_good and wanted:
            end = time.monotonic() + WAIT_S
            while not (is_good := pages.fits([*wanted, "..."], self.server.lines())) and time.monotonic() < end:
                time.sleep(POLL_S)
        self.report(f"{block.where}: {command.strip()}", is_good, "\n".join(self.server.lines()))

    def _commands(self, block):
        around = int(block.values.get("around", 0))
        for i, (command, wanted) in enumerate(commands := block.commands()):
            code_wanted = int(block.values.get("exit", 0)) if i == len(commands) - 1 else 0
            end = time.monotonic() + WAIT_S
            while True:
                code, seen = self.shell.run(command)
                is_good = code == code_wanted and (wanted is None or pages.fits(wanted, seen, around))
                if is_good or code is None or not LOOKS.match(command) or time.monotonic() > end:
                    break
                time.sleep(POLL_S)
            text = "\n".join(seen)
            log = "\n".join(self.server.lines()[-8:]) if self.server and not is_good else ""
            self.report(f"{block.where}: {command.strip().splitlines()[0]}", is_good,
                        f"exit code {code}, wanted {code_wanted}; it printed\n{text}\n{log}")
