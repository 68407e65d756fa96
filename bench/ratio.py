# SPDX-License-Identifier: Apache-2.0
"""Rows of CPU per query: all servers in turn under the same questions, as ratios to one of them."""

import os
import random
import subprocess
import time

from ask import Asker
from servers import Failed, Floor, Missing, spawn

N_CHECKED = 200        # names asked before a server is measured
N_SAMPLED = 500        # questions whose answers tell the mean size
LOST_MAX = 0.01        # more than this share lost: the round does not count
WARM_UP_S = 0.5
WARM_UP_ALL_S = 20     # at most, where every question shall have been asked
LATEST_S = 60          # a generator that hangs
SETTLED_S = 20         # behind the first right answer


class Row:
    """What one table measures. `makers` make the servers, in the order of the table."""

    transport = "udp"      # or tcp, dot, doh: how all but the floor are asked
    base = "floor"         # whose cheapest round is 1.00
    warm_up = ()           # more words for the generator's first run at each server

    def __init__(self, name, title, data, makers, check, targets):
        self.name = name
        self.title = title
        self.data = data
        self.makers = makers
        self.check = check
        self.targets = targets     # Pintle's is a number, the others' are what was measured before
        self.names_path = None


def generator(bench, row, server):
    """The generator's command line but for its length."""
    common = ["--names", row.names_path]
    if bench.args.edns:
        common.append("--edns")
    if row.transport == "udp" or server.name == "floor":
        return [bench.program("load"), "--server", f"127.0.0.1:{server.port}", *common,
                "--window", str(bench.args.window), *(["--echo"] if server.name == "floor" else [])]
    port = {"tcp": lambda: server.port, "dot": lambda: server.tls.dot_port,
            "doh": lambda: server.tls.doh_port}[row.transport]()
    return [bench.program("stream_load"), "--server", f"127.0.0.1:{port}", *common,
            "--transport", row.transport, "--connections", str(bench.args.connections),
            "--pipeline", str(bench.args.pipeline)]


def run_generator(bench, command, seconds):
    """Runs it on its core; what it says, as {key: text}."""
    with spawn([*command, "--seconds", str(seconds)], bench.load_core, stdout=subprocess.PIPE,
               text=True) as load:
        try:
            line, _ = load.communicate(timeout=seconds + LATEST_S)
        except subprocess.TimeoutExpired:
            load.kill()
            raise
    return dict(pair.split("=") for pair in line.split()), line.strip()


def judge(server, found, line):
    """Raises when an answer was not as it has to be."""
    bad = [key for key in ("wrong", "unwanted", "mixed") if int(found.get(key, 0)) > 0]
    if int(found.get("answered", 0)) == 0 or bad:
        raise Failed(f"{server.label}: {line or 'the generator ended at once'}")


def measure(bench, row, server, seconds, more=()):
    """One round: what the server spent for each query it answered, and what the generator saw."""
    before_ns = server.cpu_ns()
    found, line = run_generator(bench, [*generator(bench, row, server), *more], seconds)
    spent_ns = server.cpu_ns() - before_ns
    judge(server, found, line)
    answered, sent = int(found["answered"]), int(found["sent"])
    return {"ns": spent_ns / answered, "busy": spent_ns / 1e9 / float(found["seconds"]),
            "qps": float(found["qps"]), "lost": (sent - answered) / sent,
            "bytes": int(found["answer_bytes"])}


def run_rounds(bench, row, servers):
    """Rounds of all servers in turn; {server's name: its rounds}. One that fails is left out."""
    rounds = {server.name: [] for server in servers}

    def one_round(server):
        found = measure(bench, row, server, bench.args.seconds)
        if found["lost"] > LOST_MAX:
            bench.complain(f"{row.name}: {server.label}: a round lost {found['lost']:.1%}")
        else:
            rounds[server.name].append(found)

    warm_up_s = WARM_UP_ALL_S if row.warm_up else WARM_UP_S
    drop_failing(bench, row, servers,
                 lambda server: measure(bench, row, server, warm_up_s, row.warm_up))
    for _ in range(bench.args.rounds):
        drop_failing(bench, row, servers, one_round)
    return rounds


def target_text(row, server):
    """What the table says about a target."""
    target = row.targets.get(server.name, "")
    return f"<= {target:.2f}" if server.name == "pintle" and target else f"({target})" * bool(target)


