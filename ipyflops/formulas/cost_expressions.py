"""Helpers for putting a cost together from its parts."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ipyflops.costs.cost import Cost

_NAME = re.compile(r"[^\W\d²³][^\W²³]*")


def total(*parts: str) -> str:
    """Add expressions up, leaving out those that are nothing.

    Examples
    --------
    >>> total("0", "m·n", "5·m"), total("0")
    ('m·n + 5·m', '0')
    """
    return " + ".join(part for part in parts if part != "0") or "0"


def times(count: int, symbol: str = "n") -> str:
    """Write a product the way a person does.

    Examples
    --------
    >>> times(0), times(1), times(4), times(2, "(r − 1)")
    ('0', 'n', '4·n', '2·(r − 1)')
    """
    if count == 0:
        return "0"
    return symbol if count == 1 else f"{count}·{symbol}"


def linear(**coefficients: int) -> str:
    """Write a sum of multiples of symbols the way a person does; its terms in the order given.

    Examples
    --------
    >>> linear(n=8, c=-2), linear(n=1, rows=0), linear(n=0)
    ('8·n − 2·c', 'n', '0')
    """
    terms = [
        (" − " if count < 0 else " + ") + times(abs(count), symbol)
        for symbol, count in coefficients.items()
        if count
    ]
    return "".join(terms).removeprefix(" + ") or "0"


def cost(
    symbols: Mapping[str, int],
    *,
    contraction: str = "0",
    other: str = "0",
    article: str | None = None,
    integer: str = "0",
    note: str = "",
) -> Cost:
    """Compute a cost as `Cost.of` does, from symbols of any name, as ``in``.

    Symbols that neither an expression nor the note uses are left out.

    Examples
    --------
    >>> cost({"in": 3, "out": 4, "groups": 1}, contraction="2·in·out").symbols
    (('in', 3), ('out', 4))
    """
    used = set(_NAME.findall(" ".join((contraction, other, article or "", integer, note))))
    return Cost.of(
        contraction=contraction,
        other=other,
        article=article,
        integer=integer,
        note=note,
        **{name: value for name, value in symbols.items() if name in used},
    )
