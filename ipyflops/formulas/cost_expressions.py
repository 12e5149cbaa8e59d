"""Write the expressions of a cost the way a person does: sums, multiples, symbols of any name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ipyflops.costs import Cost

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


def cost(symbols: Mapping[str, int], **parts: str | None) -> Cost:
    """Compute a cost as `Cost.of` does, from symbols of any name, such as ``in``.

    Parameters
    ----------
    symbols : mapping of str to int
        The values of the symbols. Those that neither an expression nor the note uses are left out.
    **parts : str
        ``contraction``, ``other``, ``article``, ``integer``, ``integer_contraction`` and ``note``
        of `Cost.of`.

    Examples
    --------
    >>> cost({"in": 3, "out": 4, "groups": 1}, contraction="2·in·out").symbols
    (('in', 3), ('out', 4))
    """
    used = set(_NAME.findall(" ".join(part for part in parts.values() if part)))
    used_symbols = {name: size for name, size in symbols.items() if name in used}
    arguments: dict[str, Any] = {**parts, **used_symbols}
    return Cost.of(**arguments)
