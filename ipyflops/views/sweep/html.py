"""A sweep as HTML: the growth of each module, and the grid behind it."""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.report import Sweep, VariableGrowth
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
from ipyflops.views.rows.visible import shortened, visible
from ipyflops.views.sweep.rows import (
    SweepRow,
    formula,
    growth_text,
    headline,
    points_text,
    remarks,
    sweep_rows,
)

ROWS = 60
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
    growth = sweep.growth()
    definition = shortened(CONVENTIONS[sweep.convention], TOOLTIP_LENGTH)
    convention = tag("span", text(f"[{sweep.convention}]"), class_="f-dim", title=definition)
    said = tag("strong", text(headline(sweep), 2000))
    line = joined([said, text(" "), BLANK, text(" "), convention])
    rows = sweep_rows(sweep, most=ROWS, depth=depth)
    parts = [
        tag("p", line, class_="f-headline"),
        tag("p", text(visible(growth.name), 1000)),
        tag("p", text(visible(points_text(sweep)), 1000), class_="f-dim"),
        tag("div", _table(sweep, rows), class_="f-scroll"),
        *(note(visible(one)) for one in remarks(sweep)),
    ]
    return fragment(parts)


def _table(sweep: Sweep, rows: Sequence[SweepRow]) -> Html:
    varied = {
        place: visible(variable.name)
        for place, variable in enumerate(sweep.variables)
        if len(variable.values) > 1
    }
    titles = [
        Title("module", left=True),
        Title("FLOPs from"),
        Title("to"),
        *(Title(f"in {name}", left=True) for name in varied.values()),
        Title("FLOPs =", left=True),
    ]
    return table(titles, (_row(row, list(varied)) for row in rows))


def _row(row: SweepRow, varied: Sequence[int]) -> Html:
    full = shortened(formula(row.growth, short=False), 1000)
    return table_row(
        [
            cell(_name(row), left=True, tip=row.path),
            *(
                cell(text(scaled(n)), tip=f"{n:,} FLOPs")
                for n in (min(row.counts), max(row.counts))
            ),
            *(_growth(row.growth.by_variable[place]) for place in varied),
            cell(text(formula(row.growth), 400), left=True, tip=full),
        ]
    )


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
