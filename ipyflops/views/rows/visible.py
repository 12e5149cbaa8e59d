"""Text of the user's (names, types, source lines, messages) made safe to show."""

from __future__ import annotations

from collections.abc import Sequence


def visible(text: str) -> str:
    r"""Give the text with every character that does not print written as an escape.

    Terminal sequences, line breaks, direction overrides and lone surrogates become what Python
    would write for them, so that a name can neither steer a terminal nor break a row.

    Examples
    --------
    >>> print(visible("\x1b[31mred\nblue 🙂"))
    \x1b[31mred\nblue 🙂
    """
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def shortened(text: str, most: int) -> str:
    """Cut the middle out of a text that has more than `most` characters.

    Examples
    --------
    >>> shortened("transformer.layers.11.attention", 16)
    'transfo…ttention'
    """
    if len(text) <= most:
        return text
    end = most // 2
    return f"{text[: most - 1 - end]}…{text[len(text) - end :]}"


def source_line(text: str) -> str:
    """A line of source: tabs as blanks, nothing at the end, everything else visible."""
    return visible(text.expandtabs(4).rstrip())


def listed_names(names: Sequence[str], most: int) -> str:
    """Name the first of many, and say how many more there are.

    Parameters
    ----------
    names : sequence of str
    most : int
        So many are named.

    Examples
    --------
    >>> listed_names(["a", "b", "c"], 2), listed_names(["a"], 2)
    ('a, b and 1 more', 'a')
    """
    left_out = len(names) - most
    return ", ".join(names[:most]) + (f" and {left_out:,} more" if left_out > 0 else "")
