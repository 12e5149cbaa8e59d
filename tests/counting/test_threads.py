"""The hook that new threads call, and what is known of threads that are not counted."""

import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from ipyflops.counting.threads import CalledAtEnd, NotCounted, ThreadHooks, call_with_next_step


class Hooked:
    """Notes the thread and its profile function whenever the hook is called."""

    def __init__(self) -> None:
        self.calls: list[threading.Thread] = []
        self.hooks = ThreadHooks(self.begin)

    def begin(self) -> None:
        self.calls.append(threading.current_thread())


@pytest.fixture(name="hooked")
def _hooked() -> Iterator[Hooked]:
    hooked = Hooked()
    yield hooked
    hooked.hooks.set_back()
    threading.setprofile(None)  # type: ignore[arg-type]


def run_a_thread(function: Any) -> threading.Thread:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()
    return thread


def profile(frame: FrameType, event: str, argument: Any) -> None:
    """Profile nothing."""


def test_it_is_called_once_in_each_thread_and_leaves_no_profile_function(hooked: Hooked) -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.append(sys.getprofile())

    hooked.hooks.set()
    thread = run_a_thread(work)
    assert hooked.calls == [thread]
    assert seen == [None]
    hooked.hooks.set_back()
    run_a_thread(work)
    assert hooked.calls == [thread]


def test_each_step_can_be_taken_again(hooked: Hooked) -> None:
    assert not hooked.hooks.set()
    assert not hooked.hooks.set()
    assert len({run_a_thread(int), *hooked.calls}) == 1
    hooked.hooks.set_back()
    hooked.hooks.set_back()
    assert threading.getprofile() is None


def test_the_profile_function_of_somebody_else_is_the_threads_own_and_comes_back(
    hooked: Hooked,
) -> None:
    seen: list[Any] = []
    threading.setprofile(profile)
    hooked.hooks.set()
    hooked.hooks.set()
    assert threading.getprofile() is not profile
    run_a_thread(lambda: seen.append(sys.getprofile()))
    assert seen == [profile]
    assert len(hooked.calls) == 1
    hooked.hooks.set_back()
    assert threading.getprofile() is profile


def test_a_profile_function_that_is_set_later_is_noticed_and_stays(hooked: Hooked) -> None:
    hooked.hooks.set()
    threading.setprofile(profile)
    assert hooked.hooks.was_replaced()
    hooked.hooks.set_back()
    assert threading.getprofile() is profile
    assert not hooked.hooks.was_replaced()


def test_a_function_is_called_with_each_step_until_it_is_done() -> None:
    answers = [False, False, True]
    left = list(answers)
    call_with_next_step(lambda: left.pop(0))
    for _ in range(5):
        abs(1)
    assert left == []
    assert sys.getprofile() is None


def test_a_profiler_at_work_is_left_alone() -> None:
    sys.setprofile(profile)
    try:
        call_with_next_step(lambda: True)
        found = sys.getprofile()
    finally:
        sys.setprofile(None)
    assert found is profile


def test_what_a_thread_holds_is_called_when_it_ends() -> None:
    called: list[int] = []
    held = threading.local()

    def work() -> None:
        held.value = CalledAtEnd(lambda: called.append(threading.get_ident()))
        assert called == []

    thread = run_a_thread(work)
    assert called == [thread.ident]


def test_a_thread_that_only_waits_is_not_named() -> None:
    ended = threading.Event()
    thread = threading.Thread(target=ended.wait)
    thread.start()
    try:
        not_counted = NotCounted()
        not_counted.begin()
        assert not_counted.notes() == []
    finally:
        ended.set()
        thread.join()
