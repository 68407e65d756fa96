#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Boots the systemd of a directory tree as process 1 of namespaces of its own, in a control group of its own; ends when it
# does, and ends it when it is ended. Wants root. What is the host's alone (kernel settings, modules, the clock) stays out
# of its reach.
#
#     tests/package_boot.sh ROOT
set -euo pipefail

groups=$(mktemp -d)
mount -t cgroup2 cgroup2 "$groups"
mkdir "$groups/pintle-package.$$"
echo $$ >"$groups/pintle-package.$$/cgroup.procs"
umount "$groups" && rmdir "$groups"

# shellcheck disable=SC2016 # said by the shell inside
exec unshare --fork --kill-child --pid --mount --net --uts --ipc --cgroup --propagation private /bin/bash -euc '
cd "$1"
mount --bind . . && cd "$1"
mount -t proc -o nosuid,nodev,noexec proc proc
for place in sys sysrq-trigger; do
    [ -e "proc/$place" ] || continue
    mount --bind "proc/$place" "proc/$place"
    mount -o remount,bind,ro "proc/$place"
done
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in "null 1 3" "zero 1 5" "full 1 7" "random 1 8" "urandom 1 9" "tty 5 0"; do
    read -r name major minor <<<"$node"
    mknod -m 666 "dev/$name" c "$major" "$minor"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
ln -s pts/ptmx dev/ptmx && ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
hostname pintle-package
pivot_root . mnt
umount -l /mnt
exec env -i PATH=/usr/sbin:/usr/bin container=pintle setpriv \
    --bounding-set -sys_module,-sys_time,-sys_rawio,-syslog,-mac_admin,-mac_override \
    /lib/systemd/systemd --log-target=journal --show-status=no --unit=multi-user.target
' boot "$1"
