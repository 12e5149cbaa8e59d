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
from torch.testing._internal.common_methods_invocations import op_db

from ipyflops.costs import CONVENTIONS, conventions
from ipyflops.counting import FlopCounter, counter
from ipyflops.report import Report
from tests.pytorch_databases.running import (
    WARNINGS,
    identity,
    make_samples,
    one_thread,
    run_sample,
    spread,
)

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

DTYPES = (torch.float32, torch.complex64, torch.int64)
ENTRIES = {identity(op): op for op in op_db if op.supported_dtypes("cpu")}
#: Of each entry, dtype and mode.
MOST_SAMPLES = 50


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
    for sample in spread(make_samples(op, dtype, gradients=backward), MOST_SAMPLES):
        flop_counter = FlopCounter(device_time=False)
        with torch.inference_mode() if inference else contextlib.nullcontext():
            run_sample(op, sample, backward=backward, mode=flop_counter)
        reports.append(flop_counter.report)
    return reports


def worked_out_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give no call a key, so that none is remembered."""
    no_key = lambda func, *_: (None, id(func))  # noqa: E731 - for every operator the same
    monkeypatch.setattr(counter, "key_function", lambda *_: no_key)


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
        wrong = []
        for dtype in dtypes:
            anew = run(op, dtype, inference=inference)
            for number, (one, other) in enumerate(zip(remembered[dtype], anew, strict=True)):
                found, right = counts(one), counts(other)
                wrong += [
                    f"{dtype}, sample {number}: {key} {found.get(key)}, right {right.get(key)}"
                    for key in found.keys() | right.keys()
                    if found.get(key) != right.get(key)
                ]
        assert not wrong, "\n".join(wrong)
