"""`--columns`: more columns in what is shown, and shapes that are recorded for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from tests.shells import fresh_shell, run


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as fresh:
        run(fresh, "import torch; layer = torch.nn.Linear(4, 3); x = torch.ones(2, 4)")
        yield fresh


def test_shapes_and_parameters(shell: InteractiveShell) -> None:
    out = run(shell, "%flops --view text --columns shapes,params layer(x);").out
    for text in ("input", "output", "trainable", "2×4", "2×3"):
        assert text in out
    assert ipyflops.last().find("layer").shapes.trainable == 4 * 3 + 3


def test_a_column_of_numbers_needs_no_shapes(shell: InteractiveShell) -> None:
    out = run(shell, '%flops --view text --columns "macs, activations" layer(x);').out
    assert "MACs" in out
    assert "acts" in out
    assert ipyflops.last().find("layer").shapes.input == ""


def test_a_report_without_shapes_says_how_to_get_them(shell: InteractiveShell) -> None:
    run(shell, "%flops -q layer(x);")
    done = run(shell, "%flops --columns shapes")
    assert type(done.error) is UsageError
    assert "the last report has no shapes" in str(done.error)


def test_nothing_runs_where_there_is_no_such_column(shell: InteractiveShell) -> None:
    done = run(shell, "%flops --columns shape (ran := True)")
    assert type(done.error) is UsageError
    assert "--columns: there is no column 'shape'" in str(done.error)
    assert "ran" not in shell.user_ns
