"""A remembered cost is the cost: all of PyTorch's operator database, with the memory and without.

What a call costs is worked out once for each key and then remembered. So every sample is counted
twice: as it always is, and with every cost worked out anew. Where the two differ, some key does
not hold what decides the cost or the size of a result. In inference mode composite operators are
not taken apart, so that others are seen there.
"""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
import torch
from torch.testing._internal.common_methods_invocations import (
    foreach_binary_op_db,
    foreach_other_op_db,
    foreach_pointwise_op_db,
    foreach_reduce_op_db,
    foreach_unary_op_db,
    op_db,
)
from torch.utils._pytree import tree_map_only

from ipyflops.costs import CONVENTIONS, conventions
from ipyflops.counting import FlopCounter, known_operators
from ipyflops.report import Report
from tests.pytorch_databases.running import (
    WARNINGS,
    identity,
    make_samples,
    one_thread,
    run_sample,
    seed,
    spread,
)
from tests.thoroughness import ALL_SAMPLES

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

DTYPES = (torch.float32, torch.complex64, torch.int64)
ENTRIES = {identity(op): op for op in op_db if op.supported_dtypes("cpu")}
FOREACH = {
    op.name: op
    for database in (
        foreach_binary_op_db,
        foreach_other_op_db,
        foreach_pointwise_op_db,
        foreach_reduce_op_db,
        foreach_unary_op_db,
    )
    for op in database
}
#: Of each entry, dtype and mode; all of those whose samples differ in their values alone.
MOST_SAMPLES = 40 if ALL_SAMPLES else 8
MOST_LISTS = 6 if ALL_SAMPLES else 2
BY_VALUES = {"unique", "unique_consecutive"}


def has_backward(op: Any, dtype: torch.dtype) -> bool:
    return bool(op.supports_autograd and dtype in op.supported_backward_dtypes("cpu"))


def counts(report: Report) -> dict[tuple[str, str], list[int]]:
    """What each operator cost in each phase: calls, FLOPs by every convention, and the rest."""
    sums: dict[tuple[str, str], list[int]] = {}
    for row in report.rows:
        signature = report.signatures[row.signature]
        times = 1 if signature.summed else row.calls
        amounts = [conventions.flops(signature.cost, name) for name in CONVENTIONS]
        amounts += [signature.cost.integer.value, signature.bytes]
        known = sums.setdefault((signature.operator, row.phase), [0] * 6)
        for place, amount in enumerate([row.calls, *(amount * times for amount in amounts)]):
            known[place] += amount
    return sums


def run(op: Any, dtype: torch.dtype, *, inference: bool) -> list[Report]:
    backward = has_backward(op, dtype) and not inference
    reports = []
    samples = make_samples(op, dtype, gradients=backward)
    for sample in samples if op.name in BY_VALUES else spread(samples, MOST_SAMPLES):
        flop_counter = FlopCounter(device_time=False)
        with torch.inference_mode() if inference else contextlib.nullcontext():
            run_sample(op, sample, backward=backward, mode=flop_counter)
        reports.append(flop_counter.report)
    return reports


def worked_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give no call a key, so that none is remembered."""
    no_key = lambda func, *_: (None, id(func))  # noqa: E731 - for every operator the same
    monkeypatch.setattr(known_operators, "key_function", lambda *_: no_key)


def run_lists(op: Any, samples: list[Any]) -> list[Report]:
    """Count samples of an operator on lists, out of place and in place."""
    reports = []
    for variant in (op.method_variant, op.inplace_variant):
        for sample in samples:
            arguments = tree_map_only(torch.Tensor, torch.clone, (sample.input, sample.args))
            flop_counter = FlopCounter(device_time=False)
            # Not all samples can be run by all variants, as whole numbers in place.
            with contextlib.suppress(RuntimeError, TypeError), flop_counter:
                variant(arguments[0], *arguments[1])
            reports.append(flop_counter.report)
    return reports


def differences(found: list[Report], right: list[Report]) -> list[str]:
    wrong = []
    for number, (one, other) in enumerate(zip(found, right, strict=True)):
        remembered, anew = counts(one), counts(other)
        wrong += [
            f"sample {number}: {key} {remembered.get(key)}, right {anew.get(key)}"
            for key in remembered.keys() | anew.keys()
            if remembered.get(key) != anew.get(key)
        ]
    return wrong


@pytest.mark.parametrize("inference", [False, True], ids=["autograd", "inference"])
@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_what_is_remembered_is_what_it_costs(
    name: str, inference: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    op = ENTRIES[name]
    dtypes = [dtype for dtype in DTYPES if dtype in op.supported_dtypes("cpu")]
    with one_thread(), torch.random.fork_rng(devices=[]):
        remembered = {dtype: run(op, dtype, inference=inference) for dtype in dtypes}
        worked_out_anew(monkeypatch)
        wrong = [
            f"{dtype}, {line}"
            for dtype in dtypes
            for line in differences(remembered[dtype], run(op, dtype, inference=inference))
        ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", sorted(FOREACH))
def test_the_same_holds_for_lists_of_tensors(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = FOREACH[name]
    dtypes = [dtype for dtype in DTYPES if dtype in op.supported_dtypes("cpu")]
    with one_thread(), torch.random.fork_rng(devices=[]):
        seed()
        samples = [
            sample
            for dtype in dtypes
            for sample in spread([*op.sample_inputs("cpu", dtype)], MOST_LISTS)
        ]
        remembered = run_lists(op, samples)
        assert sum(bool(report.rows) for report in remembered) > len(remembered) / 4
        worked_out_anew(monkeypatch)
        wrong = differences(remembered, run_lists(op, samples))
    assert not wrong, "\n".join(wrong)
