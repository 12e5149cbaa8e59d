"""The columns of numbers of the text tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ipyflops.views.rows import columns as rows
from ipyflops.views.text.tables import Column, bar, cut_middle

#: A terminal this wide has room for longer bars.
WIDE = 100
BAR, LONG_BAR = 6, 12
#: Longer texts, as of several shapes, are cut in the middle.
LONGEST = 28
#: When there is no room, the column with the lowest goes first.
IMPORTANCE = {
    "flops": 9,
    "int_ops": 8,
    "share": 7,
    "replicated_share": 6,
    "utilization": 6,
    "mfu": 6,
    "hfu": 5,
    "seconds": 4,
    "flops_per_second": 3,
    "communicated": 3,
    "saved_bytes": 6,
    "peak_bytes": 5,
    "parameters": 1,
    "flops_per_call": 0,
}
BAR_IMPORTANCE, USUAL_IMPORTANCE = 5, 2


def number_columns(
    shown: Sequence[rows.Column],
    width: int,
    *,
    heat: bool = False,
    importance: Mapping[str, int] = IMPORTANCE,
    asked: Sequence[str] = (),
) -> list[Column]:
    """Write columns; the share of the FLOPs as a bar as well.

    Parameters
    ----------
    shown : sequence of ipyflops.views.rows.columns.Column
    width : int
        Of the table.
    heat : bool
        Whether the colour of a bar says how large the share is.
    importance : mapping of str to int
        By the key of the metric.
    asked : sequence of str
        The keys of those that were asked for: they stay as long as the FLOPs.
    """
    importance = {**importance, **dict.fromkeys(asked, IMPORTANCE["flops"])}
    columns = []
    for column in shown:
        key, title = column.metric.key, column.metric.title
        if key == "share":
            columns.append(_bars(title, column.values, width, heat=heat))
            columns.append(Column("", column.texts, importance[key], gap=1))
        else:
            texts = [cut_middle(text, LONGEST) for text in column.texts]
            columns.append(Column(title, texts, importance.get(key, USUAL_IMPORTANCE)))
    return columns


def _bars(title: str, values: Sequence[float | str | None], width: int, *, heat: bool) -> Column:
    shares = [float(value or 0.0) for value in values]
    length = LONG_BAR if width >= WIDE else BAR
    bars = [bar(share, length) for share in shares]
    styles = [_heat(share) if heat else "blue" for share in shares]
    return Column(title, bars, BAR_IMPORTANCE, right=False, styles=styles)


def _heat(share: float) -> str:
    if share >= 0.5:
        return "red"
    return "yellow" if share >= 0.1 else "green"
