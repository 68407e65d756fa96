#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration as people and editors meet it: pintlectl config, the JSON Schema beside pintled's own checks, manual pages.

Same form of report as run.py, whose tools it uses.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys

import mistakes
from run import PINTLECTL, PINTLED, ROOT, WAIT_S, Daemon, play, run

SCHEMA_TOOL = ROOT / "tests" / "support" / "check_jsonschema.sh"
DESCRIBED = pathlib.Path(PINTLED).resolve().parent / "described"
CLUSTER = "clusters: [{name: c1, directory: c1}]\n"
SECONDS = 120  # of one call that judges some hundred files

# Of the mistakes of mistakes.py those that the schema sees. The others need files, or more than one key.
SEEN = {"an empty file", "a negative duration", "a name as it is not asked for"}
# What no parser of YAML lets pass, or should not be shown to one that expands aliases.
NO_YAML = {"a file of aliases of aliases", "an alias inside its own anchor", "a deep file", "a key that is given twice"}


def judge(files):
    """What the schema finds in each file: {name: [(path, message)]}."""
    done = subprocess.run([SCHEMA_TOOL, "--schemafile", DESCRIBED / "config.schema.json", "-o", "json", *files],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False)
    verdict = json.loads(done.stdout)
    found = {str(file): [] for file in files}
    for error in verdict.get("errors", []):
        found[error["filename"]].append((error["path"], error["message"]))
    for error in verdict.get("parse_errors", []):
        found[error["filename"]].append(("", str(error)))
    return found


def options():
    code, out, err = run(PINTLECTL, "config", "explain", "-o", "json")
    assert code == 0, err
    return json.loads((DESCRIBED / "options.json").read_text(encoding="utf-8"))["items"]


def commands(checks, dir):
    code, out, err = run(PINTLECTL, "config", "explain", "clusters[].stale.after")
    checks.check("explain shows a key's path, type, default, meaning and an example", code == 0 and not err
                 and "clusters[].stale.after\n" in out and "duration, 1 to 31536000 s\n" in out and "DEFAULT:  none\n" in out
                 and "When drop and probe take effect" in out and "  clusters:\n    - stale:\n        after: 1h\n" in out, (out, err))
    for key in ("clusters.stale.after", "clusters[7].stale.after", ".clusters[].stale.after"):
        checks.equal(f"and knows {key} as the same", run(PINTLECTL, "config", "explain", key), (0, out, ""))
    code, out, _ = run(PINTLECTL, "config", "explain", "maxTTL")
    checks.check("a last key that only one option has is enough", code == 0 and "cache.maxTTL\n" in out, out)
    code, out, _ = run(PINTLECTL, "config", "explain", "records")
    checks.check("a list of maps shows its keys", code == 0 and re.search(r"^txtPrefix +text", out, re.M), out)
    code, out, _ = run(PINTLECTL, "config", "explain", "--no-headers")
    checks.check("without a key the file's own are shown", code == 0 and re.search(r"^clusterSet +label +default", out, re.M), out)
    for key, near in (("clusters[].netwrk", "clusters[].network"), ("recrods.interval", "records[].interval"),
                      ("steering.maxanswer", "steering.maxAnswers")):
        code, out, err = run(PINTLECTL, "config", "explain", key)
        checks.check(f"{key} is told the nearest key, exit 1", code == 1 and not out and f'did you mean "{near}"?' in err, err)
    code, out, _ = run(PINTLECTL, "config", "explain", "cache.size", "-o", "json")
    checks.check("as JSON, too", code == 0 and json.loads(out)["default"] == "64Mi", out)
    code, out, _ = run(PINTLECTL, "config", "schema")
    checks.equal("schema prints what is installed", (code, out), (0, (DESCRIBED / "config.schema.json").read_text()))

    (dir / "c1").mkdir()
    config = dir / "checked.yaml"
    for what, text in (("a good file", CLUSTER), ("a wrong one", CLUSTER + "steering: {maxAnswer: 3}\nworkers: 0\n")):
        config.write_text(text)
        wanted = run(PINTLED, "--config", config, "--check")
        checks.equal(f"config check says of {what} what pintled --check says", run(PINTLECTL, "config", "check", config), wanted)
    checks.check("which is each place, and the nearest key", wanted[0] == 1 and f"{config}:2:12: " in wanted[2]
                 and 'did you mean "maxAnswers"?' in wanted[2] and f"{config}:3:10: " in wanted[2], wanted)
    alone = dir / "pintlectl"
    shutil.copy(PINTLECTL, alone)
    for path, wanted in (("/nowhere", 1), (pathlib.Path(PINTLED).resolve().parent, 0)):
        config.write_text(CLUSTER)
        done = subprocess.run([alone, "config", "check", config], env={"PATH": str(path)}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=WAIT_S * 3, check=False)
        checks.check(f"where no pintled lies beside it, the one in PATH counts: exit {wanted}",
                     done.returncode == wanted and (wanted == 0) != ("cannot run pintled" in done.stderr), done.stderr)
    code, out, _ = run(PINTLECTL, "config", "defaults")
    config.write_text(out + CLUSTER)
    checks.equal("the defaults are a configuration", run(PINTLED, "--config", config, "--check")[0], 0)


