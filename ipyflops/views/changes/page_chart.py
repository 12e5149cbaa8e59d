"""The chart of a difference as a pane of a page has room for it; see `charts/page_bars.py`."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes

from ipyflops.costs import Metric
from ipyflops.report import Change, Difference
from ipyflops.views.changes.chart import note
from ipyflops.views.changes.pairs import AFTER, BEFORE, Pair, pairs
from ipyflops.views.charts.axes import say
from ipyflops.views.charts.page_bars import (
    LOOK,
    ROW,
    SIZE,
    Picture,
    legend_lines,
    plain_axes,
    put,
    room_of_names,
    write_legend,
    write_rows,
    write_title,
)
from ipyflops.views.charts.page_canvas import page_figure, page_svg
from ipyflops.views.rows.text_width import fitted
from ipyflops.views.rows.visible import visible

#: So many pairs where the height is not known, and at most where it is.
USUAL_PAIRS, MOST_PAIRS = 10, 30
#: The least height of a pair, in pixels, and the height of a bar as a part of it.
LEAST_ROW, THICKNESS = 18, 0.36
#: From this width on there is room for the ratios.
WIDE = 400
_KEYS = (("before", BEFORE), ("after", AFTER))


def page_pairs(
    difference: Difference, places: Sequence[Change], *, metric: Metric, width: int, height: int = 0
) -> Picture:
    """Draw before and after as a pair of bars for what changed inside of places.

    Parameters
    ----------
    difference : Difference
    places : sequence of Change
        Places that are alike, whose sum is drawn.
    metric : Metric
    width, height : int
        Of the pane, in pixels; it may be as high as it takes where `height` is 0.
    """
    legend = legend_lines(_KEYS, width)
    bottom = ROW * len(legend)
    room = height - ROW - bottom if height else (ROW + 4) * USUAL_PAIRS
    most = min(max(room // LEAST_ROW, 4), MOST_PAIRS)
    drawn = pairs(difference, most, metric, places)
    row = min(max(room // max(len(drawn), 1), LEAST_ROW), ROW + 8)
    figure = page_figure(width, ROW + row * max(len(drawn), 2) + bottom)
    path = visible(places[0].path)
    title = f"{path} ×{len(places):,}" if len(places) > 1 else path
    write_title(figure, title, f"change of {metric.name}", width)
    axes = plain_axes(figure)
    names = 0.0
    if drawn:
        names = _draw(axes, drawn, metric, width)
        write_legend(figure, legend)
    else:
        axes.set_axis_off()
        say(axes, "nothing changed", LOOK)
    put(figure, axes, names, bottom)
    rows = tuple(
        (pair.label, *(metric.long(metric.value(one)) for one in (pair.before, pair.after)))
        for pair in drawn
    )
    return Picture(page_svg(figure), ("name", "before", "after"), rows)


def _draw(axes: Axes, drawn: Sequence[Pair], metric: Metric, width: int) -> float:
    """Draw the pairs with their names and changes; gives the room that the names take."""
    values = [(metric.value(pair.before), metric.value(pair.after)) for pair in drawn]
    notes = [note(pair, *both, metric) for pair, both in zip(drawn, values, strict=True)]
    if width < WIDE:
        # The names need the room, and the table has the ratios.
        notes = [text.partition("  ")[0] for text in notes]
    room = room_of_names(notes, width)
    labels = [fitted(label, room / SIZE) for label in _labels(drawn)]
    for which, (name, color) in enumerate(_KEYS):
        shift = (which - 0.5) * THICKNESS
        axes.barh(
            [position + shift for position in range(len(drawn))],
            [both[which] for both in values],
            height=THICKNESS,
            color=color,
            label=name,
        )
    return write_rows(axes, labels, [max(both) for both in values], notes, width)


def _labels(drawn: Sequence[Pair]) -> list[str]:
    """The names of the places; a module that all others are in says nothing new."""
    outer = {pair.label.partition(".")[0] for pair in drawn if "." in pair.label}
    skipped = f"{outer.pop()}." if len(outer) == 1 else "."
    return [pair.label.removeprefix(skipped) for pair in drawn]
