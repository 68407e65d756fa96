#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What pages.py takes for the same output, a good mark and a good link; a player that finds nothing wrong proves nothing."""

import pathlib
import sys
import tempfile

import pages
import play

# what the page shows, what came, numbers that may be off by, whether that fits
OUTPUTS = (
    ("the same lines", "a\nb", "a\nb", 0, True),
    ("another line", "a", "b", 0, False),
    ("a line too many", "a", "a\nb", 0, False),
    ("a line too few", "a\nb", "a", 0, False),
    ("columns that are wider", "a   b", " a b", 0, True),
    ("empty lines count for nothing", "a\n\nb", "a\nb", 0, True),
    ("nothing was to come, and something did", "", "a", 0, False),
    ("... alone stands for any lines", "a\n...\nd", "a\nb\nc\nd", 0, True),
    ("... alone stands for no line, too", "a\n...", "a", 0, True),
    ("... alone does not eat what must follow", "...\nd", "a\nb", 0, False),
    ("... within a line stands for any text", "x ... z", "x y z", 0, True),
    ("... within a line keeps the rest of it", "x ... z", "x y w", 0, False),
    ("... at the end of an address", "10.20....", "10.20.1.3", 0, True),
    ("letters of a pattern are no pattern", "a.c", "abc", 0, False),
    ("a time may be another one", "up 3 s", "up 14.5 s", 0, True),
    ("a date may be another one", "at 2026-01-01T00:00:00Z", "at 2027-11-22T09:01:02.345Z", 0, True),
    ("the id of a message may be another one", "id: 7", "id: 60000", 0, True),
    ("an address is no number that varies", "10.1.1.1", "10.1.1.2", 1, False),
    ("a count within its bounds", "27 x", "28 x", 1, True),
    ("a count out of its bounds", "27 x", "29 x", 1, False),
    ("a count where none may vary", "27 x", "28 x", 0, False),
)
# a block's first line, and what is wrong with it
MARKS = (
    ("a command that runs here", "```console", None),
    ("a word that means nothing", "```console sometimes", "unknown word"),
    ("a value that means nothing", "```sh by-hand=1", "unknown word"),
    ("commands by another name", "```bash", "nothing runs these"),
    ("commands without a name", "```\n$ true", "nothing runs these"),
    ("YAML that nothing reads", "```yaml", "nothing reads this YAML"),
    ("YAML that is a configuration", "```yaml config", None),
    ("a command that a test is said to run, and the test knows nothing of it", "```sh by=tests/lint.py", "does not say"),
    ("a command that no such test runs", "```sh by=tests/none.py", "does not say"),
)
LINKS = (
    ("a file that is there", "[x](README.md)", 0),
    ("a file that is not there", "[x](none.md)", 1),
    ("a heading that is there", "[x](README.md#try-it)", 0),
    ("a heading that is not there", "[x](README.md#no-such)", 1),
    ("a heading of the page itself", "# Here it is\n[x](#here-it-is)", 0),
    ("a picture that is not there", '<img src="none.svg">', 1),
    ("another site", "[x](https://example.com/none)", 0),
    ("what only looks like one", "`[x](none.md)`", 0),
)


def check(what, is_good):
    print(f"{'ok     ' if is_good else 'not ok '} {what}")
    return 0 if is_good else 1


def with_page(text, look):
    """look(its path) of a page with this text, which stands beside the README."""
    with tempfile.TemporaryDirectory() as dir:
        page = pathlib.Path(dir) / "page.md"
        page.write_text(text)
        (pathlib.Path(dir) / "README.md").write_text((pages.ROOT / "README.md").read_text())
        return look(str(page))


def played(text, programs):
    """What a page's blocks come to."""
    seen = []
    with tempfile.TemporaryDirectory() as dir:
        player = play.Player(dir, programs, lambda what, is_good, detail="": seen.append(is_good))
        try:
            with_page(text, player.play)
        finally:
            player.done()
    return seen


def main():
    n_failed = 0
    for what, wanted, seen, around, fits in OUTPUTS:
        n_failed += check(f"output: {what}", pages.fits(wanted.splitlines(), seen.splitlines(), around) == fits)
    for what, fence, fault in MARKS:
        found = with_page(f"{fence}\nx\n```\n", lambda page: [f for b in pages.blocks(page) for f in pages.faults(b)])
        n_failed += check(f"mark: {what}", len(found) == (fault is not None) and all(fault in f for f in found))
    for what, text, n in LINKS:
        n_failed += check(f"link: {what}", with_page(text, lambda page: len(list(pages.broken_links(page)))) == n)
    with tempfile.TemporaryDirectory() as programs:
        n_failed += check("a page: files, variables and the directory last from block to block", played(
            "```txt file=d/f\nhello\n```\n```sh\ncd d; x=$(cat f)\n```\n```console\n$ echo $x\nhello\n$ ls \\\n-1\nf\n```\n",
            programs) == [True, True, True])
        n_failed += check("a page: another output, another exit code and a lost shell are told", played(
            "```console\n$ echo a\nb\n$ false\n$ exit 0\n```\n", programs) == [False, False, False])
        n_failed += check("a page: an exit code that is shown", played("```sh exit=3\n(exit 3)\n```\n", programs) == [True])
        n_failed += check("a page: blocks of the lab are left to it", played("```sh lab\nfalse\n```\n", programs) == [])
    print(f"{'FAILED' if n_failed else 'passed'}, {n_failed} failed")
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
