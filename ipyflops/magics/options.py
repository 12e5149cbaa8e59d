"""The options of ``%flops`` and ``%%flops``, and how a line is read: options first, then code.

A line is read by hand rather than with argparse. What follows the options is Python: it has dashes
and quotes of its own, and it has to reach the compiler character by character as it was typed.
"""

from __future__ import annotations

import keyword
import os
import re
from dataclasses import dataclass

from ipyflops.costs.conventions import CONVENTIONS
from ipyflops.views.rows.choices import BY

VIEWS = ("auto", "widget", "html", "text")


class OptionError(ValueError):
    """A line that cannot be read; the message says what to write instead."""


class MissingValueError(OptionError):
    """The line ends where the value of an option should follow."""

    def __init__(self, flag: str, option: Option) -> None:
        super().__init__(f"{flag} needs a value: {option.value_help}")
        self.option = option


@dataclass(frozen=True)
class Option:
    """An option that a line can have.

    Attributes
    ----------
    name : str
        The field of `Options` that it fills.
    flags : tuple of str
        How it is written, the short form first.
    help : str
        For ``%flops?``.
    value : str
        What its value is called in the help; empty for a switch.
    choices : tuple of str
        The values that it takes, if it takes no others.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    value: str = ""
    choices: tuple[str, ...] = ()

    @property
    def value_help(self) -> str:
        """The valid values, for a message."""
        if not self.choices:
            return self.value
        *others, final = self.choices
        return f"{', '.join(others)} or {final}"


OPTIONS = (
    Option(
        "convention",
        ("-c", "--convention"),
        "what counts as a FLOP, see below",
        "NAME",
        CONVENTIONS,
    ),
    Option("output", ("-o", "--output"), "give the Report back as the result, as %timeit -o does"),
    Option("variable", ("-v", "--variable"), "store the Report in the variable NAME", "NAME"),
    Option("quiet", ("-q", "--quiet"), "show nothing"),
    Option("time", ("-t", "--time"), "clean repeats too, with nothing intercepted, as by %timeit"),
    Option("loops", ("-n",), "loops of a clean repeat, as for %timeit", "LOOPS"),
    Option("repeats", ("-r",), "clean repeats, as for %timeit", "REPEATS"),
    Option(
        "restore",
        ("--restore",),
        "after them, put modules, optimizers and random numbers back",
    ),
    Option("depth", ("-d", "--depth"), "levels of the tree that are shown open", "N"),
    Option("by", ("--by",), "what the rows are", "WHAT", BY),
    Option("fake", ("--fake",), "a dry run on fake tensors: nothing is computed, nothing changes"),
    Option("ranks", ("--ranks",), "run on every engine of the ipyparallel view, merge the reports"),
    Option("timeout", ("--timeout",), "interrupt engines that are not done by then", "SECONDS"),
    Option("peak", ("--peak",), "set the rate against the measured peak of the device"),
    Option("per", ("--per",), "also per item, as in --per 128:token", "N[:NAME]"),
    Option(
        "against",
        ("--against",),
        "compare with a Report in the variable NAME, or with a saved file",
        "NAME",
    ),
    Option("view", ("--view",), "how the report is shown", "VIEW", VIEWS),
    Option("save", ("--save",), "write the Report to FILE as JSON", "FILE"),
)
BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}


@dataclass(frozen=True)
class Given:
    """An option as it stands on a line; the value of a switch is empty."""

    flag: str
    option: Option
    value: str


@dataclass(frozen=True)
class Options:
    """A line, read and checked; None where the line says nothing."""

    code: str
    convention: str | None = None
    output: bool = False
    variable: str | None = None
    quiet: bool = False
    time: bool = False
    loops: int | None = None
    repeats: int | None = None
    restore: bool = False
    depth: int | None = None
    by: str | None = None
    fake: bool = False
    ranks: bool = False
    timeout: float | None = None
    peak: bool = False
    per: tuple[int, str] | None = None
    against: str | None = None
    view: str | None = None
    save: str | None = None


def parse(line: str) -> Options:
    """Read a line.

    Raises
    ------
    OptionError
        If an option or a value is not valid, or if two options exclude each other.
    """
    given, start = scan(line)
    found: dict[str, object] = {}
    for item in given:
        found[item.option.name] = _checked(item)
    if not found.get("time"):
        for item in given:
            if item.option.name in ("loops", "repeats", "restore"):
                raise OptionError(f"{item.flag} is about clean repeats, which -t asks for")
    if found.get("fake"):
        for item in given:
            if item.option.name in ("time", "peak"):
                raise OptionError(
                    f"{item.flag} needs a run that takes time, and under --fake nothing is "
                    "computed; leave out one of them"
                )
    for item in given:
        if item.option.name == "timeout" and not found.get("ranks"):
            raise OptionError(f"{item.flag} is about engines, which --ranks asks for")
        if found.get("ranks") and item.option.name in ("time", "peak", "fake"):
            raise OptionError(
                f"{item.flag} is about this process, and --ranks counts on others; "
                "leave out one of them"
            )
    code = line[start:].rstrip("\n")
    if code.startswith("#"):
        code = ""  # a comment on the options is nothing to run
    return Options(code=code, **found)  # type: ignore[arg-type]


# --- where the options end -----------------------------------------------------------------------


def scan(line: str) -> tuple[list[Given], int]:
    """Split a line into its options and the position where the code begins.

    A short option may hold its value (``-d2``), a long one after ``=``; short switches may be
    written together (``-qo``), and ``--`` ends the options.

    Raises
    ------
    OptionError
        If what stands there is no option, or if a value is missing.
    """
    given: list[Given] = []
    position = 0
    while True:
        position = _skip_space(line, position)
        if not line.startswith("-", position):
            return given, position
        end = _end_of_word(line, position)
        word = line[position:end]
        if word == "--":
            return given, _skip_space(line, end)
        if word.startswith("--"):
            position = _long(line, position, given)
        else:
            position = _short(line, position, given)


def _long(line: str, position: int, given: list[Given]) -> int:
    """Read a long option; gives the position behind it."""
    end = _end_of_word(line, position)
    word, equals, _ = line[position:end].partition("=")
    option = _option(word)
    if not option.value:
        if equals:
            raise OptionError(f"{word} takes no value")
        given.append(Given(word, option, ""))
        return end
    value, end = _value(line, position + len(word) + 1 if equals else end, word, option)
    given.append(Given(word, option, value))
    return end


def _short(line: str, position: int, given: list[Given]) -> int:
    """Read short options that are written together; gives the position behind them."""
    end = _end_of_word(line, position)
    if end == position + 1:
        raise _no_option("-")
    for index in range(position + 1, end):
        flag = f"-{line[index]}"
        option = _option(flag, line[position:end])
        if option.value:
            value, end = _value(line, index + 1, flag, option)
            given.append(Given(flag, option, value))
            break
        given.append(Given(flag, option, ""))
    return end


def _value(line: str, position: int, flag: str, option: Option) -> tuple[str, int]:
    """Read a value, in quotes if it has spaces; gives it and the position behind it."""
    position = _skip_space(line, position)
    if position == len(line):
        raise MissingValueError(flag, option)
    quote = line[position]
    if quote not in "\"'":
        end = _end_of_word(line, position)
        return line[position:end], end
    closing = line.find(quote, position + 1)
    if closing < 0:
        raise OptionError(f"the value of {flag} lacks its closing {quote}")
    end = closing + 1
    if _end_of_word(line, end) != end:
        raise OptionError(f"there is no space behind the value of {flag}")
    return line[position + 1 : closing], end


def _option(flag: str, word: str = "") -> Option:
    try:
        return BY_FLAG[flag]
    except KeyError:
        raise _no_option(word or flag) from None


def _no_option(word: str) -> OptionError:
    flags = " ".join("|".join(option.flags) for option in OPTIONS)
    return OptionError(
        f"{word} is no option here; the options are {flags}. "
        "Code that begins with a dash goes behind --, as in: %flops -- -x"
    )


def _skip_space(line: str, position: int) -> int:
    while position < len(line) and line[position].isspace():
        position += 1
    return position


def _end_of_word(line: str, position: int) -> int:
    while position < len(line) and not line[position].isspace():
        position += 1
    return position


# --- what the values are -------------------------------------------------------------------------


def _checked(given: Given) -> object:
    """The value in its own type."""
    option = given.option
    if not option.value:
        return True
    if option.choices:
        return _choice(given)
    if option.name == "depth":
        return _number(given, least=0)
    if option.name in ("loops", "repeats"):
        return _number(given, least=1)
    if option.name == "timeout":
        return _seconds(given)
    if option.name == "per":
        return _per(given)
    if option.name == "variable":
        return _variable(given)
    if not given.value:
        raise MissingValueError(given.flag, option)
    return os.path.expanduser(given.value) if option.name == "save" else given.value


def _choice(given: Given) -> str:
    option = given.option
    if given.value in option.choices:
        return given.value
    raise OptionError(f"{given.flag} takes {option.value_help}, not {given.value!r}")


def _number(given: Given, least: int) -> int:
    # int() would take spaces, signs and other scripts' digits too.
    if re.fullmatch(r"[0-9]+(_[0-9]+)*", given.value) and int(given.value) >= least:
        return int(given.value)
    raise OptionError(f"{given.flag} takes a whole number from {least} on, not {given.value!r}")


def _seconds(given: Given) -> float:
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", given.value) and float(given.value) > 0:
        return float(given.value)
    raise OptionError(f"{given.flag} takes a number of seconds, not {given.value!r}")


def _per(given: Given) -> tuple[int, str]:
    number, colon, name = given.value.partition(":")
    if colon and not name:
        raise OptionError(f"{given.flag} lacks the item's name: {given.flag} 128:token")
    return _number(Given(given.flag, given.option, number), least=1), name or "item"


def _variable(given: Given) -> str:
    if given.value.isidentifier() and not keyword.iskeyword(given.value):
        return given.value
    raise OptionError(f"{given.flag} takes the name of a variable, not {given.value!r}")
