"""The columns of `--on` for the widget: each place's least time on a device, and what bounds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ipyflops.costs import Metric
from ipyflops.report import Device, Estimate, Report
from ipyflops.units import percent
from ipyflops.views.rows.visible import shortened, visible

#: Devices, each with the share of its peaks that is reached.
Devices: TypeAlias = Sequence[tuple[Device, float]]
#: More devices have no columns.
MAX_DEVICES = 8
#: What the columns are known by, those of a device one after the other.
ESTIMATE_COLUMNS = tuple(
    f"{name}_{number}" for number in range(MAX_DEVICES) for name in ("time_on", "bound_on")
)


@dataclass(frozen=True, slots=True)
class EstimateColumns:
    """The two columns of one device.

    Attributes
    ----------
    time, bound : Metric
    seconds : list of float
        By the index of the scope, with what is inside it.
    bounds : list of str
        ``compute`` or ``memory``; empty where nothing takes time.
    """

    time: Metric
    bound: Metric
    seconds: list[float]
    bounds: list[str]


def estimate_columns(report: Report, devices: Devices) -> list[EstimateColumns]:
    """Work out the columns of each device."""
    return [
        _columns(report, number, device, efficiency)
        for number, (device, efficiency) in enumerate(devices[:MAX_DEVICES])
    ]


def _columns(report: Report, number: int, device: Device, efficiency: float) -> EstimateColumns:
    name = shortened(visible(device.name), 24)
    at = "" if efficiency == 1 else f" at {percent(efficiency)} of its peaks"
    time = Metric(
        f"time_on_{number}",
        f"on {name}",
        f"Least time on {name}{at}, by its data sheet: operators as they are, nothing fused",
        format="time",
        unit="s",
        name=f"least time on {name}",
        phrase=f"at least on {name}{at}",
        of_place=True,
    )
    bound = Metric(
        f"bound_on_{number}",
        f"bound on {name}" if len(name) < 12 else "bound",
        f"What takes longer on {name}: the FLOPs (compute) or the bytes (memory)",
        format="text",
        adds_up=False,
        of_place=True,
    )
    estimate = Estimate(report, device, efficiency)
    scopes = [node.scope for node in report.walk()]
    parts = dict(zip(scopes, estimate.walk(), strict=True))
    every = [parts.get(index) for index in range(len(report.scopes))]
    return EstimateColumns(
        time,
        bound,
        [part.seconds if part else 0.0 for part in every],
        [part.bound if part and part.seconds else "" for part in every],
    )
