"""Memory and time of programs that make a lot of code, or of modules that nothing registers."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops.counting import FlopCounter

X = torch.ones(1, 2)


def test_code_that_is_gone_takes_no_memory() -> None:
    """A program that runs `exec` in a loop makes code objects without end."""

    def run(times: int) -> None:
        for number in range(times):
            exec(f"value_{number} = x + 1", {"x": X})

    with FlopCounter() as counter:
        run(100)
        gc.collect()
        tracemalloc.start()
        run(2_000)
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
    # A code object of its own takes 500 bytes or more.
    assert grown < 100 * 2_000
    assert counter.report.flops == 2 * 2_100


def seconds(run: Callable[[], Any]) -> float:
    gc.collect()
    start = time.process_time()
    with FlopCounter():
        run()
    return time.process_time() - start


class Holds(nn.Module):
    """Its parts stand in a plain list, which registers nothing."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.parts = [nn.Linear(2, 2) for _ in range(parts)]

    def forward(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x


def in_a_list(count: int) -> Callable[[], Any]:
    modules = [nn.Linear(2, 2) for _ in range(count)]
    return lambda: [module(X) for module in modules]


def in_an_attribute(count: int) -> Callable[[], Any]:
    model = Holds(count)
    return lambda: model(X)


def beside_a_large_model(count: int) -> Callable[[], Any]:
    def run() -> None:
        large = nn.Sequential(*(nn.Linear(2, 2) for _ in range(count)))
        for _ in range(count):
            nn.Linear(2, 2)(X)
        del large

    return run


@pytest.mark.parametrize("make", [in_a_list, in_an_attribute, beside_a_large_model])
def test_modules_that_nothing_registers_take_time_in_proportion(
    make: Callable[[int], Callable[[], Any]],
) -> None:
    seconds(make(50))
    few, many = min(seconds(make(150)) for _ in range(3)), seconds(make(1_200))
    # Eight times as many; in squares it would be 64 times as long.
    assert many < 24 * few


def test_modules_in_a_list_keep_their_names_when_others_are_gone() -> None:
    with FlopCounter() as counter:
        held = [nn.Linear(2, 2) for _ in range(3)]
        [each(X) for each in held]
        del held[1]
        gc.collect()
        nn.Linear(2, 2)(X)
        late, later = nn.Linear(2, 2), nn.Linear(2, 2)
        for module in (late, later, late):
            nn.Sequential(module)
            module(X)
    names = {node.name: node.calls for node in counter.report.tree.children if node.flops}
    # When they ran, the list led to each of them, and a variable to the last two.
    assert names == {"held.0": 1, "held.1": 1, "held.2": 1, "Linear": 1, "late": 2, "later": 1}


def test_the_variables_of_a_loop_are_no_names_for_what_a_list_holds() -> None:
    with FlopCounter() as counter:
        pairs = [(nn.Linear(2, 2), nn.Linear(2, 2)) for _ in range(2)]
        for first, second in pairs:
            second(first(X))
        held = [nn.Linear(2, 2)]
        for one in held:
            one(X)
    names = {node.name for node in counter.report.tree.children if node.flops}
    assert names == {"pairs.0.0", "pairs.0.1", "pairs.1.0", "pairs.1.1", "held.0"}


def test_modules_that_only_a_parameter_holds_are_one_for_each_class() -> None:
    def call(module: nn.Module) -> None:
        module(X)

    with FlopCounter() as counter:
        held = [nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2)]
        list(map(call, held))
        del held[1]
        gc.collect()
        for make in (nn.Linear, nn.ReLU, nn.Linear):
            call(make(2, 2) if make is nn.Linear else make())
            gc.collect()
    names = {node.name: node.calls for node in counter.report.tree.children if node.flops}
    # Three were in the list; nothing but the parameter leads to the others. A ReLU is no Linear.
    assert names == {"held.0": 1, "held.1": 1, "held.2": 1, "module": 2, "module#2": 1}


def test_a_module_that_is_registered_late_is_found_in_its_model() -> None:
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2)))
    with FlopCounter() as counter:
        nn.Linear(2, 2)(X)  # looked for in the model, and not found
        model[0].add_module("late", nn.Linear(2, 2))
        model[0].late(X)
    assert counter.report.find("model.0.late").calls == 1
