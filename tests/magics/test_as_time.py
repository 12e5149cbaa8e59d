"""A cell under `%%flops` does what it does under `%%time`, side by side."""

from __future__ import annotations

import re
from collections.abc import Iterator

import IPython
import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.shells import Done, fresh_shell, needs_ipython_8, run, variables


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        yield shell


CELLS = [
    "x = 1",
    "1 + 1",
    "x = 2\nx * 21",
    "x = 2\nx * 21;",
    "x = 2\nx * 21;  # a comment",
    "x = 2  # ;",
    "'a;'",
    "None",
    "# nothing but a comment",
    "\n\n",
    "   \n",
    "\n\n\nx = 1\n\n\nx\n\n",
    "    x = 1\n    x",
    "print('out'); 3",
    "import sys; print('err', file=sys.stderr)",
    "x: int = 3\nx",
    "x = y = 3",
    "(x := 4)",
    "del_me = 1\ndel del_me",
    "for i in range(3):\n    last = i",
    "if True:\n    7",
    "def f(a, *, b=2):\n    return a + b\nf(1)",
    "def f():\n    global made\n    made = 'global'\nf()\nmade",
    (
        "def outer():\n    n = 0\n    def inner():\n        nonlocal n\n        n += 1\n"
        "        return n\n    return inner() + inner()\nouter()"
    ),
    "class A:\n    'text'\n    def m(self):\n        return __class__.__name__\nA().m()",
    "import functools\n@functools.lru_cache\ndef f(n):\n    return n and 1 + f(n - 1)\nf(20)",
    "[i * i for i in range(4)]",
    "n = 3\n[i * n for i in range(n)]",
    "n = 3\nsum(n for _ in range(n))",
    "(lambda: __name__)()",
    "with open(__import__('os').devnull) as f:\n    pass\nf.closed",
    "try:\n    1/0\nexcept ZeroDivisionError as e:\n    caught = str(e)\ncaught",
    "from math import *\nfloor(pi)",
    "match 3:\n    case int(n):\n        found = n\nfound",
    "async def f():\n    return 1\nc = f()\nc.close()",
    "!echo $((40 + 2))",
    "out = !echo one; echo two\nlist(out)",
    "%pwd",
    "where = %pwd\nwhere == __import__('os').getcwd()",
    "%config InteractiveShell.autocall",
    "%%capture captured\nprint('inside')",
    "x = 5\n%who_ls int",
    "text = 'ünïcödé ✓ 数'\ntext",
    "value = '{x} $x {{}}'\nvalue",
    "display('shown'); 8",
    "_ = 3\n_",
    "\tx = 1\n\tx",
    "x = (1 +\n     2)\nx",
    "x = '''a\n\n  b'''\nx",
    ">>> x = 3\n>>> x + 1",
    "from __future__ import annotations\ndef f(a: undefined): pass\nf.__annotations__",
    "1/0",
    "x = 1\nundefined_name",
    "raise ValueError('text')",
    "raise KeyError",
    "raise SystemExit(3)",
    "import sys; sys.exit('bye')",
    "raise KeyboardInterrupt",
    "raise GeneratorExit",
    "def f():\n    raise RuntimeError('deep')\nf()",
    "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise TypeError('outer') from e",
    "class Odd(Exception):\n    def __str__(self): return 'odd'\nraise Odd",
    "assert 1 == 2, 'no'",
    "before = 1\n1/0\nafter = 2",
    "%no_such_magic",
    "%cd /no/such/folder/anywhere",
    "%%no_such_magic\nx",
    "raise StopIteration",
    "x = (",
    "x = 1\n  y = 2",
    "def",
    "'open",
    "return 1",
    "yield 1",
    "break",
    "nonlocal x",
    "x = 1; from __future__ import annotations",
]
TIMES = re.compile(r"^(CPU times|Wall time|Compiler|Parser *): .*\n", re.MULTILINE)


