"""Reads values that came from JSON, and checks each of them.

Nothing is converted silently: a number must be a number, and a missing field is an error. Each
part of a report (see the files beside this one) has its own `Reader`, which words the errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

#: No number of a report is larger: sums of products of two of them, and rates, are floats still.
MAX_NUMBER = 10**100
#: A time or a rate that is not zero is not smaller: what is divided by it is a float still.
LEAST_NUMBER = 1e-30

Value = TypeVar("Value")
#: Says what is wrong with a value that should have been of a type.
Wording: TypeAlias = Callable[[object, type], str]


class ReportFormatError(ValueError):
    """The data is not a report, is damaged, or is of a version that cannot be read."""


def whole_characters(text: str) -> str:
    """Return a text with ``?`` for what is no character: half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode()


def is_natural(value: object) -> bool:
    """Whether a value is a whole number from 0 on that a report may hold."""
    # bool is a subclass of int, and no number here may be a bool.
    return type(value) is int and 0 <= value < MAX_NUMBER


def is_text(value: object) -> bool:
    """Whether a value is a text that UTF-8 can hold."""
    return type(value) is str and (value.isascii() or value == whole_characters(value))


@dataclass(frozen=True, slots=True)
class Reader:
    """Checks the values of one part of a report.

    Every method gives the value back, or raises a `ReportFormatError`.

    Attributes
    ----------
    wrong_type : callable
        Words the error about a value of another type.
    out_of_range : callable
        Words the error about a number that is too small or too large.
    """

    wrong_type: Wording
    out_of_range: Wording

    def read(self, value: object, kind: type[Value]) -> Value:
        """Read a value of exactly one type."""
        if type(value) is not kind:
            raise ReportFormatError(self.wrong_type(value, kind))
        return value

    def text(self, value: object) -> str:
        """Read a text that UTF-8 can hold: half of a surrogate pair is no character."""
        text = self.read(value, str)
        if not is_text(text):
            raise ReportFormatError("it has a text with half of a surrogate pair")
        return text

    def items(self, value: object) -> list[Any]:
        """Read a list, whatever is in it."""
        return self.read(value, list)

    def texts(self, value: object) -> tuple[str, ...]:
        """Read a list of texts."""
        return tuple(map(self.text, self.items(value)))

    def switch(self, value: object) -> bool:
        """Read true or false."""
        return self.read(value, bool)

    def natural(self, value: object, below: int | None = None, least: int = 0) -> int:
        """Read a whole number from `least` on, and less than `below` where that is given."""
        number = self.read(value, int)
        if not least <= number < (MAX_NUMBER if below is None else below):
            raise ReportFormatError(self.out_of_range(value, int))
        return number

    def number(self, value: object) -> float:
        """Read 0, or a number above it that one can count on with."""
        if type(value) is not int and type(value) is not float:
            raise ReportFormatError(self.wrong_type(value, float))
        if value != 0 and not LEAST_NUMBER <= value < MAX_NUMBER:
            raise ReportFormatError(self.out_of_range(value, float))
        return float(value)

    def columns(self, value: object, width: int, problem: str) -> Sequence[tuple[Any, ...]]:
        """Read a table that is written as a list of its columns, and give its rows.

        Parameters
        ----------
        value : object
        width : int
            How many columns it has.
        problem : str
            The error where there are more or fewer, or where one is longer than another.
        """
        columns = [self.items(column) for column in self.items(value)]
        if len(columns) != width or len({len(column) for column in columns}) != 1:
            raise ReportFormatError(problem)
        return [*zip(*columns, strict=True)]
