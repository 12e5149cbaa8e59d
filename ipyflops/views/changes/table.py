"""What two reports differ in as a data frame, and as a small table for a paper or an issue."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from ipyflops.costs.metrics import Totals
from ipyflops.units import scaled
from ipyflops.views.changes.rows import ChangeRow, changes, ratio, signed
from ipyflops.views.documents.frame import import_pandas
from ipyflops.views.documents.plain_table import PlainRow, PlainTable, column
from ipyflops.views.documents.report_table import MOST_ROWS, NAME_LENGTH, Prefix
from ipyflops.views.rows.visible import shortened

if TYPE_CHECKING:
    from pandas import DataFrame

    from ipyflops.report.report import Difference

NUMBERS = ("flops", "macs", "int_ops", "bytes", "seconds")
_NOTHING = Totals()


def to_frame(difference: Difference) -> DataFrame:
    """Give a row for each place of either tree; see `Difference.to_frame`."""
    pandas = import_pandas("Difference.to_frame")
    records = []
    for change in difference.changes:
        record: dict[str, object] = {
            "path": change.path,
            "type": change.type,
            "kind": change.kind,
            "status": change.status,
        }
        before, after = change.before or _NOTHING, change.after or _NOTHING
        for name in NUMBERS:
            old, new = getattr(before, name), getattr(after, name)
            record[f"{name}_before"], record[f"{name}_after"] = old, new
            record[f"{name}_difference"] = new - old
            record[f"{name}_ratio"] = new / old if old else float("nan")
        records.append(record)
    frame: DataFrame = pandas.DataFrame.from_records(records)
    return frame


def changes_table(difference: Difference, *, depth: int = 1, prefix: str = "column") -> PlainTable:
    """Choose the rows that changed; the last is the total.

    Parameters
    ----------
    difference : Difference
    depth : int
        How many levels are shown inside the whole.
    prefix : {"column", "cell"}
        Whether a column has one SI prefix, in its title, or each number has its own.

    Returns
    -------
    PlainTable

    Raises
    ------
    ValueError
        If there is no such prefix, or the depth is less than 1.
    """
    if depth < 1:
        raise ValueError(f"a table needs a depth of 1 or more, not {depth}")
    if prefix not in get_args(Prefix):
        raise ValueError(f"there is no prefix {prefix!r}; choose one of column, cell")
    found = changes(difference, MOST_ROWS, depth=depth + 1, whole_levels=False).rows
    inside = [row for row in found if row.level or row.kind != "root"]
    if found and found[0].kind == "root":
        inside = [row for row in found[1:] if row.level <= depth]
    least = min((row.level for row in inside), default=0)
    typed = any(row.type for row in inside)
    whole = (difference.before.flops, difference.after.flops)
    counts = [*((row.before.flops, row.after.flops) for row in inside), whole]
    titles, numbers = _numbers(inside, counts, prefix)
    factors = [*(row.ratio_text for row in inside), _factor(*whole)]
    rows = [
        PlainRow((*_texts(row, typed), *cells, factor), row.level - least)
        for row, cells, factor in zip(inside, numbers, factors, strict=False)
    ]
    total = ("total", *([""] if typed else []), *numbers[-1], factors[-1])
    return PlainTable(
        titles=("module", *(["type"] if typed else []), *titles, "ratio"),
        rows=(*rows, PlainRow(total, total=bool(rows))),
        texts=2 if typed else 1,
    )


def _texts(row: ChangeRow, typed: bool) -> list[str]:
    name = f"{row.name} ×{row.repeats:,}" if row.repeats > 1 else row.name
    return [shortened(one, NAME_LENGTH) for one in ((name, row.type) if typed else (name,))]


def _numbers(
    rows: list[ChangeRow], counts: list[tuple[int, int]], prefix: str
) -> tuple[list[str], list[tuple[str, str, str]]]:
    """The titles and the cells of before, after and difference, under one prefix for all three."""
    olds: list[int | None] = [old for old, _ in counts]
    news: list[int | None] = [new for _, new in counts]
    for index, row in enumerate(rows):
        if row.status == "added":
            olds[index] = None
        if row.status == "removed":
            news[index] = None
    differences = [new - old for old, new in counts]
    if prefix == "cell":
        cells = [
            ("" if old is None else scaled(old), "" if new is None else scaled(new), signed(more))
            for old, new, more in zip(olds, news, differences, strict=True)
        ]
        return ["FLOPs before", "after", "difference"], cells
    title, texts = column([*olds, *news, *differences], "FLOPs", "FLOPs")
    size = len(counts)
    more = [
        f"+{text}" if difference > 0 else text
        for text, difference in zip(texts[2 * size :], differences, strict=True)
    ]
    cells = list(zip(texts[:size], texts[size : 2 * size], more, strict=True))
    return [f"{title} before", "after", "difference"], cells


def _factor(before: int, after: int) -> str:
    return ratio(after / before) if before else ""
