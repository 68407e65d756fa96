#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Bill of materials of programs on a Debian system, as SPDX 2.3 in JSON: the libraries that the loader gives them, by
the packages that these come from. Says the same for the same programs and packages, whenever and wherever it runs.

    sbom.py PROGRAM...  >pintle.spdx.json

$SOURCE_DATE_EPOCH is its date, as of everything else that is built.
"""

import datetime
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOMEPAGE = "https://pintle.dev"
FORMAT = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0"


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True, env=dict(os.environ, LC_ALL="C.UTF-8")).stdout


def version():
    """What CMakeLists.txt says: the one place where it is written."""
    return re.search(r"project\(pintle VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


def libraries(program):
    """Soname -> path, of all that the loader gives to a program."""
    found = {}
    for line in output("ldd", program).splitlines():
        match = re.match(r"\s*(\S+) => (/\S+) \(|\s*(/\S+) \(", line)
        if match:
            path = match.group(2) or match.group(3)
            found[match.group(1) or pathlib.Path(path).name] = path
        elif "not found" in line:
            raise SystemExit(f"sbom: {program}: {line.strip()}")
    return found


def needed(program):
    return re.findall(r"\(NEEDED\).*\[(.+)\]", output("readelf", "-d", program))


def package_of(path):
    """The package that a library comes from; /lib may be a link to /usr/lib, and dpkg knows one of both names."""
    real = os.path.realpath(path)
    for name in (path, real, real.removeprefix("/usr"), "/usr" + path):
        done = subprocess.run(["dpkg-query", "-S", name], check=False, capture_output=True, text=True)
        if done.returncode == 0:
            return done.stdout.split(": ")[0].split(",")[0]
    raise SystemExit(f"sbom: no package has {path}")


def licenses(name):
    """What the package says of itself where a machine can read it."""
    path = pathlib.Path("/usr/share/doc", name, "copyright")
    text = path.read_text(errors="replace") if path.exists() else ""
    if FORMAT.split(":")[1] not in text.split("\n\n")[0]:
        return ""
    return ", ".join(sorted(set(re.findall(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.M))))


def spdx_id(name):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", name)


def describe(package):
    name, arch, release, source, maintainer = output(
        "dpkg-query", "-W", "-f", "${Package}\n${Architecture}\n${Version}\n${source:Package}\n${Maintainer}", package).split("\n")
    said = licenses(name)
    os_id = re.search(r"^VERSION_CODENAME=(\S+)", pathlib.Path("/etc/os-release").read_text(), re.M)
    distro = f"&distro={os_id.group(1)}" if os_id else ""
    return {
        "SPDXID": spdx_id(name), "name": name, "versionInfo": release, "supplier": f"Organization: {maintainer.split(' <')[0]}",
        "downloadLocation": "NOASSERTION", "filesAnalyzed": False, "licenseConcluded": "NOASSERTION",
        "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION", "sourceInfo": f"built from Debian source {source}",
        **({"licenseComments": f"debian/copyright names: {said}"} if said else {}),
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                          "referenceLocator": f"pkg:deb/debian/{name}@{release.replace('+', '%2B').replace(':', '%3A')}?arch={arch}{distro}"}]}


def document(programs):
    linked, direct = {}, set()
    for program in programs:
        wanted = needed(program)
        for soname, path in libraries(program).items():
            package = package_of(path)
            linked[package] = True
            if soname in wanted:
                direct.add(package)
    ours = {"SPDXID": "SPDXRef-pintle", "name": "pintle", "versionInfo": version(), "supplier": "Organization: Pintle",
            "downloadLocation": HOMEPAGE, "filesAnalyzed": False, "licenseConcluded": "Apache-2.0",
            "licenseDeclared": "Apache-2.0", "copyrightText": "NOASSERTION", "primaryPackagePurpose": "APPLICATION"}
    packages = [describe(package) for package in sorted(linked)]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", ours["SPDXID"])]
    for package, one in zip(sorted(linked), packages):
        relations.append((ours["SPDXID"], "DYNAMIC_LINK" if package in direct else "DEPENDS_ON", one["SPDXID"]))
    body = {"packages": [ours, *packages],
            "relationships": [{"spdxElementId": a, "relationshipType": kind, "relatedSpdxElement": b} for a, kind, b in relations]}
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    when = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    return {"spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": f"pintle-{version()}",
            "documentNamespace": f"{HOMEPAGE}/spdx/{version()}/{digest[:32]}",
            "creationInfo": {"created": when.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: pintle-sbom"]}, **body}


if __name__ == "__main__":
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    print(json.dumps(document(sys.argv[1:]), indent=1))
