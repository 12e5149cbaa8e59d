"""All of PyTorch's modules, in training and in evaluation, run as they run without the counter."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing._internal.common_modules import module_db

from ipyflops.counting.counter import FlopCounter
from ipyflops.report import Node, Report
from tests.pytorch_databases.kernels import Kernels, kernels_of
from tests.pytorch_databases.running import (
    WARNINGS,
    NoOpMode,
    Outcome,
    difference,
    one_thread,
    run_backward,
    seed,
    take_gradients,
)
from tests.thoroughness import ALL_SAMPLES

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

#: Modules whose samples bring random numbers in this precision along.
IN_DOUBLE = {"nn.FractionalMaxPool2d", "nn.FractionalMaxPool3d"}

#: Modules for which torch takes another path under any dispatch mode: see test_op_db.py.
OTHER_PATH = {"nn.LinearCrossEntropyLoss"}

ENTRIES = {info.name: info for info in module_db}
#: So many inputs of each are profiled.
MOST = 10_000 if ALL_SAMPLES else 1


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        yield


def dtype_of(info: Any) -> torch.dtype:
    return torch.float64 if info.name in IN_DOUBLE else torch.float32


def make_inputs(info: Any, *, training: bool) -> list[Any]:
    seed()
    inputs = info.module_inputs_func(
        info, device="cpu", dtype=dtype_of(info), requires_grad=True, training=training
    )
    return list(inputs)


def make_module(info: Any, given: Any, *, training: bool) -> nn.Module:
    seed()
    made = given.constructor_input
    module: nn.Module = info.module_cls(*made.args, **made.kwargs)
    return module.to(dtype_of(info)).train(training)


def run(module: nn.Module, given: Any, mode: AbstractContextManager[object]) -> Outcome:
    """Forward and backward, the way the database's own tests do it."""
    seed()
    forward = given.forward_input
    inputs = [
        value
        for value in (*forward.args, *forward.kwargs.values())
        if isinstance(value, torch.Tensor) and value.requires_grad
    ]
    with mode:
        try:
            output = module(*forward.args, **forward.kwargs)
            run_backward(output)
        except Exception as error:
            return Outcome(
                error=f"{type(error).__name__}: {error}", random_state=torch.get_rng_state()
            )
    state = torch.get_rng_state()
    kept = [buffer for buffer in module.buffers() if buffer is not None]
    gradients = take_gradients([*inputs, *module.parameters()])
    return Outcome((output, kept), gradients, "", state)


def check_tree(report: Report, kind: str) -> None:
    """The parts of the tree add up to the whole, and the module is in it."""
    assert report.tree.totals == report.totals

    def walk(node: Node) -> Iterator[Node]:
        yield node
        for child in node.children:
            yield from walk(child)

    nodes = list(walk(report.tree))
    for node in nodes:
        assert node.flops == node.own.flops + sum(child.flops for child in node.children)
        assert node.flops == sum(phase.flops for phase in node.phases.values())
    assert sum(node.own.calls for node in nodes) == report.totals.calls
    if report.totals.calls:
        assert kind in {node.type for node in nodes}


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_module_runs_as_without_the_counter(name: str, training: bool) -> None:
    info = ENTRIES[name]
    plain = [
        run(make_module(info, given, training=training), given, nullcontext())
        for given in make_inputs(info, training=training)
    ]
    inputs = make_inputs(info, training=training)
    other_path = False
    for number, (given, expected) in enumerate(zip(inputs, plain, strict=True)):
        module = make_module(info, given, training=training)
        # A lazy module becomes another one when it is called; the tree has what was called.
        kind = type(module).__name__
        counter = FlopCounter(device_time=False)
        counted = run(module, given, counter)
        found = difference(expected, counted)
        if found and name in OTHER_PATH:
            other_path = True
            expected = run(make_module(info, given, training=training), given, NoOpMode())
            found = difference(expected, counted)
        assert found == "", f"sample {number}"
        assert not counted.error, f"sample {number}: {counted.error}"
        assert counter.report.unknown == {}
        # Where torch takes another path, a note says so: see test_other_paths.py.
        notes = counter.report.notes
        assert [note for note in notes if not note.startswith("under any dispatch mode")] == []
        check_tree(counter.report, kind)
    assert inputs
    assert other_path == (name in OTHER_PATH), "the table of other paths is out of date"


def run_forward(module: nn.Module, given: Any, mode: AbstractContextManager[object]) -> object:
    """Forward alone, without gradients; the error if there is one."""
    seed()
    with torch.no_grad(), mode:
        try:
            return module(*given.forward_input.args, **given.forward_input.kwargs)
        except Exception as error:
            return f"{type(error).__name__}: {error}"


@pytest.mark.parametrize("way", [run, run_forward], ids=["backward", "forward"])
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_report_has_a_note_where_a_module_takes_another_path_and_nowhere_else(
    name: str, training: bool, way: Any
) -> None:
    """What computes in a module is what computes in it without a count, or a note says so."""
    info = ENTRIES[name]
    samples = len(make_inputs(info, training=training))
    for number in random.Random(name).sample(range(samples), min(MOST, samples)):
        found: list[Kernels] = []
        counter = FlopCounter(device_time=False)
        for mode in (nullcontext(), counter):
            given = make_inputs(info, training=training)[number]
            module = make_module(info, given, training=training)
            kernels = kernels_of(
                lambda module=module, given=given, mode=mode: way(module, given, mode)
            )[1]
            found.append(kernels)
        plain, counted = found
        notes = [note for note in counter.report.notes if note.startswith("under any dispatch")]
        less, more = plain - counted, counted - plain
        assert bool(notes) == bool(less or more), f"{number}: {notes}: {less} became {more}"


@pytest.mark.parametrize(
    ("options", "other"),
    [
        ({"label_smoothing": 0.1}, False),
        ({"weight": torch.ones(4)}, False),
        ({"label_smoothing": 0.1, "weight": torch.ones(4), "reduction": "sum"}, False),
        ({"label_smoothing": 0.1, "weight": torch.ones(4)}, True),
    ],
)
@pytest.mark.parametrize("shape", [(), (3, 3)])
def test_cross_entropy(options: dict[str, Any], other: bool, shape: tuple[int, ...]) -> None:
    """The database has few samples of it, and those of the operators have none of the last kind."""
    scores, targets = torch.randn(8, 4, *shape), torch.randint(0, 4, (8, *shape))

    def loss() -> torch.Tensor:
        return nn.functional.cross_entropy(scores, targets, **options)

    plain = kernels_of(loss)[1]
    with FlopCounter(device_time=False) as counter:
        counted = kernels_of(loss)[1]
    assert (plain != counted) == other
    assert bool(counter.report.notes) == other


def test_the_database_is_all_there() -> None:
    assert len(ENTRIES) >= 110
