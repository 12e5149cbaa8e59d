"""The numbers of thread states: what they tell, and that no state stays behind."""

import ctypes
import random
import signal
import sys
import threading
from types import FrameType
from typing import Any

import pytest

from ipyflops.counting.thread_states import ThreadNumbers

pytestmark = pytest.mark.skipif(
    sys.implementation.name != "cpython", reason="only CPython numbers its threads"
)

POINTER = ctypes.c_void_p


def states() -> int:
    """How many thread states this interpreter has, by walking their list."""
    api = ctypes.pythonapi
    first = ctypes.PYFUNCTYPE(POINTER, POINTER)(("PyInterpreterState_ThreadHead", api))
    following = ctypes.PYFUNCTYPE(POINTER, POINTER)(("PyThreadState_Next", api))
    found = 0
    state = first(ctypes.PYFUNCTYPE(POINTER)(("PyInterpreterState_Get", api))())
    while state:
        found += 1
        state = following(state)
    return found


def test_they_count_the_threads_that_have_begun() -> None:
    numbers = ThreadNumbers()
    before = numbers.begun()
    assert before is not None
    assert numbers.begun() == before
    for _ in range(3):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()
    assert numbers.begun() == before + 3


class Interrupt(BaseException):
    """What a signal raises."""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")
def test_no_state_stays_behind_and_no_number_is_lost_when_it_is_interrupted() -> None:
    numbers = ThreadNumbers()
    begun, before = numbers.begun(), states()
    moments = random.Random(1)
    interrupted = 0
    wanted = 300

    def handler(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    earlier: Any = signal.signal(signal.SIGALRM, handler)
    try:
        while interrupted < wanted:
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-6, 60e-6))
                    for _ in range(8):
                        numbers.begun()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                interrupted += 1
    finally:
        signal.signal(signal.SIGALRM, earlier)
    assert states() == before
    assert numbers.begun() == begun
