"""A report that is the result of its cell is shown once, as any other result."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyflops import Report
from tests.counted import FLOPS, model_shell
from tests.shells import run

HEADLINE = f"{FLOPS} FLOPs ·"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    with model_shell(monkeypatch) as shell:
        yield shell


@pytest.mark.parametrize(
    ("cell", "times"),
    [
        ("%%flops -o\nmodel(x)", 1),
        ("%flops -o model(x)", 1),
        ("1\n%flops -o model(x)", 1),
        ("r = %flops -o model(x)", 1),
        ("%flops -qo model(x)", 1),
        ("r = %flops -qo model(x)", 0),
        ("%%flops -o\nmodel(x);", 1),
        # Asked for twice, shown twice.
        ("r = %flops -o model(x)\ndisplay(r)", 2),
        ("%flops -o model(x)\n%flops -o model(x)", 2),
    ],
)
def test_a_report_is_shown_as_often_as_it_is_asked_for(
    shell: InteractiveShell, cell: str, times: int
) -> None:
    done = run(shell, cell)
    assert done.error is None
    assert done.out.count(HEADLINE) == times


def test_it_is_the_result_all_the_same_and_shown_by_later_cells(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -o\nmodel(x)")
    assert isinstance(done.result, Report)
    assert shell.user_ns["_"] is done.result
    assert shell.user_ns["Out"][2] is done.result
    assert run(shell, "_").out.count(HEADLINE) == 1
    assert run(shell, "%flops -o").out.count(HEADLINE) == 1
    assert run(shell, "Out[2]").out.count(HEADLINE) == 1
