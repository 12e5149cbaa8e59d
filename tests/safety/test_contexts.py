"""Contexts, tasks and greenlets: what the block runs is counted, whatever its context knows.

What another task runs beside it is left out, and the report says how much that was.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from ipyflops.counting import FlopCounter

A = torch.ones(2, 2)
MM = 2 * 2 * 2 * 2

since_3_11 = pytest.mark.skipif(sys.version_info < (3, 11), reason="has no asyncio.Runner")


def product() -> None:
    A @ A


async def product_in_task() -> None:
    A @ A


def counted(function: Callable[[], object]) -> tuple[int, tuple[str, ...]]:
    with FlopCounter() as counter:
        function()
    return counter.report.flops, counter.report.notes


# --- in the block's own task ---------------------------------------------------------------------


def test_an_empty_context() -> None:
    assert counted(lambda: contextvars.Context().run(product)) == (MM, ())


def test_a_context_from_before_the_block() -> None:
    context = contextvars.copy_context()
    assert counted(lambda: context.run(product)) == (MM, ())


@since_3_11
def test_a_loop_from_before_the_block() -> None:
    with asyncio.Runner() as runner:
        runner.run(product_in_task())
        assert counted(lambda: runner.run(product_in_task())) == (MM, ())


def test_an_empty_context_in_a_task() -> None:
    async def main() -> tuple[int, tuple[str, ...]]:
        return counted(lambda: contextvars.Context().run(product))

    assert asyncio.run(main()) == (MM, ())


def test_an_empty_context_in_a_task_that_has_waited() -> None:
    async def main() -> tuple[int, tuple[str, ...]]:
        with FlopCounter() as counter:
            await asyncio.sleep(0.001)
            contextvars.Context().run(product)
        return counter.report.flops, counter.report.notes

    assert asyncio.run(main()) == (MM, ())


@pytest.mark.parametrize("make", [contextvars.Context, contextvars.copy_context])
def test_a_thread_of_the_block_with_another_context(make: Any) -> None:
    context = make()

    def in_pool() -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(context.run, product).result()

    assert counted(in_pool) == (MM, ())

    async def main() -> tuple[int, tuple[str, ...]]:
        return counted(in_pool)

    # As in a notebook, where every cell runs in a task: no other one has had a chance to run.
    assert asyncio.run(main()) == (MM, ())


@since_3_11
def test_a_block_around_a_loop_counts_all_its_tasks() -> None:
    async def main() -> None:
        await asyncio.gather(
            asyncio.create_task(product_in_task(), context=contextvars.Context()),
            asyncio.create_task(product_in_task()),
        )

    assert counted(lambda: asyncio.run(main())) == (2 * MM, ())


# --- beside it -----------------------------------------------------------------------------------


def left_out(number: int) -> str:
    return f"not counted: {number} operator{'s' if number > 1 else ''} of other tasks"


@since_3_11
def test_a_task_with_a_context_of_its_own_is_named() -> None:
    async def main() -> tuple[int, tuple[str, ...]]:
        with FlopCounter() as counter:
            await asyncio.create_task(product_in_task())
            await asyncio.create_task(product_in_task(), context=contextvars.Context())
        return counter.report.flops, counter.report.notes

    assert asyncio.run(main()) == (MM, (left_out(1),))


def test_other_tasks_are_left_out_and_the_report_says_how_many_operators_that_were() -> None:
    async def other() -> None:
        for _ in range(3):
            A @ A
            await asyncio.sleep(0)

    async def main() -> tuple[int, tuple[str, ...]]:
        task = asyncio.create_task(other())
        with FlopCounter() as counter:
            A @ A
            await task
            A @ A
        return counter.report.flops, counter.report.notes

    assert asyncio.run(main()) == (2 * MM, (left_out(3),))


def test_a_loop_is_as_it_was() -> None:
    """What the block asks of the loop, to be told when others run, is taken back."""

    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        with FlopCounter():
            A @ A
        assert all(handle.cancelled() for handle in loop._ready)

    asyncio.run(main())


def test_other_tasks_of_trio_are_left_out() -> None:
    trio = pytest.importorskip("trio")

    async def main() -> tuple[int, tuple[str, ...]]:
        begun, counted, done = trio.Event(), trio.Event(), trio.Event()

        async def other() -> None:
            A @ A
            begun.set()
            await counted.wait()
            A @ A
            await trio.sleep(0)
            A @ A
            done.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(other)
            await begun.wait()
            with FlopCounter() as counter:
                A @ A
                contextvars.Context().run(product)
                counted.set()
                await done.wait()
        return counter.report.flops, counter.report.notes

    assert trio.run(main) == (2 * MM, (left_out(2),))


def test_tasks_and_threads_of_trio_that_the_block_starts() -> None:
    trio = pytest.importorskip("trio")

    async def task() -> None:
        A @ A
        await trio.sleep(0)
        await trio.to_thread.run_sync(product)

    async def main() -> tuple[int, tuple[str, ...]]:
        with FlopCounter() as counter:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(task)
                nursery.start_soon(task)
            with trio.move_on_after(0.01):
                A @ A
                await trio.sleep(10)
                A @ A  # cancelled before
        return counter.report.flops, counter.report.notes

    assert trio.run(main) == (5 * MM, ())
    assert counted(lambda: trio.run(trio.sleep, 0)) == (0, ())
    assert counted(lambda: trio.run(product_in_task)) == (MM, ())


def test_tasks_of_trio_that_each_count_for_themselves() -> None:
    trio = pytest.importorskip("trio")
    found: dict[int, int] = {}

    async def count(times: int) -> None:
        with FlopCounter() as counter:
            for _ in range(times):
                A @ A
                await trio.sleep(0)
        found[times] = counter.report.flops

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for times in (2, 5, 3):
                nursery.start_soon(count, times)

    trio.run(main)
    assert found == {times: times * MM for times in (2, 5, 3)}


# --- greenlets -----------------------------------------------------------------------------------


def test_a_greenlet_that_the_block_switches_to() -> None:
    greenlet = pytest.importorskip("greenlet").greenlet

    def outer() -> None:
        product()
        greenlet(product).switch()

    before = greenlet(product)
    assert counted(lambda: (before.switch(), greenlet(outer).switch())) == (3 * MM, ())


def test_a_greenlet_of_a_loop_is_another_task() -> None:
    greenlet = pytest.importorskip("greenlet").greenlet

    class OfLoop(greenlet):  # type: ignore[misc]
        """As the greenlets of gevent and eventlet."""

    assert counted(lambda: OfLoop(product).switch()) == (0, (left_out(1),))
    # If it has the context of the block, as gevent's have that the block spawns, it is its own.
    found = []

    def spawned() -> None:
        own = OfLoop(product)
        own.gr_context = contextvars.copy_context()
        own.switch()

    def block() -> None:
        found.append(counted(spawned))

    OfLoop(block).switch()
    assert found == [(MM, ())]


# --- random programs -----------------------------------------------------------------------------


def in_thread(function: Callable[[], None]) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def in_pool(function: Callable[[], None]) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(contextvars.copy_context().run, function).result()


def in_loop(function: Callable[[], None]) -> None:
    async def main() -> None:
        function()

    # A loop cannot run inside of another one, so it gets a thread.
    in_thread(lambda: asyncio.run(main()))


def in_greenlet(function: Callable[[], None]) -> None:
    pytest.importorskip("greenlet").greenlet(function).switch()


def in_counter(function: Callable[[], None]) -> None:
    with FlopCounter():
        function()


BEFORE = contextvars.copy_context()
WAYS: list[Callable[[Callable[[], None]], None]] = [
    lambda function: contextvars.Context().run(function),
    lambda function: contextvars.copy_context().run(function),
    lambda function: BEFORE.copy().run(function),
    in_thread,
    in_pool,
    in_loop,
    in_greenlet,
    in_counter,
    lambda function: function(),
]


def random_program(rng: random.Random, depth: int) -> tuple[Callable[[], None], int]:
    """A program that runs products in nested ways, and how many they are."""
    if depth == 0:
        return product, 1
    parts = [random_program(rng, depth - 1) for _ in range(rng.randint(1, 2))]
    ways = [rng.choice(WAYS) for _ in parts]

    def run() -> None:
        for way, (part, _) in zip(ways, parts, strict=True):
            way(part)
        product()

    return run, 1 + sum(number for _, number in parts)


@pytest.mark.parametrize("seed", range(40))
def test_a_block_counts_all_that_it_runs_in_any_way(seed: int) -> None:
    program, number = random_program(random.Random(seed), 4)
    assert counted(program) == (number * MM, ())

    async def main() -> tuple[int, tuple[str, ...]]:
        return counted(program)

    assert asyncio.run(main()) == (number * MM, ())
