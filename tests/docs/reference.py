#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reference beside the program: each metric of a live daemon is on docs/reference/metrics.md with its type and labels,
each annotation that the source reads on annotations.md, each EDE on dns.md, each exit code and page of the API; and the reverse.

PINTLED and PINTLECTL name the programs (default: build/). Prints a line a check, "N passed, N failed" last.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pages

sys.path.insert(0, str(pages.ROOT / "tests" / "e2e"))
from run import Checks, Daemon, PINTLECTL, PINTLED  # noqa: E402: pylint: disable=wrong-import-position

REFERENCE = pages.ROOT / "docs" / "reference"
ROOMS = ("base", "zones", "sync", "resolver", "cli", "include")
# Shows every family that needs neither an API server nor etcd.
CONFIG = """\
clusters:
  - {name: c1, directory: c1}
  - {name: c2, directory: c2}
networks: [{name: far, gateways: [gw.invalid]}]
listen: [{address: "127.0.0.1:0"}, {address: "127.0.0.1:0", tls: {certificate: tls.crt, key: tls.key}}]
zones: {custom: [example.com], files: [{zone: corp.example, file: corp.zone}]}
transfers: [{zone: example.com, allow: [127.0.0.1], notify: ["127.0.0.1:1"]}]
forward: [{zone: ".", to: "127.0.0.1:1"}]
stateDir: state
clusterSet: docs
resolvers: ["127.0.0.1:1"]
records: [{name: out, provider: zonefile, zones: [example.org], policy: sync, zonefile: {directory: out}}]
"""
POLICY = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec: {hostnames: [www.example.com], rules: [{backendRefs: [{name: web, port: 80}]}]}
---
apiVersion: pintle.dev/v1alpha1
kind: ResolvePolicy
metadata: {name: nobody, namespace: shop}
spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: web}], allow: [{clusters: [c2]}]}
"""


def source(*suffixes):
    """All text of the programs, with string literals that stand beside each other joined."""
    text = "\n".join(path.read_text() for room in ROOMS for path in sorted((pages.ROOT / room).rglob("*"))
                     if path.suffix in suffixes)
    return re.sub(r'"\s*\n\s*"', "", text)


def rows(page, n_columns):
    """The first cells of a page's table rows, without their back quotes."""
    for line in (REFERENCE / page).read_text().splitlines():
        if line.startswith("| `"):
            yield [cell.strip().replace("`", "") for cell in line.strip("|").split(" | ")][:n_columns]


def start(dir):
    for name in ("c1", "c2", "out", "state"):
        (dir / name).mkdir()
    (dir / "c1" / "objects.yaml").write_text(POLICY)
    (dir / "c2" / "cluster.yaml").write_text("network: far\n")
    (dir / "corp.zone").write_text("@ 300 IN SOA ns hostmaster 1 3600 600 86400 60\n@ 300 IN NS ns\nns 300 IN A 192.0.2.1\n")
    (dir / "out" / "example.org.zone").write_text("")
    (dir / "out" / "example.org.zone").unlink()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
                    "-subj", "/CN=docs", "-keyout", dir / "tls.key", "-out", dir / "tls.crt"], check=True, capture_output=True)
    os.chmod(dir / "tls.key", 0o600)
    (dir / "docs.yaml").write_text(CONFIG)
    return Daemon(dir, "docs", "--config", dir / "docs.yaml", "--workers", "1")


def families(text):
    """name -> (type, set of label names) of a page of metrics."""
    found = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            found[name] = (kind, set())
        elif line and not line.startswith("#"):
            name, labels = re.match(r"(\w+)(?:\{(.*)\})? ", line).groups()
            name = name if name in found else re.sub(r"_(bucket|sum|count)$", "", name)
            found[name][1].update(set(re.findall(r'(\w+)="', labels or "")) - {"le"})
    return found


