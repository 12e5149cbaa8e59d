"""What all tests share: what a PyTorch lacks, a memory that is empty, a ^C that works."""

from __future__ import annotations

import gc
import signal
from collections.abc import Generator, Iterator

import pytest

from ipyflops.counting import first_calls
from ipyflops.counting.recording import SIGNATURES
from ipyflops.formulas import OFFSETS
from tests import missing, sums


def pytest_configure() -> None:
    """Heed interrupts, which a shell makes those ignore that it starts in the background.

    Tests interrupt what would run for hours; the processes that they start ignore it likewise.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """Skip a test that asks for what this PyTorch does not have."""
    try:
        return (yield)
    except AttributeError as error:
        missing.needs(not (name := missing.lacks(error)), name)
        raise


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
