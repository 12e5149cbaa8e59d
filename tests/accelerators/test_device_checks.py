"""The checks for real devices: they can fail, they end in time, and they run on the CPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.accelerators.device import checks

ROOT = Path(__file__).parents[2]


def outcome(function: Any, monkeypatch: pytest.MonkeyPatch, **options: Any) -> dict[str, Any]:
    """What is said of one check."""
    monkeypatch.setattr(checks, "CHECKS", [checks.Entered("one", 1.0, function)])
    machine = checks.Machine(torch.device("cpu"), **options)
    (result,) = checks.run_all(machine)
    return result


def test_each_outcome_has_its_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def skip(machine: checks.Machine) -> None:
        raise checks.Skip("no such device")

    def fail(machine: checks.Machine) -> None:
        raise checks.Fail("too high", {"value": 3})

    assert outcome(lambda machine: {"flops": 3}, monkeypatch)["status"] == "PASS"
    skipped = outcome(skip, monkeypatch)
    assert (skipped["status"], skipped["detail"]) == ("SKIP", "no such device")
    failed = outcome(fail, monkeypatch)
    assert (failed["status"], failed["figures"]) == ("FAIL", {"value": 3})
    broken = outcome(lambda machine: 1 / 0, monkeypatch)
    assert broken["status"] == "FAIL"
    assert broken["detail"].startswith("ZeroDivisionError")
    said = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line[0] != " "]
    assert said == ["PASS", "SKIP", "FAIL", "FAIL"]


def test_what_does_not_fit_into_the_budget_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    result = outcome(lambda machine: {}, monkeypatch, budget=5.0)
    assert result["status"] == "SKIP"
    assert "s are left" in result["detail"]


def test_they_run_on_the_cpu_and_the_last_line_is_json() -> None:
    command = [sys.executable, "-m", "tests.accelerators.device", "--device", "cpu"]
    done = subprocess.run(
        [*command, "--only", "counts/linear"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    *_, last = done.stdout.splitlines()
    summary = json.loads(last)
    assert (summary["device"], summary["PASS"], summary["FAIL"]) == ("cpu", 1, 0)
    (result,) = summary["results"]
    # By hand: two products forward, three backward (the input needs no gradient), of 16 rows.
    assert result["figures"]["contractions"] == 2 * 16 * (2 * 32 * 64 + 3 * 64 * 8)


def test_a_device_that_is_not_there_is_said_so() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.accelerators.device", "--device", "xpu"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=300,
    )
    assert done.returncode == 2
    assert "there is no xpu here" in done.stderr
