#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian package twice, under different conditions, and compares the bytes; has lintian look; installs it in a
# fresh Debian and boots that: systemd runs it, it is asked, killed, reloaded, upgraded and taken away again
# (package_systemd.py). Wants root, as mmdebstrap does.
#
#     tests/package.sh [DIRECTORY]      where the package and the bill of materials are left (default: build/package)
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "package: run as root" >&2; exit 1; }
out=${1:-build/package}

work=$(mktemp -d)
root=$work/root
mounts=()
cleanup() {
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

umount "$root/proc" && mounts=()

echo "package: running it under systemd"
cat >"$root/etc/pintle/clusters/local/web.yaml" <<'EOF'
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1], ports: [{name: http, port: 80}]}
EOF
dpkg-deb -R "$deb" "$work/newer"
sed -i "s/^Version: .*/Version: $version+1/" "$work/newer/DEBIAN/control"
dpkg-deb --root-owner-group -b "$work/newer" "$work/newer.deb" >/dev/null
tests/package_systemd.py "$root" "$work/newer.deb" >"$work/log" 2>&1 || { grep -A3 '^not ok' "$work/log"; fail "systemd and it do not get along"; }
tail -1 "$work/log"

dpkg-deb --fsys-tarfile "$deb" | tar -xOf - ./usr/share/doc/pintle/pintle.spdx.json >"$work/pintle.spdx.json"
python3 - "$work/pintle.spdx.json" <<'EOF' || fail "the bill of materials lacks something"
import json, sys
names = {one["name"]: one["versionInfo"] for one in json.load(open(sys.argv[1], encoding="utf-8"))["packages"]}
missing = [name for name in ("pintle", "libssl3", "libnghttp2-14", "libldns3", "liburcu8", "libc6") if not names.get(name)]
sys.exit(f"missing: {missing}" if missing else 0)
EOF
tests/support/spdx.sh "$work/pintle.spdx.json" >"$work/log" 2>&1 || fail "SPDX's own tools refuse the bill of materials"
mkdir -p "$out"
cp "$deb" "$work/pintle.spdx.json" "$out/"
echo "package: $(basename "$deb") built twice to the same bytes, lintian content, installed, run by systemd, upgraded, removed, purged ($out/)"
