"""What becomes of a cell that fails under `%%flops`, and of its report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops import Report
from tests.counted import FLOPS, last, model_shell
from tests.shells import run


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    with model_shell(monkeypatch) as shell:
        yield shell


@pytest.mark.filterwarnings("ignore:To exit:UserWarning")  # IPython's, on SystemExit
@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("1/0", "ZeroDivisionError: division by zero"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("raise ValueError('<b>')", "ValueError: <b>"),
        ("model(torch.ones(1, 7))", "RuntimeError: (addmm: )?mat1 and mat2"),
    ],
)
def test_of_a_failed_cell_the_report_is_shown_and_the_error_raised(
    shell: InteractiveShell, tmp_path: Path, statement: str, error: str
) -> None:
    done = run(shell, f"%%flops -v kept --save {tmp_path}/run.json\ny = model(x)\n{statement}")
    assert type(done.error).__name__ == error.partition(":")[0]
    report = last()
    assert not report.complete
    assert re.match(error, report.error)
    assert report.flops == FLOPS
    assert shell.user_ns["kept"] is report
    assert Report.load(tmp_path / "run.json") == report
    assert done.out.index("incomplete") < done.out.rindex(error.partition(":")[0])
    assert f"{FLOPS} FLOPs" in done.out


def test_the_error_object_is_the_one_that_was_raised(shell: InteractiveShell) -> None:
    done = run(
        shell, "%%flops -q\ncause = KeyError(1)\nboom = ValueError(2)\nraise boom from cause"
    )
    assert done.error is shell.user_ns["boom"]
    assert done.error.__cause__ is shell.user_ns["cause"]
    assert done.error.__context__ is None


def test_the_context_of_an_error_is_kept(shell: InteractiveShell) -> None:
    run(
        shell,
        "def inner():\n"
        "    try:\n"
        "        {}['inner']\n"
        "    except KeyError:\n"
        "        1/0\n"
        "try:\n"
        "    [][1]\n"
        "except IndexError:\n"
        "    try:\n"
        "        %flops -q inner()\n"
        "    except ZeroDivisionError as e:\n"
        "        chain = [type(e), type(e.__context__), type(e.__context__.__context__)]",
    )
    assert shell.user_ns["chain"] == [ZeroDivisionError, KeyError, IndexError]


def test_an_error_can_be_caught_around_the_magic(shell: InteractiveShell) -> None:
    done = run(shell, "try:\n    %flops -q 1/0\nexcept ZeroDivisionError:\n    caught = True")
    assert done.error is None
    assert shell.user_ns["caught"]
    assert not last().complete


def test_a_view_that_fails_does_not_hide_the_cells_error(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(report: Report, **options: Any) -> dict[str, str]:
        raise LookupError("of the view")

    monkeypatch.setattr("ipyflops.views.mime_bundle", broken)
    done = run(shell, "%%flops\nimport torch\ntorch.ones(2).relu()\n1/0")
    assert type(done.error) is ZeroDivisionError
    assert done.err == "ipyflops: LookupError: of the view\n"
    assert type(run(shell, "%%flops\n1").error) is LookupError


def test_of_a_cell_that_cannot_be_compiled_there_is_no_report(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops\nx = = 1")
    assert type(done.error) is SyntaxError
    assert ipyflops.last() is None
    assert "FLOPs" not in done.out


def test_no_mode_is_left_behind(shell: InteractiveShell) -> None:
    count = "len(torch.utils._python_dispatch._get_current_dispatch_mode_stack())"
    for cell in ("%%flops -q\n1/0", "%%flops -q\nraise KeyboardInterrupt", "%%flops -q\nmodel(x)"):
        run(shell, cell)
        assert run(shell, count).result == 0
    assert run(shell, f"%flops -q {count}").result == 1


def test_a_formula_that_fails_is_shown_as_an_error_beside_the_cells_result(
    shell: InteractiveShell,
) -> None:
    with ipyflops.temporary_formula("aten::cosh", lambda call: -5):
        done = run(shell, "%%flops\ny = torch.ones(3).cosh()\nmodel(x); y.sum().item()")
    assert done.error is None
    assert done.result == pytest.approx(4.629, abs=1e-3)
    assert "unknown" in done.out
    assert f"FormulaError: In[{shell.execution_count - 1}]:2: the formula of aten::cosh" in done.out
    assert "gave -5, which is negative" in done.out
    assert last().complete
    assert last().unknown == {"aten::cosh": 1}
