"""``pip install .`` brings ipyflops into Colab's runtime, and changes nothing else there."""

from __future__ import annotations

import json
import os
import re
from importlib.metadata import version
from pathlib import Path

import pytest

PINS = dict(
    line.split("==")
    for line in (Path(__file__).parent / "pins.txt").read_text(encoding="utf-8").splitlines()
    if re.fullmatch(r"[\w-]+==[\w.]+", line)
)


def test_the_pins_are_read() -> None:
    assert PINS["ipython"] == "7.34.0"
    assert len(PINS) == 14


def test_nothing_else_was_installed() -> None:
    """Of pip's own report of the installation."""
    report = json.loads(Path(os.environ["IPYFLOPS_COLAB"]).read_text(encoding="utf-8"))
    assert [one["metadata"]["name"] for one in report["install"]] == ["ipyflops"]


@pytest.mark.parametrize("package", PINS)
def test_it_is_as_in_colab(package: str) -> None:
    assert version(package) == PINS[package]
