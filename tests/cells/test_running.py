"""Running a cell: once, and with an error that is the cell's own."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import os
import re
import signal
import sys
import threading
from collections.abc import Iterator
from types import TracebackType

import IPython
import pytest
from IPython.core.error import InputRejected, UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.cells import running
from ipyflops.cells.origin import Origin
from tests.shells import Done, cell_frames, fresh_shell, run, variables

HERE = Origin(number=1, above=("%%flops",), raw="")


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        yield shell


class Block:
    """Stands in for the counter: notes when it is entered and how it is left."""

    def __init__(self) -> None:
        self.entered = 0
        self.left_by: list[type[BaseException] | None] = []

    @property
    def is_open(self) -> bool:
        return self.entered > len(self.left_by)

    def __enter__(self) -> None:
        self.entered += 1

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.left_by.append(exc_type)


def execute(shell: InteractiveShell, text: str, block: Block | None = None) -> object:
    cell = running.compile_cell(shell, text, HERE)
    with shell.builtin_trap:
        return running.run(shell, cell, block or Block())


# --- where errors are ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%flops -q\n1/0", 2),
        ("%%flops -q\n\n\n1/0", 4),
        ("\n\n%%flops -q\n\n1/0", 5),
        ("%%flops -q -c article\nx = 1\nif x:\n    y = 2\n    1/0", 5),
        ("%%flops -q\nx = (1,\n     2/0)", 3),
        ("%%flops -q\n!true\n%pwd\n1/0", 4),
        ("%%time\n%%flops -q\n1/0", 3),
        ("%flops -q 1/0", 1),
        ("x = 1\n\n%flops -q 1/0", 3),
        ("x = 1\nfor i in range(2):\n    r = %flops -q 1/(1-i)\n", 3),
    ],
)
def test_the_traceback_shows_the_line_of_the_cell(
    shell: InteractiveShell, cell: str, line: int
) -> None:
    run(shell, "pass")
    done = run(shell, cell)
    if IPython.version_info[0] < 9 and cell.startswith("%%time"):
        pytest.skip("IPython 8's %%time shows the error of its cell and swallows it")
    assert isinstance(done.error, ZeroDivisionError)
    [(filename, function, number)] = cell_frames(done.error)
    assert (function, number) == ("<module>", line)
    assert shell.compile.format_code_name(filename) == ("Cell", "In[2]")
    assert f"Cell In[2], line {line}\n" in done.out
    assert re.search(rf"^-+> {line} .*/", done.out, re.MULTILINE)


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("%%flops -q\nx = (\n", 2),
        ("%%flops -q\n\nx = 1\nx = = 2", 4),
        ("%%flops -q\ndef f():\n    return 1\nreturn 2", 4),
        ("%%flops -q\nif 1:\n    a = 1\n  b = 2", 4),
        ("x = 1\n%flops -q x = = 2", 2),
    ],
)
def test_a_syntax_error_names_the_line_of_the_cell(
    shell: InteractiveShell, cell: str, line: int
) -> None:
    run(shell, "pass")
    done = run(shell, cell)
    assert isinstance(done.error, SyntaxError)
    assert done.error.lineno == line
    assert f"Cell In[2], line {line}\n" in done.out
    if sys.version_info >= (3, 11):
        assert "compilerop" not in done.out
        assert "ipyflops/" not in done.out
    assert "x" not in variables(shell) or not cell.startswith("%%flops")


def test_a_function_of_the_cell_fails_at_its_own_line_later(shell: InteractiveShell) -> None:
    run(shell, "%%flops -q\ndef half(n):\n    return 1 / n\nhalf(2)")
    done = run(shell, "half(0)")
    assert done.error is not None
    assert [frame[1:] for frame in cell_frames(done.error)] == [("<module>", 1), ("half", 3)]
    assert "Cell In[1], line 3, in half(n)\n" in done.out


@pytest.mark.parametrize(
    ("name", "source", "line"),
    [
        ("function", "def function():\n    return 1\n", 4),
        ("Class.method", "    def method(self):\n        return 2\n", 7),
        ("decorated", "@staticmethod\ndef decorated():\n    return 3\n", 9),
        ("anonymous", "anonymous = lambda: 4\n", 12),
    ],
)
def test_the_source_of_what_a_cell_defines_can_be_had(
    shell: InteractiveShell, name: str, source: str, line: int
) -> None:
    cell = """%%flops -q

before = 1
def function():
    return 1
class Class:
    def method(self):
        return 2
@staticmethod
def decorated():
    return 3
