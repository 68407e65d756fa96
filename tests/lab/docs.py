# SPDX-License-Identifier: Apache-2.0
"""The blocks of the documentation that need API servers (```sh lab, ```console lab), page after page."""

import pathlib
import shlex
import sys

import lab
import pintle

sys.path.insert(0, str(lab.ROOT / "tests" / "docs"))
import pages  # noqa: E402: pylint: disable=wrong-import-position
import play  # noqa: E402: pylint: disable=wrong-import-position


def story_docs(stage):
    wanted = [page for page in pages.names() if any("lab" in block.flags for block in pages.blocks(page))]
    stage.checks.check("some pages have blocks for the lab", wanted)
    for n, page in enumerate(wanted):
        dir = stage.dir / f"docs-{n}"
        programs, work = dir / "programs", dir / "work"
        programs.mkdir(parents=True)
        work.mkdir()
        for name, path in (("pintled", pintle.PINTLED), ("pintlectl", pintle.PINTLECTL)):
            (programs / name).symlink_to(pathlib.Path(path).resolve())
        argv, env = stage.lab.kubectl_argv()
        (programs / "kubectl").write_text(f'#!/bin/sh\nexec {shlex.join(argv)} "$@"\n')
        (programs / "kubectl").chmod(0o755)
        for name in ("tests", "deploy"):  # where a page names files of the tree
            (work / name).symlink_to(lab.ROOT / name)
        player = play.Player(work, programs, stage.checks.check,
                             {key: env[key] for key in ("KUBECONFIG", "KUBECACHEDIR", "KUBERC")})
        try:
            player.play(page, "lab")
        finally:
            player.done()
