"""Where a magic stands in its cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.cells import running
from ipyflops.cells.origin import Origin
from tests.shells import fresh_shell, run


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    found: list[Origin] = []
    compile_cell = running.compile_cell

    def watch(
        shell: InteractiveShell, text: str, origin: Origin, *others: Any
    ) -> running.CompiledCell:
        found.append(origin)
        return compile_cell(shell, text, origin, *others)

    monkeypatch.setattr(running, "compile_cell", watch)
    with fresh_shell("ipyflops") as shell:
        shell.user_ns["found"] = found
        yield shell


def found(shell: InteractiveShell, cell: str, store_history: bool = True) -> list[Origin]:
    shell.user_ns["found"].clear()
    assert shell.run_cell(cell, store_history=store_history).success
    return list(shell.user_ns["found"])


@pytest.mark.parametrize(
    ("cell", "above"),
    [
        ("%%flops -q\n1", ("%%flops -q",)),
        ("%%flops -q -c article\n1\n", ("%%flops -q -c article",)),
        ("\n  \n%%flops -q\n1", ("", "  ", "%%flops -q")),
        ("%%time\n%%flops -q\n1", ("%%time", "%%flops -q")),
    ],
)
def test_a_cell_has_the_lines_above_it(
    shell: InteractiveShell, cell: str, above: tuple[str, ...]
) -> None:
    assert found(shell, cell) == [Origin(1, above, cell)]


@pytest.mark.parametrize(
    "cell",
    [
        ">>> %%flops -q\n>>> 1",
        "get_ipython().run_cell_magic('flops', '-q', '1\\n')",
        "code = '''\n1\n'''\nget_ipython().run_cell_magic('flops', '-q', '1\\n')",
    ],
)
def test_what_is_not_the_end_of_the_cell_is_a_cell_of_its_own(
    shell: InteractiveShell, cell: str
) -> None:
    [one] = found(shell, cell)
    assert one.above == ("%%flops -q",)
    assert one.raw == "%%flops -q\n1\n"


def test_the_number_is_the_cells(shell: InteractiveShell) -> None:
    for number in (1, 2, 3):
        assert [one.number for one in found(shell, "%flops -q 1\n%flops -q 1")] == [number, number]
        assert shell.execution_count == number + 1
    assert [one.number for one in found(shell, "%%flops -q\n1", store_history=False)] == [4]
    # Another cell that runs inside this one takes the shell's note of it away.
    again = "get_ipython().run_cell('pass')"
    inside = f"{again}\nget_ipython().run_cell_magic('flops', '-q', '1')\n%flops -q 1"
    assert [one.number for one in found(shell, inside)] == [4, 4]


def test_a_line_has_as_many_lines_above_it(shell: InteractiveShell) -> None:
    assert found(shell, "x = 1\nfor i in (1,):\n    y = %flops -q 1") == [
        Origin(1, ("", ""), "%flops -q 1", within_line=True)
    ]
    run(shell, "\ndef f():\n    'text'\n    %flops -q 1\n")
    assert found(shell, "pass\nf()") == [Origin(2, ("", ""), "%flops -q 1", within_line=True)]


def test_a_line_that_no_cell_holds_has_none_above_it(shell: InteractiveShell) -> None:
    code = "get_ipython().run_line_magic('flops', '-q 1')"
    shell.user_ns["elsewhere"] = compile(f"\n\n{code}", "elsewhere.py", "exec")
    assert found(shell, "exec(elsewhere)") == [Origin(1, (), "%flops -q 1")]


@pytest.mark.parametrize(
    ("above", "padding"),
    [
        ((), ""),
        (("%%flops",), "# %%flops\n"),
        (("", "%%flops -v ü"), "\n# %%flops -v ü\n"),
        (("%%flops \x0c x = 1",), "\n"),
        (("%%flops\rx = 1",), "\n"),
        (("%%flops\u2028x = 1",), "\n"),
    ],
)
def test_the_padding_is_as_many_lines_without_code(above: tuple[str, ...], padding: str) -> None:
    assert Origin(1, above, "").padding == padding
    assert len(padding.splitlines()) == len(above)
    assert compile(padding, "x", "exec").co_names == ()
