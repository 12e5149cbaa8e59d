"""What the tests of this folder share: runs that are counted and compared with uncounted ones."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from ipyflops.counting import FlopCounter
from ipyflops.report import Report


def counted(function: Callable[[], Any]) -> Report:
    """Run a function under a counter and give its report under ``contractions``.

    A run without a counter comes first, and has to give the same result, bit for bit.
    """
    torch.manual_seed(0)
    plain = function()
    torch.manual_seed(0)
    with FlopCounter("contractions", device_time=False) as counter:
        result = function()
    same(plain, result)
    report = counter.report
    assert report.unknown == {}
    adds_up(report)
    return report


def same(expected: Any, result: Any) -> None:
    """Assert that two results are equal, bit for bit."""
    for one, other in zip(tree_leaves(expected), tree_leaves(result), strict=True):
        if isinstance(one, torch.Tensor):
            assert one.dtype == other.dtype
            assert torch.equal(one, other) or (one.isnan() == other.isnan()).all()
        else:
            assert one == other


def adds_up(report: Report) -> None:
    """Assert that every view of a report sums to its totals, and every node to its children's."""
    totals = report.totals
    for groups in (report.by_operator, report.by_phase, report.by_dtype, report.by_line):
        for name in ("flops", "macs", "int_ops", "bytes", "calls"):
            assert sum(getattr(group, name) for group in groups.values()) == getattr(totals, name)
    for node in report.walk():
        for name in ("flops", "macs", "int_ops", "bytes", "calls"):
            children = sum(getattr(child.totals, name) for child in node.children)
            assert getattr(node.totals, name) == getattr(node.own, name) + children
            phases = sum(getattr(phase, name) for phase in node.phases.values())
            assert getattr(node.totals, name) == phases
    assert report.tree.totals == totals


def modules(report: Report) -> dict[str, int]:
    """The FLOPs of every module by its path."""
    return {node.path: node.flops for node in report.walk() if node.kind == "module"}


def phases(report: Report) -> dict[str, int]:
    """The FLOPs of the phases that have some."""
    return {name: total.flops for name, total in report.by_phase.items() if total.flops}


class Pair(nn.Module):
    """Two layers, the first of them in a list."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, 2 * width)])
        self.out = nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(self.layers[0](x)))  # type: ignore[no-any-return]
