"""How much a report may take in a saved notebook, and which rows give way to keep to that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ipyflops.views.html.parts import NOTHING, Html, section, tag, text

#: Bytes that the HTML of a report has at most in a notebook's file. With the text beside it and
#: what the file adds, a report stays below 200 kB.
ROOM = 180_000
#: Bytes of a section that is closed, where not all of them fit as a whole.
CLOSED_ROOM = 16_000
#: So few rows are shown whatever they take; their texts are cut.
LEAST_ROWS = 2


@dataclass(frozen=True, slots=True)
class Section:
    """A section that can be written in more or fewer rows.

    Attributes
    ----------
    title : str
    write : callable
        Writes so many rows at most.
    most : int
        How many rows to write where there is room.
    is_open : bool
    """

    title: str
    write: Callable[[int], Html]
    most: int
    is_open: bool


def size(html: str) -> int:
    """Give the bytes in a file of JSON, where quotes, backslashes and ends of lines take two.

    Examples
    --------
    >>> size('<p class="f-dim">×80</p>')
    27
    """
    return len(html.encode()) + sum(map(html.count, '"\\\n'))


def fitted(sections: Sequence[Section], room: int | None) -> list[Html]:
    """Write sections in so many bytes: first the closed ones give way, then those that are open.

    Parameters
    ----------
    sections : sequence of Section
        One that writes nothing is left out.
    room : int or None
        No limit where it is None.
    """
    contents = [one.write(one.most) for one in sections]
    sizes = list(map(size, contents))
    if room is not None and sum(sizes) > room:
        # The smallest is asked first, so what it leaves is there for the others.
        order = sorted(range(len(sections)), key=lambda at: (sections[at].is_open, sizes[at]))
        for place, at in enumerate(order):
            share = max(room, 0) // (len(order) - place)
            if not sections[at].is_open:
                share = min(share, CLOSED_ROOM)
            contents[at] = shortened(sections[at].write, sections[at].most, share, contents[at])
            room -= size(contents[at])
    return [
        section(one.title, content, is_open=one.is_open)
        for one, content in zip(sections, contents, strict=True)
        if content
    ]


def shortened(
    write: Callable[[int], Html], most: int, room: int, content: Html | None = None
) -> Html:
    """Write in fewer and fewer rows until it fits.

    Parameters
    ----------
    write : callable
        Writes so many rows at most.
    most : int
        How many to begin with.
    room : int
        Bytes, as `size` has them.
    content : Html, optional
        What `write` gives for `most`, where it is there already.
    """
    content = write(most) if content is None else content
    while (taken := size(content)) > room and most > LEAST_ROWS:
        most = max(LEAST_ROWS, min(most - 1, int(0.97 * most * room / taken)))
        content = write(most)
    return content


def left_out(count: int, what: str, where: str) -> Html:
    """Say how many rows are left out, and where they are; nothing where there are none.

    Parameters
    ----------
    count : int
    what : str
        Of what, as ``places``.
    where : str
        What of the report has all of them.
    """
    if not count:
        return NOTHING
    said = f"{count:,} more {what} are not shown here. {where} of the report has everything"
    widget = ", and so has the widget: %flops --view widget."
    return tag("p", text(said + widget, 400), class_="f-dim")
