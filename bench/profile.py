# SPDX-License-Identifier: Apache-2.0
"""Where each nanosecond of an answer over UDP goes (row profile): samples of the worker by perf(1)."""

import collections
import os
import re
import shutil
import subprocess

import ratio
from data import PodMix, Services
from servers import Failed, Missing, Pintle

FREQUENCY = 5000
SETTLE_S = 0.2

# The first pattern that some frame matches tells the part; kernel frames come before our own.
PARTS = (
    ("kernel: send", r"__x64_sys_sendmmsg|__sys_sendmmsg|do_sendmmsg"),
    ("kernel: receive", r"__x64_sys_recvmmsg|__sys_recvmmsg|do_recvmmsg"),
    ("kernel: rest", r"entry_SYSCALL|asm_sysvec|asm_exc|\[k\]"),
    ("query: read it", r"pin_query_|read_q|read_record|read_opt|skip_name|pin_name_lower"),
    ("lookup: hash, find", r"pin_index_|pin_hash64|XXH|find_hashed|pin__rcu_|pin_rcu_table_|memcmp|match_name"),
    ("draw: choose", r"pin_select_|pin_draws"),
    ("response: write it", r"pin_response_|add_drawn|add_rotated|add_fixed|add_table|add_data|put_"),
    ("who asks: view", r"pin_scene_|pin_lpm|pin_asker|pin_ip_"),
    ("limits, cookies", r"pin_ratelimit|pin_addrport|pin_cookie|pin_edns"),
    ("answer: decide", r"pin_answer|answer_group|begin|finish|find_name|settle|look_up|shown"),
    ("batch: udp.c", r"\brun\b|gather|answer_all|rearm|send_all|recvmmsg|sendmmsg|pin_rcu|urcu"),
)


def part_of(frames):
    """Which part a sample belongs to: by its innermost function, in the kernel by its system call."""
    is_kernel = frames and frames[0][1]
    if is_kernel:
        text = " ".join(name for name, _ in frames)
        return next((part for part, pattern in PARTS[:2] if re.search(pattern, text)), PARTS[2][0])
    for name, _ in frames[:2]:  # a libc function counts for its caller
        for part, pattern in PARTS[3:]:
            if re.search(pattern, name):
                return part
    return "other"


def samples_of(text):
    """Lists of (function, whether it is the kernel's) for each sample, innermost first."""
    frames = []
    for line in text.splitlines():
        if not line.strip():
            if frames:
                yield frames
            frames = []
            continue
        found = re.match(r"\s+([0-9a-f]+)\s+(\S.*?)\s*$", line)
        if found:
            frames.append((found.group(2), int(found.group(1), 16) >= 1 << 63))
    if frames:
        yield frames


def record(bench, row, server):
    """Samples of the server under load; what perf script says, and the round beside it."""
    perf = shutil.which("perf")
    if perf is None:
        raise Missing("perf is not installed (Debian: apt-get install linux-perf)")
    path = os.path.join(bench.work, "perf.data")
    with subprocess.Popen([perf, "record", "-q", "-e", "cpu-clock", "-F", str(FREQUENCY), "-g", "-p",
                           str(server.process.pid), "-o", path, "--", "sleep",
                           str(max(1.0, bench.args.seconds - SETTLE_S))],
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as watch:
        found = ratio.measure(bench, row, server, bench.args.seconds + SETTLE_S)
        _, said = watch.communicate(timeout=ratio.LATEST_S)
    done = subprocess.run([perf, "script", "-i", path, "-F", "ip,sym"], capture_output=True,
                          text=True, timeout=300, check=False)
    if done.returncode != 0 or not done.stdout:
        raise Missing(f"perf records nothing on this kernel: {said.decode()} {done.stderr}")
    return done.stdout, found


def profile(bench, name, title, data):
    """One load's table: a share of the round's nanoseconds for each part."""
    root = os.path.join(bench.work, "profile", name)
    row = ratio.Row(f"profile-{name}", f"where the time of an answer goes: {title}", data, [],
                    ratio.check_services(data), {})
    ratio.write_questions(bench, row)
    server = ratio.start_server(bench, lambda: Pintle(root, bench.server_core, bench.pintled(),
                                                      data=data), data.names[-1], row.check)
    if server is None:
        raise Failed("profile: no Pintle to look at")
    try:
        ratio.measure(bench, row, server, ratio.WARM_UP_S)
        text, found = record(bench, row, server)
    finally:
        server.stop()
    counts, others = collections.Counter(), collections.Counter()
    for frames in samples_of(text):
        part = part_of(frames)
        counts[part] += 1
        if part == "other":
            others[frames[0][0]] += 1
    total = sum(counts.values())
    print(f"\n{row.title}; {total} samples, {found['ns']:.0f} ns/query\n{'part':<22}{'share':>8}"
          f"{'ns':>8}")
    for part in [part for part, _ in PARTS] + ["other"]:
        if counts[part]:
            share = counts[part] / total
            print(f"{part:<22}{share:>8.1%}{share * found['ns']:>8.0f}", flush=True)
            bench.results.append({"row": row.name, "part": part, "share": share,
                                  "ns": share * found["ns"]})
    if others:
        print("  other: " + ", ".join(f"{name} {n}" for name, n in others.most_common(6)))


def run(bench):
    """The row."""
    print("\n== profile", flush=True)
    profile(bench, "a-udp", "A over UDP", Services(bench.args.names))
    profile(bench, "pod-mix", "pod mix over UDP", PodMix(bench.args.names))
