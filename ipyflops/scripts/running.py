"""Runs a script or a module as ``__main__``, counted, as Python itself would run it."""

from __future__ import annotations

import importlib.util
import io
import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ipyflops.cells import readable_name, tracebacks
from ipyflops.costs import Convention
from ipyflops.counting import FlopCounter
from ipyflops.dry_runs import DryRun, DryRunError, FileLabels
from ipyflops.report import Report, Source
from ipyflops.scripts.command_line import Target

#: The exit code of a program that an interrupt ends.
INTERRUPTED = 130


class ScriptError(Exception):
    """A script that cannot be run; the message says why."""


@dataclass(frozen=True)
class Program:
    """A script that is ready to run.

    Attributes
    ----------
    module : module
        What will be ``__main__``.
    code : code
    folder : str or None
        What stands first in ``sys.path``; None for a module, which is found from where one is.
    """

    module: types.ModuleType
    code: types.CodeType
    folder: str | None


@dataclass(frozen=True)
class Settings:
    """How a script is counted.

    Attributes
    ----------
    convention : {"standard", "contractions", "article"}
    fake : bool or str
        Whether it is a dry run, or the device of one.
    memory, follow_methods : bool
        As for `FlopCounter`.
    """

    convention: Convention = "standard"
    fake: bool | str = False
    memory: bool = False
    follow_methods: bool = False


def load(target: Target) -> Program:
    """Compile a script, or find a module.

    Raises
    ------
    ScriptError
        If there is none.
    SyntaxError
        If it cannot be compiled.
    """
    return _module(target.name) if target.is_module else _script(target.name)


def _script(path: str) -> Program:
    if os.path.isdir(path):
        path = os.path.join(path, "__main__.py")
    try:
        # As Python has it: the whole path, so that the script may change the folder.
        filename = os.path.abspath(path)
        with io.open_code(filename) as file:
            text = file.read()
    except OSError as error:
        raise ScriptError(f"there is no script {path}: {error.strerror or error}") from None
    code = compile(text, filename, "exec", dont_inherit=True)
    module = types.ModuleType("__main__")
    module.__file__ = filename
    module.__spec__ = None
    return Program(module, code, os.path.dirname(filename))


def _module(name: str) -> Program:
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            spec = importlib.util.find_spec(f"{name}.__main__")
    except (ImportError, ValueError) as error:
        raise ScriptError(f"there is no module {name}: {error}") from None
    code = None
    if spec is not None and spec.loader is not None and hasattr(spec.loader, "get_code"):
        code = spec.loader.get_code(spec.name)
    if spec is None or code is None:
        raise ScriptError(f"there is no module {name} that can be run")
    module = types.ModuleType("__main__")
    module.__file__ = spec.origin
    module.__spec__ = spec
    module.__package__ = spec.parent
    module.__loader__ = spec.loader
    return Program(module, code, None)


def run(program: Program, target: Target, settings: Settings) -> tuple[Report, int]:
    """Run a script, counted; what it raises is shown as Python would show it.

    Returns
    -------
    (Report, int)
        The report, incomplete where the script failed, and the script's exit code.
    """
    filename = program.code.co_filename
    name = readable_name(filename)
    counter = FlopCounter(
        settings.convention,
        device_time=not settings.fake,
        source=Source(filename, name),
        follow_methods=settings.follow_methods,
        memory=settings.memory,
    )
    variables = vars(program.module)
    dry_run = None
    block: object = counter
    if settings.fake:
        dry_run = DryRun(
            variables, device=settings.fake if isinstance(settings.fake, str) else None
        )
        dry_run.copy_globals([program.code], variables)
        block = dry_run.block(counter, FileLabels(filename, name, readable_name))
    status = 0
    with _as_main(program, target):
        try:
            with block:  # type: ignore[attr-defined]
                exec(program.code, variables)
        except BaseException as error:
            status = _ended(error, program)
    report = counter.report if dry_run is None else dry_run.finish(counter.report)
    return report, status


@contextmanager
def _as_main(program: Program, target: Target) -> Iterator[None]:
    """Have the script find its arguments, its folder and itself as ``__main__``."""
    main, arguments, path = sys.modules["__main__"], sys.argv, list(sys.path)
    name = target.name if program.folder is not None else str(program.module.__file__)
    sys.argv = [name, *target.arguments]
    if program.folder is not None:
        # Python puts the folder of a script where that of the command was.
        sys.path[:1] = [program.folder]
    sys.modules["__main__"] = program.module
    try:
        yield
    finally:
        sys.modules["__main__"], sys.argv, sys.path[:] = main, arguments, path


def _ended(error: BaseException, program: Program) -> int:
    """The exit code for an error that a script was ended by, which is shown."""
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)
        return 1
    if isinstance(error, DryRunError):
        print(f"ipyflops: --fake: {error}", file=sys.stderr)
        return 1
    tracebacks.trim(error, [program.code])
    sys.stdout.flush()
    sys.excepthook(type(error), error, error.__traceback__)
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
