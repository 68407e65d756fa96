#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the seeds of the watch target beside it, one file per story of an API server."""

import json
import os

SEEDS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds")
SERVICE, SLICE, POD = b"\0", b"\1", b"\x12"
NEVER, OFTEN = b"0", b"7"  # a sink without room
PAGED = b"p0 \0"  # the server streams no lists


def said(text, end="o", seconds="0", step=" "):
    """One answer."""
    return (end + seconds + step + text).encode() + b"\0"


def service(name, version="1", **spec):
    """A Service."""
    return {"metadata": {"name": name, "namespace": "d", "resourceVersion": version},
            "spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}], **spec}}


def listed(items, version="7", following=None):
    """A list, or one page of it."""
    metadata = {"resourceVersion": version}
    if following:
        metadata["continue"] = following
    return json.dumps({"kind": "ServiceList", "metadata": metadata, "items": items})


def events(*pairs):
    """Lines of a watch."""
    return "".join(json.dumps({"type": kind, "object": thing}) + "\n" for kind, thing in pairs)


def seeds():
    """File name -> bytes."""
    one = said(listed([service("a"), service("b")]))
    slices = said(listed([{"metadata": {"name": "a-1", "namespace": "d", "labels": {
        "kubernetes.io/service-name": "a"}}, "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}], "ports": [{"port": 80}]}]))
    changes = events(("ADDED", service("c", "8")), ("MODIFIED", service("a", "9")), ("DELETED", service("b", "10")),
                     ("BOOKMARK", {"metadata": {"resourceVersion": "11"}}))
    gone = events(("ERROR", {"code": 410, "reason": "Expired"}))
    stories = {
        "absent": said("", "a") + one,
        "bad-event": one + said("{\"type\":\"ADDED\",\"object\":7}\nnonsense\n"),
        "bad-object": said(listed([service("a", ports=[{"port": 0}]), "x", service("b")])),
        "busy": said("", "m") + said("", "s") + one + said(changes, "c"),
        "changes": one + said(changes) + said(changes, step="\5"),
        "cut-list": said(listed([service("a")])[:60], "c") + said(listed([service("a")])[:60]) + one,
        "denied": said("", "d") * 4 + one + said("", "d") * 4,
        "error-event": one + said(events(("ERROR", {"code": 500, "message": "etcd\nfell"}))) * 4,
        "gone": one + said("", "g") + one,
        "gone-event": one + said(gone) + one,
        "no-request": one + b"x" + one,
        "no-version": said("{\"items\":[]}") + said("[]") + one,
        "old-list": one + said(gone) + said(listed([service("a")], "3")) * 7,
        "pages": said(listed([service("a")], following="p/2 &=#")) + said(listed([service("b")])),
        "pages-expired": said(listed([service("a")], following="p2")) + said("", "g") + one,
        "pages-same": said(listed([], following="p2")) * 3 + one,
        "silence": one + said(changes, "t", "9") + said("", "t") * 5 + said(changes),
        "unauthorized": said("", "u") + one + said("", "u") + said(changes),
        "version-odd": said(listed([], "\n\u00e9 ?&")) + said(changes),
    }
    files = {name: SERVICE + NEVER + PAGED + story for name, story in stories.items()}
    end = ("BOOKMARK", {"metadata": {"resourceVersion": "12", "annotations": {"k8s.io/initial-events-end": "true"}}})
    first = (("ADDED", service("a", "3")), ("ADDED", service("b", "4")))
    streamed = said(events(*first, ("DELETED", service("a", "11")), end, ("ADDED", service("c", "13"))), step="\x20")
    streams = {
        "stream": streamed + said(changes),
        "stream-cut": said(events(*first), "c") + one + said(changes),
        "stream-denied": said("", "d") + one,
        "stream-early": said(events(*first)) + one,
        "stream-empty": said(events(end)) + said(changes),
        "stream-error": said(events(first[0], ("ERROR", {"code": 504, "message": "Too large resource version"}))) + one,
        "stream-gone": streamed + said(gone) + streamed + said("", "g") + said("", "g") + one,
        "stream-held": streamed + b"H" + b"H" + streamed + b"H" + b"h" + said(changes),
        "stream-old": streamed + said(gone) + said(events(("BOOKMARK", dict(end[1], metadata=dict(
            end[1]["metadata"], resourceVersion="1"))))) + said(listed([service("a")], "14")),
        "stream-silent": b"z" + one + said(changes),
        "stream-starved": said("", "m") + one,
    }
    files.update({name: SERVICE + NEVER + story for name, story in streams.items()})
    files["stream-full"] = SERVICE + OFTEN + streamed
    files["full"] = SERVICE + OFTEN + PAGED + one + said(changes, step="\x10")
    files["slices"] = SLICE + NEVER + PAGED + slices
    files["pods"] = POD + NEVER + PAGED + said(listed([{"metadata": {"name": "p", "namespace": "d"},
                                               "status": {"phase": "Running", "podIP": "10.1.0.9"}}]))
    return files


if __name__ == "__main__":
    os.makedirs(SEEDS, exist_ok=True)
    for file_name, data in seeds().items():
        with open(os.path.join(SEEDS, file_name), "wb") as file:
            file.write(data)
