# SPDX-License-Identifier: Apache-2.0
"""How long a test and its daemons had work and no processor: what a time that is promised does not answer for."""

import bisect
import os
import pathlib
import threading
import time

EVERY_S, FRESH_S = 0.1, 0.02
NS = 1e9


class Starved(threading.Thread):
    """Looks every 100 ms at all threads of some processes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.pids, self.lock = [os.getpid()], threading.Lock()
        self.waited_ns, self.sum_s = {}, 0.0
        self.at, self.sums = [], []

    def run(self):
        while True:
            self.look()
            time.sleep(EVERY_S)

    def look(self):
        with self.lock:
            for pid in self.pids:
                self.add(pathlib.Path(f"/proc/{pid}/task"))
            self.at.append(time.monotonic())
            self.sums.append(self.sum_s)

    def add(self, threads):
        """What each thread has waited since the last look; one that is gone takes nothing back."""
        try:
            for thread in threads.iterdir():
                ns = int((thread / "schedstat").read_text().split()[1])  # ready to run, and not running
                self.sum_s += (ns - self.waited_ns.get(thread.name, 0)) / NS
                self.waited_ns[thread.name] = ns
        except (OSError, IndexError):
            pass  # it has ended just now; or the kernel does not count, then nobody was starved

    def watch(self, pid):
        with self.lock:
            self.pids.append(pid)
            if self.ident is None:  # parts of a test begin side by side
                self.start()
        self.look()

    def since(self, when):
        if not self.at:
            return 0.0
        if time.monotonic() - self.at[-1] > FRESH_S:
            self.look()
        before = max(bisect.bisect_right(self.at, when) - 1, 0)
        return min(self.sums[-1] - self.sums[before], time.monotonic() - when)


_all = Starved()


def watch(pid):
    """Counts a daemon from now on, beside the test itself."""
    _all.watch(pid)


def starved_s(when):
    """Seconds since `when`, a time.monotonic(), that the test and its daemons waited for a processor, all together;
    hardly any where the machine is theirs."""
    return _all.since(when)
