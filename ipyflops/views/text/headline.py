"""The headline as lines of text, and how wide a line is."""

from __future__ import annotations

import shutil
import sys

from ipyflops.views.rows.headline_item import Headline
from ipyflops.views.text.tables import Line, Part, cells

MIN_WIDTH = 20
WIDTH_WHERE_UNKNOWN = 80


def chosen_width(width: int | None) -> int:
    """The width asked for, or else the terminal's."""
    if width is None:
        if not sys.stdout.isatty():
            return WIDTH_WHERE_UNKNOWN
        width = shutil.get_terminal_size((WIDTH_WHERE_UNKNOWN, 24)).columns
    return max(width, MIN_WIDTH)


def headline_lines(said: Headline, width: int) -> list[Part]:
    """The headline, broken between its items where it has to be."""
    parts: list[Part] = [
        Line(f"!! {item.text}", "bold red", overflow="fold") for item in said.toned("error")
    ]
    pieces = [item.text for item in said.toned("plain")]
    pieces[-1] += f"   {said.convention.text}"
    line = pieces[0]
    for piece in pieces[1:]:
        if cells(f"{line} · {piece}") > width:
            parts.append(Line(line, "bold", overflow="fold"))
            line = piece
        else:
            line += f" · {piece}"
    parts.append(Line(line, "bold", overflow="fold"))
    parts += [Line(f"! {item.text}", "yellow", overflow="fold") for item in said.toned("warning")]
    parts += [Line(f"note: {note}", overflow="fold") for note in said.notes]
    return parts
