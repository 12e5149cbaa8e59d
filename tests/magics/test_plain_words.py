"""What the magic says: of wrong options, of runs with nothing to count, of cells that fail."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops.magics import flops as magic
from tests.shells import fresh_shell, run


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as fresh:
        run(fresh, "import torch; layer = torch.nn.Linear(4, 3); x = torch.ones(2, 4)")
        yield fresh


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-q; layer(x)", "a semicolon cannot follow -q; it belongs behind the code"),
        ("--bye lines layer(x)", "--bye is no option here (did you mean --by?)"),
        ("--convention=x layer(x)", "--convention takes standard"),
        ("--converntion=article layer(x)", "did you mean --convention?"),
        ("--per token layer(x)", "--per takes a number of items, as in --per 128:token"),
        ("--per 0:token layer(x)", "a whole number from 1 on, not '0'"),
    ],
)
def test_a_wrong_option_says_what_is_right(
    shell: InteractiveShell, line: str, message: str
) -> None:
    done = run(shell, f"%flops {line}")
    assert type(done.error) is UsageError
    assert message in str(done.error)


def test_views_alone(shell: InteractiveShell) -> None:
    out = run(shell, "%flops --view text x.view(8);").out
    assert "views only, nothing to count" in out
    assert "no operator ran" not in out


def test_nothing_at_all(shell: InteractiveShell) -> None:
    out = run(shell, "%flops --view text sum([1, 2]);").out
    assert "no operator ran, nothing to count" in out


@pytest.mark.parametrize("code", ["numpy.ones(3) * 2;", "array + 1;"])
def test_work_of_numpy(shell: InteractiveShell, code: str) -> None:
    run(shell, "import numpy; array = numpy.ones(3)")
    assert "NumPy's work is not seen" in run(shell, f"%flops --view text {code}").out


def test_numpy_beside_operators_is_seen_too(shell: InteractiveShell) -> None:
    run(shell, "import numpy; array = numpy.ones(3)")
    out = run(shell, "%flops --view text (layer(x), array + 1);").out
    assert "NumPy's work is not seen" not in out


def test_a_run_of_no_operator_is_not_the_last(shell: InteractiveShell) -> None:
    run(shell, "%flops -q layer(x);")
    before = ipyflops.last()
    for cell in ("%flops 1 + 1", "%flops x.view(8);", "%%flops\nimport no_such_module"):
        run(shell, cell)
        assert ipyflops.last() is before


def test_the_peak_leaves_nothing_on_the_error_stream(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(magic, "with_peak", lambda report, line: asked.append(line) or report)
    done = run(shell, "%flops --peak --view text layer(x);")
    assert asked == [None]  # neither a terminal nor a notebook: there is no line
    assert done.err == ""


# --- cells that fail -----------------------------------------------------------------------------


def test_the_message_of_an_error_stands_once(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops --view text\ny = layer(x)\nraise ValueError('so long')")
    assert "incomplete: ValueError\n" in done.out
    shown, traceback = done.out.split("Traceback", 1)
    assert "so long" not in shown
    assert traceback.count("ValueError: so long") == 1
    report = ipyflops.last()
    assert report is not None
    # Where no traceback follows, the report has all of it.
    assert "incomplete: ValueError: so long" in str(report)


def test_the_traceback_begins_at_the_cells_own_line(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -q\ny = layer(x)\n1 / 0")
    assert "----> 3 1 / 0" in done.out
    assert "run_cell_magic" not in done.out
    done = run(shell, "%flops -q layer(x) / undefined")
    assert "----> 1 layer(x) / undefined" in done.out
    assert "run_line_magic" not in done.out


def test_functions_further_in_are_shown(shell: InteractiveShell) -> None:
    run(shell, "def broken(value):\n    return value / 0")
    done = run(shell, "%%flops -q\nbroken(1)")
    assert "----> 2 broken(1)" in done.out
    assert "return value / 0" in done.out


def test_an_error_that_is_raised_again_shows_where(shell: InteractiveShell) -> None:
    run(shell, "%%flops -q\n1 / 0")
    done = run(shell, "import sys\nkept = sys.last_value\ndef again(): raise kept\nagain()")
    assert "raise kept" in done.out or "1 / 0" in done.out
    assert "ZeroDivisionError" in done.out


def test_an_error_can_be_copied_and_sent(shell: InteractiveShell) -> None:
    error = run(shell, "%%flops -q\n1 / 0").error
    assert isinstance(error, ZeroDivisionError)
    assert type(pickle.loads(pickle.dumps(error))) is ZeroDivisionError
    assert str(copy.copy(error)) == str(error)


def test_a_cell_that_fails_before_any_operator_shows_its_error_alone(
    shell: InteractiveShell,
) -> None:
    done = run(shell, "%%flops --view text\nimport no_such_module")
    assert "incomplete" not in done.out
    assert "nothing to count" not in done.out
    assert "No module named 'no_such_module'" in done.out
