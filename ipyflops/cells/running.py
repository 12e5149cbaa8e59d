"""Compiles the code of a magic and runs it once, the way IPython runs a cell.

The shell's own `run_cell` cannot be used: called from inside a magic it shows the error of the cell
but does not raise it, so a notebook that fails would pass. Only three parts of IPython are needed:
its transformations of the text, its compiler, which keeps the source for tracebacks, and its event
loop for ``await``.

Nothing here depends on counting. The counter is a context manager, and its block holds the
execution of the code and nothing else.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from types import CodeType
from typing import Any

from IPython.core.error import UsageError

from ipyflops.cells import old_ipython
from ipyflops.cells.code_files import readable_name
from ipyflops.cells.enclosing import Enclosed, enclose
from ipyflops.cells.garbage import uncollected
from ipyflops.cells.origin import Origin, Shell
from ipyflops.cells.source_lines import keep_lines

NO_AWAIT = (
    "this front end runs an event loop already, so a magic cannot await in it. "
    "Count with 'with ipyflops.FlopCounter() as counter:' in the cell instead"
)


@dataclass(frozen=True)
class CompiledCell:
    """The code of a magic, ready to run.

    Attributes
    ----------
    filename : str
        What the code's frames call their file; `linecache` has its source.
    name : str
        How IPython calls it, as ``In[5]``.
    parts : tuple of code
        To be run in this order. The value of the last one is the result.
    silenced : bool
        Whether a semicolon at the end hides the result.
    enclosed : Enclosed or None
        The only part, where it is run among the variables of a function; else None.
    within_line : bool
        Whether it stands on a line of code that is a frame of its own, as behind ``%flops``.
    """

    filename: str
    name: str
    parts: tuple[CodeType, ...]
    silenced: bool
    enclosed: Enclosed | None = None
    within_line: bool = False

    @property
    def awaits(self) -> bool:
        """Whether it awaits outside of a function."""
        return any(map(_is_coroutine, self.parts))


def compile_cell(
    shell: Shell, text: str, origin: Origin, local: Mapping[str, Any] | None = None
) -> CompiledCell:
    """Compile code as IPython would, magics and all, under its own line numbers.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    text : str
    origin : Origin
    local : mapping, optional
        The variables of the function that a line magic stands in.

    Raises
    ------
    SyntaxError
        If it is not valid; the error names the cell and its line.
    UsageError
        If it awaits and the shell cannot do that from within a magic.
    """
    padding = origin.padding + _blank_lines(text)
    try:
        transformed = shell.transform_cell(text)
    except SyntaxError as error:
        if error.lineno is not None:
            error.lineno += padding.count("\n")
            source = origin.padding + text
            error.filename = _keep(shell, source, origin)
        raise
    # The lines above are put in front only now, because the transformations remove blank lines and
    # look for a magic on the first line.
    source = padding + transformed
    filename = _keep(shell, source, origin)
    tree = uncollected(shell.compile.ast_parse, source, filename=filename)
    module = shell.transform_ast(tree)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if shell.autoawait else 0
    with shell.compile.extra_flags(flags):
        parts = tuple(
            shell.compile(part, filename, "exec" if isinstance(part, ast.Module) else "eval")
            for part in _parts(module)
        )
        enclosed = None
        if local is not None and local is not shell.user_ns:
            enclosed = enclose(
                module, parts, set(local), lambda module: shell.compile(module, filename, "exec")
            )
    cell = CompiledCell(
        filename=filename,
        name=readable_name(filename, shell),
        parts=parts if enclosed is None else (enclosed.code,),
        enclosed=enclosed,
        within_line=origin.within_line,
        # IPython's decorator output_can_be_silenced reads the raw text, and fails on `!echo it's`.
        silenced=_is_silenced(shell, transformed),
    )
    if cell.awaits and not _can_await(shell):
        raise UsageError(NO_AWAIT)
    return cell


def run(
    shell: Shell,
    cell: CompiledCell,
    block: AbstractContextManager[object],
    local: MutableMapping[str, Any] | None = None,
) -> object:
    """Run a cell inside a block, once.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    cell : CompiledCell
    block : context manager
        Entered directly before the code runs, and left directly afterwards.
    local : mapping, optional
        The variables of the function that a line magic stands in.

    Returns
    -------
    object
        The value of the expression that the cell ends with, else None.

    Raises
    ------
    BaseException
        Whatever the code raises.
    """
    __tracebackhide__ = True
    with _steps(shell, cell, local) as steps:
        if cell.awaits:
            coroutine = _run_async(zip(steps, cell.parts, strict=True))
            # The block is around the event loop, not inside of the coroutine. An interrupt may
            # leave the coroutine suspended, and the block must end even then.
            with block:
                return shell.loop_runner(coroutine)
        value = None
        with block:
            for step in steps:
                value = step()
        return value


async def _run_async(steps: Iterable[tuple[Callable[[], Any], CodeType]]) -> object:
    __tracebackhide__ = True
    value = None
    for step, code in steps:
        value = step()
        if _is_coroutine(code):
            value = await value
    return value


def _keep(shell: Shell, source: str, origin: Origin) -> str:
    """Keep the source for tracebacks, as IPython does with that of a cell; gives its file."""
    filename: str = shell.compile.cache(source, origin.number, raw_code=origin.raw)
    keep_lines(filename, source)
    old_ipython.note_code_name(shell, filename, origin.number)
    return filename


def _is_silenced(shell: Shell, code: str) -> bool:
    silences = getattr(shell.displayhook, "semicolon_at_end_of_expression", None)
    return bool((silences or old_ipython.ends_with_semicolon)(code))


def _blank_lines(text: str) -> str:
    """The blank lines that text begins with; none if all its lines are blank."""
    lines = text.split("\n")
    blank = next((index for index, line in enumerate(lines) if line.strip()), 0)
    return "\n" * blank


def _parts(module: ast.Module) -> Iterable[ast.Module | ast.Expression]:
    """The statements, and the expression that gives the result, if the cell ends with one."""
    statements = module.body
    final = statements[-1] if statements else None
    if isinstance(final, ast.Expr):
        statements = statements[:-1]
    if statements:
        yield ast.Module(statements, [])
    if isinstance(final, ast.Expr):
        yield ast.Expression(final.value)


@contextmanager
def _steps(
    shell: Shell, cell: CompiledCell, local: MutableMapping[str, Any] | None
) -> Iterator[Sequence[Callable[[], Any]]]:
    """Give what is to be called, one after the other, to run a cell."""
    if local is None:
        local = shell.user_ns
    if cell.enclosed is None:
        yield [partial(eval, code, shell.user_global_ns, local) for code in cell.parts]
    else:
        with cell.enclosed.among(local, shell.user_global_ns) as function:
            yield [function]


def _is_coroutine(code: CodeType) -> bool:
    return bool(code.co_flags & inspect.CO_COROUTINE)


def _can_await(shell: Shell) -> bool:
    if getattr(shell, "trio_runner", None) is not None:
        return False  # the cell runs inside of trio, which cannot be entered twice
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return True
    return hasattr(loop, "_nest_patched")  # nest_asyncio lets a running loop run again
