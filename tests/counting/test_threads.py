"""The hooks that step into new threads can be set back, and leave those of others alone."""

import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest

from ipyflops.counting.threads import HOOKS, NotCounted


class Block:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.not_counted = NotCounted()
        self.told: list[str] = []

    def step_into_thread(self) -> None:
        self.told.append("in")

    def step_out_of_thread(self) -> bool:
        self.told.append("out")
        return True


@pytest.fixture(autouse=True)
def _set_back() -> Iterator[None]:
    yield
    HOOKS.reset()
    threading.setprofile(None)  # type: ignore[arg-type]


def run_a_thread() -> None:
    thread = threading.Thread(target=int)
    thread.start()
    thread.join()


def work() -> None:
    sum([1, 2])


def test_a_block_is_told_of_a_thread_from_its_first_call_to_its_end() -> None:
    block = Block()
    HOOKS.follow(block)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert block.told == ["in", "out"]
    HOOKS.unfollow(block)
    run_a_thread()
    assert block.told == ["in", "out"]


def test_all_blocks_can_be_ended_at_once() -> None:
    HOOKS.follow(Block())
    HOOKS.follow(Block())
    HOOKS.reset()
    assert HOOKS.blocks == []
    assert threading.getprofile() is None


def test_a_profile_function_of_somebody_else_comes_back() -> None:
    def profile(frame: FrameType, event: str, argument: Any) -> None:
        pass

    threading.setprofile(profile)
    block = Block()
    HOOKS.follow(block)
    assert threading.getprofile() is not profile
    HOOKS.reset()
    assert threading.getprofile() is profile