def as_seen(done: Done, shell: InteractiveShell) -> dict[str, object]:
    """What a user can tell of a cell: all but addresses and the traceback."""
    values = {
        name: value if isinstance(value, (int, str, list, dict)) else type(value).__name__
        for name, value in variables(shell).items()
    }
    out = TIMES.sub("", done.out).partition("Traceback")[0].partition("-----")[0]
    message = done.error.msg if isinstance(done.error, SyntaxError) else str(done.error)
    return {
        "result": repr(done.result) if not callable(done.result) else done.result.__name__,
        "error": type(done.error).__name__,
        "message": re.sub(r" \(detected at line \d+\)", "", message),
        "out": out,
        "err": done.err,
        "variables": values,
        "Out": list(shell.user_ns["Out"]),
    }


def check(got: dict[str, object], expected: dict[str, object]) -> None:
    if IPython.version_info[0] < 9 and got["error"] != expected["error"] == "NoneType":
        pytest.skip("IPython 8's %%time shows the error of its cell and swallows it")
    assert got == expected


def silences(code: str) -> None:
    """What a semicolon at the end does to the value, which is compared."""
    if re.search(r";\s*(#.*)?$", code):
        needs_ipython_8("shows a value under %time in spite of the semicolon behind it")


@pytest.mark.filterwarnings("ignore:To exit:UserWarning")  # IPython's, on SystemExit
@pytest.mark.parametrize("body", CELLS)
def test_a_cell_does_what_it_does_under_time(body: str) -> None:
    silences(body)
    with fresh_shell() as timed:
        expected = as_seen(run(timed, f"%%time\n{body}"), timed)
    with fresh_shell("ipyflops") as counted:
        got = as_seen(run(counted, f"%%flops -q\n{body}"), counted)
    check(got, expected)


@pytest.mark.parametrize(
    ("cell", "result", "out"),
    [
        # %%time looks for the final semicolon in the text as it is before the transformation.
        ("%%{}\nx = 5\n!echo it\\'s \\(\nx", 5, "it's ("),
        ("%%{}\n%%writefile /dev/null\ntext that is (not Python", None, "ing /dev/null"),
        # %time splits the line into words, and joins them again.
        ("%{} print('a  b')", None, "a  b"),
    ],
)
def test_a_cell_works_that_fails_under_time(
    shell: InteractiveShell, cell: str, result: object, out: str
) -> None:
    done = run(shell, cell.format("flops -q"))
    assert done.error is None
    assert done.result == result
    assert out in done.out


@pytest.mark.parametrize(
    "line",
    [
        "1 + 1",
        "x = 3",
        "x = 3; x + 1",
        "x = 3; x + 1;",
        "[i for i in range(3)]",
        "'{x}' + '$x'",
        "-3",
        "!echo hello",
        "1/0",
        "undefined_name",
        "x =",
        "raise KeyboardInterrupt",
    ],
)
def test_a_line_does_what_it_does_under_time(line: str) -> None:
    silences(line)
    with fresh_shell() as timed:
        expected = as_seen(run(timed, f"%time {line}"), timed)
    with fresh_shell("ipyflops") as counted:
        got = as_seen(run(counted, f"%flops -q -- {line}"), counted)
    check(got, expected)


@pytest.mark.parametrize(
    "code",
    ["x = 5", "x += 1", "y = x + 1", "new = x", "del x", "y = [x for _ in 'ab'] if 0 else x"],
)
def test_the_variables_of_a_function_are_what_time_makes_of_them(
    shell: InteractiveShell, code: str
) -> None:
    """From Python 3.13 on, what a line assigns is the function's own; before, it is lost."""
    found = []
    for magic, options in (("time", ""), ("flops", "-q ")):
        call = f"get_ipython().run_line_magic({magic!r}, {options + code!r})"
        body = f"    x, y = 1, 2\n    {call}\n    return dict(locals())\n"
        done = run(shell, f"def f():\n{body}f()")
        found.append((done.result, type(done.error)))
    assert found[0] == found[1]
