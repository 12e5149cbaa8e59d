"""The pieces that the HTML views are made of; everything that is put in is escaped here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ipyflops.costs.metrics import Totals
from ipyflops.report.tables import PHASES, Phase
from ipyflops.views.rows.headline import Headline
from ipyflops.views.rows.headline_item import Figure
from ipyflops.views.rows.visible import shortened

#: Longer names are cut in their middle, in the row and in its tooltip.
NAME_LENGTH = 120
TOOLTIP_LENGTH = 400


def text(value: str, most: int = NAME_LENGTH) -> str:
    """A text that is safe in an element and in a quoted attribute."""
    return escape(shortened(value, most))


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a row.

    Attributes
    ----------
    short : str
        What stands in its column; empty where there is nothing to say.
    full : str
        What is read where there are no columns: `short`, and what it is.
    title : str
        A tooltip, or nothing.
    """

    short: str = ""
    full: str = ""
    title: str = ""


def numbers(row: Sequence[Number | str]) -> str:
    """The cells of a row, numbers and what is HTML already.

    Units and what separates the numbers are there only where there are no columns.
    """
    said = [cell for cell in row if isinstance(cell, Number) and cell.short]
    cells = []
    for cell in row:
        if isinstance(cell, str):
            cells.append(cell)
            continue
        rest = cell.full.removeprefix(cell.short) + ("" if cell is said[-1] else " · ")
        unit = f'<span class="f-unit">{text(rest)}</span>' if cell.short and rest else ""
        tooltip = f' title="{text(cell.title, TOOLTIP_LENGTH)}"' if cell.title else ""
        cells.append(f'<span class="f-number"{tooltip}>{text(cell.short)}{unit}</span>')
    return "".join(cells)


def bar(total: int, part: Totals, phases: Mapping[Phase, Totals] | None = None) -> str:
    """A bar as long as the share of the total, in a colour for each phase."""
    flops = {phase: totals.flops for phase, totals in (phases or {}).items()}
    if not phases:
        flops = {PHASES[0]: part.flops}
    pieces = "".join(
        f'<i class="f-{phase}" style="width:{100 * count / total:.2f}%"></i>'
        for phase, count in flops.items()
        if count and total
    )
    return f'<span class="f-bar">{pieces}</span>'


def figures(said: Headline) -> str:
    """The headline, each figure with its definition as a tooltip."""
    parts = [_paragraph("error", figure) for figure in said.toned("error")]
    plain = [_figure(figure) for figure in said.toned("plain")]
    if plain:
        plain[0] = f"<strong>{plain[0]}</strong>"
    convention = f'<span class="f-dim" title="{text(said.convention.definition, 400)}">'
    convention += f"{text(said.convention.text)}</span>"
    parts.append(f'<p class="f-headline">{" · ".join(plain)} &nbsp; {convention}</p>')
    parts += [_paragraph("warning", figure) for figure in said.toned("warning")]
    parts += [f'<p class="f-note">note: {text(note, 2000)}</p>' for note in said.notes]
    return "\n".join(parts)


def _figure(figure: Figure) -> str:
    return (
        f'<span title="{text(figure.definition, TOOLTIP_LENGTH)}">{text(figure.text, 1000)}</span>'
    )


def _paragraph(tone: str, figure: Figure) -> str:
    mark = "<strong>⚠</strong> " if tone == "error" else "⚠ "
    return f'<p class="f-{tone}">{mark}{_figure(figure)}</p>'


def section(title: str, content: str, is_open: bool) -> str:
    """A part of the view that can be opened."""
    opened = " open" if is_open else ""
    return (
        f'<details class="f-section"{opened}><summary>{text(title)}</summary>\n'
        f'<div class="f-scroll">{content}</div></details>'
    )
