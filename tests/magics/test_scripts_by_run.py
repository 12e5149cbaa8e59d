"""`%run script.py` under `%%flops`: the lines are those that `python -m ipyflops` gives."""

from __future__ import annotations

from pathlib import Path

import pytest

import ipyflops
from ipyflops.scripts import main
from tests.shells import fresh_shell, run

SCRIPT = """\
import torch

def product(x):
    return x @ x

x = torch.ones(2, 2)
y = product(x)
z = y @ y
"""


def test_the_same_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of 2×2 by 2×2 is 16 FLOPs: in a function that line 7 calls, and on line 8."""
    (tmp_path / "train.py").write_text(SCRIPT)
    monkeypatch.chdir(tmp_path)
    assert main(["-q", "--by", "lines", "-c", "contractions", "train.py"]) == 0
    report = ipyflops.last()
    assert report is not None
    ran = {name: totals.flops for name, totals in report.by_line.items() if totals.flops}
    assert ran == {"train.py:4": 16, "train.py:8": 16}
    with fresh_shell("ipyflops") as shell:
        out = run(shell, "%%flops --by lines --view text\n%run train.py").out
    report = ipyflops.last()
    assert report is not None
    # The cell's own line has it all; below it each line of the script.
    assert report.by_line["In[1]:2"].flops == report.flops
    found = {
        (excerpt.name, one.number): report.signatures[one.signature].cost.contraction.value
        for excerpt in report.excerpts
        for one in excerpt.counts
        if report.signatures[one.signature].cost.contraction
    }
    assert found == {("product", 4): 16, ("script", 7): 16, ("script", 8): 16}
    assert "z = y @ y" in out
