"""A report for speedscope: flame graphs of the module tree by FLOPs, time, bytes and memory.

The format, as its documentation has it: ``shared.frames`` is a list of names, and each profile a
list of events that open (``O``) and close (``C``) a frame at a value. Values never decrease, events
nest, and each profile has its unit. The documentation is speedscope's `file-format-spec.ts`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, TypeAlias

from ipyflops.report import DeviceMemory, Node, Phase, Report, TotalsSum
from ipyflops.views.rows.visible import shortened, source_line, visible

SCHEMA = "https://www.speedscope.app/file-format-schema.json"
NAME_LENGTH = 400

#: An operator in a phase, as it ran in one node; or a kind of memory that a node made.
Leaf: TypeAlias = tuple[str, Phase]
#: What each node, by its scope, has of something itself.
Own: TypeAlias = Mapping[int, Mapping[Leaf, int]]


def to_speedscope(report: Report) -> dict[str, Any]:
    """Give a report in speedscope's format, as data that JSON can hold.

    Parameters
    ----------
    report : Report

    Returns
    -------
    dict
        A profile for each of FLOPs, kernel time and bytes of which there are any: nodes of the
        tree, and in each the operators that it ran itself. Places with none are left out. One for
        the peak of each device's memory, if it was followed: what was live, by the nodes that made
        it, and in each by kind.
    """
    tree = _Profiles(report)
    profiles = [
        tree.profile(f"FLOPs [{report.convention}]", "none", "flops"),
        tree.profile("kernel time", "nanoseconds", "seconds"),
        tree.profile("bytes", "bytes", "bytes"),
        *(tree.memory(device) for device in (report.memory.devices if report.memory else ())),
    ]
    kept = [profile for profile in profiles if profile["events"]]
    return {
        "$schema": SCHEMA,
        "exporter": f"ipyflops@{version('ipyflops')}",
        "name": _title(report),
        "activeProfileIndex": 0,
        "shared": {"frames": tree.frames},
        "profiles": kept or profiles[:1],
    }


def _title(report: Report) -> str:
    modules = [node.name for node in report.tree.children if node.kind == "module"]
    return shortened(visible(", ".join(modules)), NAME_LENGTH) or "ipyflops"


class _Profiles:
    """The nodes, what each ran itself, and the frames that stand for them."""

    def __init__(self, report: Report) -> None:
        self.frames: list[dict[str, Any]] = []
        self._index: dict[object, int] = {}
        self._nodes = list(report.walk())
        self._lines = {line.name: line for line in report.lines}
        self._own: dict[int, dict[Leaf, TotalsSum]] = defaultdict(dict)
        for row in report.rows:
            leaf = (report.signatures[row.signature].operator, row.phase)
            own = self._own[row.scope].setdefault(leaf, TotalsSum())
            own.add(report.accumulate((row,)))

    def profile(self, name: str, unit: str, metric: str) -> dict[str, Any]:
        """One profile of a metric, by operators."""
        own = {
            scope: {leaf: total.amount(metric) for leaf, total in totals.items()}
            for scope, totals in self._own.items()
        }
        return self._profile(name, unit, own)

    def memory(self, device: DeviceMemory) -> dict[str, Any]:
        """One profile of what was live at the peak of a device, by kinds."""
        own: dict[int, dict[Leaf, int]] = defaultdict(lambda: defaultdict(int))
        for one in device.holdings:
            own[one.scope][one.kind, "forward"] += one.bytes
        return self._profile(f"memory at the peak of {visible(device.name)}", "bytes", own)

    def _profile(self, name: str, unit: str, own: Own) -> dict[str, Any]:
        """What is inside a node comes after what it ran itself."""
        weights = self._weights(own)
        events: list[dict[str, Any]] = []
        at = 0
        # What is still to be opened, or, as a number, the frame that is to be closed then.
        waiting: list[Node | int] = [self._nodes[0]]
        while waiting:
            node = waiting.pop()
            if isinstance(node, int):
                events.append({"type": "C", "frame": node, "at": at})
                continue
            if not weights[node.scope]:
                continue
            # The root is the whole graph, and so no frame of it.
            if node.kind != "root":
                frame = self._frame(node)
                events.append({"type": "O", "frame": frame, "at": at})
                waiting.append(frame)
            for leaf, weight in own.get(node.scope, {}).items():
                if weight:
                    frame = self._leaf(leaf)
                    events.append({"type": "O", "frame": frame, "at": at})
                    at += weight
                    events.append({"type": "C", "frame": frame, "at": at})
            waiting.extend(reversed(node.children))
        return {
            "type": "evented",
            "name": name,
            "unit": unit,
            "startValue": 0,
            "endValue": at,
            "events": events,
        }

    def _weights(self, own: Own) -> dict[int, int]:
        """By scope: what a node has itself and below it."""
        weights: dict[int, int] = {}
        for node in reversed(self._nodes):
            itself = sum(own.get(node.scope, {}).values())
            weights[node.scope] = itself + sum(weights[child.scope] for child in node.children)
        return weights

    def _frame(self, node: Node) -> int:
        if node.kind == "code":
            line = self._lines.get(node.path)
            source = source_line(line.text).strip() if line else ""
            frame: dict[str, Any] = {"name": f"{visible(node.name)} {source}".strip()}
            if line:
                frame |= {"file": visible(line.file), "line": line.number}
        else:
            name = visible(f"{node.name} {node.type}").strip() or "(no name)"
            frame = {"name": name, "file": visible(node.path)}
        return self._number(("node", node.scope), frame)

    def _leaf(self, leaf: Leaf) -> int:
        operator, phase = leaf
        name = visible(operator) if phase == "forward" else f"{visible(operator)} ({phase})"
        return self._number(("operator", leaf), {"name": name})

    def _number(self, key: object, frame: dict[str, Any]) -> int:
        if key not in self._index:
            self._index[key] = len(self.frames)
            cut = {
                name: shortened(value, NAME_LENGTH) if isinstance(value, str) else value
                for name, value in frame.items()
            }
            self.frames.append(cut)
        return self._index[key]
