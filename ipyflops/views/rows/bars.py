"""The bars of a report's chart: what is inside a module, by phase, whoever draws them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ipyflops.costs import MEASURED, Metric, Totals
from ipyflops.report import PHASES, Node, Phase, PlaceMemory, Report, Row
from ipyflops.views.rows.folding import add_phases, own_phases
from ipyflops.views.rows.outline import more_name, own_name
from ipyflops.views.rows.tree import held_by
from ipyflops.views.rows.visible import shortened, visible

#: What bars can show of the memory of places, where it was asked for.
MEMORY_BARS = ("saved_bytes", "peak_bytes")
NOTHING_HELD = PlaceMemory()
#: Okabe and Ito's colours, which the colour-blind can tell apart.
COLORS: dict[Phase, str] = {
    "forward": "#0072b2",
    "backward": "#e69f00",
    "recompute": "#009e73",
    "optimizer": "#cc79a7",
}
LABEL_LENGTH = 34
#: The bar of those that did not fit is at most so many times as long as the longest other.
MAX_OF_BUNDLE = 3


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar, what it is made of, and what it holds; whether it is of many that did not fit."""

    label: str
    phases: Mapping[Phase, Totals]
    bundle: bool = False
    type: str = ""
    held: PlaceMemory = NOTHING_HELD

    @property
    def full_label(self) -> str:
        """The label with the type, which is left out where there is little room."""
        label = f"{self.label} {self.type}" if self.type else self.label
        most = room_of(label)
        return label if len(label) <= most else shortened(self.label, most)

    def length(self, metric: str) -> float:
        """Its length in the metric's unit."""
        if metric in MEMORY_BARS:
            held: float = getattr(self.held, metric)
            return held
        lengths: list[float] = [getattr(totals, metric) for totals in self.phases.values()]
        return sum(lengths)

    def part(self, phase: Phase, metric: Metric) -> float:
        """The part of it that is of a phase; memory is drawn as one part, that of the forward."""
        if metric.key in MEMORY_BARS:
            return self.length(metric.key) if phase == PHASES[0] else 0.0
        return metric.value(self.phases[phase]) if phase in self.phases else 0.0


def offered_bars(report: Report) -> tuple[str, ...]:
    """The metrics that bars can show of a report."""
    return (*MEASURED, *MEMORY_BARS) if report.memory is not None else MEASURED


def whole_of(bars: Sequence[Bar], metric: Metric) -> float:
    """What bars come to together: their sum, or of a peak the largest."""
    lengths = [one.length(metric.key) for one in bars]
    return sum(lengths) if metric.adds_up else max(lengths, default=0)


def bars_of(report: Report, nodes: Sequence[Node], *, operators: bool = True) -> list[Bar]:
    """What is inside nodes that are alike, added up; of those with nothing inside, the operators.

    Without `operators`, which hold no memory, it is the nodes themselves then. Of the whole run it
    is what is outermost: an only outermost module is replaced by what is inside it.

    Raises
    ------
    ValueError
        If the nodes have not the same children.
    """
    root = nodes[0]
    if operators is False and not root.children:
        return [_bar(nodes)]
    if root.kind != "root":
        return _inside(report, nodes)
    if not root.children:
        return operator_bars(report)
    bars = _inside(report, [root])
    modules = [index for index, child in enumerate(root.children) if child.kind == "module"]
    if len(modules) == 1:
        only = [root.children[modules[0]]]
        if operators or only[0].children:
            bars[modules[0] : modules[0] + 1] = _inside(report, only)
    return bars


def _inside(report: Report, nodes: Sequence[Node]) -> list[Bar]:
    node = nodes[0]
    bars = [_bar(children) for children in zip(*(one.children for one in nodes), strict=True)]
    if not bars:
        return operator_bars(report, {one.scope for one in nodes})
    if node.own.calls:
        phases = add_phases(one.phases for one in nodes)
        inside = sum(one.held.saved_bytes for one in bars)
        held = PlaceMemory(saved_bytes=held_by(nodes).saved_bytes - inside)
        own = own_phases(phases, [one.phases for one in bars])
        bars.append(Bar(own_name(node.kind), own, held=held))
    return bars


def _bar(alike: Sequence[Node]) -> Bar:
    node = alike[0]
    name = visible(node.name) or ("(all)" if node.kind == "root" else "(no name)")
    phases = add_phases(one.phases for one in alike)
    return Bar(name, phases, type=visible(node.type), held=held_by(alike))


