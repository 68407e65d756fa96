#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""pintlectl as shells and kubectl see it: completion in bash, zsh and fish, the manual page, the plugin.

Same form of report as run.py, whose tools it uses.
"""

import os
import pathlib
import re
import subprocess
import sys

from run import PINTLECTL, Daemon, play, run

BASH = """source <(pintlectl completion bash)
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_pintlectl; printf '%s\\n' "${COMPREPLY[@]}"
"""
# what is found is printed instead of being shown in a menu
ZSH = """autoload -U compinit; compinit -u -D
source <(pintlectl completion zsh)
_describe() { print -rl -- "${(@)${(P)2}%%:*}" }
words=("$@"); CURRENT=$#
_pintlectl
"""
FISH = "pintlectl completion fish | source; complete -C $argv[1]"


def shell(dir, *args):
    env = os.environ | {"PATH": f"{dir}:{os.environ['PATH']}", "HOME": str(dir), "XDG_CONFIG_HOME": str(dir)}
    done = subprocess.run(args, env=env, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr


def complete(dir, which, *words):
    """What a shell would offer after these words, the last of them being typed."""
    if which == "bash":
        code, text, err = shell(dir, "bash", "--norc", "-c", BASH, "bash", *words)
    elif which == "zsh":
        code, text, err = shell(dir, "zsh", "-f", "-c", ZSH, "zsh", *words)
    else:
        code, text, err = shell(dir, "fish", "-N", "-c", FISH, " ".join(words))
        text = "".join(line.split("\t")[0] + "\n" for line in text.splitlines())
    return sorted(text.split()) or err


def completion(checks, dir):
    (dir / "pintlectl").symlink_to(pathlib.Path(PINTLECTL).resolve())
    daemon = Daemon(dir, "shells", "--dev")
    admin = f"--admin={daemon.admin}"
    name = next(word for word in daemon.ctl("names", "list", "--no-headers")[1].split() if "pintle.internal" in word)
    for which in ("bash", "zsh", "fish"):
        for what, words, wanted in (
                ("commands", ["pintlectl", "rec"], ["records"]),
                ("second words", ["pintlectl", "clusters", ""], ["add", "check", "list", "show"]),
                ("options of the command alone", ["pintlectl", "records", "apply", "--d"],
                 ["--detailed-exitcode", "--dry-run"]),
                ("choices of an option", ["pintlectl", "status", "-o", ""], ["json", "table", "yaml"]),
                ("choices behind an option's =", ["pintlectl", "status", "--color=a"],
                 ["--color=always", "--color=auto"]),
                ("clusters of the daemon", ["pintlectl", admin, "clusters", "show", ""], ["c1", "c2", "c3"]),
                ("clusters behind an option", ["pintlectl", admin, "explain", "a.example", "--from", ""],
                 ["c1", "c2", "c3"]),
                ("names of the daemon", ["pintlectl", admin, "explain", name[:-4]], [name]),
                ("names of shared services", ["pintlectl", admin, "explain", "userlist"],
                 ["userlist-svc.song.svc.clusterset.local"]),
                ("nothing where nothing fits", ["pintlectl", "status", "x"], []),
                ("nothing, and no complaint, without a daemon",
                 ["pintlectl", "--admin=127.0.0.1:1", "clusters", "show", ""], [])):
            seen = complete(dir, which, *words)
            checks.equal(f"{which} completes {what}", seen or [], wanted)
    # bash takes "=" for a word of its own
    checks.equal("bash completes behind = as it splits it",
                 complete(dir, "bash", "pintlectl", "status", "--color", "=", "al"), ["always"])
    checks.equal("bash completes behind = alone", complete(dir, "bash", "pintlectl", "status", "--color", "="),
                 ["always", "auto", "never"])
    (dir / "kubeconfig.yaml").write_text("")
    seen = complete(dir, "fish", "pintlectl", "clusters", "add", "--kubeconfig", str(dir) + "/kubec")
    checks.equal("fish completes files where files are wanted", seen, [f"{dir}/kubeconfig.yaml"])
    checks.equal("an unknown shell is told", run(PINTLECTL, "completion", "tcsh")[0], 2)
    daemon.stop()


def manual(checks, dir):
    code, page, _ = run(PINTLECTL, "docs", "man")
    path = dir / "pintlectl.1"
    path.write_text(page)
    code, text, err = shell(dir, "groff", "-man", "-Tascii", "-P-c", "-ww", str(path))
    text = re.sub(r".\x08", "", text)
    checks.check("groff reads the manual page without a warning", code == 0 and err == "", err[:500])
    _, listed, _ = run(PINTLECTL, "help")
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", listed, re.M)
    checks.check("help names commands", len(commands) > 20, commands)
    for command in commands:
        checks.check(f"the manual page has {command}", re.search(rf"^   {command}( |$)", text, re.M), text[:200])
        own = set(re.findall(r" (--[a-z-]+)", run(PINTLECTL, "help", *command.split())[1]))
        missing = [flag for flag in own if flag not in text]
        checks.check(f"and its options: {command}", own and not missing, missing)
        checks.equal(f"{command} --help is its help", run(PINTLECTL, *command.split(), "--help"),
                     run(PINTLECTL, "help", *command.split()))
    checks.equal("help of what is none is a usage error", run(PINTLECTL, "help", "banana")[0], 2)


def plugin(checks, dir):
    link = dir / "kubectl-pintle"
    link.symlink_to(pathlib.Path(PINTLECTL).resolve())
    code, text, err = shell(dir, "kubectl-pintle", "version")
    checks.check("kubectl-pintle is pintlectl", code == 0 and text.startswith("pintlectl "), text + err)
    code, _, err = shell(dir, "kubectl-pintle", "stauts")
    checks.check("it tells its own name to who mistypes", code == 2 and err.endswith("Try kubectl pintle help.\n"), err)
    script = pathlib.Path(__file__).parents[2] / "cli" / "kubectl_complete-pintle"
    code, text, err = shell(dir, script, "records", "dr")
    checks.equal("kubectl's completion asks it", (code, text.splitlines()),
                 (0, ["drift\twhere a zone is not as wanted, and why", ":4"]))


if __name__ == "__main__":
    sys.exit(play("shells", completion, manual, plugin))
