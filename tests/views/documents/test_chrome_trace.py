"""The trace for Perfetto: events that nest as the tree does."""

import json
from pathlib import Path
from typing import Any

import pytest

from ipyflops.views.documents.chrome_trace import to_chrome_trace
from ipyflops.views.documents.speedscope import to_speedscope
from tests.views import reports
from tests.views.documents.test_speedscope import read_back


def events_of(data: dict[str, Any], process: int) -> list[dict[str, Any]]:
    """The events of a process that begin something."""
    return [one for one in data["traceEvents"] if one["ph"] == "B" and one["pid"] == process]


@pytest.mark.parametrize("name", reports.ALL)
def test_what_begins_ends_the_last_first(name: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    reports.ALL[name]().to_chrome_trace(path)
    data = json.loads(path.read_bytes().decode("utf-8"))
    assert set(data) == {"traceEvents", "displayTimeUnit", "otherData"}
    waiting: list[dict[str, Any]] = []
    at = process = 0
    for event in data["traceEvents"]:
        if event["ph"] == "M":
            assert event["pid"] == process + 1
            process, at = event["pid"], 0
            continue
        assert event["pid"] == process
        assert event["name"].isprintable()
        assert event["ts"] >= at
        at = event["ts"]
        if event["ph"] == "B":
            waiting.append(event)
        else:
            assert event["ph"] == "E"
            assert waiting.pop()["name"] == event["name"]
    assert not waiting


@pytest.mark.parametrize("name", ["resnet", "training", "unknown"])
def test_amounts_are_exact(name: str) -> None:
    report = reports.ALL[name]()
    weights = read_back(to_speedscope(report), "none")
    events = events_of(to_chrome_trace(report), 1)
    assert sum(event["args"]["FLOPs"] for event in events) == sum(weights.values())
    modules = [event for event in events if event["args"].get("file") == "model"]
    assert [event["args"]["FLOPs"] for event in modules] == [report.find("model").flops]


def test_processes_say_what_a_microsecond_is() -> None:
    events = to_chrome_trace(reports.resnet())["traceEvents"]
    names = [event["args"]["name"] for event in events if event["ph"] == "M"]
    assert names == [
        "FLOPs [standard], 1 µs is 1.00 MFLOPs",
        "kernel time",
        "bytes, 1 µs is 1.00 kB",
    ]


def test_time_is_time() -> None:
    report = reports.resnet()
    data = to_chrome_trace(report)
    assert events_of(data, 2)[0]["cat"] == "module"
    last = [one for one in data["traceEvents"] if one["pid"] == 2][-1]
    assert last["ts"] == pytest.approx(report.seconds * 1e6)
