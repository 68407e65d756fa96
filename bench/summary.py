# SPDX-License-Identifier: Apache-2.0
"""What a whole run comes to: one table as docs/guide.md has it, and whether each target holds."""

COLUMNS = ("floor", "gdnsd", "knot", "nsd", "bind", "powerdns", "recursor", "unbound", "dnsdist",
           "coredns", "pintle")


def ratio_rows(results):
    """{row: {server's name: result}} of the rows that compare servers."""
    rows = {}
    for one in results:
        if "ns_per_query" in one and "rounds" in one and "title" in one:
            rows.setdefault(one["row"], {})[one["name"]] = one
    return rows


def cell(one):
    """A ratio; beside the base's its nanoseconds."""
    if one is None:
        return "-"
    if one["name"] == "floor":
        return f"1.00 ({one['ns_per_query']:.0f} ns)"
    text = f"{one['ratio']:.2f}" if one["ratio"] < 9.95 else f"{one['ratio']:.1f}"
    return f"**{text}**" if one["name"] == "pintle" else text


def print_table(rows):
    """The table in Markdown."""
    labels = {one["name"]: one["server"] for found in rows.values() for one in found.values()}
    names = [name for name in COLUMNS if name in labels]
    print("\n| row | " + " | ".join(labels[name] for name in names) + " | target |")
    print("|---" * (len(names) + 2) + "|")
    for row, found in rows.items():
        target = found["pintle"]["target"] if "pintle" in found else ""
        print(f"| `{row}` | " + " | ".join(cell(found.get(name)) for name in names)
              + f" | {target} |")


def verdicts(results):
    """(what, how it came out) of everything of Pintle's that has a target in numbers."""
    for one in results:
        if one.get("name") != "pintle" or "ratio" not in one:
            continue
        limit = {"flat": 1.5}.get(one["target"]) or float(one["target"].replace("<= ", "") or 0)
        if limit:
            size = one.get("names") or one.get("endpoints")
            what = one["row"] + (f", {size}" if size else "")
            yield what, one["ratio"], limit


def show(results):
    """Prints both."""
    rows = ratio_rows(results)
    if rows:
        print_table(rows)
    lines = list(verdicts(results))
    if lines:
        print("\ntargets")
    for what, ratio, limit in lines:
        print(f"  {'holds ' if ratio <= limit else 'MISSED'} {what}: {ratio:.2f}, at most {limit:g}")
