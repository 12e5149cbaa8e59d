"""The lines and functions of code that operators are said to run on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

#: A source line of the user's file: the code's file name and the line's number.
LineKey = tuple[str, int]


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function that may have a place; in a count there is one object for each.

    Attributes
    ----------
    label : str
        What a reader calls it.
    package : str
        The library that it belongs to; empty for the user's own.
    """

    label: str
    package: str

    @property
    def type(self) -> str:
        """What a report says that it is."""
        return f"function ({self.package})" if self.package else "function"


class MethodLine:
    """A line of a module's method, together with the lines of methods that led to it.

    ``self.attention(x)`` on line 12 of ``Block.forward`` may lead to line 30 of
    ``Attention.forward``. That is a method line whose `outer` is line 12.

    Attributes
    ----------
    code : code
        Of the method.
    number : int
        Of the line; 0 for the empty beginning of all chains.
    outer : MethodLine or None
        The line from which the method was called, if that is in a method, too.
    """

    __slots__ = ("_inner", "code", "number", "outer")

    def __init__(self, code: CodeType, number: int, outer: MethodLine | None = None) -> None:
        self.code = code
        self.number = number
        self.outer = outer
        self._inner: dict[tuple[int, int], MethodLine] = {}

    def inside(self, code: CodeType, number: int) -> MethodLine:
        """Give the line that was reached from here; a line that calls itself stays one line."""
        key = (id(code), number)
        inner = self._inner.get(key)
        if inner is None:
            inner = next(
                (line for line in self.chain() if line.code is code and line.number == number),
                None,
            ) or MethodLine(code, number, self)
            inner = self._inner.setdefault(key, inner)
        return inner

    def chain(self) -> Iterator[MethodLine]:
        """Give this line and those that led to it, from the inside out."""
        line: MethodLine | None = self
        while line is not None and line.number:
            yield line
            line = line.outer
