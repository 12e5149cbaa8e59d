"""Where PyTorch takes another path under any dispatch mode, found by running all that it has.

Every entry of the operator database runs without a mode, under one that does nothing, and under the
counter. The profiler says what computed something in each. Where that, or a bit of the result, is
not under the counter what it is without, the counter has to say so, and it is PyTorch's own doing:
it is the same under the mode that does nothing.
"""

from __future__ import annotations

import contextlib
import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

from ipyflops.counting import FlopCounter
from ipyflops.counting.other_paths import PATHS, OtherPath
from tests.pytorch_databases.kernels import Kernels, kernels_of
from tests.pytorch_databases.running import (
    WARNINGS,
    NoOpMode,
    Outcome,
    difference,
    filled_memory,
    identity,
    make_samples,
    one_thread,
    run_sample,
)
from tests.pytorch_databases.test_op_db import NOT_ON_CPU, UNINITIALISED
from tests.thoroughness import ALL_SAMPLES

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

#: So many samples of an entry, drawn by chance, and the first of the ways of running it; or all.
MOST = 10_000 if ALL_SAMPLES else 2
ENTRIES = {identity(op): op for op in op_db if identity(op) not in NOT_ON_CPU}


class Way(NamedTuple):
    """How an entry is run."""

    dtype: torch.dtype
    differentiable: bool
    backward: bool
    around: Any = contextlib.nullcontext


WAYS = {
    "backward": Way(torch.float32, differentiable=True, backward=True),
    "forward": Way(torch.float32, differentiable=False, backward=False),
    "complex backward": Way(torch.complex64, differentiable=True, backward=True),
    "inference": Way(torch.float32, False, False, torch.inference_mode),
    "no_grad": Way(torch.float32, True, False, torch.no_grad),
    "complex forward": Way(torch.complex64, differentiable=False, backward=False),
    "bfloat16": Way(torch.bfloat16, differentiable=False, backward=False),
}
FIRST = 4

#: Entries of which a sample multiplies single elements: then the path that PyTorch takes computes
#: nothing at all, and there is nothing to make a note of.
OF_ONE_ELEMENT = {"prod", "masked.prod"}

#: Functions of which the database has no sample that takes the other path: see test_module_db.py.
OF_MODULES = {"cross_entropy"}
#: The functions of the table.
NAMED = {function for path in PATHS for function in path.operators}
#: The entries for which each path was noted, and all that ran.
FOUND: dict[str, set[str]] = defaultdict(set)
RAN: set[str] = set()


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        yield


def is_possible(op: Any, way: Way) -> bool:
    if way.dtype not in op.supported_dtypes("cpu"):
        return False
    if way.backward and way.dtype not in op.supported_backward_dtypes("cpu"):
        return False
    return bool(op.supports_autograd or not way.differentiable)


def runs(
    op: Any, way: Way, samples: list[Any], mode: Any
) -> Iterator[tuple[Outcome, Kernels, Any]]:
    """Run samples inside a mode, each with what computed something in it, and the mode."""
    for sample in samples:
        inside: AbstractContextManager[object] = mode()
        with way.around():
            outcome, kernels = kernels_of(
                lambda sample=sample, inside=inside: run_sample(
                    op, sample, backward=way.backward, mode=inside
                )
            )
        yield outcome, kernels, inside


def named_by_table(name: str) -> str:
    """What the table calls the function of an entry, of which there may be variants."""
    function = ENTRIES[name].name.removeprefix("nn.functional.")
    return {"__rmatmul__": "matmul", "norm": "linalg.norm"}.get(function, function)


def noted(counter: FlopCounter) -> list[OtherPath]:
    text = "\n".join(counter.report.notes)
    return [path for path in PATHS if path.what in text]


def check(name: str, way: Way) -> Iterator[str]:
    op = ENTRIES[name]
    with way.around():
        samples = make_samples(op, way.dtype, gradients=way.differentiable)
    # Not evenly spread: a flag may be set in every other sample.
    # Of a function that the table names, many: some take the other path in one sample alone.
    most = max(MOST, 40) if named_by_table(name) in NAMED else MOST
    samples = random.Random(name).sample(samples, min(most, len(samples)))
    of_plain = runs(op, way, samples, contextlib.nullcontext)
    of_mode = runs(op, way, samples, NoOpMode)
    of_counter = runs(op, way, samples, lambda: FlopCounter(device_time=False))
    # Not all of one and then all of the next: memory that nobody writes is to hold the same.
    for plain, mode, counted in zip(of_plain, of_mode, of_counter, strict=True):
        paths = noted(counted[2])
        for path in paths:
            FOUND[path.what].add(name)
        what = difference(plain[0], counted[0])
        less, more = plain[1] - counted[1], counted[1] - plain[1]
        differs = bool(what or less or more)
        # In inference mode composite operators arrive whole, and a mode that does nothing has them
        # run out of its sight.
        seen = way.around is not torch.inference_mode
        if differs and seen and (difference(mode[0], counted[0]) or mode[1] != counted[1]):
            yield f"torch alone does not: {what} {less} became {more}"
        if differs != bool(paths) and (more or name not in OF_ONE_ELEMENT):
            yield f"noted {[path.what for path in paths]}: {what} {less} became {more}"


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_report_has_a_note_where_torch_takes_another_path_and_nowhere_else(name: str) -> None:
    ways = list(WAYS.items())[: None if ALL_SAMPLES else FIRST]
    possible = {said: way for said, way in ways if is_possible(ENTRIES[name], way)}
    with filled_memory() if name in UNINITIALISED else contextlib.nullcontext():
        wrong = [f"{said}: {line}" for said, way in possible.items() for line in check(name, way)]
    assert not wrong, "\n".join(wrong)
    RAN.add(name)


def test_the_table_names_all_functions_and_no_others(request: pytest.FixtureRequest) -> None:
    if len(RAN) < len(ENTRIES):
        pytest.skip("only a part of the sweep was selected")
    for path in PATHS:
        found = set(map(named_by_table, FOUND[path.what]))
        assert found == set(path.operators) - OF_MODULES, path.what


def test_the_page_of_limits_names_all_functions() -> None:
    page = Path(__file__).parents[2] / "ipyflops" / "LIMITS.md"
    limits = page.read_text(encoding="utf-8")
    assert {name for name in NAMED if f"`{name}`" not in limits} == set()