def metrics(checks, daemon):
    documented = {name: (kind, set(labels.replace("-", "").replace(",", " ").split()))
                  for name, kind, labels in rows("metrics.md", 3)}
    daemon.dig("www.example.com")
    daemon.dig("www.example.net")

    def look():
        return families(daemon.get("/metrics")[1])
    checks.becomes("the daemon shows policies and records", look,
                   lambda s: s["pintle_policy_denied_total"][1] and s.get("pintle_records", ("", set()))[1])
    live = look()
    checks.equal("each metric of a live daemon is on the page", sorted(set(live) - set(documented)), [])
    checks.equal("... with its type", {n: k for n, (k, _) in live.items() if n in documented and documented[n][0] != k}, {})
    checks.equal("... and its labels", {n: sorted(l) for n, (_, l) in live.items()
                                        if l and n in documented and documented[n][1] != l}, {})
    checks.check("most of the page was shown", len(live) > 0.75 * len(documented), sorted(set(documented) - set(live)))
    literals = set(re.findall(r'"(?:# (?:HELP|TYPE) )?((?:pintle|process)_[a-z0-9_]+)[" {]', source(".c", ".h")))
    checks.equal("each metric of the source is on the page", sorted(
        name for name in literals if name.startswith("pintle_") and name not in documented), [])
    checks.equal("each metric of the page is in the source", sorted(set(documented) - literals), [])


def annotations(checks):
    documented = [name for name, in rows("annotations.md", 1)]
    text = source(".c", ".h")
    steering = (pages.ROOT / "sync" / "decode_steering.c").read_text()
    table = re.search(r"own_names\[\] = \{(.*?)\};", steering, re.S).group(1)
    read = {f"pintle.dev/{key}" for key in re.findall(r'"([a-z-]+)"', table)}
    read |= set(re.findall(r'"((?:service\.cilium\.io|io\.cilium|endpoints\.kubernetes\.io)/[a-z-]+)"', text))
    aws = (pages.ROOT / "sync" / "decode_aws.c").read_text()
    read |= {f"application-networking.k8s.aws/{key}" for key in re.findall(r'PREFIX "([a-z-]+)"', aws)}
    notes = (pages.ROOT / "zones" / "claims_notes.c").read_text()
    read |= {f"external-dns.kubernetes.io/{key}" for key in re.findall(r'strcmp\(key, "([a-z-]+)"\)', notes)}
    read |= {f"external-dns.kubernetes.io/{key}*" for key in re.findall(r'\{"([a-z]+-)",', notes)}
    written = {key for key in re.findall(r'define PIN_WRITE_\w+ +"([a-z.0-9-]+/[a-z-]+)"', text)
               if not key.endswith("controller")}
    checks.check("the source was read", len(read) > 25 and len(written) > 3, (read, written))
    checks.equal("each annotation of the source is on the page", sorted((read | written) - set(documented)), [])
    checks.equal("each annotation of the page is in the source", sorted(set(documented) - read - written), [])
    checks.equal("none twice", len(documented), len(set(documented)))


def kept(checks):
    """The keys that a reload refuses: configuration.md against the table of options, which the build wrote out."""
    text = (pages.ROOT / "docs" / "configuration.md").read_text()
    told = re.search(r"\*needs a replacement\*.*?\n(.*?)\. With `publish`", text, re.S).group(1)
    options = json.loads((pathlib.Path(PINTLECTL).parent / "described" / "options.json").read_text())
    table = [item["path"] for item in options["items"] if item["kept"]]
    checks.equal("configuration.md names the keys that need a replacement", re.findall(r"`([\w.]+)`", told), table)


def chart(checks):
    """The keys that the chart takes below config are Pintle's: a misspelt one is told before anything is rolled out."""
    keys = json.loads(subprocess.run([PINTLECTL, "config", "schema"], capture_output=True, text=True, check=True).stdout)["properties"]
    config = json.loads((pages.ROOT / "deploy/helm/pintle/values.schema.json").read_text())["properties"]["config"]
    checks.equal("values.schema.json has each key of the configuration", sorted(config["properties"]), sorted(keys))
    checks.equal("and lets in no other", config["additionalProperties"], False)


def dns_codes(checks):
    defined = re.findall(r"define PIN_EDE_\w+ +(\d+)u", (pages.ROOT / "resolver" / "response.h").read_text())
    rcodes = re.findall(r"define PIN_RCODE_(\w+)", (pages.ROOT / "resolver" / "response.h").read_text())
    documented = [name for name, in rows("dns.md", 1)]
    checks.equal("each EDE that is given is on the page, and no other",
                 sorted(n for n in documented if n.startswith("EDE ")), sorted(f"EDE {n}" for n in defined))
    checks.equal("each RCODE likewise", sorted(n for n in documented if n.isupper() and not n.startswith("EDE")), sorted(rcodes))


