"""All operators of PyTorch's own database on the device, as many as the time allows."""

from __future__ import annotations

import importlib.util
import sys
import time
import types
from typing import Any

import torch

from tests.accelerators.device.checks import Fail, Machine, check, count
from tests.accelerators.device.programs import tensors

#: Seconds for the database; of each operator so many samples.
SECONDS, SAMPLES = 100.0, 3
DTYPES = (torch.float32, torch.bfloat16, torch.complex64, torch.int64)


def database() -> list[Any]:
    """PyTorch's operators with inputs for each.

    Its file imports `expecttest` for tests of PyTorch's own. Where that is not installed, an empty
    module stands in.
    """
    if importlib.util.find_spec("expecttest") is None:
        stand_in: Any = types.ModuleType("expecttest")
        stand_in.TestCase = object
        sys.modules["expecttest"] = stand_in
    from torch.testing._internal.common_methods_invocations import op_db

    # In an order that mixes the kinds, and is the same each time.
    return sorted(op_db, key=lambda one: sum(map(ord, one.name)) * 7919 % 997)


@check("operators/database", 30)
def all_operators(machine: Machine) -> dict[str, Any]:
    """No operator is unknown, none fails, and no result changes."""
    operators = database()
    until = time.monotonic() + min(SECONDS, machine.left() - 60)
    problems: dict[str, str] = {}
    done = samples = refused = 0
    for operator in operators:
        if time.monotonic() > until:
            break
        done += 1
        kind = machine.device.type
        dtype = next((one for one in DTYPES if operator.supports_dtype(one, kind)), None)
        if dtype is None:
            continue
        try:
            given = list(operator.sample_inputs(machine.device, dtype, requires_grad=False))
        except Exception:  # what the database cannot make on this device
            refused += 1
            continue
        for sample in given[:SAMPLES]:
            problem = _problem(machine, operator, sample)
            samples += problem is not None
            refused += problem is None
            if problem:
                problems[operator.name] = problem
    figures = {"operators": done, "of": len(operators), "samples": samples, "refused": refused}
    if not samples:
        raise Fail("no sample ran", figures)
    if problems:
        raise Fail(f"{len(problems)} operators: {problems}", figures)
    return figures


def _problem(machine: Machine, operator: Any, sample: Any) -> str | None:
    """What is wrong with a sample; empty for nothing, None where it does not run at all."""

    def run() -> list[torch.Tensor]:
        torch.manual_seed(0)
        return tensors(operator(_own(sample.input), *map(_own, sample.args), **sample.kwargs))

    try:
        plain, again = run(), run()
    except Exception:  # the device has no kernel for it
        return None
    try:
        report, counted = count(run, device_time=False)
    except Exception as error:
        if machine.simulated:  # what no kernel has written is anything
            return None
        return f"{type(error).__name__}: {error!s:.120}"
    if report.unknown:
        return f"unknown: {', '.join(report.unknown)}"
    failed = [note for note in report.notes if "the formula of" in note]
    if failed:
        return failed[0]
    if machine.simulated or not _same(plain, again) or _same(plain, counted):
        return ""
    # In some functions PyTorch itself takes another path under any mode, and a note says so.
    return "" if report.notes else "results differ"


def _own(value: Any) -> Any:
    plain = isinstance(value, torch.Tensor) and value.layout is torch.strided
    return value.detach().clone() if plain else value


def _same(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return len(one) == len(two) and all(
        a.layout is not torch.strided or torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        for a, b in zip(one, two, strict=True)
    )
