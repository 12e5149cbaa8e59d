"""The bar chart as a pane of a page has room for it: names, bars and numbers side by side.

What a page's font takes is not known here, so the room for texts is worked out by `text_width`, and
bars have what is left: always at least `LEAST` of the width.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ipyflops.costs import Metric
from ipyflops.units import percent
from ipyflops.views.charts.axes import Look, say
from ipyflops.views.charts.bars import note, phases_of, stack
from ipyflops.views.charts.page_canvas import DPI, INK, page_figure, page_svg
from ipyflops.views.rows.bars import COLORS, Bar, largest, shown_parts, whole_of
from ipyflops.views.rows.text_width import fitted, width_of

#: The longest bar's part of the width.
LEAST = 0.42
#: So many bars where the height is not known, and at most where it is.
USUAL_BARS, MOST_BARS = 14, 40
#: In pixels: sizes of texts, the height of a row, and the room between texts and bars.
SIZE, NOTE_SIZE, ROW, LEAST_ROW, GAP = 12.0, 11.0, 20, 16, 6
#: What the name of a bar ends with that is shown shorter than it is.
CUT = " (cut)"
LOOK = Look(INK, SIZE * 72 / DPI)
#: What a colour means, and the colour.
Key: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart and what it says, for those who do not see it.

    Attributes
    ----------
    svg : str
    head : tuple of str
        The titles of the columns of `rows`.
    rows : tuple of tuple of str
    """

    svg: str
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def answer(self) -> dict[str, Any]:
        """What the browser gets of it."""
        return {"svg": self.svg, "head": self.head, "rows": self.rows}


