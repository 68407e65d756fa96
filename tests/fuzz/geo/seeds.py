#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the geo target beside it: small databases of each shape."""

import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "support"))
import mmdb  # noqa: E402  pylint: disable=wrong-import-position

SHAPES = {
    "both": ({"192.0.2.0/24": ("EU", "DE"), "2001:db8::/32": ("EU", "FR")}, 6),
    "v4": ({"192.0.2.0/25": ("EU", "DE"), "192.0.2.128/25": ("NA", "US")}, 4),
    "v4-too-deep": ({"2001:db8::/64": ("EU", "DE")}, 4),
    "v6": ({"2001:db8::/32": ("EU", "")}, 6),
}

for name, (nets, version) in SHAPES.items():
    mmdb.write(HERE / "seeds" / name, nets, version)
mmdb.write(HERE / "seeds" / "deep", *SHAPES["v6"], deep=70)
mmdb.write(HERE / "seeds" / "vast", *SHAPES["v6"], vast=3)

# A tree of 2^32 + 2 bytes, whose size modulo 2^32 is that of a small one.
good = (HERE / "seeds" / "v4").read_bytes()
count = good.index(b"node_count") + 11
(HERE / "seeds" / "v4-size-wraps").write_bytes(good[:count] + b"\x2a\xaa\xaa\xab" + good[count + 4:])
