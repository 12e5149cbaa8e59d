"""Reads a line of ``%flops``: its options, their values in their own types, and the code."""

from __future__ import annotations

import keyword
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from IPython.utils.text import DollarFormatter

from ipyflops.magics.options import RULES, MissingValueError, OptionError, Options, ValueKind
from ipyflops.magics.scanning import WrittenOption, scan
from ipyflops.views import chosen_columns


def parse(line: str, variables: Mapping[str, Any] | None = None) -> Options:
    """Read a line.

    Parameters
    ----------
    line : str
    variables : mapping of str to object, optional
        Those that values name, as in ``--save $path`` and ``--per {batch * length}:token``. The
        code is not touched.

    Raises
    ------
    OptionError
        If an option or a value is not valid, or if two options exclude each other.
    """
    written, start = scan(line)
    written = [replace(one, value=_expanded(one, variables or {})) for one in written]
    values = {one.option.name: _READERS[one.option.kind](one) for one in written}
    for rule in RULES:
        for one in written:
            if rule.broken_by(one.option.name, values):
                raise OptionError(f"{one.flag} {rule.reason}")
    code = line[start:].rstrip("\n")
    if code.startswith("#"):
        code = ""  # a comment on the options is nothing to run
    return Options(code=code, **values)  # type: ignore[arg-type]


def expanded_line(line: str, variables: Mapping[str, Any]) -> str:
    """Give a line in which values stand for the variables that they name, for another process."""
    for one in reversed(scan(line)[0]):
        value = _expanded(one, variables)
        quote = next((quote for quote in "\"'" if quote not in value), None)
        if value != one.value and quote is not None:
            end = one.start + len(one.raw)
            line = f"{line[: one.start]}{quote}{value}{quote}{line[end:]}"
    return line


def _expanded(written: WrittenOption, variables: Mapping[str, Any]) -> str:
    """A value as IPython expands the lines of its own magics; what fails is left as it is."""
    if not variables or not re.search(r"[${]", written.value):
        return written.value
    try:
        # With its quotes: between single ones IPython leaves the dollar alone.
        expanded = DollarFormatter().vformat(written.raw, args=(), kwargs=dict(variables))
    except Exception:
        return written.value
    quotes = written.raw != written.value
    return str(expanded[1:-1] if quotes else expanded)


def _read_switch(_: WrittenOption) -> bool:
    return True


def _read_device(written: WrittenOption) -> bool | str:
    # Without a name the dry run is on the devices that are there.
    if not written.value:
        return True
    if written.value in written.option.choices:
        return written.value
    raise OptionError(
        f"{written.flag} can stand in for a {written.option.choices[0]} device alone, not for "
        f"{written.value!r}: what other devices run is not known without them"
    )


def _read_choice(written: WrittenOption) -> str:
    option = written.option
    if written.value in option.choices:
        return written.value
    raise OptionError(f"{written.flag} takes {option.value_help}, not {written.value!r}")


def _read_number(written: WrittenOption) -> int:
    return _whole_number(written.value, written, minimum=0)


def _read_positive_number(written: WrittenOption) -> int:
    return _whole_number(written.value, written, minimum=1)


def _whole_number(text: str, written: WrittenOption, minimum: int) -> int:
    # int() would take spaces, signs and other scripts' digits too.
    if re.fullmatch(r"[0-9]+(_[0-9]+)*", text) and int(text) >= minimum:
        return int(text)
    raise OptionError(f"{written.flag} takes a whole number from {minimum} on, not {text!r}")


def _read_seconds(written: WrittenOption) -> float:
    text = written.value
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", text) and float(text) > 0:
        return float(text)
    raise OptionError(f"{written.flag} takes a number of seconds, not {text!r}")


def _read_items(written: WrittenOption) -> tuple[int, str]:
    number, colon, name = written.value.partition(":")
    if colon and not name:
        raise OptionError(f"{written.flag} lacks the item's name: {written.flag} 128:token")
    if not re.match("[0-9]", number):
        raise OptionError(
            f"{written.flag} takes a number of items, as in {written.flag} 128:token, "
            f"not {written.value!r}"
        )
    return _whole_number(number, written, minimum=1), name or "item"


def _read_variable(written: WrittenOption) -> str:
    if written.value.isidentifier() and not keyword.iskeyword(written.value):
        return written.value
    raise OptionError(f"{written.flag} takes the name of a variable, not {written.value!r}")


def _read_columns(written: WrittenOption) -> tuple[str, ...]:
    names = tuple(filter(None, (name.strip() for name in written.value.split(","))))
    if not names:
        raise MissingValueError(written.flag, written.option)
    try:
        chosen_columns(names)
    except ValueError as error:
        raise OptionError(f"{written.flag}: {error}") from None
    return names


def _read_text(written: WrittenOption) -> str:
    if not written.value:
        raise MissingValueError(written.flag, written.option)
    return written.value


def _read_file(written: WrittenOption) -> str:
    return os.path.expanduser(_read_text(written))


_READERS: Mapping[ValueKind, Callable[[WrittenOption], object]] = {
    "switch": _read_switch,
    "choice": _read_choice,
    "number": _read_number,
    "positive number": _read_positive_number,
    "seconds": _read_seconds,
    "items": _read_items,
    "variable": _read_variable,
    "report": _read_text,
    "file": _read_file,
    "device": _read_device,
    "devices": _read_text,
    "columns": _read_columns,
}