def operator_bars(report: Report, scopes: Iterable[int] | None = None) -> list[Bar]:
    """The operators that ran in places themselves, or in the whole run; the most FLOPs first."""
    among = None if scopes is None else frozenset(scopes)
    rows = [row for row in report.rows if among is None or row.scope in among]
    named = _by(report, rows, lambda row: report.signatures[row.signature].operator)
    bars = [Bar(visible(name), phases) for name, phases in named.items()]
    return sorted(bars, key=lambda one: (-one.length("flops"), -one.length("seconds")))


def caller_bars(report: Report, operator: str, signature: int | None = None) -> list[Bar]:
    """Who calls an operator: the places in which it ran, the most FLOPs first.

    Places whose paths differ in numbers alone, as the layers of a model, are one bar.

    Parameters
    ----------
    report : Report
    operator : str
    signature : int, optional
        The index of one of its signatures, where others are left out.
    """
    wanted = {
        index
        for index, one in enumerate(report.signatures)
        if one.operator == operator and signature in (None, index)
    }
    rows = [row for row in report.rows if row.signature in wanted]
    paths = {node.scope: node.path for node in report.walk()}
    families = _Families(paths[row.scope] for row in rows)
    named = _by(report, rows, lambda row: families.label_of(paths[row.scope]))
    bars = [Bar(name, phases) for name, phases in named.items()]
    return sorted(bars, key=lambda one: (-one.length("flops"), -one.length("seconds")))


class _Families:
    """Paths that differ in numbers alone: ``layers.*.norm ×12``."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._members: dict[tuple[str, ...], set[str]] = defaultdict(set)
        known = set(paths)
        for path in known:
            self._members[self._key(path)].add(path)
        outermost = {path.split(".", 1)[0] for path in known}
        #: What all of them are in says nothing new.
        self._outer = f"{outermost.pop()}." if len(outermost) == 1 else ""

    @staticmethod
    def _key(path: str) -> tuple[str, ...]:
        return tuple("*" if part.isdecimal() else part for part in path.split("."))

    def label_of(self, path: str) -> str:
        """Name the family of a path; safe to show."""
        if not path:
            return own_name("root")
        members = self._members[self._key(path)]
        columns = zip(*(member.split(".") for member in members), strict=True)
        parts = (column[0] if len({*column}) == 1 else "*" for column in columns)
        name = visible(".".join(parts).removeprefix(self._outer))
        return f"{name} ×{len(members):,}" if len(members) > 1 else name


def _by(
    report: Report, rows: Iterable[Row], key: Callable[[Row], str]
) -> dict[str, dict[Phase, Totals]]:
    """The sums of rows by a name and by phase, in the order of the phases."""
    groups: dict[str, dict[Phase, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[key(row)][row.phase].append(row)
    return {
        name: {phase: report.sum_rows(by_phase[phase]) for phase in PHASES if phase in by_phase}
        for name, by_phase in groups.items()
    }


def room_of(label: str, room: int = LABEL_LENGTH) -> int:
    """How many characters of a label there is room for: what is not ASCII may be twice as wide."""
    return room if label.replace("…", "").replace("×", "").isascii() else room // 2


def largest(bars: Sequence[Bar], metric: str, most: int) -> list[Bar]:
    """At most so many bars, in their order; the smallest are one at the end.

    Bars of nothing are left out: they say nothing.
    """
    bars = [one for one in bars if one.length(metric)]
    if len(bars) <= most:
        return bars
    longest = sorted(bars, key=lambda one: -one.length(metric))[: most - 1]
    chosen = {id(one) for one in longest}
    rest = [one for one in bars if id(one) not in chosen]
    held = PlaceMemory(
        saved_bytes=sum(one.held.saved_bytes for one in rest),
        peak_bytes=max(one.held.peak_bytes for one in rest),
    )
    phases = add_phases(one.phases for one in rest)
    more = Bar(more_name(len(rest)), phases, bundle=True, held=held)
    return [*(one for one in bars if id(one) in chosen), more]


def shown_parts(bars: Sequence[Bar], metric: str) -> list[float]:
    """How much of each bar's length is drawn.

    One that stands for a thousand others must not make those beside it too short to be seen.
    """
    alone = max((one.length(metric) for one in bars if not one.bundle), default=0)
    most = MAX_OF_BUNDLE * alone
    return [
        most / one.length(metric) if one.bundle and 0 < most < one.length(metric) else 1.0
        for one in bars
    ]
