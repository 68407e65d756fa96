# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that want to be told theirs, when many tests run at once."""

import random
import socket

LOWEST, PAST = 10000, 30000  # below those that the kernel gives to askers
_draw = random.SystemRandom()  # tests seed the common one: then all would try the same ports
_held = []


def free_port():
    """A port that is free for UDP and TCP at 127.0.0.1, and that no other caller is given while this process lives.

    Not one of the kernel's choice: dig shares its port with others, and of thousands of questions one would come from
    the server's own and be answered by dig itself; and any client could have it before the server does.
    """
    while True:
        port = _draw.randrange(LOWEST, PAST)
        hold = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            try:
                hold.bind(f"\0pintle-test-port-{port}")  # goes with the process
                udp.bind(("127.0.0.1", port))
                tcp.bind(("127.0.0.1", port))
            except OSError:
                hold.close()
                continue
        _held.append(hold)
        return port
