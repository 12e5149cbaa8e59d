"""The table of verdicts, and forms of operators that take another way to it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

import ipyflops.formulas
from ipyflops.formulas.__main__ import main
from ipyflops.formulas.catalogue import catalogue
from ipyflops.formulas.registry import REGISTRY
from tests.formulas.dispatch import total
from tests.missing import IS_OTHER

X = torch.randn(2, 3, 12, 12)


@pytest.mark.parametrize(
    ("functional", "out"),
    [
        (lambda: torch.softmax(X, 1), lambda o: torch.softmax(X, 1, out=o)),
        (lambda: torch.log_softmax(X, 1), lambda o: torch.log_softmax(X, 1, out=o)),
        (
            lambda: F.adaptive_avg_pool2d(X, (5, 5)),
            lambda o: torch.ops.aten.adaptive_avg_pool2d.out(X, (5, 5), out=o),
        ),
        (
            lambda: F.adaptive_avg_pool1d(X[0], 5),
            lambda o: torch.ops.aten.adaptive_avg_pool1d.out(X[0], (5,), out=o),
        ),
        (
            lambda: F.adaptive_avg_pool3d(X, (2, 5, 5)),
            lambda o: torch.ops.aten.adaptive_avg_pool3d.out(X, (2, 5, 5), out=o),
        ),
        (
            lambda: F.avg_pool1d(X[0], 3),
            lambda o: torch.ops.aten.avg_pool1d.out(X[0], (3,), out=o),
        ),
    ],
    ids=["softmax", "log_softmax", "adaptive2d", "adaptive1d", "adaptive3d", "avg1d"],
)
def test_out_forms_cost_what_the_functional_ones_cost(
    functional: Callable[[], torch.Tensor], out: Callable[[torch.Tensor], object]
) -> None:
    with torch.no_grad():
        result = torch.empty_like(functional())
        assert total(lambda: out(result)) == total(functional) > 0


def test_every_operator_has_a_verdict_and_every_verdict_a_reason() -> None:
    entries = catalogue()
    assert len(entries) > (1900 if IS_OTHER else 2000)
    assert [entry.operator for entry in entries if entry.verdict == "unknown"] == []
    assert [entry.operator for entry in entries if not entry.cost] == []
    assert {entry.verdict for entry in entries} == {"formula", "free", "composite"}


def test_the_command_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aten::addmm"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["aten::addmm", "formula", "products"]
    assert lines[-1] == "2 operators: 2 formula" or lines[-1].endswith("1 formula")
    assert main(["aten::addmm", "--markdown"]) == 0
    assert "| `aten::addmm` | formula | products |" in capsys.readouterr().out
    assert main(["no such operator"]) == 0
    assert capsys.readouterr().out.strip() == "0 operators: none"


def test_the_command_fails_when_a_verdict_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(REGISTRY.formulas, "aten::erf")
    assert main(["--unknown"]) == 1
    assert "aten::erf" in capsys.readouterr().out


def test_the_table_in_the_repository_is_that_of_the_code() -> None:
    path = Path(ipyflops.formulas.__file__).with_name("OPERATORS.md")
    table = path.read_text(encoding="utf-8")
    release = torch.__version__.partition("+")[0]
    if f"PyTorch {release}." not in table:
        pytest.skip(f"OPERATORS.md was made with another PyTorch than {release}")
    # In a process of its own: some operators exist only once torch's Python has defined them.
    result = subprocess.run(
        [sys.executable, "-m", "ipyflops.formulas", "--markdown"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )  # fmt: skip
    # If this fails: python -m ipyflops.formulas --markdown > ipyflops/formulas/OPERATORS.md
    assert result.stdout.decode("utf-8") == table
