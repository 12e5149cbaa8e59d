"""What all tests share: what the oldest PyTorch lacks, a memory that is empty, a ^C that works."""

from __future__ import annotations

import gc
import re
import signal
from collections.abc import Iterator

import pytest
import torch

from ipyflops.counting import first_calls
from ipyflops.counting.recording import SIGNATURES
from ipyflops.formulas import OFFSETS
from tests import sums

RELEASE = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))

#: Tests, by the beginning of their ids, that PyTorch 2.12 cannot pass, and what it lacks.
NEED_2_13 = {
    "tests/architectures/test_fake.py::test_attention_kernels[dtype2": (
        "PyTorch 2.12 makes the fake log-sum-exp of attention in float64 a tensor of float32"
    ),
}


def pytest_configure() -> None:
    """Heed interrupts, which a shell makes those ignore that it starts in the background.

    Tests interrupt what would run for hours; the processes that they start ignore it likewise.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if RELEASE >= (2, 13):
        return
    for item in items:
        for beginning, reason in NEED_2_13.items():
            if item.nodeid.startswith(beginning):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_collection_finish() -> None:
    """Spare the garbage collector what stays until the end: PyTorch's modules, and these tests.

    IPython collects garbage whenever a shell ends, and a million objects take it half a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def reports_add_up() -> Iterator[None]:
    """Check in every test that the parts of each report that it makes add up."""
    with sums.all_checked():
        yield


@pytest.fixture(autouse=True)
def no_remembered_costs() -> None:
    """Begin each test without the costs that others worked out: none passes by another's order."""
    SIGNATURES.clear()
    OFFSETS.clear()


@pytest.fixture(autouse=True)
def no_slow_first_calls(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep out the note that depends on how busy the machine is, where the clock is real."""
    if "kernels" not in request.fixturenames:
        monkeypatch.setattr(first_calls, "SLOW", float("inf"))
