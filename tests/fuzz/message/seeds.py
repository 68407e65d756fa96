#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the message target beside it: queries with options, and replies of every shape."""

import importlib.util
import os
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent


def seeds_of(target):
    """The script that makes another target's seeds."""
    spec = importlib.util.spec_from_file_location(target, HERE.parent / target / "seeds.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main():
    """Writes all of them anew."""
    ask, reply = seeds_of("query"), seeds_of("upstream_reply")
    files = {f"reply-{key}": value[1:] for key, value in reply.seeds().items()}
    options = {
        "cookie": ask.option(10, b"12345678"), "cookie-long": ask.option(10, b"1234567812345678"),
        "cookie-40": ask.option(10, bytes(range(40))), "ecs4": ask.option(8, b"\0\1\x18\0\xc0\0\2"),
        "ecs6": ask.option(8, b"\0\2\x38\0\x20\1\x0d\xb8\0\0\0"), "ecs0": ask.option(8, b"\0\0\0\0"),
        "nsid": ask.option(3), "padding": ask.option(12, bytes(40)), "keepalive": ask.option(11), "expire": ask.option(9),
        "unknown": ask.option(4242, b"?"), "namespace": ask.option(65518, b"shop"),
    }
    options["all"] = b"".join(options[key] for key in ("cookie", "ecs4", "nsid", "padding", "keepalive", "expire"))
    for key, data in options.items():
        files[f"query-{key}"] = ask.query("wWw.t.example", 1, extra=ask.opt(flags=0x8000, options=data))
    files["query-plain"] = ask.query("www.t.example", 28)
    files["query-longest"] = ask.query(".".join(["a" * 63] * 3 + ["b" * 61]), 1, extra=ask.opt(options=options["all"]))
    files["query-cookie-alone"] = struct.pack(">6H", 1, 0, 0, 0, 0, 1) + ask.opt(options=options["cookie"])
    files["query-notify"] = ask.query("t.example", 6, flags=0x2400, extra=ask.opt(512))
    (HERE / "seeds").mkdir(exist_ok=True)
    for old in (HERE / "seeds").iterdir():
        os.remove(old)
    for key, data in files.items():
        (HERE / "seeds" / key).write_bytes(data)


if __name__ == "__main__":
    main()
