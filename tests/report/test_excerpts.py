"""The source code that a report carries, and what ran on the lines of methods."""

from __future__ import annotations

import ast
import importlib
import linecache
from pathlib import Path

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter, Report
from ipyflops.cells import source_lines
from ipyflops.counting.source_code import MAX_WHOLE, _blocks, counted_code
from ipyflops.report import Excerpt, ReportFormatError, Source

NETWORK = """\
import torch
from torch import nn


class Inner(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)

    def forward(self, x):
        x = self.linear(x)
        return self.scaled(x)

    def scaled(self, x):
        return x * 2


class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(Inner(), Inner())
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        x = self.layers(x)
        x = x + 1
        return self.head(x)
"""


def module_of(text: str, path: Path) -> dict[str, object]:
    path.write_text(text)
    namespace: dict[str, object] = {"__name__": "network"}
    exec(compile(text, str(path), "exec"), namespace)
    return namespace


def run(path: Path, **options: object) -> Report:
    net: nn.Module = module_of(NETWORK, path)["Outer"]()  # type: ignore[operator]
    x = torch.ones(2, 8)
    with FlopCounter(**options) as counter:  # type: ignore[arg-type]
        net(x).sum().backward()
    return counter.report


def flops(report: Report, excerpt: Excerpt, *phases: str) -> dict[str, int]:
    """FLOPs by the text of a line; of some phases, or of all."""
    found: dict[str, int] = {}
    for count in excerpt.counts:
        if phases and count.phase not in phases:
            continue
        text = excerpt.lines[count.number - excerpt.first].strip()
        signature = report.signatures[count.signature]
        cost = (signature.cost.contraction.value + signature.cost.other.value) * count.calls
        found[text] = found.get(text, 0) + cost
    return {text: cost for text, cost in found.items() if cost}


def methods(report: Report) -> dict[str, Excerpt]:
    return {one.name.rpartition(".")[2]: one for one in report.excerpts if one.name}


LINEAR = 2 * 2 * 8 * 8


def test_lines_of_methods_hold_what_ran_on_them_and_in_what_they_called(tmp_path: Path) -> None:
    report = run(tmp_path / "network.py", follow_methods=True)
    found = [one for one in report.excerpts if one.name]
    assert {one.file for one in found} == {"network.py"}
    inner, scaled, outer = found
    # That of both inner modules is added up.
    assert flops(report, outer, "forward") == {
        "x = self.layers(x)": 2 * (LINEAR + 16),
        "x = x + 1": 16,
        "return self.head(x)": 2 * 2 * 8 * 4,
    }
    assert flops(report, inner, "forward") == {
        "x = self.linear(x)": 2 * LINEAR,
        "return self.scaled(x)": 2 * 16,
    }
    assert flops(report, scaled, "forward") == {"return x * 2": 2 * 16}
    assert outer.lines[0] == "    def forward(self, x):"
    assert len(outer.lines) == 4


def test_the_backward_pass_is_on_the_lines_whose_forward_made_it(tmp_path: Path) -> None:
    report = run(tmp_path / "network.py", follow_methods=True)
    inner, scaled, outer = (one for one in report.excerpts if one.name)
    # The gradients of weights and biases; that of the first input is not wanted.
    linears = (LINEAR + 8) + (2 * LINEAR + 8)
    head = 2 * (2 * 2 * 8 * 4) + 4
    assert flops(report, scaled, "backward") == {"return x * 2": 2 * 16}
    assert flops(report, inner, "backward") == {
        "x = self.linear(x)": linears,
        "return self.scaled(x)": 2 * 16,
    }
    assert flops(report, outer, "backward") == {
        "x = self.layers(x)": linears + 2 * 16,
        "return self.head(x)": head,
    }
    # On the lines of the outermost method is all that ran in modules.
    assert sum(flops(report, outer).values()) == report.find("net").flops


def test_what_is_recomputed_is_on_its_own_lines(tmp_path: Path) -> None:
    text = """\
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

class Saving(nn.Module):
    def forward(self, x):
        y = checkpoint(self.work, x, use_reentrant=False)
        return y * 3

    def work(self, x):
        x = x @ torch.ones(4, 4)
        return x.sin()
"""
    saving: nn.Module = module_of(text, tmp_path / "saving.py")["Saving"]()  # type: ignore[operator]
    x = torch.ones(2, 4, requires_grad=True)
    with FlopCounter(follow_methods=True) as counter:
        saving(x).sum().backward()
    report = counter.report
    found = methods(report)
    product, sine = "x = x @ torch.ones(4, 4)", "return x.sin()"
    work = flops(report, found["work"], "forward")
    assert work[product] == 2 * 2 * 4 * 4
    # The last operator is not needed again, but the product is; its gradient is a product, too.
    assert flops(report, found["work"], "recompute")[product] == work[product]
    assert flops(report, found["work"], "backward")[product] == work[product]
    assert sine in flops(report, found["work"], "backward")
    call = "y = checkpoint(self.work, x, use_reentrant=False)"
    backward = sum(flops(report, found["work"], "backward").values())
    assert flops(report, found["forward"], "backward") == {call: backward, "return y * 3": 8}
    assert call not in flops(report, found["forward"], "recompute")


