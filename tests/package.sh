#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package twice, under different conditions, and compares the bytes; has lintian look; installs it in a
# fresh Debian, runs it there as its user, asks it with dig, and takes it away again. Wants root, as mmdebstrap does.
#
#     tests/package.sh [DIRECTORY]      where the package and the bill of materials are left (default: build/package)
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "package: run as root" >&2; exit 1; }
out=${1:-build/package}

work=$(mktemp -d)
root=$work/root
run_pid=
mounts=()
cleanup() {
    [ -z "$run_pid" ] || kill "$run_pid" 2>/dev/null || true
    for place in "${mounts[@]}"; do umount "$place" 2>/dev/null || true; done
    rm -rf --one-file-system "$work"
}
trap cleanup EXIT
fail() {
    echo "package: $1" >&2
    [ ! -f "$work/log" ] || tail -30 "$work/log" >&2
    exit 1
}
in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }

build() { # directory, umask, what else differs... -> packages beside the directory
    local dir=$1 mask=$2
    shift 2
    mkdir -p "$dir"
    tar -xf "$work/source.tar" -C "$dir"
    cp -r "$dir/deploy/debian" "$dir/debian"
    cp "$dir/deploy/systemd/pintled.service" "$dir/debian/pintle.pintled.service"
    cp "$dir/deploy/systemd/pintled.socket" "$dir/debian/pintle.pintled.socket"
    (
        umask "$mask"
        cd "$dir"
        env -u CFLAGS -u MAKEFLAGS "$@" dpkg-buildpackage -b -us -uc -j2
    ) >"$work/log" 2>&1 || fail "the build failed"
}

version=$(sed -n 's/^project(pintle VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
[ "$(dpkg-parsechangelog -l deploy/debian/changelog -S Version)" = "$version" ] ||
    fail "deploy/debian/changelog and CMakeLists.txt speak of different versions"

# What git has, and what is about to be committed; once, so that both builds see the same.
git ls-files -z --cached --others --exclude-standard | tar --null -T- --ignore-failed-read -cf "$work/source.tar" 2>/dev/null

echo "package: building it twice"
build "$work/first/pintle" 022 TZ=UTC LC_ALL=C.UTF-8 HOME="$work"
build "$work/second/a/longer/path" 077 TZ=Pacific/Apia LC_ALL=POSIX HOME=/nonexistent USER=someone
deb=$(echo "$work"/first/pintle_*.deb)
for one in "$work"/first/*.deb; do
    cmp "$one" "$work/second/a/longer/$(basename "$one")" || fail "$(basename "$one") differs between two builds"
done

echo "package: lintian"
lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$deb" >"$work/log" 2>&1 || fail "lintian is not content"

echo "package: installing it in a fresh Debian"
mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Retries "3"' --include=bind9-dnsutils,ca-certificates,systemd \
    --customize-hook="copy-in $deb /root" \
    --customize-hook="chroot \"\$1\" apt-get install -qy --no-install-recommends /root/$(basename "$deb")" \
    bookworm "$root" >"$work/log" 2>&1 || fail "it does not install"
mount -t proc proc "$root/proc" && mounts+=("$root/proc")
in_root id pintle >/dev/null || fail "there is no user pintle"
in_root dpkg-query -s pintle | grep -q ' /etc/pintle/pintle.yaml ' || fail "/etc/pintle/pintle.yaml is no conffile"
in_root dpkg --verify pintle || fail "what was installed is not what the package holds"
in_root pintled --config /etc/pintle/pintle.yaml --check || fail "the configuration that comes with it is refused"
in_root systemd-analyze verify --man=no pintled.service pintled.socket || fail "systemd finds fault with a unit"
[ -L "$root/etc/systemd/system/multi-user.target.wants/pintled.service" ] || fail "the unit is not enabled"

free_port() {
    python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}
dns=$(free_port)
admin=$(free_port)
install -d -o "$(in_root id -u pintle)" -g "$(in_root id -g pintle)" -m 0700 "$root/var/lib/pintle"
cat >"$root/etc/pintle/clusters/local/web.yaml" <<'EOF'
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{name: http, port: 80}]}
EOF
chroot "$root" /usr/bin/env -i PATH=/usr/bin LC_ALL=C setpriv --reuid pintle --regid pintle --clear-groups --bounding-set=-all --inh-caps=-all --no-new-privs \
    pintled --config /etc/pintle/pintle.yaml --state-dir /var/lib/pintle --listen "127.0.0.1:$dns" --admin "127.0.0.1:$admin" \
    </dev/null >"$work/log" 2>&1 &
run_pid=$!
asked() { [ "$(in_root dig +short +tries=1 +time=1 -p "$dns" @127.0.0.1 web.default.svc.cluster.local A 2>/dev/null)" = 10.96.0.1 ]; }
for _ in $(seq 600); do # a busy machine takes its time; one that ended is seen at once
    asked && break
    kill -0 "$run_pid" 2>/dev/null || fail "pintled ended"
    sleep 0.1
done
asked || fail "no answer"
in_root pintlectl status --admin "127.0.0.1:$admin" >/dev/null || fail "pintlectl status failed"
kill -TERM "$run_pid"
wait "$run_pid" || fail "pintled left with $? after SIGTERM"
run_pid=

echo "package: taking it away"
in_root apt-get remove -qy pintle >"$work/log" 2>&1 || fail "it cannot be removed"
[ ! -e "$root/usr/bin/pintled" ] || fail "the program outlived its package"
[ -f "$root/etc/pintle/pintle.yaml" ] || fail "removing it took the configuration, too"
in_root dpkg --purge pintle >"$work/log" 2>&1 || fail "it cannot be purged"
[ ! -e "$root/etc/pintle/pintle.yaml" ] || fail "the configuration outlived a purge"
[ ! -e "$root/etc/systemd/system/multi-user.target.wants/pintled.service" ] || fail "a link to the unit outlived a purge"

dpkg-deb --fsys-tarfile "$deb" | tar -xOf - ./usr/share/doc/pintle/pintle.spdx.json >"$work/pintle.spdx.json"
python3 - "$work/pintle.spdx.json" <<'EOF' || fail "the bill of materials lacks something"
import json, sys
names = {one["name"]: one["versionInfo"] for one in json.load(open(sys.argv[1], encoding="utf-8"))["packages"]}
missing = [name for name in ("pintle", "libssl3", "libnghttp2-14", "libldns3", "liburcu8", "libc6") if not names.get(name)]
sys.exit(f"missing: {missing}" if missing else 0)
EOF
mkdir -p "$out"
cp "$deb" "$work/pintle.spdx.json" "$out/"
echo "package: $(basename "$deb") built twice to the same bytes, lintian content, installed, asked, removed, purged ($out/)"
