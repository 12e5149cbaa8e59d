"""Names do not depend on when garbage is collected, and many modules take linear time."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from ipyflops import Report
from tests.names.programs import count_cell, top_names

X = torch.ones(2, 4)
CALL = 2 * 4 * 4 * 2


class Cyclic(nn.Module):
    """A module that only the garbage collector frees."""

    def __init__(self) -> None:
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.__dict__["me"] = self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.lin(x)  # type: ignore[no-any-return]


class Making(nn.Module):
    """Makes modules in its forward that nobody holds."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for _ in range(self.count):
            x = Cyclic()(x)
        return x


@contextmanager
def collecting(sometimes: bool) -> Iterator[None]:
    """Collect garbage very often, or not at all."""
    gc.collect()
    threshold = gc.get_threshold()
    gc.set_threshold(50, 2, 2) if sometimes else gc.disable()
    try:
        yield
    finally:
        gc.set_threshold(*threshold)
        gc.enable()
        gc.collect()


def shape(report: Report) -> list[tuple[str, int]]:
    """Paths and calls of all places."""
    rows, waiting = [], [report.tree]
    while waiting:
        node = waiting.pop()
        rows.append((node.path, node.calls))
        waiting.extend(node.children)
    return sorted(rows)


def counted(code: str, count: int, **variables: Any) -> Report:
    """The report of a cell."""
    return count_cell(code, {"Cyclic": Cyclic, "n": count, "x": X, **variables})


CODES = ("for _ in range(n): Cyclic()(x)", "for _ in range(n):\n    net = Cyclic()\n    net(x)")


def test_names_do_not_depend_on_the_garbage_collector() -> None:
    for code in (*CODES, "model(x)"):
        shapes = []
        for sometimes in (True, False):
            with collecting(sometimes):
                shapes.append(shape(counted(code, 40, model=Making(40))))
        assert shapes[0] == shapes[1], code


def test_short_lived_modules_of_a_class_are_one_row() -> None:
    with collecting(sometimes=False):
        for code, name in zip((*CODES, "model(x)"), ("Cyclic", "net", "model.Cyclic"), strict=True):
            report = counted(code, 30, model=Making(30))
            node = report.find(name)
            assert (node.calls, node.flops) == (30, 30 * CALL), name
            assert top_names(report) == [name.partition(".")[0]]
            assert report.find(f"{name}.lin").calls == 30
            assert node.instances == 30
            assert f"{node.name} ×30" in str(report)


def test_modules_of_different_classes_or_of_own_names_stay_apart() -> None:
    both = "for kind in (nn.Linear, nn.Bilinear):\n    net = kind(4, 4) if kind is nn.Linear else "
    report = count_cell(both + "nn.Sequential(nn.Linear(4, 4))\n    net(x)", {"nn": nn, "x": X})
    assert top_names(report) == ["net", "net#2"]
    nets = [nn.Linear(4, 4) for _ in range(3)]
    report = count_cell("for i in range(3): nets[i](x)", {"nets": nets, "x": X})
    assert top_names(report) == ["nets.0", "nets.1", "nets.2"]


def _seconds(code: str, count: int, **variables: Any) -> float:
    start = time.process_time()
    with collecting(sometimes=False):
        counted(code, count, **variables)
    return time.process_time() - start


def test_thousands_of_modules_take_linear_time() -> None:
    codes = {
        "for net in nets: net(x)": "many",
        "for i in range(len(nets)): use(i)": "held",
        "model(x)": "made",
    }
    for code in codes:
        times = []
        for count in (500, 2000):
            nets = [nn.ReLU() for _ in range(count)]
            variables = {"nets": nets, "use": lambda i, n=nets: n[i](X), "model": Making(count)}
            times.append(_seconds(code, count, **variables))
        # Four times as many: four times the time, and sixteen if each looks at all others.
        assert times[1] < 9 * times[0] + 0.1, (code, times)
