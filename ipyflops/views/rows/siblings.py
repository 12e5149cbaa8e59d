"""Which siblings are folded into one: those that are alike and numbered one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from ipyflops.views.rows.visible import visible

T = TypeVar("T")

_NUMBERED = re.compile(r"(.*?)(\d{1,9})\Z", re.DOTALL)


def numbered_on(before: str, name: str) -> bool:
    """Whether a name is the one before it with the next number.

    Examples
    --------
    >>> numbered_on("layer9", "layer10"), numbered_on("1", "3"), numbered_on("a", "b")
    (True, False, False)
    """
    first, second = _NUMBERED.match(before), _NUMBERED.match(name)
    return (
        first is not None
        and second is not None
        and first[1] == second[1]
        and int(second[2]) == int(first[2]) + 1
    )


def name_range(first: str, last: str) -> str:
    """Name siblings by the first and the last of them; safe to show.

    Examples
    --------
    >>> name_range("0", "11"), name_range("head", "head")
    ('0 … 11', 'head')
    """
    first, last = visible(first), visible(last)
    return first if first == last else f"{first} … {last}"


def runs(
    families: Iterable[Sequence[T]], continues: Callable[[T, T], bool]
) -> list[tuple[tuple[T, ...], int]]:
    """Put together the children that continue each other, in families that are all alike.

    Parameters
    ----------
    families : iterable of sequence
        The children of each of several parents: as many, and alike in the same order.
    continues : callable
        Whether a child of the first parent goes with the one before it.

    Returns
    -------
    list of (tuple, int)
        For each run its children, and how many of them one parent has. The siblings of one parent
        come first, so that the first and the last of these name the range.

    Examples
    --------
    >>> runs(["abc", "ABC"], lambda before, letter: letter == "b")
    [(('a', 'b', 'A', 'B'), 2), (('c', 'C'), 1)]
    """
    found: list[list[tuple[T, ...]]] = []
    for alike in zip(*families, strict=True):
        if found and continues(found[-1][-1][0], alike[0]):
            found[-1].append(alike)
        else:
            found.append([alike])
    return [
        (tuple(child for siblings in zip(*run, strict=True) for child in siblings), len(run))
        for run in found
    ]
