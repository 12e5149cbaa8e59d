"""The pieces that the HTML views are made of; everything that is put in is escaped here.

`Html` is text that is HTML already. Only this file makes it, so the type checker refuses a plain
text where HTML is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from ipyflops.costs import Totals
from ipyflops.report import PHASES, Phase
from ipyflops.views.html.style import STYLE
from ipyflops.views.rows.headline_item import Headline, HeadlineItem
from ipyflops.views.rows.visible import shortened

Html = NewType("Html", str)

#: Longer names are cut in their middle, in the row and in its tooltip.
NAME_LENGTH = 120
TOOLTIP_LENGTH = 400
NOTE_LENGTH = 2000
NOTHING = Html("")
#: A blank that no page collapses.
BLANK = Html("&nbsp;")
# Inline, because it is what JupyterLab leaves of the style of a notebook that it does not trust.
LEFT = "text-align:left"


def text(value: str, most: int = NAME_LENGTH) -> Html:
    """A text that is safe in an element."""
    return Html(escape(shortened(value, most)))


def source(value: str, most: int) -> Html:
    """A source line whose indentation no page collapses."""
    return Html(text(value, most).replace(" ", BLANK))


def tag(name: str, *inside: Html, **attributes: str | bool | None) -> Html:
    """An element.

    Parameters
    ----------
    name : str
    *inside : Html
    **attributes : str, bool or None
        Plain text, escaped here; ``class_`` is ``class``, ``data_title`` is ``data-title``. One
        that is True has no value; one that is False or None is left out.

    Examples
    --------
    >>> tag("p", text("a < b"), class_="f-note", title='"')
    '<p class="f-note" title="&quot;">a &lt; b</p>'
    """
    written = [name]
    for key, value in attributes.items():
        attribute = key.rstrip("_").replace("_", "-")
        if value is True:
            written.append(attribute)
        elif value is not False and value is not None:
            written.append(f'{attribute}="{escape(value)}"')
    return Html(f"<{' '.join(written)}>{''.join(inside)}</{name}>")


def joined(pieces: Iterable[Html], between: str = "") -> Html:
    """Pieces one after the other, with a plain text between them."""
    return Html(escape(between).join(pieces))


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


def numbers(row: Sequence[Number | Html]) -> Html:
    """The cells of a row, numbers and what is HTML already.

    Units and what separates the numbers are there only where there are no columns.
    """
    said = [cell for cell in row if isinstance(cell, Number) and cell.short]
    cells = []
    for cell in row:
        if not isinstance(cell, Number):
            cells.append(cell)
            continue
        rest = cell.full.removeprefix(cell.short) + ("" if said and cell is said[-1] else " · ")
        unit = tag("span", text(rest), class_="f-unit") if cell.short and rest else NOTHING
        tooltip = shortened(cell.title, TOOLTIP_LENGTH) or None
        cells.append(tag("span", text(cell.short), unit, class_="f-number", title=tooltip))
    return joined(cells)


def bar(total: int, part: Totals, phases: Mapping[Phase, Totals] | None = None) -> Html:
    """A bar as long as the share of the total, in a colour for each phase."""
    flops = {phase: totals.flops for phase, totals in (phases or {}).items()}
    if not phases:
        flops = {PHASES[0]: part.flops}
    return pieces_of_bar((phase, count, total) for phase, count in flops.items() if total)


def pieces_of_bar(pieces: Iterable[tuple[str, int, int]]) -> Html:
    """A bar of pieces: the class of each, its size, and that of the whole bar."""
    drawn = [
        tag("i", class_=f"f-{kind}", style=f"width:{100 * size / whole:.2f}%")
        for kind, size, whole in pieces
        if size
    ]
    return tag("span", *drawn, class_="f-bar")


def key(kind: str) -> Html:
    """A small square in the colour of a class, for a legend."""
    return tag("i", class_=f"f-key f-{kind}")


def legend(keys: Iterable[tuple[str, str]]) -> Html:
    """What the colours of the bars mean: a class and what it stands for, each."""
    said = [joined([key(kind), text(f" {meaning}")]) for kind, meaning in keys]
    return tag("p", joined(said, " · "), class_="f-phases")


def chart_row(label: str, svg: Html, amount: str) -> Html:
    """A row of a chart: a label, a bar, and what it comes to."""
    unit = tag("span", text(": "), class_="f-unit")
    name = tag("span", text(label), unit, class_="f-chart-name")
    return tag("div", name, svg, tag("span", text(amount)), class_="f-chart-row")


def bars_svg(length: int, height: int, bars: Iterable[Html]) -> Html:
    """Bars of a chart as a picture without text: where a page strips it, names are left."""
    return tag(
        "svg",
        *bars,
        viewBox=f"0 0 {length} {height}",
        preserveAspectRatio="none",
        aria_hidden="true",
    )


@dataclass(frozen=True, slots=True)
class Title:
    """The title of a column of a table; `left` where the column holds text."""

    text: str
    left: bool = False


def table(titles: Iterable[Title], rows: Iterable[Html]) -> Html:
    """A table of rows that `table_row` makes."""
    heads = [tag("th", text(one.text), style=LEFT if one.left else None) for one in titles]
    head = tag("thead", tag("tr", *heads))
    return tag("table", head, tag("tbody", *rows))


def table_row(cells: Iterable[Html]) -> Html:
    """A row of cells that `cell` makes."""
    return tag("tr", *cells)


def cell(
    inside: Html = NOTHING, *, left: bool = False, tip: str | None = None, span: int = 0
) -> Html:
    """A cell of a table.

    Parameters
    ----------
    inside : Html
    left : bool
        Whether it is on the left, as texts are.
    tip : str or None
        A tooltip.
    span : int
        How many columns it takes; one where it is 0.
    """
    tooltip = None if tip is None else shortened(tip, TOOLTIP_LENGTH)
    columns = str(span) if span else None
    return tag("td", inside, style=LEFT if left else None, title=tooltip, colspan=columns)


def headline_html(said: Headline) -> Html:
    """The headline, each item with its definition as a tooltip."""
    parts = [_paragraph("error", item) for item in said.toned("error")]
    plain = [_item(item) for item in said.toned("plain")]
    if plain:
        plain[0] = tag("strong", plain[0])
    convention = said.convention
    definition = shortened(convention.definition, TOOLTIP_LENGTH)
    named = tag("span", text(convention.text), class_="f-dim", title=definition)
    line = [joined(plain, " · "), text(" "), BLANK, text(" "), named]
    parts.append(tag("p", *line, class_="f-headline"))
    parts += [_paragraph("warning", item) for item in said.toned("warning")]
    parts += map(note, said.notes)
    return joined(parts, "\n")


def note(said: str) -> Html:
    """A note below the headline."""
    return tag("p", text(f"note: {shortened(said, NOTE_LENGTH)}", NOTE_LENGTH + 6), class_="f-note")


def _item(item: HeadlineItem) -> Html:
    definition = shortened(item.definition, TOOLTIP_LENGTH)
    return tag("span", text(item.text, 1000), title=definition)


def _paragraph(tone: str, item: HeadlineItem) -> Html:
    mark = tag("strong", text("⚠")) if tone == "error" else text("⚠")
    return tag("p", mark, text(" "), _item(item), class_=f"f-{tone}")


def section(title: str, content: Html, *, is_open: bool) -> Html:
    """A part of the view that can be opened."""
    summary = tag("summary", text(title))
    inside = [summary, text("\n"), tag("div", content, class_="f-scroll", tabindex="0")]
    return tag("details", *inside, class_="f-section", open=is_open)


def fragment(parts: Iterable[Html]) -> Html:
    """The parts with their style sheet, as one element."""
    inside = joined([Html(f"<style>{STYLE}</style>"), *parts], "\n")
    # The attribute keeps JupyterLab's one-letter shortcuts off while something inside has focus.
    return tag(
        "div",
        text("\n"),
        inside,
        text("\n"),
        class_="ipyflops",
        data_lm_suppress_shortcuts="true",
    )
