"""A sweep as HTML: the growth of each module, and the grid behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ipyflops.units import scaled
from ipyflops.views.html.parts import TOOLTIP_LENGTH, text
from ipyflops.views.html.report import fragment
from ipyflops.views.rows.headline import CONVENTIONS
from ipyflops.views.rows.visible import visible
from ipyflops.views.sweep.rows import (
    SweepRow,
    formula,
    growth_text,
    headline,
    points_text,
    remarks,
    sweep_rows,
)

if TYPE_CHECKING:
    from ipyflops.report.growth import VariableGrowth
    from ipyflops.report.sweep import Sweep

ROWS = 60
#: The class of a growth's name: what grows faster than its variable catches the eye.
_TONES = {"constant": "f-dim", "linear": "f-linear", "quadratic": "f-quadratic"}
# Inline, because it is what JupyterLab leaves of the style of a notebook that it does not trust.
_LEFT = ' style="text-align:left"'


def mime_bundle(sweep: Sweep) -> dict[str, str]:
    """Give a sweep in every form that a front end may choose from."""
    from ipyflops.views import in_colour
    from ipyflops.views.sweep.text import to_text

    return {"text/plain": to_text(sweep, color=in_colour()), "text/html": to_html(sweep)}


def to_html(sweep: Sweep, *, depth: int | None = None) -> str:
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
    convention = text(CONVENTIONS[sweep.convention], TOOLTIP_LENGTH)
    rows = sweep_rows(sweep, most=ROWS, depth=depth)
    parts = [
        f'<p class="f-headline"><strong>{text(headline(sweep), 2000)}</strong> &nbsp; '
        f'<span class="f-dim" title="{convention}">[{text(sweep.convention)}]</span></p>',
        f"<p>{text(visible(growth.name), 1000)}</p>",
        f'<p class="f-dim">{text(visible(points_text(sweep)), 1000)}</p>',
        f'<div class="f-scroll">{_table(sweep, rows)}</div>',
        *(f'<p class="f-note">note: {text(visible(one), 2000)}</p>' for one in remarks(sweep)),
    ]
    return fragment(parts)


def _table(sweep: Sweep, rows: Sequence[SweepRow]) -> str:
    varied = [
        (place, text(visible(variable.name)))
        for place, variable in enumerate(sweep.variables)
        if len(variable.values) > 1
    ]
    names = "".join(f"<th{_LEFT}>in {name}</th>" for _, name in varied)
    head = f"<th{_LEFT}>module</th><th>FLOPs from</th><th>to</th>{names}<th{_LEFT}>FLOPs =</th>"
    body = "".join(_row(row, [place for place, _ in varied]) for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _row(row: SweepRow, places: Sequence[int]) -> str:
    name = text(row.full_name)
    if row.kind == "own":
        name = f"<em>{name}</em>"
    if row.type:
        shown = f"<code>{text(row.type, 60)}</code>" if row.kind == "code" else text(row.type, 60)
        name += f' <span class="f-type">{shown}</span>'
    # Blanks that no page collapses show the levels.
    indent = "&nbsp;" * 4 * row.level
    cells = [
        f'<td{_LEFT} title="{text(row.path, TOOLTIP_LENGTH)}">{indent}{name}</td>',
        f'<td title="{min(row.counts):,} FLOPs">{scaled(min(row.counts))}</td>',
        f'<td title="{max(row.counts):,} FLOPs">{scaled(max(row.counts))}</td>',
        *(_growth(row.growth.by_variable[place]) for place in places),
        f'<td{_LEFT} title="{text(formula(row.growth, short=False), 1000)}">'
        f"{text(formula(row.growth), 400)}</td>",
    ]
    return f"<tr>{''.join(cells)}</tr>"


def _growth(one: VariableGrowth) -> str:
    tone = _TONES.get(one.name, "f-fast")
    return f'<td{_LEFT}><span class="{tone}">{text(growth_text(one))}</span></td>'
