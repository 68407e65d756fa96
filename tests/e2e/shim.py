# SPDX-License-Identifier: Apache-2.0
"""A pintled behind shim.c, whose wall clock is wrong or whose disk fails, as it is told."""

import mmap
import os
import struct

from run import Daemon


class Shim:
    """Moves the wall clock of a daemon, and has its disk fail."""

    def __init__(self, path):
        path.write_bytes(struct.pack("=qq", 0, 0))
        self.path = path
        with open(path, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 16)

    def order(self, wrong_ms=0, sync_fails=0):
        self.map[:] = struct.pack("=qq", wrong_ms, sync_fails)

    def start(self, *args):
        """A daemon behind it."""
        os.environ.update({"LD_PRELOAD": os.environ["PINTLE_SHIM_LIBRARY"], "PINTLE_SHIM": str(self.path)})
        try:
            return Daemon(*args)
        finally:
            del os.environ["LD_PRELOAD"], os.environ["PINTLE_SHIM"]

    @staticmethod
    def is_there():
        if "PINTLE_SHIM_LIBRARY" not in os.environ:
            print("skip: a build with sanitizers takes no shim")
        return "PINTLE_SHIM_LIBRARY" in os.environ
