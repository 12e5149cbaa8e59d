"""A shell with a small model and the magics loaded, for the tests of the magics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops import Report
from ipyflops.report import LAST_REPORT
from tests.shells import fresh_shell, run

SETUP = """\
import torch
model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
x = torch.ones(2, 3)
"""
FLOPS = 2 * 2 * 3 * 4 + 2 * 4  # of model(x)
ARTICLE = (2 * 3 - 1) * 8 + 8
#: What the views were asked to show: the report and the options.
Shown = list[tuple[Report, dict[str, Any]]]


@contextlib.contextmanager
def model_shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """The shell, in which nothing has been counted yet."""
    monkeypatch.setattr(LAST_REPORT, "report", None)
    with fresh_shell("ipyflops") as shell:
        run(shell, SETUP)
        yield shell


def recorded_views(monkeypatch: pytest.MonkeyPatch) -> Shown:
    """Take the place of the views, and note what they are asked for."""
    calls: Shown = []

    def mime_bundle(report: Report, **options: Any) -> dict[str, str]:
        calls.append((report, options))
        return {"text/plain": "<the report>"}

    monkeypatch.setattr("ipyflops.views.mime_bundle", mime_bundle)
    return calls


def last() -> Report:
    """The last report, which there has to be."""
    report = ipyflops.last()
    assert report is not None
    return report
