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
