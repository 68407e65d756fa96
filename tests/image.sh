#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Dockerfile without a container engine and runs the image for real: as uid 65532, without a
# capability, asked with dig, stopped with SIGTERM. docs/guide.md shows how with docker. Wants root: mmdebstrap and buildah's chroot isolation do.
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" = 0 ] || { echo "image: run as root" >&2; exit 1; }

work=$(mktemp -d)
export STORAGE_DRIVER=vfs
store=(--root "$work/store" --runroot "$work/run")
run_pid=
cleanup() {
    [ -z "$run_pid" ] || kill "$run_pid" 2>/dev/null || true
    buildah "${store[@]}" rm --all >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap cleanup EXIT
fail() {
    echo "image: $1" >&2
    [ ! -f "$work/log" ] || tail -20 "$work/log" >&2
    exit 1
}

base_image() { # a local stand-in for debian:bookworm-slim, so that no image registry is asked
    mmdebstrap --quiet --variant=minbase --aptopt='Acquire::Retries "3"' bookworm "$work/base.tar"
    local from
    from=$(buildah "${store[@]}" from scratch)
    buildah "${store[@]}" add -q "$from" "$work/base.tar" / >/dev/null
    buildah "${store[@]}" commit -q "$from" pintle-base >/dev/null
    buildah "${store[@]}" rm "$from" >/dev/null
    rm "$work/base.tar"
}

free_port() {
    python3 -c 'import socket
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    print(s.getsockname()[1])'
}

# The image's process under buildah: the child that runs as 65532.
daemon_pid() {
    local pid=$1 child
    for child in $(pgrep -P "$pid" || true); do
        if grep -q '^pintled$' "/proc/$child/comm" 2>/dev/null; then echo "$child"; else daemon_pid "$child"; fi
    done
}

echo "image: making a base"
base_image
echo "image: building the Dockerfile"
buildah "${store[@]}" bud -q --isolation chroot --build-arg BASE=localhost/pintle-base -t pintle . >"$work/log" 2>&1 ||
    fail "the build failed"

config() { buildah "${store[@]}" inspect --type image --format "{{.OCIv1.Config.$1}}" pintle; }
[ "$(config User)" = 65532:65532 ] || fail "the image runs as '$(config User)'"
[ "$(config Entrypoint)" = '[/usr/bin/pintled]' ] || fail "the entry point is $(config Entrypoint)"

container=$(buildah "${store[@]}" from pintle)
port=$(free_port)
admin=$(free_port)
buildah "${store[@]}" run --isolation chroot "$container" -- \
    /usr/bin/pintled --dev --listen "127.0.0.1:$port" --admin "127.0.0.1:$admin" </dev/null >"$work/log" 2>&1 &
run_pid=$!

asked() { dig +tries=1 +time=1 -p "$port" @127.0.0.1 clusterset.local SOA 2>/dev/null | grep -q 'status: NOERROR'; }
for _ in $(seq 600); do # a busy machine takes its time; one that ended is seen at once
    asked && break
    kill -0 "$run_pid" 2>/dev/null || fail "pintled ended"
    sleep 0.1
done
asked || fail "no answer"
pid=$(daemon_pid "$run_pid")
[ -n "$pid" ] || fail "no process called pintled below $run_pid"
grep -qE '^Uid:\s+65532\s+65532' "/proc/$pid/status" || fail "the daemon does not run as 65532"
grep -qE '^CapEff:\s+0+$' "/proc/$pid/status" || fail "the daemon holds a capability"
buildah "${store[@]}" run --isolation chroot "$container" -- \
    /usr/bin/pintlectl status --wait --admin "127.0.0.1:$admin" || fail "pintlectl status failed"

kill -TERM "$pid"
wait "$run_pid" || fail "pintled left with $? after SIGTERM"
run_pid=
rootfs=$(buildah "${store[@]}" mount "$container")
echo "image: $(du -smx "$rootfs" | cut -f1) MiB, answered as uid 65532 without a capability, stopped cleanly"