def print_table(bench, row, servers, rounds):
    """The row's table; every server's cheapest round counts."""
    if not rounds.get(row.base):
        bench.complain(f"{row.name}: no {row.base} to compare with: figures are ns, not ratios")
    base_ns = min((found["ns"] for found in rounds.get(row.base, ())), default=1.0)
    print(f"\n{row.title}")
    print(f"{'server':<20}{'ns/query':>9}{'x ' + row.base:>11}{'target':>9}{'q/s':>10}{'busy':>7}"
          f"{'bytes':>7}  rounds, ns/query")
    for server in servers:
        found = rounds[server.name]
        if not found:
            bench.complain(f"{row.name}: {server.label}: no round counts")
            continue
        best = min(found, key=lambda one: one["ns"])
        ratio, target = best["ns"] / base_ns, target_text(row, server)
        print(f"{server.label:<20}{best['ns']:>9.0f}{ratio:>11.2f}{target:>9}{best['qps']:>10.0f}"
              f"{best['busy']:>7.0%}{best['bytes']:>7}  "
              + " ".join(f"{one['ns']:.0f}" for one in found), flush=True)
        bench.results.append({"row": row.name, "title": row.title, "server": server.label,
                              "name": server.name, "ns_per_query": best["ns"], "ratio": ratio,
                              "target": target, "rounds": found})
        if server.name == "pintle":
            limit = bench.args.limit or (row.targets.get("pintle") if bench.args.strict else None)
            if limit and ratio > limit:
                bench.complain(f"{row.title}: Pintle is at {ratio:.2f} x {row.base}, more than "
                               f"{limit}")


def check_soon(check, server):
    """A server that answers its probe may have names to make still, and a cluster's objects to list."""
    end = time.monotonic() + SETTLED_S
    while True:
        try:
            return check(server)
        except Failed:
            if time.monotonic() > end:
                raise
        time.sleep(0.2)


def start_server(bench, make, probe, check):
    """Makes, starts and checks one server; None when it is not there or does not do its work."""
    server = None
    try:
        server = make()
        if server.name == "pintle" and (why := server.refuses()):
            raise Missing(f"this pintled takes no such configuration: {why}")
        server.start(probe)
        check_soon(check, server)
    except Missing as why:
        print(f"- left out: {why}", flush=True)
        return None
    except Failed as why:
        bench.complain(f"left out: {why}")
        server.stop()
        return None
    except BaseException:
        if server is not None:
            server.stop()
        raise
    print(f"- {server.label}: ready after {server.ready_s:.2f} s, {server.pss_mib():.1f} MiB",
          flush=True)
    return server


def mean_bytes(server, names):
    """The mean size of the answers to some of the questions."""
    with Asker(server.port) as asker:
        lines = random.Random(3).sample(names, min(N_SAMPLED, len(names)))
        sizes = [len(asker.ask_wire(name, qtype=kind)) for name, kind in
                 (line.split()[:2] for line in lines)]
    return round(sum(sizes) / len(sizes))


def start_all(bench, row, probe):
    """All servers of the row that this machine has, the floor in front with the size of answers."""
    servers = []
    try:
        for make in row.makers:
            server = start_server(bench, make, probe, row.check)
            servers += [server] if server else []
        if row.base == "floor" and servers:
            model = next((one for one in servers if one.name == "pintle"), servers[0])
            size = mean_bytes(model, row.data.questions())
            root = os.path.join(bench.work, row.name)
            floor = start_server(bench, lambda: Floor(root, bench.server_core,
                                                      bench.program("floor"), size),
                                 probe, lambda _: None)
            servers = [floor, *servers] if floor else servers
    except BaseException:
        stop_all(servers)
        raise
    return servers


def stop_all(servers):
    """Stops whatever of them runs."""
    for server in servers:
        server.stop()


def write_names(bench, name, lines):
    """A generator's input; its path."""
    path = os.path.join(bench.work, f"{name}.names")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    return path


def write_questions(bench, row):
    """The row's questions for its generator."""
    row.names_path = write_names(bench, row.name, row.data.questions())


def drop_failing(bench, row, servers, do):
    """Does something with every server; one that fails is left out from then on."""
    for server in list(servers):
        try:
            do(server)
        except (Failed, OSError, subprocess.TimeoutExpired) as why:
            gone = "" if server.process.poll() is None else "; it has ended"
            bench.complain(f"{row.name}: {why}{gone}")
            servers.remove(server)
            server.stop()


def run(bench, row):
    """One row of CPU ratios, from the data to the table."""
    print(f"\n== {row.name}", flush=True)
    write_questions(bench, row)
    servers = start_all(bench, row, row.data.names[-1])
    try:
        rounds = run_rounds(bench, row, servers)
        print_table(bench, row, servers, rounds)
    finally:
        stop_all(servers)
    return servers


def check_services(services):
    """A check that names give exactly their addresses, in any order."""
    def check(server):
        with Asker(server.port) as asker:
            for i in random.Random(1).sample(range(services.n), min(N_CHECKED, services.n)):
                rcode, got = asker.ask(services.names[i])
                if rcode != 0 or sorted(got) != sorted(services.addresses(i)):
                    raise Failed(f"{server.label}: {services.names[i]} gives rcode {rcode}, {got}; "
                                 f"expected {services.addresses(i)}")
    return check
