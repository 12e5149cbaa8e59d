"""The bars of a report's chart: what is inside a module, by phase, whoever draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ipyflops.costs import Totals
from ipyflops.report import Node, Phase
from ipyflops.views.rows.folding import add_phases, own_phases
from ipyflops.views.rows.outline import more_name, own_name
from ipyflops.views.rows.visible import shortened, visible

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
    """A bar and what it is made of; whether it stands for many that did not fit."""

    label: str
    phases: Mapping[Phase, Totals]
    bundle: bool = False

    def length(self, metric: str) -> float:
        """Its length in the metric's unit."""
        lengths: list[float] = [getattr(totals, metric) for totals in self.phases.values()]
        return sum(lengths)


def outermost(root: Node) -> list[Bar]:
    """The whole run: an only outermost module is replaced by what is inside it."""
    bars = inside([root]) if root.children else []
    modules = [index for index, child in enumerate(root.children) if child.kind == "module"]
    if len(modules) == 1:
        bars[modules[0] : modules[0] + 1] = inside([root.children[modules[0]]])
    return bars


def inside(nodes: Sequence[Node]) -> list[Bar]:
    """What is inside nodes that are alike, added up.

    Raises
    ------
    ValueError
        If the nodes have not the same children.
    """
    node = nodes[0]
    phases = add_phases(one.phases for one in nodes)
    bars = [
        Bar(_label(children[0]), add_phases(child.phases for child in children))
        for children in zip(*(one.children for one in nodes), strict=True)
    ]
    if not bars:
        return [Bar(_label(node), phases)] if node.totals.calls else []
    if node.own.calls:
        bars.append(Bar(own_name(node.kind), own_phases(phases, [one.phases for one in bars])))
    return bars


def _label(node: Node) -> str:
    name = visible(node.name) or ("(all)" if node.kind == "root" else "(no name)")
    typed = f"{name} {visible(node.type)}" if node.type else name
    most = room_of(typed)
    return typed if len(typed) <= most else shortened(name, most)


def room_of(label: str, room: int = LABEL_LENGTH) -> int:
    """How many characters of a label there is room for: what is not ASCII may be twice as wide."""
    return room if label.replace("…", "").replace("×", "").isascii() else room // 2


def largest(bars: Sequence[Bar], metric: str, most: int) -> list[Bar]:
    """At most so many bars, in their order; the smallest are one at the end."""
    if len(bars) <= most:
        return list(bars)
    longest = sorted(bars, key=lambda one: -one.length(metric))[: most - 1]
    chosen = {id(one) for one in longest}
    rest = [one for one in bars if id(one) not in chosen]
    more = Bar(more_name(len(rest)), add_phases(one.phases for one in rest), bundle=True)
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