anonymous = lambda: 4
after = 2
"""
    assert run(shell, cell).error is None
    thing = eval(name, shell.user_ns)
    assert inspect.getsourcelines(thing) == (source.splitlines(keepends=True), line)
    assert source in run(shell, f"{name}??").out


def test_the_debugger_finds_the_code_by_what_was_typed(shell: InteractiveShell) -> None:
    # As ipykernel does it: the file of a cell is named after its raw text alone.
    names = []
    shell.compile.get_code_name = lambda raw, code, number: names.append(raw) or f"file{len(names)}"
    cell = "%%flops -q\nx = 1"
    run(shell, cell)
    assert names == [cell, cell]


def test_the_namespace_is_not_changed_by_an_error_before_the_run(shell: InteractiveShell) -> None:
    run(shell, "%%flops -q\nx = 1\nreturn x")
    assert variables(shell) == {}


# --- the block -----------------------------------------------------------------------------------


def test_the_block_is_around_the_execution_alone(shell: InteractiveShell) -> None:
    seen: list[tuple[str, bool]] = []
    block = Block()

    class Watch(ast.NodeTransformer):
        def visit_Module(self, node: ast.Module) -> ast.Module:
            seen.append(("transformed", block.is_open))
            return node

    shell.ast_transformers.append(Watch())
    shell.user_ns["note"] = lambda: seen.append(("ran", block.is_open))
    execute(shell, "note()\nx = 1\nnote()", block)
    assert seen == [("transformed", False), ("ran", True), ("ran", True)]
    assert block.entered == 1
    assert block.left_by == [None]


@pytest.mark.parametrize(
    "error", [ValueError, KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError]
)
@pytest.mark.parametrize("before", ["", "import asyncio; await asyncio.sleep(0)\n"])
def test_the_block_is_left_by_any_error(
    shell: InteractiveShell, error: type[BaseException], before: str
) -> None:
    raised = error("text")
    shell.user_ns["raised"] = raised
    block = Block()
    with pytest.raises(error) as caught:
        execute(shell, f"{before}raise raised", block)
    assert caught.value is raised or (error is asyncio.CancelledError and before)
    assert block.left_by == [error]


def test_an_interrupt_of_a_waiting_cell_leaves_the_block(shell: InteractiveShell) -> None:
    block = Block()
    shell.user_ns["interrupt"] = lambda: threading.Timer(
        0.2, os.kill, (os.getpid(), signal.SIGINT)
    ).start()
    with pytest.raises(KeyboardInterrupt):
        execute(shell, "import asyncio\ninterrupt()\nawait asyncio.sleep(30)", block)
    assert block.entered == 1
    assert block.left_by == [KeyboardInterrupt]


@pytest.mark.parametrize("text", ["x = (", "return 1", "if 1:\n  a\n b", "async with x: await y"])
def test_what_cannot_be_compiled_enters_no_block(shell: InteractiveShell, text: str) -> None:
    shell.autoawait = False
    block = Block()
    with pytest.raises(SyntaxError):
        execute(shell, text, block)
    assert block.entered == 0


@pytest.mark.parametrize(
    "text", ["runs.append(1)", "runs.append(1);", "runs.append(1)\n1/0", "await run()"]
)
def test_the_cell_runs_once(shell: InteractiveShell, text: str) -> None:
    runs: list[int] = []

    async def run_async() -> None:
        runs.append(1)

    shell.user_ns.update(runs=runs, run=run_async)
    with contextlib.suppress(ZeroDivisionError):
        execute(shell, text)
    assert runs == [1]


# --- await ---------------------------------------------------------------------------------------

ASYNC = """\
import asyncio
async def value(n):
    await asyncio.sleep(0)
    return n
async def count():
    for n in range(3):
        yield await value(n)
