"""All of PyTorch's operator database runs under the counter as it runs without it.

Every sample of every entry, in five dtypes, with a backward pass where it has one: the results, the
gradients and the state of the random numbers are the same to the bit, an error is the same error,
and there is no operator that the counter does not know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.testing._internal.common_methods_invocations import op_db

from ipyflops.counting.counter import FlopCounter
from ipyflops.report import VIEWS_ONLY
from tests.pytorch_databases.running import (
    WARNINGS,
    NoOpMode,
    difference,
    filled_memory,
    identity,
    make_samples,
    one_thread,
    run_sample,
)

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

DTYPES = (torch.float32, torch.complex64, torch.bfloat16, torch.int64, torch.bool)
#: Of these a backward pass is run, where there is one.
WITH_BACKWARD = (torch.float32, torch.complex64)

#: Entries that run on a GPU alone.
NOT_ON_CPU = {
    "nn.functional.batch_norm:without_cudnn",
    "torch.ops.aten._efficient_attention_forward",
    "torch.ops.aten._flash_attention_forward",
}

#: Entries whose result depends on memory that nobody has written. They are compared with such
#: memory filled.
UNINITIALISED = {
    "empty",
    "empty_like",
    "empty_permuted",
    "empty_strided",
    # The LAPACK driver gelsy reads its pivots, which torch does not set.
    "linalg.lstsq",
    "linalg.lstsq:grad_oriented",
    "new_empty",
    "new_empty_strided",
}

#: Entries for which torch takes another path under any dispatch mode, one that does nothing too:
#: its derivatives ask whether a tensor may be of a subclass, which a mode makes true of every one.
#: The counted result has to be that of the mode that does nothing, to the bit.
OTHER_PATH = {
    "cumprod",
    "linalg.matrix_sqrth",
    "linalg.polar",
    "masked.prod",
    "masked_fill",
    "max:reduction_no_dim",
    "median",
    "min:reduction_no_dim",
    "nanmedian",
    "prod",
}

#: The least number of samples of each dtype that really ran, so that a sweep over nothing fails.
LEAST = {
    torch.float32: 18_000,
    torch.complex64: 7_500,
    torch.bfloat16: 15_000,
    torch.int64: 9_000,
    torch.bool: 3_800,
}

ENTRIES = {identity(op): op for op in op_db}
RAN = dict.fromkeys(DTYPES, 0)


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        yield


def dtypes_of(op: Any) -> list[torch.dtype]:
    """The dtypes that an entry is run in; one that it has, where it has none of the five."""
    supported = op.supported_dtypes("cpu")
    return [dtype for dtype in DTYPES if dtype in supported] or sorted(supported, key=str)[:1]


def has_backward(op: Any, dtype: torch.dtype) -> bool:
    return bool(
        dtype in WITH_BACKWARD
        and op.supports_autograd
        and dtype in op.supported_backward_dtypes("cpu")
    )


def check(name: str, dtype: torch.dtype) -> tuple[list[str], bool]:
    """Run the samples with and without the counter.

    Gives what is wrong, and whether torch took another path under the mode.
    """
    op = ENTRIES[name]
    backward = has_backward(op, dtype)
    counter = FlopCounter(device_time=False)
    wrong = []
    other_path = False
    with filled_memory() if name in UNINITIALISED else contextlib.nullcontext():
        plain = [
            run_sample(op, sample, backward=backward)
            for sample in make_samples(op, dtype, gradients=backward)
        ]
        samples = make_samples(op, dtype, gradients=backward)
        for number, (sample, expected) in enumerate(zip(samples, plain, strict=True)):
            counted = run_sample(op, sample, backward=backward, mode=counter)
            found = difference(expected, counted)
            if found and name in OTHER_PATH:
                other_path = True
                expected = run_sample(op, sample, backward=backward, mode=NoOpMode())
                found = difference(expected, counted)
            if found:
                wrong.append(f"{dtype}, sample {number}: {found}")
    RAN[dtype] = RAN.get(dtype, 0) + len(samples)
    report = counter.report
    wrong += [f"{dtype}: {operator} is unknown" for operator in report.unknown]
    # That path has a note: see test_other_paths.py.
    of_paths = "under any dispatch mode"
    notes = [one for one in report.notes if one != VIEWS_ONLY and not one.startswith(of_paths)]
    return wrong + [f"{dtype}: {note}" for note in notes], other_path


@pytest.mark.parametrize("name", sorted(ENTRIES.keys() - NOT_ON_CPU))
def test_an_entry_runs_as_without_the_counter(name: str) -> None:
    found = [check(name, dtype) for dtype in dtypes_of(ENTRIES[name])]
    wrong = [line for lines, _ in found for line in lines]
    assert not wrong, "\n".join(wrong)
    other_path = any(other for _, other in found)
    assert other_path == (name in OTHER_PATH), "the table of other paths is out of date"


def test_the_sweep_is_not_over_nothing(request: pytest.FixtureRequest) -> None:
    selected = [item for item in request.session.items if item.fspath == request.node.fspath]
    if len(selected) < len(ENTRIES) - len(NOT_ON_CPU):
        pytest.skip("only a part of the sweep was selected")
    assert len(ENTRIES) > 650
    for dtype, least in LEAST.items():
        assert RAN[dtype] >= least


def test_entries_that_do_not_run_are_those_that_cannot() -> None:
    cannot = {name for name, op in ENTRIES.items() if not op.supported_dtypes("cpu")}
    assert cannot == NOT_ON_CPU
