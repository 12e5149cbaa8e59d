"""Fresh IPython shells for the tests, and what a cell did in one."""

from __future__ import annotations

import atexit
import contextlib
import io
import sys
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from IPython.core import async_helpers
from IPython.core.compilerop import CachingCompiler
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config


@contextlib.contextmanager
def fresh_shell(*extensions: str) -> Iterator[InteractiveShell]:
    """A shell of its own: no configuration of the user's, no history, no colours.

    It is the process's one shell while it lives: IPython's tracebacks ask for that one.
    """
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    assert not InteractiveShell.initialized()
    main, path = sys.modules["__main__"], list(sys.path)
    with tempfile.TemporaryDirectory() as folder:
        shell = InteractiveShell.instance(config=config, ipython_dir=folder)
        try:
            for extension in extensions:
                shell.extension_manager.load_extension(extension)
            yield shell
        finally:
            # What IPython would do at the end of the process, and what it does not undo at all.
            InteractiveShell.clear_instance()
            shell.atexit_operations()
            atexit.unregister(shell.atexit_operations)
            sys.modules["__main__"], sys.path[:] = main, path
            close_event_loop()


#: Whether IPython is an old one, as Google Colab's 7.34.
IS_OLD = not hasattr(CachingCompiler, "format_code_name")


def needs_ipython_8(what: str) -> None:
    """Skip a test of what IPython 7 does otherwise, or cannot do."""
    if IS_OLD:
        pytest.skip(f"IPython 7 {what}")


def close_event_loop() -> None:
    """Close the loop in which IPython has awaited, if it has made one."""
    runner = getattr(async_helpers, "_asyncio_runner", None)  # IPython 7 keeps it there
    loop = getattr(async_helpers, "_asyncio_event_loop", None) or getattr(runner, "_loop", None)
    if loop is not None:
        loop.close()


@dataclass
class Done:
    """What a cell did."""

    result: Any
    error: BaseException | None
    out: str
    err: str


def run(shell: InteractiveShell, cell: str) -> Done:
    """Run a cell as typed, its output captured."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        done = shell.run_cell(cell, store_history=True)
    error = done.error_before_exec or done.error_in_exec
    return Done(done.result, error, out.getvalue(), err.getvalue())


def variables(shell: InteractiveShell) -> dict[str, Any]:
    """The variables that the user made."""
    return {
        name: value
        for name, value in shell.user_ns.items()
        if name not in shell.user_ns_hidden and not name.startswith("_")
    }


def cell_frames(error: BaseException) -> list[tuple[str, str, int]]:
    """The frames below IPython's last one: file, function and line of each."""
    frames = list(traceback.extract_tb(error.__traceback__))
    if sys.version_info < (3, 11):
        # It undoes the trimming of ipyflops.cells.tracebacks when the error is raised again.
        added = ("/ipyflops/", "/asyncio/")
        frames = [one for one in frames if not any(name in one.filename for name in added)]
    start = max(
        (index + 1 for index, frame in enumerate(frames) if "/IPython/" in frame.filename),
        default=0,
    )
    return [(frame.filename, frame.name, frame.lineno or 0) for frame in frames[start:]]