"""


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("await value(7)", 7),
        ("x = await value(7)\nx + 1", 8),
        ("x = await value(7)", None),
        ("[n async for n in count()]", [0, 1, 2]),
        ("found = []\nasync for n in count():\n    found.append(n)\nfound", [0, 1, 2]),
        ("import contextlib\nasync with contextlib.AsyncExitStack() as s:\n    x = 1\nx", 1),
        ("sum(await asyncio.gather(value(1), value(2)))", 3),
    ],
)
def test_a_cell_may_await(shell: InteractiveShell, text: str, result: object) -> None:
    execute(shell, ASYNC)
    assert execute(shell, text) == result


def test_a_coroutine_that_is_not_awaited_is_the_result(shell: InteractiveShell) -> None:
    execute(shell, ASYNC)
    coroutine = execute(shell, "await value(1)\nvalue(2)")
    assert inspect.iscoroutine(coroutine)
    coroutine.close()


def test_a_failed_await_shows_the_cell_alone(shell: InteractiveShell) -> None:
    run(shell, ASYNC)
    done = run(shell, "%%flops -q\nawait value(1)\n1/0")
    assert done.error is not None
    assert [frame[1:] for frame in cell_frames(done.error)] == [("<module>", 3)]


@pytest.mark.filterwarnings("error")  # a coroutine that is never awaited
def test_where_a_loop_runs_already_await_is_refused_before_anything_runs(
    shell: InteractiveShell,
) -> None:
    async def front_end() -> Done:
        return run(shell, "%%flops -q\nx = 1\nawait asyncio.sleep(0)")

    run(shell, ASYNC)
    done = asyncio.run(front_end())
    assert type(done.error) is UsageError
    assert "with ipyflops.FlopCounter()" in str(done.error)
    assert "x" not in variables(shell)


def test_where_a_loop_runs_already_other_cells_run(shell: InteractiveShell) -> None:
    async def front_end() -> Done:
        return run(shell, "%%flops -q\nx = 1\nx + 1")

    assert asyncio.run(front_end()).result == 2


def test_trio_cannot_be_entered_twice(shell: InteractiveShell) -> None:
    shell.trio_runner = object()
    with pytest.raises(UsageError, match="FlopCounter"):
        execute(shell, "await anything")


def test_autoawait_off_makes_await_a_syntax_error(shell: InteractiveShell) -> None:
    shell.autoawait = False
    with pytest.raises(SyntaxError, match="await"):
        execute(shell, "await anything")


def test_the_compiler_flags_are_as_before(shell: InteractiveShell) -> None:
    before = shell.compile.flags
    execute(shell, "await __import__('asyncio').sleep(0)")
    assert shell.compile.flags == before


# --- transformations -----------------------------------------------------------------------------


def test_ast_transformers_are_applied_once(shell: InteractiveShell) -> None:
    class Double(ast.NodeTransformer):
        def visit_Constant(self, node: ast.Constant) -> ast.Constant:
            return ast.Constant(node.value * 2) if isinstance(node.value, int) else node

    shell.ast_transformers.append(Double())
    assert run(shell, "%%flops -q\nx = 20\nx + 1").result == 42


def test_a_transformer_can_reject_the_cell(shell: InteractiveShell) -> None:
    class Reject(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.Name:
            if node.id == "forbidden":
                raise InputRejected("no")
            return node

    shell.ast_transformers.append(Reject())
    done = run(shell, "%%flops -q\nx = 1\nforbidden")
    assert type(done.error) is InputRejected
    assert variables(shell) == {}


def test_input_transformers_see_the_cell_without_padding(shell: InteractiveShell) -> None:
    seen: list[str] = []

    def watch(lines: list[str]) -> list[str]:
        seen.append("".join(lines))
        return lines

    shell.input_transformers_cleanup.append(watch)
    running.compile_cell(shell, "x = 1\n", HERE)
    assert seen == ["x = 1\n"]


# --- where the code is ---------------------------------------------------------------------------


def test_a_line_in_a_function_sees_the_functions_variables(shell: InteractiveShell) -> None:
    run(shell, "shadowed = 'global'")
    done = run(
        shell,
        "def f(n, shadowed):\n"
        "    a = %flops -q sum(n for _ in range(n))\n"
        "    b = %flops -q [shadowed for _ in range(n)]\n"
        "    c = %flops -q (lambda: (n, shadowed, len(G)))()\n"
        "    return a, b, c\n"
        "G = 'ab'\n"
        "f(2, 'local')",
    )
    assert done.result == (4, ["local", "local"], (2, "local", 2))
    assert shell.user_ns["shadowed"] == "global"


def test_a_line_in_a_function_is_where_it_was_defined(shell: InteractiveShell) -> None:
    run(shell, "\ndef f():\n    pass\n    %flops -q 1/0")
    run(shell, "pass")
    done = run(shell, "pass\nf()")
    assert done.error is not None
    [(filename, _, line)] = cell_frames(done.error)
    # IPython drops the blank line at the top, and numbers the rest from one.
    assert line == 3
    assert shell.compile.format_code_name(filename) == ("Cell", "In[1]")


def test_a_magic_called_from_code_is_a_cell_of_its_own(shell: InteractiveShell) -> None:
    done = run(shell, "# one\n# two\nget_ipython().run_cell_magic('flops', '-q', '\\n1/0')")
    assert done.error is not None
    assert [frame[1:] for frame in cell_frames(done.error)] == [("<module>", 3)]
    assert "Cell In[1], line 3\n" in done.out
