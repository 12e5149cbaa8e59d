"""The peak of live bytes, against an oracle, on random programs and in special cases."""

from __future__ import annotations

import gc
import os
import random
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ipyflops import FlopCounter, Report
from tests.counting.memory.brute_force import BruteForce

#: `make test-all-programs` runs more of them.
PROGRAMS = int(os.environ.get("IPYFLOPS_PROGRAMS", "60"))


def counted(function: Callable[[], object]) -> Report:
    with FlopCounter(memory=True, device_time=False) as counter:
        function()
    return counter.report


class Program:
    """A random program on a few variables: each step makes, changes, shows or drops one."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        torch.manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(8, 8))
        self.given = torch.randn(8, 8)

    def run(self) -> None:
        choose = random.Random(self.seed)
        values: list[Tensor] = [self.given, self.given @ self.weight]
        for _ in range(choose.randrange(5, 40)):
            self._step(choose, values)
            if len(values) > 6:
                del values[choose.randrange(len(values))]

    def _step(self, choose: random.Random, values: list[Tensor]) -> None:
        step = choose.choice([*STEPS, None])
        if step is None:
            self._train(values)
            return
        one, other = choose.choice(values), choose.choice(values)
        made = step(one, other, self.weight)
        if made is not None:
            values.append(made)
        elif choose.random() < 0.5:
            values.pop()
            if not values:
                values.append(self.given)

    def _train(self, values: list[Tensor]) -> None:
        loss = sum((value @ self.weight).square().sum() for value in values)
        assert isinstance(loss, Tensor)
        loss.backward()
        values[:] = [value.detach() for value in values]
        if len(values) > 2:
            self.weight.grad = None


def resized(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    return torch.empty(3).resize_(40).resize_(8, 8).fill_(1.0)


def set_to(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    return torch.empty(100).set_(other.detach())


def written_to(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    out = torch.empty(0)
    torch.mul(one.detach(), 2, out=out)
    return out


def changed(one: Tensor, other: Tensor, weight: Tensor) -> Tensor:
    return one.detach().clone().add_(1).relu_()


STEPS: list[Callable[[Tensor, Tensor, Tensor], Tensor | None]] = [
    lambda one, other, weight: one @ weight,
    lambda one, other, weight: one + other,
    lambda one, other, weight: one.relu(),
    lambda one, other, weight: one.T,
    lambda one, other, weight: one[:4].repeat(2, 1),
    lambda one, other, weight: torch.cat([one[:4], other[4:]]),
    lambda one, other, weight: F.layer_norm(one, (8,)),
    lambda one, other, weight: one.detach(),
    lambda one, other, weight: torch.stack(torch.split(one, 2), 0).reshape(8, 8),
    lambda one, other, weight: F.dropout(one.softmax(0)),
    lambda one, other, weight: torch.tensor([[1.0] * 8] * 8),
    lambda one, other, weight: None,
    resized,
    set_to,
    written_to,
    changed,
]


@pytest.mark.parametrize("seed", range(0, PROGRAMS, 10))
def test_the_peak_is_that_of_an_oracle_that_looks_at_every_storage(seed: int) -> None:
    for number in range(seed, seed + 10):
        program = Program(number)
        with BruteForce([program.weight, program.given]) as oracle:
            program.run()
        program = Program(number)
        memory = counted(program.run).memory
        assert memory is not None
        assert memory.peak == oracle.peaks["cpu"], number
        assert sum(memory.at_peak.values()) == memory.peak
        assert max(point.bytes for point in memory.curve) == memory.peak


def small() -> tuple[nn.Module, Tensor, Tensor]:
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.BatchNorm1d(32), nn.Linear(32, 4))
    return model, torch.randn(8, 16), torch.randint(4, (8,))


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9),
    "adamw": torch.optim.AdamW,
    "foreach": lambda parameters: torch.optim.AdamW(parameters, foreach=True),
    "fused": lambda parameters: torch.optim.AdamW(parameters, fused=True),
    "adafactor": torch.optim.Adafactor,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("set_to_none", [True, False])
def test_training_peaks_as_the_oracle_says(name: str, set_to_none: bool) -> None:
    def steps() -> tuple[Callable[[], None], list[Tensor]]:
        model, x, target = small()
        optimizer = OPTIMIZERS[name](model.parameters())

        def run() -> None:
            for _ in range(2):
                loss = F.cross_entropy(model(x), target)
                loss.backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=set_to_none)

        return run, [*model.parameters(), *model.buffers(), x, target]

    run, existing = steps()
    with BruteForce(existing) as oracle:
        run()
    run, existing = steps()
    memory = counted(run).memory
    assert memory is not None
    assert memory.peak == oracle.peaks["cpu"]
    parameters = sum(one.numel() for one in existing if isinstance(one, nn.Parameter)) * 4
    assert memory.at_peak["parameters"] == parameters


def test_nothing_is_kept_alive() -> None:
    model, x, _ = small()
    counter = FlopCounter(memory=True)
    with counter:
        result = model(x)
        reference = weakref.ref(result.untyped_storage())
        del result
        gc.collect()
        assert reference() is None
    assert counter.report.memory is not None


def test_views_share_what_they_look_into() -> None:
    x = torch.zeros(100)
    memory = counted(lambda: (x.view(10, 10).T + 0, x[::2] * 1)).memory
    assert memory is not None
    assert memory.peak == 400 + 400 + 200


def test_what_is_touched_late_was_there_all_along() -> None:
    early, late = torch.zeros(100), torch.zeros(200)

    def run() -> None:
        (early + 1).sum()
        (late[:1] + 1).sum()

    memory = counted(run).memory
    assert memory is not None
    assert memory.peak == 400 + 800 + 400 + 4


def test_batches_that_come_one_by_one_are_not_all_there_at_once() -> None:
    numpy = pytest.importorskip("numpy")

    def run() -> None:
        for _ in range(50):
            batch = torch.from_numpy(numpy.zeros(100, dtype="float32"))
            (batch + 1).sum()

    memory = counted(run).memory
    assert memory is not None
    assert memory.peak == 400 + 400 + 4


def test_a_second_block_adds_to_the_first() -> None:
    x = torch.zeros(100)
    counter = FlopCounter(memory=True)
    for _ in range(3):
        with counter:
            x + 1
    memory = counter.report.memory
    assert memory is not None
    assert memory.peak == 800


def test_sparse_tensors_are_their_indices_and_values() -> None:
    dense = torch.zeros(10, 10)
    dense[0, 3] = 1.0

    def run() -> Tensor:
        return dense.to_sparse_coo()

    memory = counted(run).memory
    assert memory is not None
    assert memory.peak >= 400 + 2 * 8 + 4


def test_without_the_option_nothing_is_followed() -> None:
    model, x, _ = small()
    with FlopCounter() as counter:
        model(x)
    assert counter.report.memory is None
    assert counter.report.tree.peak_bytes == 0


def test_the_counter_itself_stays_flat() -> None:
    """What is kept does not grow with the operators: `make test-all-programs` has a million."""
    repeats = 1_000_000 if PROGRAMS >= 1000 else 6000
    x = torch.ones(4)
    counter = FlopCounter(memory=True)
    with counter:
        for _ in range(repeats):
            x = x + 1
        tracker = counter._memory
        assert tracker is not None
        assert len(tracker.records) < 10
        for device in tracker.devices.values():
            assert len(device.freed) < 10
            assert len(device.curve.points()) <= 1024
    assert counter.report.memory is not None
