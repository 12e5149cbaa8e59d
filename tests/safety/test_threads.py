"""Threads and processes that a block starts, and those that were there before."""

import _thread
import asyncio
import gc
import queue
import sys
import threading
import time
import weakref
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.pool import ThreadPool
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from ipyflops.counting import FlopCounter
from ipyflops.counting.threads import UNNOTICED
from ipyflops.report import Report
from tests.names.programs import library
from tests.safety.programs import Pair, adds_up, modules

MM = 2 * 2 * 2 * 2
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
SQUARE = torch.ones(2, 2)


def run_in_thread(function: Any) -> None:
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_a_thread_that_the_block_starts_is_counted() -> None:
    model = Pair()
    with FlopCounter("contractions") as counter:
        run_in_thread(lambda: model(torch.ones(1, 4)).sum().backward())
    report = counter.report
    adds_up(report)
    assert modules(report)["model.out"] == 3 * 64
    assert report.find("model.out").phases["backward"].flops == 2 * 64
    assert report.notes == ()
    assert report.complete


def test_a_thread_pool_of_the_block_is_counted() -> None:
    model = Pair()
    inputs = [torch.ones(1, 4)] * 20
    with FlopCounter("contractions") as counter, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(model, inputs))
    assert len(results) == 20
    assert modules(counter.report)["model"] == 20 * 128
    with FlopCounter("contractions") as counter, ThreadPool(2) as other:
        other.map(model, inputs)
    assert modules(counter.report)["model"] == 20 * 128


@pytest.mark.parametrize("variant", ["plain", "lines", "sums"])
def test_threads_that_arrive_at_once_lose_nothing(
    variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variant == "sums":
        monkeypatch.setattr("ipyflops.counting.recording.MAX_ENTRIES", 0)

    def count(map_: Any) -> Report:
        model = Pair()
        counter = FlopCounter("contractions", follow_methods=variant == "lines")
        with FlopCounter(), counter:
            map_(lambda one: model(one).sum().backward(), [torch.ones(1, 4)] * 12)
        adds_up(counter.report)
        return counter.report

    def in_threads(function: Any, values: Any) -> None:
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(function, values))

    expected = count(lambda function, values: list(map(function, values)))
    assert modules(expected)["model.out"] == 12 * (64 + 128)
    before = sys.getswitchinterval()
    # Now threads change places wherever they may, as one in thousands does otherwise.
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(5):
            report = count(in_threads)
            assert modules(report) == modules(expected)
            assert calls_of(report) == calls_of(expected)
            assert lines_of(report) == lines_of(expected)
            for name in modules(expected):
                assert report.find(name).calls == expected.find(name).calls
    finally:
        sys.setswitchinterval(before)


def calls_of(report: Report) -> dict[str, int]:
    return {operator: totals.calls for operator, totals in report.by_operator.items()}


def lines_of(report: Report) -> Counter[tuple[int, str, str]]:
    found: Counter[tuple[int, str, str]] = Counter()
    for excerpt in report.excerpts:
        for count in excerpt.counts:
            operator = report.signatures[count.signature].operator
            found[count.number, count.phase, operator] += count.calls
    return found


def test_a_pool_that_goes_on_after_the_block_is_rid_of_the_counter() -> None:
    seen: list[tuple[int, Any]] = []

    def work(square: torch.Tensor) -> torch.Tensor:
        result = square @ square
        modes = torch.utils._python_dispatch._get_current_dispatch_mode_stack()
        seen.append((len(modes), sys.getprofile()))
        return result

    with ThreadPoolExecutor(1) as pool:
        with FlopCounter() as counter:
            pool.submit(work, SQUARE).result()
        for _ in range(3):
            pool.submit(work, SQUARE).result()
        reference = weakref.ref(counter)
        assert counter.report.flops == MM
        del counter
        gc.collect()
        assert reference() is None
    assert [modes for modes, _ in seen] == [1, 0, 0, 0]
    assert [profile for _, profile in seen[1:]] == [None] * 3
    assert threading.getprofile() is None


