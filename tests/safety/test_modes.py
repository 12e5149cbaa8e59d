"""Other modes beside the counter: each works as it does without, in every order."""

import asyncio
import gc
import sys
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.overrides import TorchFunctionMode
from torch.utils import _python_dispatch
from torch.utils._python_dispatch import TorchDispatchMode, _get_current_dispatch_mode_stack

from ipyflops.counting import FlopCounter
from tests.safety.programs import Pair, counted, modules

MM = 2 * 2 * 2 * 2


class Log(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(str(func))
        return func(*args, **(kwargs or {}))


class FunctionLog(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.seen.append(func.__name__)
        return func(*args, **(kwargs or {}))


class Doubling(TorchDispatchMode):
    """A mode that computes something of its own."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        return out @ out if func is torch.ops.aten.mm.default else out


def test_fake_tensors_inside_the_block() -> None:
    model = Pair()
    with FlopCounter("contractions") as counter, FakeTensorMode(allow_non_fake_inputs=True):
        result = model(torch.ones(3, 4))
        result.sum().backward()
    assert isinstance(result, FakeTensor)
    assert modules(counter.report)["model.out"] == 3 * 3 * 64


def test_fake_tensors_around_the_block() -> None:
    with FakeTensorMode():
        model = Pair()
        with FlopCounter("contractions") as counter:
            model(torch.ones(3, 4)).sum().backward()
    assert modules(counter.report)["model.out"] == 3 * 3 * 64


def test_the_meta_device() -> None:
    with FlopCounter("contractions") as counter, torch.device("meta"):
        model = Pair()
        result = model(torch.ones(3, 4))
    assert result.is_meta
    assert modules(counter.report)["model"] == 3 * 128
    with torch.device("meta"), FlopCounter("contractions") as counter:
        Pair()(torch.ones(3, 4))
    assert counter.report.flops == 3 * 128


@pytest.mark.parametrize("inside", [True, False])
def test_the_profiler(inside: bool) -> None:
    a = torch.ones(2, 2)
    counter = FlopCounter()
    profile = torch.profiler.profile(with_stack=True, record_shapes=True, acc_events=True)
    first, second = (profile, counter) if inside else (counter, profile)
    with first, second:
        a @ a
    assert counter.report.flops == MM
    assert "aten::mm" in {event.key for event in profile.key_averages()}


@contextmanager
def deterministic() -> Iterator[None]:
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.mark.filterwarnings("ignore:Anomaly Detection:UserWarning")
@pytest.mark.parametrize("mode", [deterministic, torch.autograd.set_detect_anomaly])
def test_modes_of_torch(mode: Any) -> None:
    model = Pair()

    def step() -> Any:
        with mode(True) if mode is not deterministic else mode():
            loss = model(torch.ones(1, 4)).sum()
            return torch.autograd.grad(loss, list(model.parameters()))

    report = counted(step)
    assert modules(report)["model.out"] == 3 * 64
    assert modules(report)["model.layers.0"] == 2 * 64


@pytest.mark.filterwarnings("ignore:Anomaly Detection:UserWarning")
def test_anomaly_mode_still_finds_the_forward() -> None:
    x = torch.zeros(2, requires_grad=True)
    anomaly = torch.autograd.set_detect_anomaly(True)
    with pytest.raises(RuntimeError, match="nan values"), FlopCounter() as counter, anomaly:
        torch.autograd.grad((x.sqrt() * 0).sum(), x)
    assert counter.report.error.startswith("RuntimeError")


def test_modes_of_the_user_see_what_they_see_without() -> None:
    a = torch.ones(2, 2)
    with Log() as plain, FunctionLog() as plain_functions:
        torch.relu(a @ a)
    counter = FlopCounter()
    outside, functions_outside, inside, functions_inside = (
        Log(),
        FunctionLog(),
        Log(),
        FunctionLog(),
    )
    with outside, functions_outside, counter, inside, functions_inside:
        torch.relu(a @ a)
    assert outside.seen == inside.seen == plain.seen
    assert functions_outside.seen == functions_inside.seen == plain_functions.seen
    assert counter.report.flops == MM + 4


def test_what_a_mode_of_the_user_computes_is_counted_where_it_runs() -> None:
    a = torch.ones(2, 2)
    with FlopCounter() as around, Doubling():
        a @ a
    with Doubling(), FlopCounter() as within:
        a @ a
    # A mode outside works on what the counter has let through, and behind its back.
    assert (around.report.flops, within.report.flops) == (2 * MM, MM)


def test_nested_counters_and_fake_tensors() -> None:
    with FlopCounter() as outer, FakeTensorMode(), FlopCounter() as inner:
        torch.ones(2, 2) @ torch.ones(2, 2)
    assert outer.report.flops == inner.report.flops == MM


# --- leaving in any order ------------------------------------------------------------------------


def flags() -> tuple[bool, ...]:
    return tuple(
        value
        for name, value in sorted(vars(_python_dispatch).items())
        if name.startswith("_is_in_") and isinstance(value, bool)
    )


def test_counters_that_end_in_the_order_in_which_they_began() -> None:
    a = torch.ones(2, 2)
    before = flags()
    first, second, log = FlopCounter(), FlopCounter(), Log()
    first.__enter__()
    log.__enter__()
    second.__enter__()
    a @ a
    first.__exit__(None, None, None)
    assert _get_current_dispatch_mode_stack() == [log, second]
    a @ a
    second.__exit__(None, None, None)
    log.__exit__(None, None, None)
    assert (first.report.flops, second.report.flops) == (MM, 2 * MM)
    assert log.seen == ["aten.mm.default"] * 2
    assert _get_current_dispatch_mode_stack() == []
    assert flags() == before
    assert not any(before)


def test_tasks_that_each_count_for_themselves() -> None:
    a = torch.ones(2, 2)

    async def count(times: int) -> int:
        with FlopCounter() as counter:
            for _ in range(times):
                a @ a
                await asyncio.sleep(0)
        assert counter.report.complete
        return counter.report.flops

    async def main() -> list[int]:
        return await asyncio.gather(count(2), count(5), count(3))

    assert asyncio.run(main()) == [2 * MM, 5 * MM, 3 * MM]
    assert _get_current_dispatch_mode_stack() == []
    assert not any(flags())


def test_a_counter_entered_twice_at_once_counts_once() -> None:
    a = torch.ones(2, 2)
    counter = FlopCounter()
    with counter:
        with counter:
            a @ a
        assert not counter.report.complete
        a @ a
    assert counter.report.complete
    assert counter.report.flops == 2 * MM
    assert _get_current_dispatch_mode_stack() == []
    a @ a
    assert counter.report.flops == 2 * MM


def test_a_counter_entered_in_two_tasks() -> None:
    a = torch.ones(2, 2)
    counter = FlopCounter()

    async def count(times: int) -> None:
        with counter:
            for _ in range(times):
                a @ a
                await asyncio.sleep(0)

    async def other() -> None:
        for _ in range(6):
            a @ a
            await asyncio.sleep(0)

    async def main() -> None:
        await asyncio.gather(count(2), other(), count(4))

    asyncio.run(main())
    assert counter.report.flops == 6 * MM
    assert _get_current_dispatch_mode_stack() == []


def test_a_counter_entered_in_two_threads() -> None:
    a = torch.ones(2, 2)
    counter = FlopCounter()
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        with counter:
            a @ a
            inside.set()
            done.wait(30)
            a @ a

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait(30)
    assert inside.is_set()
    with counter:
        a @ a
    # Nothing marks the frames of this thread any more, though the count goes on in the other.
    assert [frame for frame in stack_of(sys._getframe()) if frame.f_trace is not None] == []
    report = counter.report
    assert not report.complete
    assert report.flops == 2 * MM, (report.unknown, report.notes)
    a @ a
    done.set()
    thread.join()
    report = counter.report
    assert report.complete
    assert report.flops == 3 * MM, (report.unknown, report.notes, report.by_line)


def stack_of(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def test_frames_of_threads_that_outlive_a_block_are_as_they_were() -> None:
    """A mark would keep all that was counted alive for as long as the thread of a pool lives."""
    a = torch.ones(2, 2)
    with ThreadPoolExecutor(1) as pool:
        with FlopCounter() as counter:
            pool.submit(lambda: a @ a).result()
        assert counter.report.flops == MM
        marked = [
            frame.f_code.co_name
            for innermost in sys._current_frames().values()
            for frame in stack_of(innermost)
            if frame.f_trace is not None
        ]
        assert marked == []
        for _ in range(2):
            pool.submit(lambda: a @ a).result()  # so the thread gets rid of the counter
        reference = weakref.ref(counter._locator.locations)
        del counter
        gc.collect()
        assert reference() is None


@pytest.mark.parametrize("elsewhere", [False, True])
def test_frames_that_a_tracer_traces_are_let_go_at_the_end_of_the_block(elsewhere: bool) -> None:
    class Small(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            kept = x @ x
            found.append(weakref.ref(kept))
            return x

    found: list[weakref.ref[torch.Tensor]] = []
    model, a = Small(), torch.ones(2, 2)

    def tracer(frame: FrameType, event: str, argument: Any) -> Any:
        return tracer

    def traced() -> None:
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            model(a)
        finally:
            sys.settrace(before)

    with FlopCounter() as counter:
        if elsewhere:
            with ThreadPoolExecutor(1) as pool:
                pool.submit(traced).result()
        else:
            traced()
    assert counter.report.flops == MM
    assert [reference() for reference in found] == [None]


@pytest.mark.parametrize("context", [torch.no_grad, nullcontext])
def test_a_block_across_other_blocks(context: Any) -> None:
    a = torch.ones(2, 2)
    manager: AbstractContextManager[Any] = context()
    counter = FlopCounter()
    counter.__enter__()
    with manager:
        a @ a
        counter.__exit__(None, None, None)
        a @ a
    assert counter.report.flops == MM
