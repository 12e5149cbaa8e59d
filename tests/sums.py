"""What holds for every report: its parts add up, however they are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ipyflops.costs import CONVENTIONS
from ipyflops.counting import counter
from ipyflops.report import Report, report

#: The numbers that explanations have, too.
NUMBERS = ("flops", "macs", "int_ops", "bytes", "calls")
#: Larger reports are checked under their own convention alone.
SMALL = 300


def check(checked: Report) -> None:
    """The explanations, the rows and the tree give the same sums, under each convention."""
    small = len(checked.rows) <= SMALL
    for convention in CONVENTIONS if small else (checked.convention,):
        read = checked.under(convention)
        explained = read.explain()
        for name in NUMBERS:
            of_rows = getattr(read.totals, name)
            of_tree = getattr(read.tree.totals, name)
            of_explanations = sum(getattr(one, name) for one in explained)
            assert of_explanations == of_rows == of_tree, (
                f"{name} under {convention}: {of_explanations:,} explained, {of_rows:,} in the "
                f"rows, {of_tree:,} in the tree"
            )


@contextmanager
def all_checked() -> Iterator[None]:
    """Every report that is counted or merged in the block is checked."""
    build, merge = counter.build_report, report.merge

    def checked_build(*args: object, **named: object) -> Report:
        built = build(*args, **named)  # type: ignore[arg-type]
        check(built)
        return built

    def checked_merge(reports: list[Report]) -> Report:
        merged = merge(reports)
        check(merged)
        return merged

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter, "build_report", checked_build)
        patch.setattr(report, "merge", checked_merge)
        yield