def test_following_methods_changes_no_other_figure(tmp_path: Path) -> None:
    plain = run(tmp_path / "network.py")
    followed = run(tmp_path / "network.py", follow_methods=True)
    assert methods(plain) == {}
    assert methods(followed)
    assert plain.flops == followed.flops
    assert {name: totals.flops for name, totals in plain.by_line.items()} == {
        name: totals.flops for name, totals in followed.by_line.items()
    }
    assert [(node.path, node.calls, node.flops) for node in plain.walk()] == [
        (node.path, node.calls, node.flops) for node in followed.walk()
    ]


def test_a_method_that_calls_itself_counts_once_on_each_line(tmp_path: Path) -> None:
    text = """\
from torch import nn

class Again(nn.Module):
    def forward(self, x, depth=3):
        if depth:
            return self.forward(x, depth - 1)
        return x + 1
"""
    again = module_of(text, tmp_path / "again.py")["Again"]()  # type: ignore[operator]
    with FlopCounter(follow_methods=True) as counter:
        again(torch.ones(5))
    report = counter.report
    (excerpt,) = methods(report).values()
    assert flops(report, excerpt) == {
        "return self.forward(x, depth - 1)": 5,
        "return x + 1": 5,
    }


def test_a_cell_is_shown_whole_and_its_magic_as_it_was_typed() -> None:
    text = "# %%flops -o\n\nx = 1\ny = x + 1\n\n"
    linecache.cache["<cell>"] = (len(text), None, text.splitlines(keepends=True), "<cell>")
    (excerpt,) = counted_code("<cell>", "In[7]", [4])
    assert excerpt == Excerpt("In[7]", "", 1, ("%%flops -o", "", "x = 1", "y = x + 1"))
    assert counted_code("<cell>", "In[7]", []) == []
    assert counted_code("<gone>", "In[7]", [1]) == []


def test_of_a_long_file_the_functions_that_ran_are_shown(tmp_path: Path) -> None:
    ran = "def f(x):\n    y = x\n    return y\n\nz = (\n    1 +\n    2)\nw = 3\n"
    text = "x = 0\n" * MAX_WHOLE + ran
    path = tmp_path / "long.py"
    path.write_text(text)
    found = counted_code(str(path), "long.py", [MAX_WHOLE + 2, MAX_WHOLE + 6])
    assert [(one.first, one.lines) for one in found] == [
        (MAX_WHOLE + 1, ("def f(x):", "    y = x", "    return y")),
        (MAX_WHOLE + 5, ("z = (", "    1 +", "    2)")),
    ]
    path.write_text("no python (here\n" * (MAX_WHOLE + 10))
    linecache.checkcache(str(path))
    (window,) = counted_code(str(path), "long.py", [20])
    assert (window.first, len(window.lines)) == (17, 7)


def test_excerpts_are_saved_merged_and_kept_under_a_convention(tmp_path: Path) -> None:
    report = run(tmp_path / "network.py", follow_methods=True)
    again = Report.from_dict(report.to_dict())
    assert again.excerpts == report.excerpts
    assert report.under("article").excerpts == report.excerpts
    merged = Report.merge([report, report])
    outer, once = methods(merged)["forward"], methods(report)["forward"]
    assert {text: 2 * count for text, count in flops(report, once).items()} == flops(merged, outer)


@pytest.mark.parametrize(
    "damage",
    [
        lambda one: one.pop(),
        lambda one: one.__setitem__(2, -1),
        lambda one: one.__setitem__(3, [1]),
        lambda one: one[4].pop(),
        lambda one: one[4][2].__setitem__(0, 10**9),
        lambda one: one[4][0].__setitem__(0, 10**9),
        lambda one: one[4][3].__setitem__(0, True),
    ],
    ids=["short", "first", "text", "columns", "signature", "line", "calls"],
)
def test_damaged_excerpts_are_refused(tmp_path: Path, damage: object) -> None:
    data = run(tmp_path / "network.py", follow_methods=True).to_dict()
    damage(next(one for one in data["excerpts"] if one[1]))  # type: ignore[operator]
    with pytest.raises(ReportFormatError):
        Report.from_dict(data)


def test_where_the_class_is_in_the_counted_file_its_lines_are_the_reports(tmp_path: Path) -> None:
    path = tmp_path / "network.py"
    net: nn.Module = module_of(NETWORK, path)["Outer"]()  # type: ignore[operator]
    with FlopCounter(source=Source(str(path), "network.py"), follow_methods=True) as counter:
        net(torch.ones(2, 8))
    report = counter.report
    assert methods(report) == {}
    (whole,) = report.excerpts
    assert whole.lines[25] == "        x = x + 1"
    assert report.by_line["network.py:26"].flops == 16


@pytest.mark.parametrize(
    "module", ["argparse", "inspect", "typing", "contextlib", "asyncio.base_events", "tokenize"]
)
def test_blocks_are_those_of_pythons_own_syntax_tree(module: str) -> None:
    """Long files of Python's own library, with decorators, strings of many lines, and so on."""
    text = source_lines(str(importlib.import_module(module).__file__))
    tree = ast.parse("\n".join(text))
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    expected: list[ast.AST] = [one for one in ast.walk(tree) if isinstance(one, functions)]
    expected += [one for one in tree.body if not isinstance(one, (*functions, ast.ClassDef))]
    lines = sorted({(one.lineno, one.end_lineno) for one in expected})  # type: ignore[attr-defined]
    assert sorted(set(_blocks(text))) == lines
    assert len(lines) > 20
