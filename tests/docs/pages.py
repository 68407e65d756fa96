# SPDX-License-Identifier: Apache-2.0
"""What the pages of the documentation hold: blocks, commands and what they print, links and anchors.

A fenced block opens with a language and words that say where it runs; people who read the page do not see them:

    console              "$ " lines are commands ("> " goes on), the rest is what they print
    sh                   commands whose output is not shown
    ... server           runs in a terminal of its own, until the page's next such block
    ... lab              runs in tests/lab, which has API servers
    ... by=FILE          FILE, which is part of some test, runs it and names the page
    ... around=N         numbers of the output may be N more or less
    ... exit=N           the last command ends with N
    LANGUAGE file=PATH   is written to that file of the page's directory
    yaml config          is a configuration file, and a good one
    yaml part            a part of an object, shown for its own sake
"""

import dataclasses
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMANDS = ("console", "sh")
FLAGS = {"server", "lab", "config", "part"}
VALUES = {"by", "around", "exit", "file"}
FENCE = re.compile(r"^```([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What is another one with each run: times, dates, ids of messages, ports of the kernel's choice, the version.
VARIES = (
    (re.compile(r"\b\d{4}-\d\d-\d\dT[\d:.]+Z"), "DATE"),
    (re.compile(r"(?<![\w.])\d+(\.\d+)? ?(us|ms|s|m|h)\b"), "TIME"),
    (re.compile(r"\bid: \d+"), "id: N"),
    (re.compile(r"\bpintled \d+\.\d+\.\d+\S*?(?=[,\s]|$)"), "pintled VERSION"),
)
NUMBER = re.compile(r"(?<![\w.:-])\d+(?![\w.:-])")


@dataclasses.dataclass
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    flags: set
    values: dict
    text: str

    @property
    def where(self):
        return f"{self.page}:{self.line}"

    def commands(self):
        """(command, output) in order; output is None where none is shown."""
        if self.language == "sh":
            return [(self.text, None)]
        found, is_open = [], False
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append([line[2:], []])
            elif is_open or (found and line.startswith("> ") and not found[-1][1]):
                found[-1][0] += "\n" + line.removeprefix("> ")
            elif found:
                found[-1][1].append(line)
            else:
                raise ValueError(f"{self.where}: output before any command")
            is_open = found[-1][0].endswith("\\")
        return [(command, output) for command, output in found]


def names():
    """Every page of the documentation, as git knows or will know it."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
                            check=True, capture_output=True, text=True).stdout.split("\n")
    return [name for name in listed if name and (ROOT / name).is_file()]


def blocks(page):
    text = (ROOT / page).read_text()
    for found in FENCE.finditer(text):
        words = found.group(1).split()
        flags = {word for word in words[1:] if "=" not in word}
        values = dict(word.split("=", 1) for word in words[1:] if "=" in word)
        yield Block(page, text.count("\n", 0, found.start()) + 1, words[0] if words else "", flags, values,
                    found.group(2))


def faults(block):
    """What is wrong with how a block is marked; a block of commands that nothing runs is."""
    for word in sorted(block.flags - FLAGS) + sorted(set(block.values) - VALUES):
        yield f"{block.where}: unknown word '{word}' behind ```{block.language}"
    is_config_page = block.page in ("docs/configuration.md", "docs/guide.md")  # resolver_config_reference reads those
    if block.language == "yaml" and not (block.flags & {"config", "part"} or {"by", "file"} & set(block.values) or is_config_page):
        yield f"{block.where}: nothing reads this YAML: say file=PATH, by=FILE, config or part"
    is_unmarked = block.language in ("bash", "shell", "shell-session") or (
        block.language not in COMMANDS and re.search(r"^\$ ", block.text, re.MULTILINE))
    if is_unmarked:
        yield f"{block.where}: nothing runs these commands: say sh or console"
    if "by" in block.values:
        path = ROOT / block.values["by"]
        if not path.is_file() or block.page not in path.read_text():
            yield f"{block.where}: {block.values['by']} does not say that it runs this page"


def plain(text):
    """A line without what varies, and with single blanks."""
    for pattern, word in VARIES:
        text = pattern.sub(word, text)
    return " ".join(text.split())


def _line_fits(wanted, seen, around):
    if around:
        numbers = [[int(n) for n in NUMBER.findall(line)] for line in (wanted, seen)]
        if len(numbers[0]) != len(numbers[1]) or any(abs(a - b) > around for a, b in zip(*numbers)):
            return False
        wanted, seen = NUMBER.sub("N", wanted), NUMBER.sub("N", seen)
    parts = [re.escape(part) for part in re.split(r" ?\.{3,} ?", plain(wanted))]
    return re.fullmatch(".*".join(parts), plain(seen)) is not None


def fits(wanted, seen, around=0):
    """Whether lines are as the page shows them; `...` alone stands for any lines, within a line for any text."""
    wanted = [line for line in wanted if line.strip()]
    seen = [line for line in seen if line.strip()]
    if not wanted:
        return not seen
    if wanted[0].strip() == "...":
        return any(fits(wanted[1:], seen[i:], around) for i in range(len(seen) + 1)) if wanted[1:] else True
    return bool(seen) and _line_fits(wanted[0], seen[0], around) and fits(wanted[1:], seen[1:], around)


# -- links

LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)|<(?:img|source|a)\b[^>]*?(?:src|srcset|href)=\"([^\"]+)\"")


def anchors(page):
    """The anchors of a page's headings, made as GitHub makes them."""
    found = {}
    for heading in re.findall(r"^#+ +(.*?) *$", FENCE.sub("", (ROOT / page).read_text()), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        text = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found[text] = found.get(text, -1) + 1
    return {text if n == 0 else f"{text}-{n}" for text, last in found.items() for n in range(last + 1)}


def broken_links(page):
    text = FENCE.sub(lambda m: "\n" * m.group().count("\n"), (ROOT / page).read_text())
    text = re.sub(r"`[^`\n]*`", "", text)
    for found in LINK.finditer(text):
        link = found.group(1) or found.group(2)
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        where = f"{page}:{text.count(chr(10), 0, found.start()) + 1}"
        if not target.exists():
            yield f"{where}: {link} is not there"
        elif anchor and anchor not in anchors(target):
            yield f"{where}: {link}: no such heading"