def interface(checks, daemon):
    help_text = subprocess.run([PINTLECTL, "help"], capture_output=True, text=True, check=True).stdout
    codes = dict(re.findall(r"(\d) ([a-z ]+)", help_text.rsplit("Exit codes:", 1)[1]))
    documented = {code: meaning for code, meaning in rows("exit-codes.md", 2)}
    checks.equal("each exit code is on the page", {c: documented.get(c, "").split(";")[0] for c in codes}, codes)
    checks.equal("pintled says the same codes", dict(re.findall(r"(\d) ([a-z ]+)", subprocess.run(
        [PINTLED, "--help"], capture_output=True, text=True, check=True).stdout.rsplit("Exit codes:", 1)[1])), codes)
    listed = {line.split()[0].split("?")[0] for line in daemon.get("/")[1].splitlines() if line.startswith("/")}
    named = {re.sub(r"^\w+ ", "", page).split("?")[0] for page, in rows("api.md", 1)}
    checks.equal("each page that the daemon lists is on the page", sorted(listed - named), [])
    for path in sorted(page for page in named if "NAME" not in page and "HASH" not in page):
        code = daemon.get(path)[0]
        checks.check(f"{path} is there", code in (200, 400, 405, 503), code)


def mentions(checks):
    """What pages name in running text exists: commands, flags, verbs of ./x, keys of the configuration, metrics."""
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)  ", subprocess.run(
        [PINTLECTL, "help"], capture_output=True, text=True, check=True).stdout, re.MULTILINE)
    first = {command.split()[0]: command for command in commands}
    flags = set(re.findall(r"(--[a-z-]+)", subprocess.run([PINTLED, "--help"], capture_output=True, text=True, check=True).stdout))
    verbs = set(re.findall(r"^\./x (\w+)", subprocess.run(["./x", "help"], cwd=pages.ROOT, capture_output=True, text=True,
                                                          check=True).stdout, re.MULTILINE))
    keys = {key.replace("[]", "") for key in re.findall(r"^\| `([\w.\[\]]+)` \|", (pages.ROOT / "docs" / "configuration.md")
                                                       .read_text(), re.MULTILINE)}
    known = {name for name, in rows("metrics.md", 1)}
    wrong, n_seen = [], 0
    for page in pages.names():
        if page.startswith(("bench/", "docs/decisions/")) or page == "CHANGELOG.md":  # what was, too
            continue
        text = pages.FENCE.sub("", (pages.ROOT / page).read_text())
        for span in re.findall(r"`([^`\n]+)`", text):
            n_seen += 1
            words = span.removeprefix("build/").split()
            if words[:1] == ["pintlectl"] and len(words) > 1 and not words[1].startswith("-"):
                is_known = words[1] in first and (" " not in first[words[1]] or len(words) < 3 or not words[2].islower()
                                                  or any(f"{words[1]} {word}" in commands for word in words[2].split("|")))
            elif words[:1] == ["pintled"]:
                is_known = {word for word in words if word.startswith("--")} <= flags
            elif words[:1] == ["./x"] and len(words) > 1:
                is_known = words[1] in verbs
            elif re.fullmatch(r"pintle_\w+[a-z](\{.*\})?( == \d| < \d+)?", span):
                is_known = re.match(r"\w+", span).group() in known
            elif (re.fullmatch(r"\w+(\[\])?(\.\w+(\[\])?)+", span) and not span.endswith((".py", ".txt"))
                  and span.split(".")[0].replace("[]", "") in keys):
                is_known = span.replace("[]", "") in keys
            else:
                continue
            if not is_known:
                wrong.append(f"{page}: {span}")
    checks.check("pages name things", n_seen > 500, n_seen)
    checks.equal("what pages name in running text exists", wrong, [])


def symptoms(checks):
    """What the table of symptoms says that a command prints is printed by some command of that page."""
    page = "docs/how-to/troubleshoot.md"
    shown = "\n".join(pages.plain(block.text) for block in pages.blocks(page) if block.language == "console")
    rows_ = [line.split(" | ") for line in (pages.ROOT / page).read_text().splitlines() if line.count(" | ") == 3]
    said = [cells[2].strip("`") for cells in rows_[1:]]
    checks.check("symptoms are listed", len(said) > 20, said)
    checks.equal("what each symptom's command says is shown on the page", [text for text in said if text not in shown], [])


def main():
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="pintle-reference-") as name:
        daemon = start(pathlib.Path(name))
        try:
            metrics(checks, daemon)
            annotations(checks)
            kept(checks)
            chart(checks)
            dns_codes(checks)
            interface(checks, daemon)
            mentions(checks)
            symptoms(checks)
        finally:
            daemon.stop()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())