def test_a_pool_that_was_there_before_is_not_counted_and_the_report_says_so() -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(lambda: SQUARE @ SQUARE).result()
        time.sleep(0.2)  # the worker falls asleep: what tells is that it was woken
        with FlopCounter() as counter:
            for _ in range(3):
                pool.submit(lambda: [SQUARE @ SQUARE for _ in range(200)]).result()
                time.sleep(0.1)
        with FlopCounter() as idle:
            pass
    assert counter.report.flops == 0
    assert len(counter.report.notes) == 1
    assert "ThreadPoolExecutor" in counter.report.notes[0]
    assert idle.report.notes == ()


def test_the_profiler_of_the_users_threads_goes_on() -> None:
    events: list[str] = []

    def profile(frame: Any, event: str, argument: Any) -> None:
        events.append(frame.f_code.co_name)

    def work() -> None:
        SQUARE @ SQUARE

    threading.setprofile(profile)
    try:
        with FlopCounter() as counter:
            run_in_thread(work)
        assert threading.getprofile() is profile
    finally:
        threading.setprofile(None)  # type: ignore[arg-type]
    assert counter.report.flops == MM
    assert "work" in events


def test_nested_blocks_and_threads() -> None:
    with FlopCounter() as outer:
        run_in_thread(lambda: SQUARE @ SQUARE)
        with FlopCounter() as inner:
            run_in_thread(lambda: SQUARE @ SQUARE)
    assert (outer.report.flops, inner.report.flops) == (2 * MM, MM)


def test_a_block_within_a_thread() -> None:
    reports = []

    def work() -> None:
        with FlopCounter() as counter:
            SQUARE @ SQUARE
            run_in_thread(lambda: SQUARE @ SQUARE)
        reports.append(counter.report.flops)

    run_in_thread(work)
    assert reports == [2 * MM]


