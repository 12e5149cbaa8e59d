"""Estimates for devices as titled tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ipyflops.report import Device, Estimate, Estimates, SweepEstimate
from ipyflops.units import duration, percent, scaled
from ipyflops.views.documents.plain_table import MAX_ROWS, PlainRow, PlainTable
from ipyflops.views.rows.tree import TreeRow, tree_rows
from ipyflops.views.rows.visible import visible
from ipyflops.views.side_by_side.titled import TitledTable, plain_table

#: So many rows of the tree are shown, and so many operators.
MAX_PLACES, MAX_OPERATORS = 30, 8
_BOUND = (
    "a bound by the data sheet: operators as they are, one after the other, each at the peak of "
    "its dtype or of the memory; nothing is fused, {cache}, launches are free"
)


def estimate_table(estimate: Estimate) -> TitledTable:
    """The time of each module and operator on one device."""
    report = estimate.as_report()
    rows = tree_rows(report, most=MAX_PLACES, whole_levels=True)
    places = [_place(row, estimate, report.seconds) for row in rows]
    operators = [
        PlainRow(
            (visible(name), duration(one.seconds), percent(one.share), one.bound, "", ""),
            level=1,
        )
        for name, one in list(estimate.by_operator.items())[:MAX_OPERATORS]
        if one.seconds
    ]
    if operators:
        operators.insert(0, PlainRow(("by operator", *[""] * 5)))
    titles = ("module", "least time" if estimate.efficiency == 1 else "time")
    table = PlainTable((*titles, "share", "bound", "FLOPs", "bytes"), (*places, *operators))
    return TitledTable(_headline(estimate), _said(estimate), table, _notes([estimate]))


def _place(row: TreeRow, estimate: Estimate, whole: float) -> PlainRow:
    totals = row.totals
    if estimate.device.cache:  # not all bytes are moved: what takes half of the least time
        bytes_alone = totals.seconds * estimate.efficiency / 2
    else:
        bytes_alone = totals.bytes / estimate.device.bandwidth
    bound = "compute" if totals.peak_seconds and totals.peak_seconds >= bytes_alone else "memory"
    name = f"{row.full_name} {row.type}".rstrip() if row.kind != "own" else row.full_name
    return PlainRow(
        (
            name,
            duration(totals.seconds),
            percent(totals.seconds / whole if whole else 0.0),
            bound if totals.bytes else "",
            scaled(totals.flops),
            scaled(totals.bytes, "B"),
        ),
        row.level,
    )


def _headline(estimate: Estimate) -> str:
    name = visible(estimate.device.name)
    if estimate.efficiency == 1:
        items = [f"at least {duration(estimate.seconds)} on {name}"]
    else:
        items = [
            f"{duration(estimate.seconds)} on {name} at {percent(estimate.efficiency)} of its peak"
        ]
    items.append(f"{estimate.bound}-bound")
    if estimate.items_per_second is not None and estimate.per is not None:
        most = "at most " if estimate.efficiency == 1 else ""
        items.append(f"{most}{scaled(estimate.items_per_second)} {visible(estimate.per[1])}s/s")
        hours = estimate.device_hours(1e9)
        items.append(f"{hours:,.3g} device hours for 1 G {visible(estimate.per[1])}s")
    fits = _fits(estimate)
    return " · ".join([*items, fits] if fits else items)


def _fits(estimate: Estimate) -> str:
    memory = estimate.report.memory
    if memory is None or estimate.device.memory is None:
        return ""
    peak = scaled(memory.peak, "B")
    there = scaled(estimate.device.memory, "B")
    if estimate.fits:
        return f"fits in {there}: {peak} at the peak"
    return f"does not fit in {there}: {peak} at the peak"


def _said(estimate: Estimate) -> tuple[str, ...]:
    return (f"{_rates(estimate.device, list(estimate.report.by_dtype))}",)


def _rates(device: Device, dtypes: Sequence[str]) -> str:
    used = [dtype for dtype in dtypes if device.rate(dtype)] or list(device.rates)
    said = [f"{dtype} {scaled(device.rate(dtype) or 0.0, 'FLOPS')}" for dtype in used]
    said.append(f"memory {scaled(device.bandwidth, 'B')}/s")
    if device.memory is not None:
        said.append(scaled(device.memory, "B"))
    source = f" ({device.source})" if device.source else ""
    return visible(f"{device.name}: {', '.join(said)}{source}")


def _notes(estimates: Sequence[Estimate]) -> tuple[str, ...]:
    cached = [
        f"on {one.device.name} up to {scaled(one.device.cache, 'B')} stay in the cache"
        for one in estimates
        if one.device.cache
    ]
    notes = [_BOUND.format(cache=", ".join(cached) or "nothing stays in a cache")]
    for estimate in estimates:
        if estimate.unknown_dtypes:
            listed = ", ".join(estimate.unknown_dtypes)
            notes.append(
                f"no rate of {estimate.device.name} is known for {listed}: of such operators only "
                "the bytes take time"
            )
    first = estimates[0].report
    if first.ranks:
        notes.append(f"the work of all {len(first.ranks)} ranks, on one device")
    if first.unknown:
        notes.append(f"operators without a formula take no FLOPs: {', '.join(first.unknown)}")
    return tuple(map(visible, notes))


# --- several ---------------------------------------------------------------------------------


def estimates_table(estimates: Estimates) -> TitledTable:
    """A row for each device."""
    per = next((one.per[1] for one in estimates if one.per), "")
    known = any(one.fits is not None for one in estimates)
    titles = ["device", "bound", *(["fits"] if known else []), "least time"]
    if any(one.efficiency != 1 for one in estimates):
        titles += ["efficiency", "time"]
    if per:
        titles += [f"{visible(per)}s/s", f"hours for 1 G {visible(per)}s"]
    rows = [_device_row(one, titles, bool(per), known) for one in estimates]
    report = estimates[0].report
    work = f"{scaled(report.flops, 'FLOPs')} · {scaled(report.bytes, 'B')}"
    headline = f"{work} on {len(rows)} device{'s' if len(rows) > 1 else ''}"
    return TitledTable(
        headline,
        tuple(_rates(one.device, list(report.by_dtype)) for one in estimates),
        plain_table(titles, rows, texts=3 if known else 2),
        _notes(list(estimates)),
    )


def _device_row(one: Estimate, titles: Sequence[str], per: bool, known: bool) -> list[str]:
    cells = [visible(one.device.name), one.bound]
    if known:
        cells.append({True: "yes", False: "no", None: ""}[one.fits])
    cells.append(duration(one.least_seconds))
    if "efficiency" in titles:
        cells += [percent(one.efficiency), duration(one.seconds)]
    if per:
        rate = one.items_per_second
        cells += ["", ""] if rate is None else [scaled(rate), f"{one.device_hours(1e9):,.3g}"]
    return cells


def sweep_table(estimate: SweepEstimate) -> TitledTable:
    """A row for each point of the grid, a column for each device."""
    devices = estimate.points[0][1]
    names = [_named(one) for one in devices]
    rows = [
        [*(f"{value:,}" for value in values), *(_time(one) for one in times)]
        for values, times in estimate.points[:MAX_ROWS]
    ]
    titles = [*map(visible, estimate.names), *names]
    headline = f"time of {len(estimate.points)} points on {', '.join(names)}"
    rates = tuple(_rates(one.device, list(one.report.by_dtype)) for one in devices)
    return TitledTable(headline, rates, plain_table(titles, rows, texts=0), _notes(devices))


def _named(estimate: Estimate) -> str:
    at = "" if estimate.efficiency == 1 else f" at {percent(estimate.efficiency)}"
    return f"{visible(estimate.device.name)}{at}"


def _time(estimate: Estimate) -> str:
    lacking = " (does not fit)" if estimate.fits is False else ""
    return f"{duration(estimate.seconds)}{lacking}"


# --- numbers -------------------------------------------------------------------------------------


def records(result: Any) -> list[dict[str, object]]:
    """The numbers of estimates in plain units, a dictionary for each row of a frame."""
    if isinstance(result, SweepEstimate):
        return [
            {
                **dict(zip(result.names, values, strict=True)),
                **{_named(one): one.seconds for one in times},
            }
            for values, times in result.points
        ]
    if isinstance(result, Estimates):
        return [
            {
                "device": one.device.name,
                "efficiency": one.efficiency,
                "seconds": one.seconds,
                "bound": one.bound,
                "fits": one.fits,
                "items_per_second": one.items_per_second,
            }
            for one in result
        ]
    return [
        {
            "path": part.name,
            "seconds": part.seconds,
            "compute_seconds": part.compute_seconds,
            "memory_seconds": part.memory_seconds,
            "bound": part.bound,
            "share": part.share,
            "fits": part.fits,
        }
        for part in result.walk()
    ]
