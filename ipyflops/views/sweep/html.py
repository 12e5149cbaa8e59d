"""A sweep as HTML: the growth of each module, and the grid behind it."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Growth, Sweep, VariableGrowth
from ipyflops.units import scaled
from ipyflops.views.html.parts import (
    BLANK,
    TOOLTIP_LENGTH,
    Html,
    Title,
    cell,
    fragment,
    joined,
    note,
    table,
    table_row,
    tag,
    text,
)
from ipyflops.views.rows.headline import CONVENTIONS
from ipyflops.views.rows.visible import shortened
from ipyflops.views.sweep.grid import grid
from ipyflops.views.sweep.rows import ShownSweep, SweepRow, formula, growth_text, shown

MAX_ROWS = 60
#: The class of a growth's name: what grows faster than its variable catches the eye.
_TONES = {"constant": "f-dim", "linear": "f-linear", "quadratic": "f-quadratic"}


def to_html(sweep: Sweep, *, depth: int | None = None) -> Html:
    """Write a sweep as an HTML fragment, without scripts.

    Parameters
    ----------
    sweep : Sweep
    depth : int, optional
        How many levels of modules to show; as many as fit in 60 rows where it is left out.

    Returns
    -------
    str
    """
    said = shown(sweep, most=MAX_ROWS, depth=depth)
    definition = shortened(CONVENTIONS[sweep.convention], TOOLTIP_LENGTH)
    convention = tag("span", text(f"[{sweep.convention}]"), class_="f-dim", title=definition)
    headline = tag("strong", text(said.headline, 2000))
    line = joined([headline, text(" "), BLANK, text(" "), convention])
    parts = [
        tag("p", line, class_="f-headline"),
        tag("p", text(said.growth, 1000)),
        *([tag("p", text(said.peak, 1000))] if said.peak else []),
        tag("p", text(said.points, 1000), class_="f-dim"),
        tag("div", _table(said), class_="f-scroll"),
        *(_points(sweep) if said.peak else []),
        *map(note, said.notes),
    ]
    return fragment(parts)


def _table(said: ShownSweep) -> Html:
    peak, formula_of_peak = (
        ([Title("peak from"), Title("to")], [Title("peak =", left=True)]) if said.peak else ([], [])
    )
    titles = [
        Title("module", left=True),
        Title("FLOPs from"),
        Title("to"),
        *peak,
        *(Title(f"in {name}", left=True) for name in said.varied.values()),
        Title("FLOPs =", left=True),
        *formula_of_peak,
    ]
    return table(titles, (_row(row, list(said.varied), bool(said.peak)) for row in said.rows))


def _row(row: SweepRow, varied: Sequence[int], with_peak: bool) -> Html:
    growths = [row.growth, *([row.peak_growth] if with_peak else [])]
    return table_row(
        [
            cell(_name(row), left=True, tip=row.path),
            *_from_to(row.counts, "FLOPs"),
            *(_from_to(row.peaks, "B") if with_peak else []),
            *(_growth(row.growth.by_variable[place]) for place in varied),
            *map(_formula, growths),
        ]
    )


def _from_to(counts: Sequence[int], unit: str) -> list[Html]:
    """The cells of the least and the most; empty ones where it is not known."""
    if not counts:
        return [cell(), cell()]
    written = "B" if unit == "B" else ""
    return [cell(text(scaled(n, written)), tip=f"{n:,} {unit}") for n in (min(counts), max(counts))]


def _formula(growth: Growth | None) -> Html:
    if growth is None:
        return cell()
    full = shortened(formula(growth, short=False), 1000)
    return cell(text(formula(growth), 400), left=True, tip=full)


def _points(sweep: Sweep) -> list[Html]:
    """The points and what each takes at its peak."""
    title = tag("p", text("The peak at each point"), class_="f-dim")
    return [title, tag("div", _grid(sweep), class_="f-scroll")]


def _grid(sweep: Sweep) -> Html:
    titles, points = grid(sweep, MAX_ROWS)
    *numbers, last = titles
    heads = [*map(Title, numbers), Title(last, left=True)]
    rows = (
        table_row([*(cell(text(one)) for one in numbers), cell(text(kind), left=True)])
        for *numbers, kind in points
    )
    return table(heads, rows)


def _name(row: SweepRow) -> Html:
    name = text(row.full_name)
    # Blanks that no page collapses show the levels.
    pieces = [BLANK] * (4 * row.level) + [tag("em", name) if row.is_remark else name]
    if row.type:
        shown = text(row.type, 60)
        shown = tag("code", shown) if row.kind == "code" else shown
        pieces += [text(" "), tag("span", shown, class_="f-type")]
    return joined(pieces)


def _growth(one: VariableGrowth) -> Html:
    tone = _TONES.get(one.name, "f-fast")
    return cell(tag("span", text(growth_text(one)), class_=tone), left=True)
