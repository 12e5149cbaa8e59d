"""Tables of plain text that fit a given width: what is least important goes first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import StringIO
from typing import TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.console import Console, RenderableType
from rich.text import Text

from ipyflops.views.rows.outline import PlaceRow

#: A styled line, and whatever can be printed.
Line: TypeAlias = Text
Part: TypeAlias = RenderableType
#: A styled text of at most the given width.
Fitted: TypeAlias = Callable[[int], Text]

GAP = 2
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Column:
    """A column whose cells always have their full width.

    Attributes
    ----------
    title : str
    cells : sequence of str
    importance : int
        When there is no room, the column with the lowest goes first.
    right : bool
        Whether it is aligned on the right.
    styles : sequence of str
        rich's style of each cell, or nothing.
    gap : int
        Blanks before it.
    """

    title: str
    cells: Sequence[str]
    importance: int
    right: bool = True
    styles: Sequence[str] = ()
    gap: int = GAP

    @property
    def width(self) -> int:
        """The width of the widest cell."""
        return max(map(len, (self.title, *self.cells)))


@dataclass(frozen=True, slots=True)
class Flexible:
    """The column that gets the room that is left.

    Attributes
    ----------
    title : str
    cells : sequence of callable
        Each gives its text, cut to a width.
    widths : sequence of int
        What the cells would take uncut.
    least : int
        Other columns are dropped rather than that this one gets less.
    gap : int
    """

    title: str
    cells: Sequence[Fitted]
    widths: Sequence[int]
    least: int
    gap: int = GAP


def bar(share: float, width: int) -> str:
    """A bar of eighths of a character; whatever is not zero can be seen.

    Examples
    --------
    >>> bar(0.5, 4), bar(0.01, 4), bar(0, 4), bar(1, 4)
    ('██  ', '▏   ', '    ', '████')
    """
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    if share > 0:
        eighths = max(eighths, 1)
    whole, part = divmod(eighths, 8)
    return f"{'█' * whole}{_EIGHTHS[part].strip()}".ljust(width)


def table(columns: Sequence[Column | Flexible], width: int) -> list[Text]:
    """Lay columns out, exactly one of them flexible, as lines within a width."""
    columns, room = _fitting(columns, width)
    lines = [Text() for _ in range(1 + max(len(column.cells) for column in columns))]
    for index, column in enumerate(columns):
        gap = " " * column.gap if index else ""
        for line, cell in zip(lines, _column_lines(column, room), strict=True):
            line.append(gap)
            line.append_text(cell)
    return lines


def _column_lines(column: Column | Flexible, room: int) -> Iterator[Text]:
    """The title and the cells, all of one width."""
    if isinstance(column, Flexible):
        yield _padded(Text(column.title, "dim"), room)
        for fitted in column.cells:
            yield _padded(fitted(room), room)
        return
    styles = column.styles or [""] * len(column.cells)
    titled = zip((column.title, *column.cells), ("dim", *styles), strict=True)
    for text, style in titled:
        aligned = text.rjust(column.width) if column.right else text.ljust(column.width)
        yield Text(aligned, style)


def _padded(text: Text, width: int) -> Text:
    text.append(" " * (width - text.cell_len))
    return text


def _fitting(
    columns: Sequence[Column | Flexible], width: int
) -> tuple[list[Column | Flexible], int]:
    """The columns that fit, and the width of the flexible one."""
    flexible = next(column for column in columns if isinstance(column, Flexible))
    kept = [column for column in columns if isinstance(column, Column)]
    natural = max((*flexible.widths, len(flexible.title)))
    while True:
        room = width - sum(column.width + column.gap for column in kept)
        # The last column stays even where it leaves less than it should.
        if room >= min(flexible.least, natural) or len(kept) == 1:
            break
        kept.remove(min(kept, key=lambda column: column.importance))
    return [column for column in columns if column is flexible or column in kept], min(
        max(room, 1), natural
    )


def cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return cell_len(text)


def cut(text: str, width: int) -> str:
    """Cut a text to a number of terminal cells, with ``…`` at its end."""
    if cells(text) <= width:
        return text
    return f"{set_cell_size(text, width - 1).rstrip()}…" if width > 0 else ""


def cut_middle(text: str, width: int) -> str:
    """Cut a text to a number of terminal cells, with ``…`` in its middle."""
    if cells(text) <= width:
        return text
    end = cut_left(text, max(width // 2, 1))
    return cut(text, width - cells(end) + 1).removesuffix("…") + end


def cut_left(text: str, width: int) -> str:
    """Cut a text to a number of terminal cells, with ``…`` at its beginning."""
    if cells(text) <= width:
        return text
    kept = text[-width:]
    while cells(kept) > width - 1:
        kept = kept[1:]
    return f"…{kept}"


def plain_cells(
    title: str, texts: Sequence[str], styles: Sequence[str], least: int, *, middle: bool = False
) -> Flexible:
    """The flexible column of texts, each cut at its end or in its middle."""
    shorten = cut_middle if middle else cut
    cut_texts = [
        partial(_styled, text, style, shorten) for text, style in zip(texts, styles, strict=True)
    ]
    return Flexible(title, cut_texts, [cells(text) for text in texts], least)


def _styled(text: str, style: str, shorten: Callable[[str, int], str], width: int) -> Text:
    return Text(shorten(text, width), style)


def places(rows: Sequence[PlaceRow], least: int, *, close: bool = False) -> Flexible:
    """The flexible column of the places of a tree: guide, name and type.

    Parameters
    ----------
    rows : sequence of PlaceRow
    least : int
        Other columns are dropped rather than that this one gets less.
    close : bool
        Whether a range of names closes up, and what is folded is kept, where there is no room.
    """
    guided = list(zip(rows, guides([row.level for row in rows]), strict=True))
    place = _ranged if close else _named
    return Flexible(
        "module",
        [partial(place, row, guide) for row, guide in guided],
        [cells(f"{guide}{row.full_name} {row.full_type}") for row, guide in guided],
        least,
    )


def guides(levels: Sequence[int]) -> list[str]:
    """The lines that draw the tree, before the name of each row at one of these levels."""
    drawn = []
    continued: set[int] = set()
    for level in reversed(levels):
        if level:
            above = "".join("│ " if one in continued else "  " for one in range(1, level))
            drawn.append(f"{above}{'├' if level in continued else '└'} ")
        else:
            drawn.append("")
        continued = {one for one in continued if one < level} | {level}
    return drawn[::-1]


def _named(row: PlaceRow, guide: str, width: int) -> Text:
    """Guide, name, and as much of the type as there is room for."""
    name = row.full_name
    prefix = _shown_guide(guide, name, width)
    short = cut(name, max(width - len(prefix), 1))
    return _with_type(Text.assemble((prefix, "dim"), (short, _style(row))), row, width)


def _ranged(row: PlaceRow, guide: str, width: int) -> Text:
    """Likewise; how many are folded stays where the name is cut."""
    name = row.name
    repeats = row.full_name.removeprefix(name)
    prefix = _shown_guide(guide, row.full_name, width)
    room = width - len(prefix) - len(repeats)
    if row.repeats > 1 and cells(f"{name} {row.type}") > room:
        name = name.replace(" … ", "…")
    short = cut(name, max(room, 1))
    text = Text.assemble((prefix, "dim"), (short, _style(row)), repeats)
    return _with_type(text, row, width)


def _style(row: PlaceRow) -> str:
    return "italic" if row.is_remark else "bold"


def _shown_guide(guide: str, name: str, width: int) -> str:
    deepest = max(width // 2, width - cells(name))
    return guide if len(guide) <= deepest else f"…{guide[1 - deepest :]}"


def _with_type(text: Text, row: PlaceRow, width: int) -> Text:
    """Add as much of the type as there is room for; where there is little, the note alone."""
    room = width - text.cell_len - 1
    kind = row.full_type if cells(row.full_type) <= room else row.note or row.type
    if kind and room >= 3:
        text.append(f" {cut(kind, room)}", "cyan")
    return text


def rendered(parts: Sequence[Part], width: int, color: bool) -> str:
    """Print with rich into a string."""
    console = Console(
        file=StringIO(),
        width=width,
        color_system="standard" if color else None,
        force_terminal=color,
        force_jupyter=False,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    text = capture.get()
    if color:
        return text.rstrip("\n")
    return "\n".join(line.rstrip() for line in text.splitlines())
