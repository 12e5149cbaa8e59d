"""Measured peaks against data sheets and known values, and the share that programs reach."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch

import ipyflops
from ipyflops.measuring import Ceilings
from ipyflops.report import data_sheet_of, real_dtype
from tests.accelerators.device.checks import Fail, Machine, Skip, check, count
from tests.accelerators.device.programs import Block, Residual

#: What others have measured, and how far from it a good measurement may be.
KNOWN = {"H200 SXM": {"bfloat16": 790e12, "bandwidth": 4.3e12}}
NEAR = 0.12
#: A measured peak is at least this share of the data sheet's, and at most a little more than it.
LEAST_SHARE, MOST_SHARE = 0.5, 1.05
#: A share above this is no error of measurement.
MOST_UTILIZATION = 1.02


@check("peak/measured", 40)
def measured(machine: Machine) -> dict[str, Any]:
    """Every dtype that the device multiplies, beside the data sheet and what others measured."""
    if machine.simulated:
        raise Skip("its kernels take no true time")
    sheet = data_sheet_of(machine.name)
    ceilings = Ceilings(machine.device, fresh=True)
    figures: dict[str, Any] = {"sheet": sheet.name if sheet else None}
    wrong = []
    names = ("float32", "tf32", "bfloat16", "float16", "float8_e4m3fn")
    for name in names if machine.is_gpu else ("float32",):
        try:
            rate = ceilings.rate(name)
        except ValueError as error:
            figures[name] = f"{error!s:.120}"
            continue
        figures[name] = {"flops": rate.flops_per_second, "data_sheet": rate.data_sheet}
        wrong += _wrong(name, rate.flops_per_second, rate.data_sheet, sheet)
    peak = ceilings.peak((ceilings.rate("float32"),))
    bandwidth = peak.bytes_per_second
    figures["bandwidth"] = {"bytes": bandwidth, "data_sheet": peak.data_sheet_bytes_per_second}
    wrong += _wrong("bandwidth", bandwidth, peak.data_sheet_bytes_per_second, sheet)
    if wrong:
        raise Fail("; ".join(wrong), figures)
    return figures


def _wrong(name: str, value: float, on_sheet: float | None, sheet: Any) -> list[str]:
    found = []
    if not value > 0:
        found.append(f"{name}: nothing was measured")
    if on_sheet and not LEAST_SHARE < value / on_sheet < MOST_SHARE:
        found.append(f"{name}: {value / on_sheet:.2f} of the data sheet's")
    known = KNOWN.get(sheet.name, {}).get(name) if sheet else None
    if known and abs(value / known - 1) > NEAR:
        found.append(f"{name}: {value / known:.2f} of what others measured")
    return found


@check("peak/utilisation_is_at_most_1", 40)
def utilisation(machine: Machine) -> dict[str, Any]:
    """Of a transformer in bfloat16, and of convolutions in what the device takes for float32."""
    if not machine.is_real_gpu:
        raise Skip("the times of a busy CPU, or of no device, say nothing")
    figures: dict[str, Any] = {}
    wrong = []
    for name, dtype, model, shape in (
        ("transformer", torch.bfloat16, Block(1024, 16), (8, 1024, 1024)),
        ("convolutions", torch.float32, Residual(128), (32, 128, 56, 56)),
    ):
        model.to(machine.device, dtype)
        x = torch.randn(*shape, device=machine.device, dtype=dtype)

        def step(model: Any = model, x: torch.Tensor = x) -> None:
            model.zero_grad()
            model(x).float().sum().backward()

        for _ in range(3):
            step()
        report, _ = count(step)
        if not report.seconds:
            raise Skip(f"no kernel time: {report.notes}")
        ceilings = Ceilings(machine.device)
        names = dict.fromkeys(real_dtype(one) for one, t in report.by_dtype.items() if t.flops)
        rates = tuple(ceilings.rate(one) for one in names)
        report = replace(report, peak=ceilings.peak(rates))
        figures[name] = {
            one: {"flops": totals.flops, "utilization": totals.utilization}
            for one, totals in report.by_dtype.items()
            if totals.flops
        }
        wrong += [
            f"{name}: {one} at {totals.utilization:.2f} of its peak"
            for one, totals in report.by_dtype.items()
            if totals.utilization > MOST_UTILIZATION
        ]
    if wrong:
        raise Fail("; ".join(wrong), figures)
    return figures


@check("peak/a_full_device", 20)
def full_device(machine: Machine) -> dict[str, Any]:
    """With little memory free it is measured with less, or refused in a sentence."""
    if not machine.is_cuda or machine.simulated:
        raise Skip("the device does not tell how much memory is free")
    free, _ = torch.cuda.mem_get_info()
    hold = torch.empty(max(free - 200 * 2**20, 1), dtype=torch.uint8, device=machine.device)
    try:
        return {"peak": str(ipyflops.peak(machine.device, torch.bfloat16, fresh=True))}
    except ValueError as error:
        return {"refused": str(error)}
    finally:
        del hold
