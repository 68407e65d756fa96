#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What pintlectl orders and fetches: the log's level.

Same form of report as run.py, whose tools it uses.
"""

import json
import sys

from run import Daemon, play


def log_level(checks, dir):
    daemon = Daemon(dir, "level", "--dev")

    def level(*args):
        code, text, err = daemon.ctl("log", "level", *args)
        return code, text.strip() or err

    def drained():
        """Drains something, which is told at level info; whether it was."""
        before = daemon.log_text().count("is drained")
        daemon.ctl("drain", "cluster", "c3")
        return daemon.log_text().count("is drained") > before

    checks.equal("log level shows the configured one", level(), (0, "info"))
    checks.check("and the log has lines of it", drained())
    checks.equal("another one lasts until the next start", level("warn"), (0, "warn until the next start, then info"))
    checks.check("and lets less through", not drained())
    checks.check("the log says who changed it", "admin: the log's level is warn until the next start" in daemon.log_text(),
                 daemon.log_text())
    code, text = level("debug", "--for", "1h", "-o", "json")
    shown = json.loads(text)
    checks.check("one for a time tells its end as JSON, too",
                 code == 0 and (shown["level"], shown["configured"]) == ("debug", "info")
                 and 3500 < shown["secondsLeft"] <= 3600, text)
    checks.check("and as text", level()[1].startswith("debug for ") and level()[1].endswith(", then info"), level())
    level("warn", "--for", "1s")
    checks.becomes("it ends by itself", level, lambda s: s == (0, "info"))
    checks.equal("a level that is none is a usage error", level("loud")[0], 2)
    checks.equal("so is a time that is none", level("debug", "--for", "soon")[0], 2)
    checks.equal("and a time for nothing", level("--for", "5m")[0], 2)
    checks.equal("none of them changed anything", level(), (0, "info"))
    daemon.stop()


if __name__ == "__main__":
    sys.exit(play("ctl", log_level))
