# SPDX-License-Identifier: Apache-2.0
"""Namespaces of one's own, for tests that need a network, mounts or process ids to themselves."""

import contextlib
import subprocess


def apart(*flags):
    """What to put before a command that is to have namespaces of its own, by flags of unshare; [] where none can be had."""
    for command in (["unshare", *flags], ["unshare", *flags, "--user", "--map-root-user"]):
        with contextlib.suppress(OSError):
            if subprocess.run([*command, "true"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0:
                return command
    return []
