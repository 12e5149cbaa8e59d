"""A report in Chrome's trace event format, which Perfetto and ``chrome://tracing`` open.

The format knows time only. Each of FLOPs, kernel time and bytes is a process of the trace; where it
is no time, the name of the process says how much of it a microsecond stands for.
"""

from __future__ import annotations

from typing import Any

from ipyflops.report import Report
from ipyflops.units import scaled
from ipyflops.views.documents.speedscope import to_speedscope

#: What a number of a profile is, by the profile's unit.
_AMOUNTS = {"none": "FLOPs", "bytes": "B"}


def to_chrome_trace(report: Report) -> dict[str, Any]:
    """Give a report in the trace event format, as data that JSON can hold.

    ``traceEvents`` has an event for the begin (``"ph": "B"``) and one for the end of each node and
    operator, nested as they are; the exact amount is among the ``args`` of the first. One event
    with a duration would not do: start and duration rarely add up to the same end.
    """
    data = to_speedscope(report)
    frames = data["shared"]["frames"]
    events: list[dict[str, Any]] = []
    for process, profile in enumerate(data["profiles"], 1):
        amount = _AMOUNTS.get(profile["unit"], "ns")
        step = 1 if amount == "ns" else _step(profile["endValue"])
        name = profile["name"]
        if step > 1 or amount != "ns":
            name += f", 1 µs is {scaled(1000 * step, amount)}"
        about = {"pid": process, "tid": 1}
        events.append({"ph": "M", "name": "process_name", **about, "args": {"name": name}})
        waiting: list[tuple[dict[str, Any], int]] = []
        for event in profile["events"]:
            slice_: dict[str, Any] = {"ts": _microseconds(event["at"], step), **about}
            if event["type"] == "O":
                frame = frames[event["frame"]]
                category = "module" if "file" in frame else "operator"
                slice_ |= {"ph": "B", "name": frame["name"], "cat": category, "args": _where(frame)}
                waiting.append((slice_, event["at"]))
            else:
                begun, start = waiting.pop()
                begun["args"][amount] = event["at"] - start
                slice_ |= {"ph": "E", **{key: begun[key] for key in ("name", "cat", "args")}}
            events.append(slice_)
    return {
        "traceEvents": events,
        "displayTimeUnit": "ns",
        "otherData": {"name": data["name"], "exporter": data["exporter"]},
    }


def _step(total: int) -> int:
    """So many stand for a nanosecond: a power of 1000 that leaves a million of them or more."""
    step = 1
    while total >= 1_000_000_000 * step:
        step *= 1000
    return step


def _microseconds(at: int, step: int) -> float:
    # Rounded to what the format resolves, so that what ends together does so in the trace, too.
    return (at // step) / 1000


def _where(frame: dict[str, Any]) -> dict[str, Any]:
    return {key: frame[key] for key in ("file", "line") if key in frame}
