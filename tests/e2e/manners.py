#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintlectl's manners: the exit code of every command, what goes where, and what is told who makes a mistake.

Same form of report as run.py, whose tools it uses.
"""

import errno
import json
import os
import pty
import re
import subprocess
import sys

from run import PINTLECTL, Daemon, play

NAME = "inventory-default-1951cbe339d38e1f.pintle.internal"
NOBODY = "127.0.0.1:1"
# What a command needs to go well beside --dev (None: it cannot there), what is wrong use of it, what fails.
# A command that is new has to be here.
COMMANDS = {
    "status": ([], ["x"], None),
    "clusters list": ([], ["x"], None),
    "clusters show": (["c1"], [], ["nowhere"]),
    "clusters check": ([], ["a", "b", "c", "d"], ["nowhere"]),
    "clusters add": (None, [], ["--name", "c9", "--context", "x"]),
    "names list": ([], ["-o", "wide"], None),
    "explain": ([NAME], ["a..b"], None),
    "analyze": (["--live"], [], ["-f", "/nowhere"]),
    "services list": ([], ["--from", "nowhere"], None),
    "query": ([NAME, "-n", "20", "--server", "{dns}"], [NAME, "MX"], None),
    "top": (["--once"], ["x"], None),
    "tail": (None, ["-n", "0"], None),
    "drain": (["cluster", "c3"], ["planet", "c3"], ["cluster", "nowhere"]),
    "undrain": (["cluster", "c3"], ["planet", "c3"], ["cluster", "c2"]),
    "drains": ([], ["x"], None),
    "cache dump": (None, ["a", "b"], []),
    "cache flush": (None, ["a", "b"], []),
    "records plan": (None, ["a", "b"], []),
    "records apply": (None, ["a", "b"], []),
    "records list": (None, ["a", "b"], []),
    "records drift": (None, ["a", "b"], []),
    "records adopt": (None, [], ["--from-owner", "x", "--yes"]),
    "records approve": (None, ["short"], ["0123456789abcdef"]),
    "reload": ([], ["x"], None),
    "replace": ([], ["x"], None),
    "config show": ([], ["x"], None),
    "config check": (["{config}"], [], ["/nowhere"]),
    "config explain": (["steering"], ["a", "b"], ["stering"]),
    "config defaults": ([], ["x"], None),
    "config schema": ([], ["x"], None),
    "weights set": (None, ["a/b/c/d", "a=1"], ["shop", "a=1"]),
    "log level": ([], ["loud"], None),
    "sysdump": (["-o", "{dir}/dump.tgz"], ["x"], ["-o", "/nowhere/dump.tgz"]),
    "completion": (["bash"], ["tcsh"], None),
    "docs": (["man"], ["html"], None),
    "version": ([], ["x"], None),
    "help": ([], ["nonsense"], None),
}
# They need no daemon, or say that there is none.
ALONE = {"analyze -f", "clusters add", "config check", "config explain", "config defaults", "config schema", "weights set", "completion",
         "docs", "version", "help"}
NO_JSON = {"completion", "docs", "help", "sysdump", "config check"}
# As client-go and kubectl say it when there is no kubeconfig.
KUBECTL = """#!/bin/sh
[ "$1" != config ] || {{ printf '%s' '{named}'; exit; }}
cat >&2 <<'END'
E1122 13:19:35.995543   19791 memcache.go:265] "Unhandled Error" err="couldn't get current server API group list"
The connection to the server {server} was refused - did you specify the right host or port?
END
exit 1
"""


def ctl(*args, env=None, **more):
    done = subprocess.run([PINTLECTL, *map(str, args)], stdin=subprocess.DEVNULL, stdout=more.pop("stdout", subprocess.PIPE),
                          stderr=subprocess.PIPE, text=True, timeout=120, check=False, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def commands():
    text = ctl("help")[1].split("\nCommands:\n")[1].split("\n\n")[0]
    return [re.split(r"\s{2,}", line.strip())[0] for line in text.splitlines()]


def exit_codes(checks, dir):
    checks.equal("every command is in the table", sorted(COMMANDS), sorted(commands()))
    daemon = Daemon(dir, "manners", "--dev")
    checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda status: status == 200)
    (dir / "kubectl").write_text(KUBECTL.format(server="localhost:8080", named=""))
    (dir / "kubectl").chmod(0o755)
    (dir / "good.yaml").write_text("clusters: []\n")
    (dir / "c1").mkdir()
    (dir / "good.yaml").write_text("clusters: [{name: c1, directory: c1}]\n")
    fill = {"dns": f"127.0.0.1:{daemon.port}", "config": dir / "good.yaml", "dir": dir}
    env = {"PATH": f"{dir}:{os.environ['PATH']}", "HOME": "/nowhere", "KUBECONFIG": ""}

    def try_one(command, words, where, *more):
        return ctl(*command.split(), *[word.format(**fill) for word in words], "--admin", where, *more, env=env)

    for command, (good, misuse, failing) in COMMANDS.items():
        if good is not None:
            code, text, err = try_one(command, good, daemon.admin)
            checks.check(f"{command}: 0, and what was asked for is on standard output", code == 0 and (text or command == "sysdump"),
                         (code, text, err))
            if command not in NO_JSON:
                code, text, err = try_one(command, good if command != "drain" else ["cluster", "c3", "--for", "1h"], daemon.admin,
                                          "-o", "json") if command != "undrain" else (0, "{}", "")
                checks.check(f"{command}: -o json is JSON", code == 0 and json.loads(text) is not None, (code, text, err))
        code, text, err = try_one(command, misuse, daemon.admin)
        checks.check(f"{command}: 2 for wrong use, told on standard error alone", code == 2 and not text and err.startswith("pintle"),
                     (code, text, err))
        if failing is not None:
            code, text, err = try_one(command, failing, daemon.admin)
            checks.check(f"{command}: 1 for what fails", code == 1 and err.strip(), (code, text, err))
        if command not in ALONE:
            words = {"tail": [], "records approve": failing, "records adopt": failing}.get(command, good if good is not None else [])
            code, text, err = try_one(command, words, NOBODY)
            checks.check(f"{command}: 3 without a daemon, which is told", code == 3 and not text and "is pintled running?" in err,
                         (code, text, err))
    code, _, err = ctl("status", "--wait", "--timeout", "1s", "--admin", NOBODY)
    checks.check("status --wait: 3 where nobody came", code == 3, (code, err))
    (dir / "absent.yaml").write_text("clusters: [{name: c1, directory: nowhere}]\n")
    waiting = Daemon(dir, "waiting", "--config", dir / "absent.yaml")
    code, _, err = waiting.ctl("status", "--wait", "--timeout", "1s")
    checks.check("status --wait: 4 when time is up", code == 4 and "not well after 1 s" in err, (code, err))
    waiting.stop()
    code, _, err = ctl("status", "--admin", "host.invalid:1")
    checks.check("a host that does not exist is told as such", code == 1 and "no host of that name" in err, (code, err))
    code, text, _ = ctl("version", "-o", "json", "--admin", daemon.admin)
    version = json.loads(text)
    checks.check("version tells sandbox and libraries", version["daemon"] and "seccomp" in version["sandbox"]
                 and "libcurl " in version["daemonBuiltWith"] and version["clientBuiltWith"] == version["daemonBuiltWith"], text)
    daemon.stop()


def not_permitted(checks, dir):
    (dir / "token").write_text("a-token-of-its-own\n")
    (dir / "token").chmod(0o600)
    (dir / "c1").mkdir(exist_ok=True)
    (dir / "token.yaml").write_text("clusters: [{name: c1, directory: c1}]\nadmin: {tokenFile: token, changes: token}\n")
    daemon = Daemon(dir, "guarded", "--config", dir / "token.yaml")
    code, _, err = daemon.ctl("drain", "cluster", "c1")
    checks.check("an order without the token: 5", code == 5 and err, (code, err))
    code, _, err = ctl("drain", "cluster", "c1", "--admin", daemon.admin, env={"PINTLE_TOKEN_FILE": str(dir / "token")})
    checks.check("with it: 0", code == 0, (code, err))
    daemon.stop()


def outputs(checks, dir):
    """Standard output that takes nothing, or ends early; files that are none."""
    for words in (["help"], ["config", "schema"], ["config", "defaults", "-o", "json"], ["docs", "man"]):
        with open("/dev/full", "w", encoding="ascii") as full:
            code, _, err = ctl(*words, stdout=full)
        checks.check(f"{' '.join(words)}: a full disk is told", code == 1 and "standard output" in err, (code, err))
    done = subprocess.run(["bash", "-c", f"{PINTLECTL} config schema | head -n 1; echo ${{PIPESTATUS[0]}}"], capture_output=True,
                          text=True, timeout=60, check=False)
    checks.check("a reader that has seen enough is no error to talk about", done.stdout == "{\n141\n" and done.stderr == "", done)
    daemon = Daemon(dir, "outputs", "--dev")
    pipe = dir / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["tar", "-tzf", pipe], stdout=subprocess.PIPE, text=True) as tar:
        code, _, err = daemon.ctl("sysdump", "-o", str(pipe))
        names = tar.communicate(timeout=60)[0]
    checks.check("a pipe is written to, not replaced", code == 0 and "pintle-sysdump/status.json" in names and pipe.is_fifo(),
                 (code, err, names))
    link = dir / "full"
    link.symlink_to("/dev/full")
    code, _, err = daemon.ctl("sysdump", "-o", str(link))
    checks.check("so is a device, and what it says is told", code == 1 and "No space left" in err and link.is_symlink(), (code, err))
    daemon.stop()


def no_route(checks, dir):
    """Who means the weights of a Service is told where those are."""
    (dir / "kubectl").write_text("#!/bin/sh\necho 'Error from server (NotFound): httproutes.gateway.networking.k8s.io \"web\" not found' >&2\nexit 1\n")
    (dir / "kubectl").chmod(0o755)
    code, _, err = ctl("weights", "set", "shop/web", "c1=10,c2=90", env={"PATH": f"{dir}:{os.environ['PATH']}"})
    checks.check("weights set of what is no route names the annotation", code == 1 and '"web" not found' in err
                 and "pintle.dev/weight=N" in err, (code, err))


def kubectl(checks, dir):
    """What kubectl logs for its own developers is left out; what is to be done is said."""
    def weights(server, *more, config="", named=""):
        (dir / "kubectl").write_text(KUBECTL.format(server=server, named=named))
        (dir / "kubectl").chmod(0o755)
        return ctl("weights", "set", "shop", "a=1", *more, env={"PATH": f"{dir}:{os.environ['PATH']}", "KUBECONFIG": config})

    code, _, err = weights("localhost:8080")
    checks.check("without a kubeconfig weights set says what to do", code == 1 and err.count("\n") == 1
                 and "--kubeconfig FILE" in err and "memcache" not in err, (code, err))
    for what, (code, _, err) in (("one that names none", weights("localhost:8080", "--kubeconfig", "k.yaml")),
                                 ("that of the environment", weights("localhost:8080", config="k.yaml"))):
        checks.check(f"with {what}, too", code == 1 and err.count("\n") == 1 and "current-context at k.yaml" in err, (code, err))
    for server, named in (("10.0.0.1:6443", ""), ("localhost:8080", "http://localhost:8080")):
        code, _, err = weights(server, "--context", "c1", named=named)
        checks.equal(f"a server that is away is told in kubectl's words: {server}", (code, err), (1, (
            f"pintlectl: kubectl: The connection to the server {server} was refused - did you specify the right host or port?\n")))


def on_terminal(args, env):
    """What a terminal shows, standard error included."""
    child, fd = pty.fork()
    if child == 0:
        os.execve(PINTLECTL, [PINTLECTL, *map(str, args)], {**os.environ, **env})
    shown = b""
    while True:
        try:
            chunk = os.read(fd, 65536)
        except OSError as error:  # Linux's way to say that a terminal is closed
            if error.errno != errno.EIO:
                raise
            break
        if not chunk:
            break
        shown += chunk
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), shown.decode()


def terminals(checks, dir):
    empty = dir / "fine"
    empty.mkdir()
    (empty / "web.yaml").write_text("apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: a}\nspec: {clusterIP: 10.0.0.1}\n")
    code, text, err = ctl("analyze", "-f", empty, env={"LC_ALL": "C"})
    checks.check("ASCII where the locale is no UTF-8", code == 0 and text.startswith("No findings"), (code, text, err))
    code, text, err = ctl("analyze", "-f", empty, env={"LC_ALL": "C.UTF-8"})
    checks.check("a tick where it is", code == 0 and text.startswith("✔ No findings"), (code, text, err))
    code, _, err = ctl("analyze", "-f", empty, "--failure-threshold", "Error")
    checks.equal("severities in any case, as istioctl has them", (code, err), (0, ""))
    daemon = Daemon(dir, "terminals", "--dev")
    admin = ["--admin", daemon.admin]
    checks.becomes("the daemon is ready", lambda: daemon.get("/readyz")[0], lambda status: status == 200)
    code, shown = on_terminal(["clusters", "list", *admin], {"TERM": "xterm", "NO_COLOR": ""})
    checks.check("a terminal gets colours", code == 0 and "\033[" in shown, shown)
    for env in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb", "NO_COLOR": ""}):
        code, shown = on_terminal(["clusters", "list", *admin], env)
        checks.check(f"but not with {env}", code == 0 and "\033" not in shown, shown)
    code, shown = on_terminal(["sysdump", "-o", str(dir / "dump.tgz"), *admin], {"TERM": "xterm"})
    checks.check("a terminal sees how far a dump is", code == 0 and "\r\033[Ksysdump: c1" in shown
                 and shown.rstrip().rsplit("\033[K", maxsplit=1)[-1].endswith("pintled --clusters-dir"), shown)
    code, shown = on_terminal(["sysdump", "-o", str(dir / "dump.tgz"), *admin], {"TERM": "dumb"})
    checks.check("one that cannot be drawn over does not", code == 0 and "\033" not in shown, shown)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(play("manners", exit_codes, not_permitted, outputs, no_route, kubectl, terminals))
