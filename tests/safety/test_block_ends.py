"""Blocks that end in another way than a ``with`` statement's: each leaves nothing."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
import torch

import ipyflops
from ipyflops.counting import FlopCounter
from tests.safety.process_state import process_state

A = torch.ones(2, 2)
MM = 2 * 2 * 2 * 2


def product() -> Any:
    return A @ A


def run_in_thread(function: Any) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_block_that_ends_in_another_thread() -> None:
    before = process_state()
    with FlopCounter() as outer:
        counter = FlopCounter().__enter__()
        product()
        run_in_thread(lambda: counter.__exit__(None, None, None))
        product()
        assert counter.report.complete
    assert (counter.report.flops, outer.report.flops) == (MM, 2 * MM)
    product()
    assert process_state() == before


def test_to_leave_a_block_twice_does_no_harm() -> None:
    before = process_state()
    with FlopCounter() as counter:
        product()
        counter.__exit__(None, None, None)
        product()
    counter.__exit__(None, None, None)
    FlopCounter().__exit__(None, None, None)
    assert (counter.report.flops, counter.report.complete) == (MM, True)
    assert process_state() == before


def test_everything_can_be_set_back_in_a_block() -> None:
    before = process_state()
    with FlopCounter() as outer, FlopCounter() as counter:
        product()
        ipyflops.reset()
        assert process_state() == before
        product()
        with FlopCounter() as later:
            product()
    assert process_state() == before
    for one in (outer, counter):
        assert (one.report.flops, one.report.complete) == (MM, False)
        assert one.report.error == "ended by ipyflops.reset()"
    assert (later.report.flops, later.report.complete) == (MM, True)
    ipyflops.reset()
    assert process_state() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_is_forked_in_a_block_does_not_count() -> None:
    before = process_state()
    reader, writer = os.pipe()
    with FlopCounter() as counter:
        product()
        child = os.fork()
        if child == 0:  # nothing of the test run may go on in here
            try:
                clean = process_state() == before
                product()
                flops = counter.report.flops
                counter.__exit__(None, None, None)
                os.write(writer, repr((clean, flops, counter.report.complete)).encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        product()
    found = os.read(reader, 100)
    os.close(reader)
    os.close(writer)
    assert found == repr((True, MM, False)).encode()
    assert (counter.report.flops, counter.report.complete) == (2 * MM, True)


class Silent(Exception):
    """Fails to say what it is, in the worst way."""

    def __str__(self) -> str:
        raise KeyboardInterrupt


def test_an_error_that_cannot_be_shown_leaves_nothing() -> None:
    before = process_state()
    counter = FlopCounter()
    with pytest.raises((Silent, KeyboardInterrupt)), counter:
        raise Silent
    assert process_state() == before
    assert counter.report.error == "Silent"
