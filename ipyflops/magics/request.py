"""What one call of the magic asks for, checked before anything runs.

A file that cannot be written, or a report that cannot be read, is an error here, while there is no
result to lose yet.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import CodeType, ModuleType
from typing import Any

from IPython.core.error import UsageError

from ipyflops.cells import variables_used
from ipyflops.magics.options import OptionError, Options
from ipyflops.magics.parsing import parse
from ipyflops.processes.ipyparallel_collection import Collection
from ipyflops.report import NUMPY_UNSEEN, Device, Report, ReportFormatError, read_device


@dataclass(frozen=True)
class Request:
    """What one call of the magic asks for.

    Attributes
    ----------
    options : Options
    baseline : Report or None
        The report to compare with.
    save_path : str
        Where the report is written. It is absolute, because the cell may change the directory.
        Empty if the report is not written.
    line : str
        The line as it was typed, on an engine.
    collection : Collection or None
        On an engine: the collection that a notebook has begun there.
    devices : tuple of (Device, float)
        What the report is set against, each with its efficiency.
    """

    options: Options
    baseline: Report | None = None
    save_path: str = ""
    line: str = ""
    collection: Collection | None = None
    devices: tuple[tuple[Device, float], ...] = ()


def without_display(request: Request) -> Request:
    """Give the same request, under which nothing is shown."""
    return replace(request, options=replace(request.options, quiet=True))


def with_unseen_work(
    report: Report, parts: Iterable[CodeType], variables: Mapping[str, Any]
) -> Report:
    """Say in a report of no operator that NumPy's work is not seen, if the code names any of it."""
    if report.rows:
        return report
    values = [variables.get(name) for name in variables_used(parts, variables)]
    modules = [getattr(one, "__name__", "") if type(one) is ModuleType else "" for one in values]
    of_numpy = [type(one).__module__.partition(".")[0] for one in values]
    if "numpy" not in {*modules, *of_numpy}:
        return report
    return replace(report, notes=(*report.notes, NUMPY_UNSEEN))


def parse_line(line: str, cell: str | None, variables: Mapping[str, Any]) -> Options:
    """Read the line of a magic.

    Parameters
    ----------
    line : str
    cell : str or None
        The lines below it.
    variables : mapping of str to object
        The user's, which values of options may name.

    Raises
    ------
    UsageError
        If the options are not valid, or if code follows ``%%flops`` on its own line.
    """
    try:
        options = parse(line, variables)
    except OptionError as error:
        raise UsageError(str(error)) from None
    if cell is not None and options.code:
        raise UsageError(
            f"code cannot follow %%flops on its own line: {options.code!r} belongs below it"
        )
    return options


def checked_request(options: Options, variables: Mapping[str, Any]) -> Request:
    """Load the report to compare with, and try whether the file to save to can be written.

    Parameters
    ----------
    options : Options
    variables : mapping of str to object
        The user's, for ``--against``.

    Raises
    ------
    UsageError
        If there is no such report, or if the file cannot be written.
    """
    baseline = None if options.against is None else _baseline(options.against, variables)
    save_path = ""
    if options.save is not None:
        save_path = os.path.abspath(options.save)
        _check_writable(save_path)
    devices = () if options.on is None else _devices(options.on, variables)
    return Request(options, baseline, save_path, devices=devices)


def check_variable(
    options: Options, parts: Iterable[CodeType], variables: Mapping[str, Any]
) -> None:
    """Refuse to store the report in a variable that the code uses.

    Raises
    ------
    UsageError
        If the code, or a function of the user's that it calls, names the variable.
    """
    name = options.variable
    if name is not None and name in variables_used(parts, variables):
        raise UsageError(
            f"-v {name} would put the Report where the code has a variable of its own; "
            "take a name that the code does not use"
        )


def _baseline(name: str, variables: Mapping[str, Any]) -> Report:
    """The report in a variable or, if there is no such variable, in a file."""
    if name in variables:
        value = variables[name]
        if isinstance(value, Report):
            return value
        raise UsageError(f"--against takes a Report; {name} is of type {type(value).__name__}")
    path = os.path.expanduser(name)
    if not os.path.exists(path):
        raise UsageError(f"--against: there is neither a variable nor a file {name!r}")
    try:
        return Report.load(path)
    except (ReportFormatError, OSError) as error:
        raise UsageError(f"--against: {error}") from None


def _devices(text: str, variables: Mapping[str, Any]) -> tuple[tuple[Device, float], ...]:
    """The devices by names, or in variables, as ``H100@0.4,mine``."""
    found = []
    for written in text.split(","):
        own = variables.get(written.partition("@")[0].strip())
        try:
            found.append(read_device(written, own=own))
        except ValueError as error:
            raise UsageError(f"--on: {error}") from None
    return tuple(found)


def _check_writable(path: str) -> None:
    if os.path.isdir(path):
        raise UsageError(f"--save takes a file, and {path} is a folder")
    try:
        # Rights alone do not tell: a file system may be read-only, or full.
        with tempfile.TemporaryFile(dir=os.path.dirname(path)) as probe:
            probe.write(b"\0")
    except OSError as error:
        raise UsageError(f"--save cannot write {path}: {error.strerror or error}") from None
