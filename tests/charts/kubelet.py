# SPDX-License-Identifier: Apache-2.0
"""A pod's container, run as kubelet and a container runtime run it: its arguments, environment and volumes from the API
server, its user, group and no capability, a root file system of its own that cannot be written. Needs root; image and
network are those of this machine. The programs are the ones under test, in / of the container."""

import base64
import json
import os
import pathlib
import re
import subprocess
import time
import urllib.error
import urllib.request

from run import PINTLECTL, PINTLED, starved

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
STOP_SECONDS = 60
# ROOT, then SOURCE TARGET ro|rw ... --, then what is run in it
ASSEMBLE = r"""
set -eu
root=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
for dir in usr bin sbin lib lib32 lib64 libx32; do
    if [ -L "/$dir" ]; then cp -P "/$dir" "$root/$dir"
    elif [ -d "/$dir" ]; then mkdir "$root/$dir"; mount --bind -o ro "/$dir" "$root/$dir"; fi
done
mkdir "$root/proc" "$root/dev" "$root/etc" "$root/var" "$root/run"
ln -s ../run "$root/var/run"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
for file in ld.so.cache resolv.conf ssl; do [ ! -e "/etc/$file" ] || cp -rL "/etc/$file" "$root/etc/$file"; done
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mkdir -p "$root$2"; else touch "$root$2"; fi
    mount --bind "$1" "$root$2"
    mount -o "remount,bind,$3" "$root$2"
    shift 3
done
shift
mount -o remount,ro "$root"
exec chroot "$root" "$@"
"""


def publish(folder, files, mode, gid):
    """A volume as kubelet writes it: files are links into a directory that is exchanged as a whole."""
    if not folder.exists():
        folder.mkdir()
        folder.chmod(0o755)
    version = folder / f"..{time.monotonic_ns()}"
    version.mkdir()
    version.chmod(0o755)
    for name, data in files.items():
        path = version / name
        path.write_bytes(data)
        os.chown(path, 0, gid)
        path.chmod(mode)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(f"..data/{name}")
    (folder / "..fresh").symlink_to(version.name)
    (folder / "..fresh").rename(folder / "..data")


class Pod:
    """A pod of an API server, by its container "pintled". `kubectl` is called with arguments and returns what it prints."""

    def __init__(self, kubectl, pod, cluster, dir):
        self.kubectl, self.pod, self.cluster, self.dir = kubectl, pod, cluster, dir
        self.spec = pod["spec"]
        self.container = self.spec["containers"][0]
        self.address = pod["status"]["podIP"]
        self.log = dir / "log"
        self.child = None

    def _get(self, kind, name):
        return json.loads(self.kubectl("-n", self.pod["metadata"]["namespace"], "get", kind, name, "-o", "json"))

    def _volume(self, volume):
        """Its directory, filled."""
        folder = self.dir / volume["name"]
        gid = self.spec["securityContext"]["fsGroup"]
        if "configMap" in volume:
            data = self._get("configmap", volume["configMap"]["name"])["data"]
            publish(folder, {name: text.encode() for name, text in data.items()}, volume["configMap"]["defaultMode"], gid)
        elif "secret" in volume:
            data = self._get("secret", volume["secret"]["secretName"])["data"]
            publish(folder, {name: base64.b64decode(text) for name, text in data.items()},
                    volume["secret"]["defaultMode"] | 0o040, gid)
        elif "emptyDir" in volume:
            folder.mkdir()
            os.chown(folder, 0, gid)
            folder.chmod(0o2777)
        return folder

    def _account(self):
        """What the service account's projected volume holds."""
        space, name = self.pod["metadata"]["namespace"], self.spec["serviceAccountName"]
        token = self.kubectl("-n", space, "create", "token", name, "--duration=1h").strip()
        publish(self.dir / "account", {"token": token.encode(), "namespace": space.encode(),
                                       "ca.crt": self.cluster.pki.path("ca.crt").read_bytes()}, 0o640,
                self.spec["securityContext"]["fsGroup"])
        return self.dir / "account"

    def start(self):
        self.dir.mkdir()
        volumes = {volume["name"]: self._volume(volume) for volume in self.spec["volumes"]}
        mounts = [PINTLED, "/pintled", "ro", PINTLECTL, "/pintlectl", "ro", self._account(), ACCOUNT, "ro"]
        for mount in self.container["volumeMounts"]:
            mounts += [volumes[mount["name"]], mount["mountPath"], "ro" if mount.get("readOnly") else "rw"]
        user = self.spec["securityContext"]
        env = {"PATH": "/:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME": self.pod["metadata"]["name"], "KUBERNETES_SERVICE_HOST": "127.0.0.1",
               "KUBERNETES_SERVICE_PORT": str(self.cluster.api_port),
               **{item["name"]: item["value"] for item in self.container.get("env", [])}}
        (self.dir / "root").mkdir()
        with open(self.log, "wb") as log:
            self.child = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", ASSEMBLE, "sh", *map(str, [self.dir / "root", *mounts]), "--",
                 "setpriv", f"--reuid={user['runAsUser']}", f"--regid={user['runAsGroup']}", f"--groups={user['fsGroup']}",
                 "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs", "/pintled", *self.container["args"]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        starved.watch(self.child.pid)

    def status(self, key):
        """A line of /proc/PID/status."""
        text = pathlib.Path(f"/proc/{self.child.pid}/status").read_text()
        return re.search(rf"^{key}:\s*(.*)$", text, re.M).group(1).split()

    def port(self, name):
        return next(port["containerPort"] for port in self.container["ports"] if port["name"] == name)

    def get(self, path, port="metrics"):
        """(status, text) of a page at the pod's address; 0 when nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:{self.port(port)}{path}", timeout=30) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as err:
            return err.code, err.read().decode(errors="replace")
        except OSError as err:
            return 0, str(err)

    def probe(self, kind):
        return self.get(self.container[kind]["httpGet"]["path"], self.container[kind]["httpGet"]["port"])

    def exec(self, *args):
        """(exit code, what it prints) of a program in the container."""
        done = subprocess.run(["nsenter", "--target", str(self.child.pid), "--mount", "--root", *args],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    def dig(self, name, rrtype="A", port="dns", *options):
        done = subprocess.run(["dig", "-r", f"@{self.address}", "-p", str(self.port(port)), "+tries=1", "+time=3", "+short",
                               *options, name, rrtype], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return sorted(done.stdout.split())

    def log_text(self):
        return self.log.read_text(errors="replace")

    def stop(self):
        """SIGTERM, as long as it has; its exit code."""
        if self.child is not None and self.child.poll() is None:
            self.child.terminate()
            try:
                return self.child.wait(self.spec["terminationGracePeriodSeconds"] + STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()
                return "had to be killed"
        return self.child and self.child.returncode
