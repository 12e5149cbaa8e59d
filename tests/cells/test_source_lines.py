"""Lines are numbered as Python numbers them, and shown as they were typed."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.cells.source_lines import as_typed, lines_of
from tests.shells import fresh_shell, run

#: Where `str.splitlines` begins a new line.
SEPARATORS = "\v\f\x1c\x1d\x1e\x85\u2028\u2029"

IPYTHON_WARNS = pytest.mark.filterwarnings("ignore:`make_tokens_by_line` received:UserWarning")


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        run(shell, "import torch\nx = torch.ones(2)")
        yield shell


@pytest.mark.parametrize("separator", [*SEPARATORS, "\n", "\r\n", "\r"])
def test_lines_are_where_python_sees_them(separator: str) -> None:
    text = f"a = '''1{separator}2'''\n# {separator}\nb = 2\n"
    lines = lines_of(text)
    number = ast.parse(text).body[1].lineno
    # Python's parser takes a comment's carriage return for the end of the line, too.
    if separator in SEPARATORS:
        assert lines[number - 1] == "b = 2"
    assert lines[0].startswith("a = '''1")
    assert lines[-1] == "b = 2"


@IPYTHON_WARNS
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("head", ["%%flops -q -v report\n", ""])
def test_what_ran_stands_on_its_own_line(
    shell: InteractiveShell, head: str, separator: str
) -> None:
    body = f"# a{separator}b\ntext = '{separator}'\ny = x + x\n"
    if head:
        run(shell, head + body)
    else:
        run(shell, "import ipyflops")
        run(shell, f"{body}with ipyflops.FlopCounter() as counter:\n    y = x * 2")
        run(shell, "report = counter.report")
    report = shell.user_ns["report"]
    (excerpt,) = report.excerpts
    (key,) = report.by_line
    number = int(key.rpartition(":")[2])
    line = excerpt.lines[number - excerpt.first]
    assert line == ("y = x + x" if head else "    y = x * 2")
    assert report.lines[0].text == line.rstrip()
    assert len(excerpt.lines) == len(lines_of(head + body)) + (0 if head else 2)


@IPYTHON_WARNS
@pytest.mark.parametrize("separator", SEPARATORS)
def test_a_method_is_found_behind_one(shell: InteractiveShell, separator: str) -> None:
    run(
        shell,
        f"class M(torch.nn.Module):\n    '''a{separator}b'''\n"
        "    def forward(self, x):\n        return x + x\nm = M()",
    )
    run(shell, "%flops -q -v report --by lines m(x)")
    (method,) = (one for one in shell.user_ns["report"].excerpts if one.name)
    assert method.lines == ("    def forward(self, x):", "        return x + x")


@pytest.mark.parametrize(
    "typed",
    [
        "%time f(x)",
        "    %time f(x)",
        "r = %time f(x)",
        "a, b = %time f(x)",
        "a.b = %time f('it')",
        '%time f("it\'s")',
        "!echo one",
        "out = !echo 'one'",
        "!!echo one",
        "%pwd",
    ],
)
def test_a_call_of_ipythons_is_shown_as_it_was_typed(shell: InteractiveShell, typed: str) -> None:
    cell = f"if True:\n{typed}" if typed[0] == " " else typed
    made = shell.transform_cell(cell).rstrip("\n").split("\n")[-1]
    assert "get_ipython()" in made
    assert as_typed(made) == typed


@pytest.mark.parametrize(
    "line",
    [
        "get_ipython().run_line_magic(name, 'x')",
        "f(get_ipython().run_line_magic('time', 'x'))",
        "get_ipython().run_line_magic('time', 'x') + 1",
        "get_ipython()",
        "get_ipython().system(",
        "x = 1",
    ],
)
def test_other_lines_stay_as_they_are(line: str) -> None:
    assert as_typed(line) == line


def test_the_report_shows_what_was_typed(shell: InteractiveShell) -> None:
    run(shell, "def f(y): return y + y")
    run(shell, "%%flops -q -v report\nif True:\n    z = %time f(x)\n%time f(x)")
    (excerpt,) = shell.user_ns["report"].excerpts
    assert excerpt.lines == ("%%flops -q -v report", "if True:", "    z = %time f(x)", "%time f(x)")
