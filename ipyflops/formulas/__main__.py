"""``python -m ipyflops.formulas``: the verdict on every operator of the installed torch."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

import torch

from ipyflops.formulas.catalogue import Entry, catalogue


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; give 1 if an operator has no verdict, else 0."""
    parser = argparse.ArgumentParser(
        prog="python -m ipyflops.formulas",
        description="What every operator of the installed torch costs.",
    )
    parser.add_argument(
        "name", nargs="?", default="", help="only operators whose names contain this"
    )
    parser.add_argument("--unknown", action="store_true", help="only those without a verdict")
    parser.add_argument("--markdown", action="store_true", help="as a Markdown table")
    options = parser.parse_args(arguments)
    entries = [
        entry
        for entry in catalogue()
        if options.name in entry.operator and (entry.verdict == "unknown" or not options.unknown)
    ]
    lines = _markdown(entries) if options.markdown else _plain(entries)
    try:
        print("\n".join(lines))
    except BrokenPipeError:  # as when the table is piped into `head`
        sys.stderr.close()
        return 0
    return 1 if any(entry.verdict == "unknown" for entry in entries) else 0


def _plain(entries: Sequence[Entry]) -> list[str]:
    width = max((len(entry.operator) for entry in entries), default=0)
    lines = [
        f"{entry.operator:{width}}  {entry.verdict:9}  {entry.family:22}  {entry.cost}".rstrip()
        for entry in entries
    ]
    counts = Counter(entry.verdict for entry in entries)
    summary = ", ".join(f"{number:,} {verdict}" for verdict, number in sorted(counts.items()))
    return [*lines, "", f"{len(entries):,} operators: {summary or 'none'}"]


def _markdown(entries: Sequence[Entry]) -> list[str]:
    rows = [
        f"| `{entry.operator}` | {entry.verdict} | {entry.family} | {_escaped(entry.cost)} |"
        for entry in entries
    ]
    return [
        "# What every operator costs",
        "",
        f"Made by `python -m ipyflops.formulas --markdown` with PyTorch {_release()}. `composite`",
        "operators are sequences of others, and counted as those.",
        "",
        "| operator | verdict | family | cost |",
        "| --- | --- | --- | --- |",
        *rows,
    ]


def _release() -> str:
    """The version of torch without what tells one build from another."""
    return str(torch.__version__).partition("+")[0]


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
