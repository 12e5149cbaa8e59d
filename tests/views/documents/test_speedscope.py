"""The file for speedscope, against the rules of its format, and read back into a tree.

The rules, from ``file-format-schema.json`` and ``file-format-spec.ts`` of speedscope 1.25, and from
what its importer refuses:

1. The file has ``$schema`` with its one address, ``profiles``, and ``shared.frames``; beside these
   only ``name``, ``exporter`` (texts) and ``activeProfileIndex`` (an index of ``profiles``).
2. A frame has a ``name``, and may have ``file`` (text), ``line`` and ``col`` (numbers).
3. An evented profile has ``type``, ``name``, ``unit``, ``startValue``, ``endValue``, ``events``.
4. Its unit is none, nanoseconds, microseconds, milliseconds, seconds or bytes.
5. An event has ``type`` (O or C), ``at`` and ``frame``, an index of the frames.
6. ``at`` never decreases, and lies between ``startValue`` and ``endValue``.
7. Every frame that is opened is closed, the last opened first.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import torch

from ipyflops import FlopCounter
from ipyflops.report import Report
from ipyflops.views.documents.speedscope import to_speedscope
from tests.views import reports

UNITS = {"none", "nanoseconds", "microseconds", "milliseconds", "seconds", "bytes"}


def check(data: dict[str, Any]) -> None:
    """Fail unless the data keeps the rules of the format."""
    needed = {"$schema", "profiles", "shared"}
    assert needed <= set(data) <= needed | {"name", "exporter", "activeProfileIndex"}
    assert data["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert isinstance(data["name"], str)
    assert isinstance(data["exporter"], str)
    assert data["activeProfileIndex"] in range(len(data["profiles"]))
    frames = data["shared"]["frames"]
    for frame in frames:
        assert {"name"} <= set(frame) <= {"name", "file", "line", "col"}
        assert isinstance(frame["name"], str)
        assert frame["name"]
        assert isinstance(frame.get("file", ""), str)
        assert isinstance(frame.get("line", 1), int)
    for profile in data["profiles"]:
        assert set(profile) == {"type", "name", "unit", "startValue", "endValue", "events"}
        assert profile["type"] == "evented"
        assert profile["unit"] in UNITS
        at = profile["startValue"]
        waiting: list[int] = []
        for event in profile["events"]:
            assert set(event) == {"type", "at", "frame"}
            assert at <= event["at"] <= profile["endValue"]
            at = event["at"]
            assert event["frame"] in range(len(frames))
            if event["type"] == "O":
                waiting.append(event["frame"])
            else:
                assert event["type"] == "C"
                assert waiting.pop() == event["frame"]
        assert not waiting


def read_back(data: dict[str, Any], unit: str) -> dict[tuple[str, ...], int]:
    """What lies between opening and closing, by the names of the frames from the outermost down."""
    (profile,) = [profile for profile in data["profiles"] if profile["unit"] == unit]
    weights: dict[tuple[str, ...], int] = defaultdict(int)
    waiting: list[tuple[str, int]] = []
    for event in profile["events"]:
        if event["type"] == "O":
            waiting.append((data["shared"]["frames"][event["frame"]]["name"], event["at"]))
        else:
            stack = tuple(name for name, _ in waiting)
            _, opened = waiting.pop()
            weights[stack] += event["at"] - opened
    return weights


@pytest.mark.parametrize("name", reports.ALL)
def test_it_keeps_the_rules_of_the_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / "report.speedscope.json"
    reports.ALL[name]().to_speedscope(path)
    check(json.loads(path.read_bytes().decode("utf-8")))


def stacks(report: Report) -> dict[int, tuple[str, ...]]:
    """By scope, the names of a node and of those that it is in."""
    found: dict[int, tuple[str, ...]] = {0: ()}
    for node in report.walk():
        for child in node.children:
            name = f"{child.name} {child.type}".strip()
            found[child.scope] = (*found[node.scope], name)
    return found


@pytest.mark.parametrize("name", ["resnet", "transformer", "unknown", "wide", "deep"])
@pytest.mark.parametrize(
    ("unit", "number"), [("none", "flops"), ("nanoseconds", "seconds"), ("bytes", "bytes")]
)
def test_read_back_it_is_the_tree(name: str, unit: str, number: str) -> None:
    report = reports.ALL[name]()
    weights = read_back(json.loads(json.dumps(to_speedscope(report))), unit)
    of_scope = stacks(report)
    for node in report.walk():
        expected = getattr(node, number)
        if node.scope and expected:
            found = weights[of_scope[node.scope]]
            assert (found / 1e9 if unit == "nanoseconds" else found) == pytest.approx(expected)
            assert number == "seconds" or found == expected


def test_operators_are_the_leaves_each_phase_by_itself() -> None:
    report = reports.resnet(training=True)
    weights = read_back(to_speedscope(report), "none")
    conv = report.find("conv1")
    place = ("model ResNet", "conv1 Conv2d")
    backward = "aten::convolution_backward (backward)"
    assert weights[(*place, "aten::convolution")] == conv.phases["forward"].flops
    assert weights[(*place, backward)] == conv.phases["backward"].flops > 0


def test_profiles_say_what_they_are_and_the_empty_ones_are_left_out() -> None:
    names = [one["name"] for one in to_speedscope(reports.resnet())["profiles"]]
    assert names == ["FLOPs [standard]", "kernel time", "bytes"]
    under = to_speedscope(reports.resnet().under("article"))
    assert under["profiles"][0]["name"] == "FLOPs [article]"
    assert [one["unit"] for one in to_speedscope(reports.integers())["profiles"]] == ["bytes"]
    assert len(to_speedscope(reports.empty())["profiles"]) == 1


def test_memory_is_what_was_live_at_the_peak_by_who_made_it() -> None:
    """A layer of 40 × 40 in float32: 6,400 bytes of weights, as many of input and of result."""
    layer, x = torch.nn.Linear(40, 40, bias=False), torch.zeros(40, 40)
    with FlopCounter(memory=True, device_time=False) as counter, torch.no_grad():
        layer(x)
    data = to_speedscope(counter.report)
    check(data)
    profiles = [one for one in data["profiles"] if one["name"] == "memory at the peak of cpu"]
    weights = read_back({**data, "profiles": profiles}, "bytes")
    place = ("layer Linear",)
    assert weights[place] == 3 * 6400
    for kind in ("parameters", "inputs", "temporaries"):
        assert weights[(*place, kind)] == 6400


def test_frames_say_where_they_are() -> None:
    frames = to_speedscope(reports.resnet(training=True))["shared"]["frames"]
    assert {"name": "conv1 Conv2d", "file": "model.layer1.0.conv1"} in frames
    line = {"name": "In[5]:3 loss = F.cross_entropy(y, target)", "file": "In[5]", "line": 3}
    assert line in frames


def test_names_are_safe_to_print() -> None:
    for frame in to_speedscope(reports.hostile())["shared"]["frames"]:
        assert frame["name"].isprintable()
        assert frame.get("file", "").isprintable()
        assert len(frame["name"]) <= 400


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        reports.resnet().to_speedscope(tmp_path / "nowhere" / "a.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="folder"):
        reports.resnet().to_speedscope(tmp_path / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
