"""The options of ``%flops`` and ``%%flops``: one table, and the rules of which go together.

Parsing, help, completion and error messages read these tables. A new option is one entry here and
a field of `Options`.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ipyflops.costs import CONVENTIONS
from ipyflops.views import BY, VIEWS

#: What the value of an option is; a switch has none.
ValueKind: TypeAlias = Literal[
    "switch",
    "choice",
    "number",
    "positive number",
    "seconds",
    "items",
    "variable",
    "report",
    "file",
    "device",
    "devices",
    "columns",
]


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
    kind : str
        What its value is.
    value : str
        What its value is called in the help; empty for a switch.
    choices : tuple of str
        The valid values, if `kind` is ``choice``.
    needs_code : str
        What it does with code, as ``times code``; empty if it can stand on a line without code.
    """

    name: str
    flags: tuple[str, ...]
    help: str
    kind: ValueKind = "switch"
    value: str = ""
    choices: tuple[str, ...] = ()
    needs_code: str = ""

    @property
    def takes_value(self) -> bool:
        """Whether a value has to follow it."""
        return self.kind not in {"switch", "device"}

    @property
    def value_help(self) -> str:
        """The valid values, for a message."""
        if not self.choices:
            return self.value
        *others, final = self.choices
        return f"{', '.join(others)} or {final}"

    @property
    def no_code_error(self) -> str:
        """The message for a line that has this option but no code."""
        flag = self.flags[0]
        return f"{flag} {self.needs_code}, and there is none: %flops {flag} model(x)"


#: Devices that a dry run can have although they are not there.
FAKE_DEVICES = ("cuda",)

OPTIONS = (
    Option(
        "convention",
        ("-c", "--convention"),
        "what counts as a FLOP, see below",
        "choice",
        "NAME",
        CONVENTIONS,
    ),
    Option("output", ("-o", "--output"), "return the Report as the result, as %timeit -o does"),
    Option(
        "variable",
        ("-v", "--variable"),
        "store the Report in the variable NAME",
        "variable",
        "NAME",
    ),
    Option("quiet", ("-q", "--quiet"), "show nothing"),
    Option(
        "time",
        ("-t", "--time"),
        "also time repeats without interception, as %timeit does",
        needs_code="times code",
    ),
    Option(
        "loops", ("-n",), "loops of each clean repeat, as for %timeit", "positive number", "LOOPS"
    ),
    Option(
        "repeats", ("-r",), "number of clean repeats, as for %timeit", "positive number", "REPEATS"
    ),
    Option(
        "restore",
        ("--restore",),
        "reset modules, optimizers and random numbers after -t",
    ),
    Option("depth", ("-d", "--depth"), "how many levels of the tree are open", "number", "N"),
    Option("by", ("--by",), "what the rows are", "choice", "WHAT", BY),
    Option(
        "fake",
        ("--fake",),
        "a dry run: nothing is computed or changed; cuda: as on a GPU",
        "device",
        "DEVICE",
        FAKE_DEVICES,
        needs_code="runs code",
    ),
    Option("ranks", ("--ranks",), "run on every ipyparallel engine and merge the reports"),
    Option(
        "timeout",
        ("--timeout",),
        "interrupt engines that are not done by then",
        "seconds",
        "SECONDS",
    ),
    Option("memory", ("--memory",), "show what uses memory, and its peak"),
    Option("peak", ("--peak",), "compare the rate with the measured peak of the device"),
    Option(
        "on",
        ("--on",),
        "the least time by data sheets: --on H100, --on A100@0.4,T4",
        "devices",
        "DEVICES",
    ),
    Option(
        "columns",
        ("--columns",),
        "more columns: --columns shapes,params (see below)",
        "columns",
        "NAMES",
    ),
    Option("per", ("--per",), "show FLOPs per item too: --per 128:token", "items", "N[:NAME]"),
    Option(
        "against",
        ("--against",),
        "compare with the Report in the variable NAME, or in a saved file",
        "report",
        "NAME",
    ),
    Option("view", ("--view",), "how the report is shown", "choice", "VIEW", VIEWS),
    Option("save", ("--save",), "write the Report to FILE as JSON", "file", "FILE"),
)
BY_FLAG = {flag: option for option in OPTIONS for flag in option.flags}


@dataclass(frozen=True)
class Rule:
    """Options that need another option, or cannot stand beside it.

    Attributes
    ----------
    names : tuple of str
        The options that the rule is about, as fields of `Options`.
    relation : {"needs", "excludes"}
    other : str
        The option that they need or exclude.
    reason : str
        What the message says of the option that breaks the rule.
    """

    names: tuple[str, ...]
    relation: Literal["needs", "excludes"]
    other: str
    reason: str

    def broken_by(self, name: str, given: Container[str]) -> bool:
        """Whether an option breaks the rule on a line that has these options."""
        return name in self.names and (self.other in given) == (self.relation == "excludes")


#: The first rule that a line breaks makes the message.
RULES = (
    Rule(
        ("loops", "repeats", "restore"),
        "needs",
        "time",
        "is about clean repeats, which -t asks for",
    ),
    Rule(
        ("time", "peak"),
        "excludes",
        "fake",
        "needs a run that takes time, and under --fake nothing is computed; leave out one of them",
    ),
    Rule(("timeout",), "needs", "ranks", "is about engines, which --ranks asks for"),
    Rule(
        ("time", "peak", "fake"),
        "excludes",
        "ranks",
        "is about this process, and --ranks counts on others; leave out one of them",
    ),
)


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
    fake: bool | str = False
    ranks: bool = False
    timeout: float | None = None
    memory: bool = False
    peak: bool = False
    on: str | None = None
    columns: tuple[str, ...] = ()
    per: tuple[int, str] | None = None
    against: str | None = None
    view: str | None = None
    save: str | None = None