def good_files(dir):
    """Every configuration that is meant to be good: of the pages, of dev mode, the defaults, each key's example."""
    texts = {"dev": (ROOT / "resolver" / "dev" / "pintle.yaml").read_text(), "defaults": run(PINTLECTL, "config", "defaults")[1]}
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for i, text in enumerate(re.findall(r"\n```yaml(?: config)?\n(.*?)\n```\n", page.read_text(encoding="utf-8"), re.S)):
            if not re.search(r"^(metadata|spec|contexts):|^kind: (?!PintleConfig)", text, re.M):
                texts[f"{page.stem}-{i}"] = text
    for name, text in texts.items():
        (dir / f"{name}.yaml").write_text(text, encoding="utf-8")
    return [dir / f"{name}.yaml" for name in texts]


def example_files(dir, items):
    """Each key's example in a file of its own: {file: path of the key}."""
    files = {}
    for i, item in enumerate(items):
        file = dir / f"example-{i}.yaml"
        file.write_text(item["example"])
        files[str(file)] = item["path"]
    return files


def schema(checks, dir):
    (dir / "schema").mkdir()
    dir = dir / "schema"
    done = subprocess.run([SCHEMA_TOOL, "--check-metaschema", DESCRIBED / "config.schema.json"], capture_output=True, text=True,
                          timeout=SECONDS, check=False)
    checks.check("the schema is one of draft 2020-12", done.returncode == 0, done.stdout + done.stderr)
    good = good_files(dir)
    examples = example_files(dir, options())
    wrong = {}
    for i, (what, text, _) in enumerate(mistakes.MISTAKES):
        if what not in NO_YAML:
            wrong[what] = dir / f"mistake-{i}.yaml"
            wrong[what].write_text(text, encoding="utf-8")
    seeds = []
    for seed in sorted((ROOT / "tests" / "fuzz" / "config" / "seeds").iterdir()):
        if seed.stat().st_size > 0:
            seeds.append(dir / f"seed-{seed.name}.yaml")
            seeds[-1].write_bytes(seed.read_bytes())
    found = judge([*good, *examples, *wrong.values(), *seeds])
    for file in good:
        checks.equal(f"{file.name} is good by the schema", found[str(file)], [])
    lacking = {path: [error for error in found[file] if "is a required property" not in error[1]] for file, path in examples.items()}
    checks.equal(f"and so is the example of each of {len(examples)} keys", {k: v for k, v in lacking.items() if v}, {})
    checks.equal("of the mistakes it sees those of one value", {what for what, file in wrong.items() if found[str(file)]}, SEEN)
    for file in seeds:
        code, _, err = run(PINTLED, "--config", file, "--check")
        checks.check(f"{file.stem} is not refused by the schema when pintled takes it", code != 0 or not found[str(file)],
                     (err, found[str(file)]))


