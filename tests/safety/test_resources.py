"""Long runs take no more memory than short ones, and a count keeps nothing alive."""

import gc
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops.counting import FlopCounter
from tests.safety.programs import Pair

MEGABYTE = 1 << 20


def resident() -> int:
    """Bytes of memory that this process holds."""
    gc.collect()
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * 4096


def growth(run: Callable[[], None]) -> int:
    """By how much memory grows in each of three runs at least.

    What leaks grows in all of them; another thread of the process may well take some in one.
    """
    grown = []
    for _ in range(3):
        before = resident()
        run()
        grown.append(resident() - before)
    return min(grown)


linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")


@linux
def test_many_operators() -> None:
    a = torch.ones(2, 2)
    with FlopCounter(device_time=False) as counter:
        for _ in range(20_000):
            torch.neg(a)
        neg = torch.ops.aten.neg.default

        def third() -> None:
            for _ in range(80_000):
                neg(a)

        grown = growth(third)
    assert counter.report.by_operator["aten::neg"].calls == 260_000
    assert grown < 80_000 * 8  # a list with one pointer for each operator
    assert len(counter.report.rows) <= 2


@linux
def test_ten_thousand_training_passes() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 1))
    # A leaf that needs a gradient is what other counters leak megabytes on.
    x = torch.ones(1, 2, requires_grad=True)

    def passes(times: int) -> None:
        for _ in range(times):
            model(x).backward()

    with FlopCounter(device_time=False) as counter:
        passes(500)
        grown = growth(lambda: passes(3_500))
    assert counter.report.find("model").calls == 11_000
    assert grown < 10 * MEGABYTE / 3
    assert len(counter.report.rows) < 60


@linux
def test_gradients_of_leaves_do_not_leak() -> None:
    model = nn.Linear(256, 256)
    before = 0
    with FlopCounter(device_time=False):
        for step in range(40):
            # Each graph holds half a megabyte.
            x = torch.ones(512, 256, requires_grad=True)
            torch.autograd.grad(model(x).sum(), [x, *model.parameters()])
            if step == 10:
                before = resident()
        assert resident() - before < 10 * MEGABYTE


@linux
def test_modules_made_anew_do_not_leak() -> None:
    with FlopCounter(device_time=False) as counter:
        before = 0
        for step in range(1500):
            model = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
            model(torch.ones(1, 8)).sum().backward()
            if step == 500:
                before = resident()
        assert resident() - before < 10 * MEGABYTE
    assert len(counter.report.scopes) < 100


@linux
def test_many_blocks_do_not_leak() -> None:
    model = Pair()

    def blocks(times: int) -> None:
        for _ in range(times):
            with FlopCounter() as counter:
                model(torch.ones(1, 4)).sum().backward()
            assert counter.report.flops

    blocks(100)
    before = resident()
    blocks(300)
    assert resident() - before < 10 * MEGABYTE


class Node:
    """Something in a frame that can be watched."""


def test_no_frame_tensor_graph_or_module_outlives_the_run() -> None:
    references: list[weakref.ref[Any]] = []

    class Watched(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = Pair()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            local = Node()
            hidden = self.inner(x)
            references.extend((weakref.ref(local), weakref.ref(hidden)))
            return hidden * 2  # type: ignore[no-any-return]

    def run() -> None:
        model = Watched()
        output = model(torch.ones(1, 4))
        loss = output.sum()
        references.extend(map(weakref.ref, (model, model.inner.out, output, loss)))
        loss.backward()
        optimizer = torch.optim.SGD(model.parameters())
        optimizer.step()
        references.append(weakref.ref(optimizer))

    gc.collect()
    gc.disable()
    try:
        with FlopCounter() as counter:
            run()
            # Also while the block is open, and without help from the garbage collector.
            alive = [reference() for reference in references[:2]]
            assert alive == [None, None]
        report = counter.report
    finally:
        gc.enable()
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)
    assert report.find("model.inner.out").calls == 1


def test_the_counter_itself_goes_and_its_report_stays() -> None:
    model = Pair()
    counter = FlopCounter()
    with counter:
        model(torch.ones(1, 4)).sum().backward()
    report = counter.report
    reference = weakref.ref(counter)
    del counter
    gc.collect()
    assert reference() is None
    assert report.find("model").calls == 1


def test_an_error_does_not_keep_a_counter() -> None:
    references: list[weakref.ref[Any]] = []

    def run() -> None:
        counter = FlopCounter()
        references.append(weakref.ref(counter))
        with counter:
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong") as caught:
        run()
    del caught
    gc.collect()
    assert references[0]() is None