def test_two_threads_that_each_count_for_themselves() -> None:
    barrier = threading.Barrier(2)
    found: dict[int, int] = {}

    def work(times: int) -> None:
        barrier.wait()
        with FlopCounter() as counter:
            for _ in range(times):
                SQUARE @ SQUARE
        found[times] = counter.report.flops

    threads = [threading.Thread(target=work, args=(times,)) for times in (20, 70)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {20: 20 * MM, 70: 70 * MM}


def test_other_tasks_that_use_threads_are_not_counted() -> None:
    async def counted() -> int:
        with FlopCounter() as counter:
            await asyncio.to_thread(lambda: SQUARE @ SQUARE)
            await asyncio.sleep(0.05)
        return counter.report.flops

    async def other() -> None:
        await asyncio.sleep(0.01)
        for _ in range(3):
            await asyncio.to_thread(lambda: SQUARE @ SQUARE)

    async def main() -> int:
        flops, _ = await asyncio.gather(counted(), other())
        return flops

    assert asyncio.run(main()) == MM


def test_backward_in_the_main_thread_of_a_forward_in_another_blames_nobody_wrongly() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    losses: list[torch.Tensor] = []
    with FlopCounter("contractions") as counter:
        run_in_thread(lambda: losses.append(first(torch.ones(1, 4)).sum()))
        second(torch.ones(1, 4))
        losses[0].backward()
    report = counter.report
    assert report.by_phase["backward"].flops == 32
    assert "backward" not in {
        phase for phase, totals in report.find("second").phases.items() if totals.flops
    }


def test_nodes_that_two_threads_numbered_alike_are_blamed_on_neither() -> None:
    long = nn.Sequential(*(nn.Linear(4, 4) for _ in range(10)))
    short = nn.Linear(4, 4)
    losses: list[torch.Tensor] = []
    with FlopCounter("contractions") as counter:
        run_in_thread(lambda: losses.append(long(torch.ones(1, 4)).sum()))
        run_in_thread(lambda: losses.append(short(torch.ones(1, 4)).sum()))
        sum(losses).backward()  # type: ignore[union-attr]
    report = counter.report
    adds_up(report)
    assert report.by_phase["backward"].flops == 32 * (10 + 9 + 1)
    backward = {
        node.path: node.phases["backward"].flops
        for node in report.walk()
        if "backward" in node.phases
    }
    # The nodes of the first layer have the numbers of those of the other model.
    assert [backward[f"long.{layer}"] for layer in range(2, 10)] == [64] * 8
    assert backward.get("long.0", 0) == backward.get("short", 0) == 0
    assert backward["long"] <= 32 * (10 + 9)


def test_many_threads_under_a_tracer() -> None:
    model = Pair()

    def trace(frame: Any, event: str, argument: Any) -> Any:
        return trace

    before = sys.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        with FlopCounter("contractions") as counter, ThreadPoolExecutor(3) as pool:
            list(pool.map(model, [torch.ones(1, 4)] * 12))
    finally:
        sys.settrace(before)
        threading.settrace(None)  # type: ignore[arg-type]
    assert modules(counter.report)["model"] == 12 * 128
    assert counter.report.find("model").calls == 12


def test_data_parallel_runs_the_model_itself_without_gpus() -> None:
    model = nn.DataParallel(Pair())
    with FlopCounter("contractions") as counter:
        model(torch.ones(1, 4))
    assert counter.report.flops == 128


class Products(Dataset[torch.Tensor]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return SQUARE @ SQUARE


def test_a_data_loader_without_workers_is_counted() -> None:
    with FlopCounter() as counter:
        for _ in DataLoader(Products(), batch_size=2):
            pass
    assert counter.report.flops == 4 * MM
    assert counter.report.notes == ()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_of_a_data_loader_are_not_counted_and_the_report_says_so() -> None:
    with FlopCounter() as counter:
        batches = list(DataLoader(Products(), batch_size=2, num_workers=1))
    assert len(batches) == 2
    assert counter.report.flops == 0
    assert any("process" in note for note in counter.report.notes)


# --- threads that outlive their block, and those that it did not start ---------------------------


class Worker:
    """A thread that runs functions one after the other, without a Python call in between."""

    def __init__(self, start: Any = None) -> None:
        self.tasks: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.done: queue.SimpleQueue[Any] = queue.SimpleQueue()
        if start is None:
            self.thread = threading.Thread(target=self.work)
            self.thread.start()
        else:
            start(self.work, ())

    def work(self) -> None:
        while (task := self.tasks.get()) is not None:
            self.done.put(task())

    def run(self, task: Any) -> Any:
        self.tasks.put(task)
        return self.done.get(timeout=30)

    def end(self) -> None:
        self.tasks.put(None)


def product() -> Any:
    return SQUARE @ SQUARE


def of_thread() -> tuple[int, Any]:
    modes = torch.utils._python_dispatch._get_current_dispatch_mode_stack()
    return len(modes), sys.getprofile()


def test_a_thread_that_outlives_its_block_is_not_counted_any_more() -> None:
    """Also one that calls no function in a loop, but only runs operators."""
    stop, ran = [False], [0]

    def work() -> None:
        square = SQUARE
        while not stop[0]:
            square = square @ square
            ran[0] += 1

    thread = threading.Thread(target=work, daemon=True)
    with FlopCounter() as counter:
        thread.start()
        while ran[0] < 100:
            time.sleep(0.001)
    time.sleep(0.1)  # the operator ends that ran while the block ended
    found = counter.report.flops
    assert found >= 100 * MM
    before = ran[0]
    while ran[0] < before + 1_000:
        time.sleep(0.001)
    assert counter.report.flops == found
    with counter:  # nor when the same counter counts again
        before = ran[0]
        while ran[0] < before + 1_000:
            time.sleep(0.001)
        SQUARE @ SQUARE
    stop[0] = True
    thread.join()
    assert counter.report.flops == found + MM


def test_a_thread_has_no_profile_function_and_loses_the_mode_with_its_next_operator() -> None:
    with FlopCounter() as counter:
        worker = Worker()
        worker.run(product)
        assert worker.run(of_thread) == (1, None)
    assert counter.report.flops == MM
    worker.run(product)
    assert worker.run(of_thread) == (0, None)
    worker.run(product)
    assert counter.report.flops == MM
    worker.end()


def test_a_thread_leaves_the_mode_when_it_ends() -> None:
    with FlopCounter() as counter:
        run_in_thread(product)
        run_in_thread(product)
    reference = weakref.ref(counter)
    assert counter.report.flops == 2 * MM
    del counter
    gc.collect()
    assert reference() is None


@linux
def test_a_thread_from_before_that_worked_is_named() -> None:
    worker = Worker()
    worker.run(product)
    time.sleep(0.2)  # it falls asleep: what tells is that it was woken
    with FlopCounter() as counter:
        worker.run(product)
    time.sleep(0.2)
    with FlopCounter() as idle:
        product()
    worker.end()
    name = worker.thread.name
    assert counter.report.flops == 0
    assert counter.report.notes == (
        f"not counted: a thread from before the block ({name}) was at work",
    )
    assert idle.report.notes == ()


HISTORY = """
import functools, queue, threading

def decorated(function):
    made = {"call": function}
    exec(compile("def run(self): return call(self)", "<decorator-gen-1>", "exec"), made)
    return functools.wraps(function)(made["run"])

class Saver(threading.Thread):
    def __init__(self):
        super().__init__()
        self.lines = queue.Queue()

    @decorated
    def run(self):
        while self.lines.get() is not None:
            sum(range(1000))
            self.lines.task_done()
"""


@linux
def test_a_packages_own_thread_is_not_named_where_a_decorator_made_its_code() -> None:
    saver = library("history", HISTORY).Saver()
    saver.start()
    with FlopCounter() as counter:
        saver.lines.put("x @ x")
        saver.lines.join()
    saver.lines.put(None)
    saver.join()
    assert counter.report.notes == ()


def test_a_thread_that_threading_does_not_start_is_named() -> None:
    with FlopCounter() as counter:
        worker = Worker(_thread.start_new_thread)
        worker.run(product)
    worker.end()
    assert counter.report.flops == 0
    assert counter.report.notes == (UNNOTICED,)


@pytest.mark.parametrize("number", [1, 3])
def test_threads_that_begin_and_end_in_the_block_without_threading_are_named(number: int) -> None:
    with FlopCounter() as outer, FlopCounter() as counter:
        run_in_thread(product)
        for _ in range(number):
            ended = _thread.allocate_lock()
            ended.acquire()
            _thread.start_new_thread(lambda lock=ended: (product(), lock.release()), ())
            ended.acquire()
        time.sleep(0.02)
        with FlopCounter() as later:
            product()
    expected = (UNNOTICED if number == 1 else UNNOTICED.replace("a thread", "threads"),)
    assert (counter.report.flops, counter.report.notes) == (2 * MM, expected)
    assert outer.report.notes == expected
    assert later.report.notes == ()


def test_a_profile_function_that_the_user_sets_and_takes_back_is_noticed() -> None:
    with FlopCounter() as counter:
        ours = threading.getprofile()
        threading.setprofile(None)  # type: ignore[arg-type]
        run_in_thread(product)
        threading.setprofile(ours)  # type: ignore[arg-type]
        run_in_thread(product)
    assert (counter.report.flops, counter.report.notes) == (MM, (UNNOTICED,))


def test_threads_in_any_number_are_not_named_if_they_are_counted() -> None:
    """Also those that begin in the moment in which the block ends, or are there before it."""
    waiting = threading.Event()
    before = [threading.Thread(target=waiting.wait, args=(30,)) for _ in range(3)]
    for thread in before:
        thread.start()
    for _ in range(20):
        with FlopCounter() as counter:
            threads = [threading.Thread(target=product) for _ in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads[:3]:
                thread.join()
        assert counter.report.notes == ()
        for thread in threads[3:]:
            thread.join()
    waiting.set()
    for thread in before:
        thread.join()


def test_a_thread_from_before_that_threading_does_not_know_is_not_named() -> None:
    """A debugger has such threads, and they have nothing to do with the block."""
    worker = Worker(_thread.start_new_thread)
    worker.run(product)  # so that it has begun
    with FlopCounter() as counter:
        product()
    worker.end()
    assert counter.report.notes == ()


def profile(frame: Any, event: str, argument: Any) -> None:
    """Profile nothing."""


@pytest.mark.parametrize("last", [None, profile])
def test_threads_that_begin_with_a_profile_function_of_the_user_are_named(last: Any) -> None:
    with FlopCounter() as counter:
        run_in_thread(product)
        threading.setprofile(profile)
        run_in_thread(product)
        threading.setprofile(last)
    found = threading.getprofile()
    threading.setprofile(None)  # type: ignore[arg-type]
    assert found is last
    assert counter.report.flops == MM
    assert counter.report.notes == (
        "not counted: threads that began after threading.setprofile was called",
    )