# --- One value after the other, in every key ------------------------------------------------------

VALUES = ["", "x", "5", "5s", "2h", "-1s", "20%", "120%", "64Mi", "65Gi", "1.5.5", "10.0.0.1", "10.0.0.1:53", "10.0.0.300",
          "10.0.0.0/8", "10.0.0.0/33", "::1", "[::1]:53", "fd00::/8", "a.b", "A_b", "-a", "b\u00fccher.example", 0, 5, -1,
          10**10, 1.5, True, [], {}, ["x"], ["10.0.0.0/8"], ["10.0.0.1:53"], [5], [[]], [{}], {"x": 1},
          [{"net": "10.0.0.0/8", "zone": "z"}], [{"zone": "z"}]]
AT_ONCE = 60  # pintled tells a hundred findings
# What pintled refuses and the schema cannot: amounts with a unit that are out of range, numbers that make no good text, maps
# that lack a key (the table requires keys of `records` alone).
BEYOND = {"duration": {"5", "5s", "2h"}, "size": {"5", "65Gi", 10**10}, "label": {-1, 1.5},
          "list of gateways": {'["10.0.0.0/8"]', '["10.0.0.1:53"]'}, "list of maps": {"[{}]", '[{"zone": "z"}]'}, "map": {"{}"}}
# Keys whose values pintled looks up elsewhere: files, other keys, forms of their own.
ELSEWHERE = {"forward[].ca", "cookies.secretFile", "listen[].cluster", "defaultCluster", "recordsLease.cluster", "health.networks",
             "compat.metrics", "publish.etcd.prefix", "publish.etcd.endpoints", "recordsLease.etcd.prefix",
             "recordsLease.etcd.endpoints"}


def put(doc, path, value):
    """Sets a[].b.c in a document; a list has one item."""
    *parents, last = path.split(".")
    for key in parents:
        if key.endswith("[]"):
            doc = doc.setdefault(key[:-2], [{}])[0]
        else:
            doc = doc.setdefault(key, {})
    doc[last] = value


def frozen(value):
    return json.dumps(value) if isinstance(value, (list, dict)) else value


def values(checks, dir):
    (dir / "values").mkdir()
    leaves, tops = [], []
    for item in options():
        is_below_gateways = item["path"].startswith("networks[].gateways[]")
        if item["kind"] not in ("map", "list of maps") and not is_below_gateways:
            leaves.append(item)
        elif "." not in item["path"]:
            tops.append(item)
    groups = [tops, *(leaves[i:i + AT_ONCE] for i in range(0, len(leaves), AT_ONCE))]
    rounds = [(group, value, dir / "values" / f"{i}-{k}.yaml") for i, value in enumerate(VALUES) for k, group in enumerate(groups)]
    for group, value, file in rounds:
        doc = {}
        for item in group:
            put(doc, item["path"], value)
        file.write_text(json.dumps(doc))
    found = judge([file for *_, file in rounds])
    too_strict, too_lax, n = {}, {}, 0
    for group, value, file in rounds:
        errors = check_all(file)
        seen = [path for path, _ in found[str(file)]]
        for item in group:
            place = item["path"].replace("[]", "[0]")
            is_refused = any(error.startswith((place + ":", place + "[", place + ".")) for error in errors)
            is_seen = any(re.match(re.escape("$." + place) + r"($|[.\[])", path) for path in seen)
            n += 1
            if is_seen and not is_refused:
                too_strict.setdefault(item["path"], []).append(value)
            if is_refused and not is_seen and item["path"] not in ELSEWHERE:
                too_lax.setdefault(item["kind"], set()).add(frozen(value))
    checks.check("values were tried in every key", n == len(VALUES) * (len(leaves) + len(tops)) and n > 5000, n)
    checks.equal("the schema refuses no value that pintled takes", too_strict, {})
    checks.equal("what it takes and pintled does not are these", too_lax, BEYOND)


