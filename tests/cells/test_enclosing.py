"""A line in a function runs among its variables, and the globals are the shell's own."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from tests.shells import fresh_shell, run


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        yield shell


def in_function(line: str, after: str = "", parameters: str = "n=2, shadowed='local'") -> str:
    """A cell whose function has the line, and gives what the magic gave."""
    return f"def f({parameters}):\n    got = %flops -q {line}\n    {after}\n    return got\nf()"


# --- the globals ---------------------------------------------------------------------------------

#: What a line does to the globals, and an expression that shows it afterwards. `%time` does each.
TO_GLOBALS = [
    ("exec('made = 3', globals())", "made"),
    ("globals().update(made=4)", "made"),
    ("globals().__setitem__('made', 2 + (globals() is get_ipython().user_ns))", "made"),
    ("setter(5)", "made"),
    ("maker()", "made"),
]


BEFORE = (
    "made = 1\ndef setter(value):\n    global made\n    made = value\n"
    "def maker():\n    globals()['made'] = 6"
)


def shown_after(magic: str, line: str, shown: str) -> object:
    """What an expression gives after a line in a function of a fresh shell."""
    with fresh_shell("ipyflops") as shell:
        run(shell, BEFORE)
        done = run(shell, in_function(line).replace("%flops -q", magic))
        assert done.error is None, done.out
        return run(shell, shown).result


@pytest.mark.parametrize(("line", "shown"), TO_GLOBALS)
def test_the_globals_are_those_of_the_shell(line: str, shown: str) -> None:
    expected = shown_after("%time", line, shown)
    assert shown_after("%flops -q", line, shown) == expected != 1
    assert shown_after("%flops -q", f"((lambda: n)(), {line})[-1]", shown) == expected


def test_a_global_statement_in_the_line_is_kept(shell: InteractiveShell) -> None:
    assert run(shell, in_function("global made; made = (lambda: n)()")).error is None
    assert shell.user_ns["made"] == 2


def test_a_function_that_a_line_makes_sees_later_globals(shell: InteractiveShell) -> None:
    run(shell, "later = 1")
    run(shell, in_function("lambda: (n, later)").replace("\nf()", "\nmade = f()"))
    run(shell, "later = 2")
    assert run(shell, "made(), made.__globals__ is get_ipython().user_ns").result == ((2, 2), True)


def test_a_function_that_a_line_makes_keeps_no_global_alive(shell: InteractiveShell) -> None:
    run(shell, "class Big: pass\nbig = Big()")
    kept = weakref.ref(shell.user_ns["big"])
    run(shell, in_function("lambda: n").replace("\nf()", "\nmade = f()"))
    run(shell, "del big")
    gc.collect()
    assert kept() is None


# --- the function's variables --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("sum(n for _ in range(n))", 4),
        ("[shadowed for _ in range(n)]", ["local", "local"]),
        ("(lambda: (n, shadowed, len(G)))()", (2, "local", 2)),
        ("(lambda: (lambda: n)())()", 2),
        ("{k: n for k in G}", {"a": 2, "b": 2}),
        ("[n * i for i in range(n) if (lambda: shadowed)()]", [0, 2]),
        # Assignments in the line are seen by the functions in it.
        ("n = 5; (lambda: n)()", 5),
        ("m = n + 1; (lambda: m + n)()", 5),
        ("n += 1; [n for _ in G]", [3, 3]),
        ("fact = lambda i: i * fact(i - 1) if i else n; fact(3)", 12),
        # What is assigned there may have been a global so far.
        ("G = G + 'c'; (lambda: G + shadowed)()", "abclocal"),
        ("total = 0; [total := total + n for _ in G]; (lambda: total + n)()", 6),
        ("import math; (lambda: math.floor(n))()", 2),
        ("type('A', (), {'m': lambda self: n})().m()", 2),
        ("(len := 3); (lambda: len + n)()", 5),
    ],
)
def test_functions_in_the_line_see_them(shell: InteractiveShell, line: str, result: object) -> None:
    run(shell, "shadowed = 'global'\nG = 'ab'")
    done = run(shell, in_function(line))
    assert done.error is None
    assert done.result == result
    assert (shell.user_ns["shadowed"], shell.user_ns["G"]) == ("global", "ab")
    assert not {"n", "m", "total", "len"} & set(shell.user_ns)


def test_what_the_line_assigns_is_there_for_the_next_one(shell: InteractiveShell) -> None:
    after = "more = %flops -q (made, dropped if 'dropped' in locals() else 'gone')"
    cell = in_function("made = (lambda: n)(); dropped = 1; del dropped", after)
    done = run(shell, cell.replace("return got", "return more"))
    assert done.error is None
    assert done.result == (2, "gone")


@pytest.mark.skipif(sys.version_info < (3, 13), reason="Python 3.13 writes to frames' variables")
def test_a_variable_of_the_function_can_be_assigned(shell: InteractiveShell) -> None:
    assert run(shell, in_function("n = (lambda: n)() + 1", "return n")).result == 3


def test_repeats_begin_with_what_the_line_has_left(shell: InteractiveShell) -> None:
    run(shell, "seen = []")
    line = "-tn1 -r2 seen.append(n); n = (lambda: n)() + 1"
    assert run(shell, in_function(line)).error is None
    assert shell.user_ns["seen"] == [2, 3, 4, 5, 6]


def test_a_name_that_is_nowhere_is_a_name_error(shell: InteractiveShell) -> None:
    done = run(shell, in_function("(lambda: n + missing)()"))
    assert type(done.error) is NameError
    assert "missing" in str(done.error)


def test_what_cannot_stand_in_a_function_runs_as_under_time(shell: InteractiveShell) -> None:
    assert run(shell, in_function("from math import *; floor(2.5)")).result == 2
    line = "from math import *; unused = lambda: n; floor(3.5)"
    assert run(shell, in_function(line)).result == 3


def test_a_line_that_awaits_sees_them_too(shell: InteractiveShell) -> None:
    run(shell, "import asyncio")
    done = run(shell, in_function("await asyncio.sleep(0, (lambda: n)())"))
    assert done.error is None
    assert done.result == 2


def test_the_error_of_a_function_in_the_line_names_the_lines(shell: InteractiveShell) -> None:
    done = run(shell, in_function("(lambda: n / 0)()"))
    assert type(done.error) is ZeroDivisionError
    assert done.out.count("Cell In[1], line 2") >= 2
    assert "inner" not in done.out
    run(shell, in_function("lambda: n").replace("\nf()", "\nmade = f()"))
    assert run(shell, "made.__qualname__").result.endswith("<lambda>")
