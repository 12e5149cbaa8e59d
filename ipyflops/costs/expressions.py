"""Evaluate the arithmetic that a formula is written in.

A formula states its cost as text in the field's symbols, ``2·m·n·k``, and binds the symbols to
numbers. The count is *computed from that text*, so what a reader is shown and what was counted
cannot drift apart.

The language: whole numbers, symbols (letters, digits, ``_``, not starting with a digit),
``+ − · / ( )``, the powers ``² ³``, and the functions ``log2``, ``ceil``, ``floor`` and ``round``.
ASCII ``-`` and ``*`` are read too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import lru_cache
from types import CodeType

_TOKEN = re.compile(r"\s*(?:(\d+)|([^\W\d²³][^\W²³]*)|([-+−·*×/()²³]))")
_OPERATORS = {"−": "-", "·": "*", "×": "*", "²": "**2", "³": "**3"}
_FUNCTIONS: dict[str, Callable[..., object]] = {
    "log2": math.log2,
    "ceil": math.ceil,
    "floor": math.floor,
    "round": round,
}
#: The value of every symbol.
Symbols = Mapping[str, int]


def _tokens(expression: str) -> list[tuple[str, str]]:
    """Split an expression into ``(kind, text)``: kinds are ``number``, ``symbol``, ``operator``."""
    tokens: list[tuple[str, str]] = []
    position = 0
    text = expression.rstrip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"cannot read {text[position:]!r} in the expression {expression!r}")
        number, symbol, operator = match.groups()
        if number is not None:
            tokens.append(("number", number))
        elif symbol is not None:
            tokens.append(("symbol", symbol))
        else:
            tokens.append(("operator", operator))
        position = match.end()
    if not tokens:
        raise ValueError("an empty expression has no value")
    return tokens


@lru_cache(maxsize=4096)
def _compiled(expression: str) -> CodeType:
    """Compile once per expression text; the symbols are looked up when it is evaluated."""
    exact = "/" in expression
    source = []
    for kind, text in _tokens(expression):
        if kind == "number":
            source.append(f"_exact({text})" if exact else text)
        elif kind == "symbol":
            if text in _FUNCTIONS:
                source.append(text)
            else:
                source.append(f"_symbols[{text!r}]")
        else:
            source.append(_OPERATORS.get(text, text))
    try:
        # The blanks keep two operators apart: "2**9" is no expression of this language.
        return compile(" ".join(source), f"<expression {expression}>", "eval")
    except SyntaxError:
        raise ValueError(f"the expression {expression!r} is not well formed") from None


def evaluate(expression: str, symbols: Symbols) -> int:
    """Return the value of an expression as a whole number, rounded where it is not whole.

    Parameters
    ----------
    expression : str
        For example ``"2·m·n·k"``.
    symbols : mapping of str to int
        The value of every symbol in the expression.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If the expression cannot be read, or a symbol has no value.

    Examples
    --------
    >>> evaluate("(2·k − 1)·m·n", {"m": 3, "n": 4, "k": 5})
    108
    >>> evaluate("2·n³/3", {"n": 10})
    667
    """
    scope: dict[str, object] = {"__builtins__": {}, **_FUNCTIONS}
    scope["_symbols"] = symbols
    scope["_exact"] = Fraction
    try:
        value = eval(_compiled(expression), scope)
    except KeyError as error:
        raise ValueError(
            f"the expression {expression!r} uses the symbol {error.args[0]!r}, which has no value"
        ) from None
    return int(round(value))  # noqa: RUF046 - for the type checker, which sees Any


def substitute(expression: str, symbols: Symbols) -> str:
    """Put the numbers in the place of the symbols, keeping the form.

    Examples
    --------
    >>> substitute("2·m·n·k", {"m": 128, "n": 3072, "k": 768})
    '2·128·3072·768'
    """

    def number(match: re.Match[str]) -> str:
        name = match.group()
        return str(symbols[name]) if name in symbols else name

    return re.sub(r"[^\W\d²³][^\W²³]*", number, expression)