def check_all(file):
    """All that pintled says of values in a file: without the place, "clusters[0].name: ..."."""
    _, _, err = run("timeout", WAIT_S * 3, PINTLED, "--config", file, "--check")
    told = [line.split(": ", 1)[1] for line in err.splitlines() if line.startswith(str(file)) and ": " in line]
    return [re.sub(r'^unknown key "([^"]*)"', r"\1:", line) for line in told]


# --- What is in force ------------------------------------------------------------------------------

def show(checks, dir):
    (dir / "lab").mkdir()
    (dir / "lab" / "cluster.yaml").write_text("network: far\nregion: eu\n")
    config = dir / "shown.yaml"
    config.write_text("clusters:\n  - {name: lab, directory: lab, weight: 7}\nsteering: {ttl: 9, maxAnswers: 16}\nworkers: 2\n"
                      "health: {commands: [{name: x, run: [/bin/true, -P, s3cret]}]}\nshutdown: {lameduck: 0}\n")
    daemon = Daemon(dir, "shown", "--config", config, "--workers", "1")
    try:
        code, out, err = daemon.ctl("config", "show")
        rows = dict(re.findall(r"^(\S+) +(\S.*?) *$", out, re.M))
        checks.check("config show tells each value and its line", code == 0 and not err
                     and rows["steering.ttl"].split() == ["9s", f"{config}:3:17"]
                     and rows["clusters[0].weight"].split() == ["7", f"{config}:2:41"], (out, err))
        for key, value, origin in (("workers", "1", "--workers"), ("clusters[0].network", "far", f"{dir}/lab/cluster.yaml"),
                                   ("clusters[0].region", "eu", f"{dir}/lab/cluster.yaml"),
                                   ("listen[0].address", f"127.0.0.1:{daemon.port}", "--listen"), ("admin.address", "127.0.0.1:0", "--admin")):
            seen = rows.get(key, "").split()
            checks.equal(f"{key} comes from {origin.rsplit('/', 1)[-1]}", seen, [value, origin])
        checks.check("defaults are left out", "cache.size" not in rows and "apiVersion" in rows, out)
        checks.check("arguments of programs are not told", "s3cret" not in out and "[/bin/true, -P, ***]" in out, out)
        _, effective, _ = daemon.ctl("config", "show", "--effective")
        checks.check("--effective tells them, too", re.search(r"^cache.size +64Mi +default$", effective, re.M)
                     and re.search(r"^steering.maxAnswers +16 +" + re.escape(str(config)), effective, re.M), effective)
        again = [dir / "again.yaml", dir / "again-effective.yaml"]
        for file, flags in zip(again, ([], ["--effective"])):
            file.write_text(daemon.ctl("config", "show", "-o", "yaml", *flags)[1])
            checks.equal(f"config show {' '.join(flags)} -o yaml is a configuration", run(PINTLED, "--config", file, "--check")[0], 0)
        checks.equal("and both are good by the schema", judge(again), {str(file): [] for file in again})
        code, _, err = daemon.ctl("status", "--effective")
        checks.check("--effective goes with config show alone", code == 2 and "config show" in err, err)
    finally:
        checks.equal("the daemon ends as told", daemon.stop(), 0)


# --- Manual pages ----------------------------------------------------------------------------------

def pages(checks, _):
    for page in ("pintle.conf.5", "pintled.8"):
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-Kutf8", DESCRIBED / page], capture_output=True, text=True,
                              timeout=WAIT_S * 3, check=False)
        checks.check(f"{page} is set without a warning", done.returncode == 0 and not done.stderr and len(done.stdout) > 2000, done.stderr)
        plain = re.sub(r".\x08|\x1b\[[0-9;]*m", "", done.stdout)
        words = [item["path"] for item in options()] if page.endswith("5") else re.findall(r"--[a-z-]+", run(PINTLED, "--help")[1])
        checks.equal(f"{page} tells of all {len(words)}", [word for word in words if word not in plain], [])
        checks.check("no mark is left", "@" not in plain.replace("@example", ""), re.findall(r".*@.*", plain))


if __name__ == "__main__":
    sys.exit(play("config", commands, schema, values, show, pages))