def page_bars(
    bars: Sequence[Bar], title: str, tail: str, *, metric: Metric, width: int, height: int = 0
) -> Picture:
    """Draw bars for a pane of a page.

    Parameters
    ----------
    bars : sequence of Bar
        Those that there is no room for, the smallest, are one.
    title, tail : str
        What it is of, which is cut in the middle where it is too long, and what is said after it.
    metric : Metric
    width, height : int
        Of the pane, in pixels; it may be as high as it takes where `height` is 0.
    """
    ran = bool(bars)
    phases = phases_of(bars, metric)
    keys = [(phase, COLORS[phase]) for phase in phases] if len(phases) > 1 else []
    legend = legend_lines(keys, width)
    bottom = ROW * len(legend)
    room = height - ROW - bottom if height else ROW * USUAL_BARS
    most = max(room // LEAST_ROW, 4) if height else USUAL_BARS
    bars = largest(bars, metric.key, min(most, MOST_BARS))
    whole = whole_of(bars, metric)
    notes = [note(metric, one.length(metric.key), whole) for one in bars]
    row = min(max(room // max(len(bars), 1), LEAST_ROW), ROW)
    tall = ROW + row * max(len(bars), 2) + bottom
    figure = page_figure(width, tall)
    tail = " · ".join(filter(None, (metric.long(whole), tail)))
    write_title(figure, title, tail, width)
    axes = plain_axes(figure)
    if bars:
        names = _draw(axes, bars, notes, metric, width)
    else:
        axes.set_axis_off()
        say(axes, f"no {metric.name}" if ran else "no operator ran", LOOK)
        names = 0.0
    put(figure, axes, names, bottom)
    write_legend(figure, legend)
    rows = tuple(
        (one.full_label, metric.long(one.length(metric.key)), _share(one, metric, whole))
        for one in bars
    )
    return Picture(page_svg(figure), ("name", metric.name, "share"), rows)


def plain_axes(figure: Figure) -> Axes:
    """Give axes that have nothing but names on the left."""
    axes = figure.add_subplot()
    LOOK.dress(axes)
    axes.xaxis.set_visible(False)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    return axes


def put(figure: Figure, axes: Axes, names: float, bottom: float) -> None:
    """Give axes the room that names, the title, and a legend of so many pixels leave."""
    width, tall = (DPI * inches for inches in figure.get_size_inches())
    axes.set_position(
        (names / width, bottom / tall, 1 - names / width, (tall - ROW - bottom) / tall)
    )


def _share(one: Bar, metric: Metric, whole: float) -> str:
    return percent(one.length(metric.key) / whole) if whole else ""


def _draw(
    axes: Axes, bars: Sequence[Bar], notes: Sequence[str], metric: Metric, width: int
) -> float:
    """Draw the bars with their names and numbers; gives the room that the names take."""
    room = room_of_names(notes, width)
    shown = shown_parts(bars, metric.key)
    labels = [
        _label(one, room / SIZE) if part == 1 else _cut_label(one, room / SIZE)
        for one, part in zip(bars, shown, strict=True)
    ]
    ends = stack(axes, bars, shown, metric)
    return write_rows(axes, labels, ends, notes, width)


def room_of_names(notes: Sequence[str], width: int) -> float:
    """Give the pixels that names may take: the longest bar has its part before they have theirs."""
    return width - LEAST * width - max(_taken(notes)) - GAP - 2


def _taken(notes: Sequence[str]) -> list[float]:
    return [NOTE_SIZE * width_of(text) + 2 * GAP for text in notes]


def write_rows(
    axes: Axes, labels: Sequence[str], ends: Sequence[float], notes: Sequence[str], width: int
) -> float:
    """Write a name before each bar and a note after it; gives the room that the names take.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
    labels : sequence of str
        No wider than `room_of_names`.
    ends : sequence of float
        Where each bar ends.
    notes : sequence of str
    width : int
        Of the pane, in pixels.
    """
    names = max(SIZE * width_of(label) for label in labels) + GAP + 2
    axes.set_yticks(range(len(labels)), labels=labels, parse_math=False, **LOOK.text("medium"))
    axes.tick_params(axis="y", length=0, pad=GAP * 72 / DPI)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    # So wide that no number leaves the pane.
    taken = _taken(notes)
    pixel = max(end / (width - names - one) for end, one in zip(ends, taken, strict=True))
    axes.set_xlim(0, pixel * (width - names) or 1)
    for row, (end, text) in enumerate(zip(ends, notes, strict=True)):
        axes.text(
            end + GAP * pixel,
            row,
            text,
            va="center_baseline",
            color=INK,
            fontsize=NOTE_SIZE * 72 / DPI,
        )
    return names


def _label(one: Bar, room: float) -> str:
    """The name with its type, without it, or cut in the middle: whatever there is room for."""
    typed = f"{one.label} {one.type}" if one.type else one.label
    return typed if width_of(typed) <= room else fitted(one.label, room)


def _cut_label(one: Bar, room: float) -> str:
    """The name of a bar that is shown shorter than it is, which it says if there is room for it."""
    # How many it stands for is worth more; that it is cut is seen by its paler colour, too.
    fits = width_of(one.label) <= room - width_of(CUT)
    return f"{one.label}{CUT}" if fits else fitted(one.label, room)


def write_title(figure: Figure, title: str, tail: str, width: int) -> None:
    """Write what the chart is of, which is cut in the middle where it is too long, and its tail."""
    room = (width - GAP) / SIZE
    if not title:
        text = fitted(tail, room)
    else:
        left = room - width_of(f" · {tail}")
        # Where there is no room for both, the number is what one came for.
        text = f"{fitted(title, left)} · {tail}" if left > 4 else fitted(tail, room)
    y = 1 - 0.5 * ROW / (DPI * figure.get_figheight())
    figure.text(0, y, text, va="center_baseline", parse_math=False, **LOOK.text("medium"))


def legend_lines(keys: Iterable[Key], width: int) -> list[list[tuple[float, Key]]]:
    """Where each key of a legend stands, in as many lines as it takes."""
    lines: list[list[tuple[float, Key]]] = []
    x = float(width)
    for key in keys:
        taken = 2 * SIZE + NOTE_SIZE * width_of(key[0]) + 2 * GAP
        if x + taken > width:
            lines.append([])
            x = 0.0
        lines[-1].append((x, key))
        x += taken
    return lines


def write_legend(figure: Figure, lines: Sequence[Sequence[tuple[float, Key]]]) -> None:
    """Write a legend below the bars."""
    width, height = (DPI * inches for inches in figure.get_size_inches())
    for number, line in enumerate(lines):
        y = ROW * (len(lines) - number - 0.5)
        for x, (name, color) in line:
            place = (x / width, (y - SIZE / 2) / height)
            key = Rectangle(place, SIZE / width, SIZE / height, color=color, lw=0)
            key.set_transform(figure.transFigure)
            figure.add_artist(key)
            named = (x + SIZE + GAP) / width
            size = NOTE_SIZE * 72 / DPI
            figure.text(named, y / height, name, va="center_baseline", color=INK, fontsize=size)
