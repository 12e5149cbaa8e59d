"""Rows that say nothing are folded, and chains of only children stand on one row."""

from __future__ import annotations

import torch
from torch import nn

from ipyflops import FlopCounter, Report
from ipyflops.views.rows.tree import tree_rows
from tests.names.programs import count_cell, library

X = torch.ones(2, 4)


class Only(nn.Module):
    def __init__(self, name: str, inner: nn.Module) -> None:
        super().__init__()
        self.add_module(name, inner)
        self.name = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self, self.name)(x)  # type: ignore[no-any-return]


def names(report: Report) -> list[tuple[int, str]]:
    """Levels and names of the rows."""
    return [(row.level, row.full_name) for row in tree_rows(report, most=40)]


def test_only_children_share_a_row() -> None:
    inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())
    model = Only("base_model", Only("model", Only("model", inner)))
    with FlopCounter(device_time=False) as counter:
        model(X)
    assert names(counter.report) == [
        (0, "model"),
        (1, "base_model.model.model"),
        (2, "0"),
        (2, "1"),
    ]
    row = tree_rows(counter.report, most=40)[1]
    assert (row.type, row.path) == ("Sequential", "model.base_model.model.model")
    assert row.totals.flops == counter.report.flops


def test_a_module_with_work_of_its_own_keeps_its_row() -> None:
    class Adding(Only):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) + 1

    model = nn.Sequential(Adding("a", Only("b", nn.Linear(4, 4))), nn.ReLU())
    with FlopCounter(device_time=False) as counter:
        model(X)
    assert names(counter.report) == [
        (0, "model"),
        (1, "0"),
        (2, "a.b"),
        (2, "(own work)"),
        (1, "1"),
    ]


def test_places_without_flops_share_a_row() -> None:
    class Copying(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

    model = nn.Sequential(Copying(), nn.Linear(4, 4), Copying(), nn.Linear(4, 2), Copying())
    with FlopCounter(device_time=False) as counter:
        model(X)
    assert names(counter.report) == [
        (0, "model"),
        (1, "1"),
        (1, "3"),
        (1, "3 rows without FLOPs"),
    ]
    # They stay in the tree.
    assert counter.report.find("model.2").calls == 1
    assert "3 rows without FLOPs" in counter.report._repr_mimebundle_()["text/html"]


def test_one_such_place_keeps_its_row_and_where_all_are_such_all_do() -> None:
    class Copying(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

    for model in (nn.Sequential(Copying(), nn.Linear(4, 4)), nn.Sequential(Copying(), Copying())):
        with FlopCounter(device_time=False) as counter:
            model(X)
        assert not any("without FLOPs" in name for _, name in names(counter.report))


def test_the_line_of_a_backward_pass_says_where_its_flops_are() -> None:
    code = "loss = model(x).sum()\nloss.backward()\ny = x.clone()\nz = x.clone()\n"
    report = count_cell(code, {"model": nn.Linear(4, 4), "x": X})
    rows = {row.name: row for row in tree_rows(report, most=40)}
    assert rows["In[1]:2"].note == "counted in the modules"
    assert rows["In[1]:2"].totals.flops == 0
    assert "In[1]:2 counted in the modules" in str(report)


def test_where_its_flops_are_stands_after_its_code() -> None:
    code = "loss = model(x).sum()\nloss.backward()\n"
    report = count_cell(code, {"model": nn.Linear(4, 4), "x": X})
    row = next(row for row in tree_rows(report, most=40) if row.name == "In[1]:2")
    assert row.type == "loss.backward()"
    assert row.full_type == "loss.backward() (counted in the modules)"
    shown = report._repr_mimebundle_()["text/html"]
    assert shown.index("<code>loss.backward()</code>") < shown.index("counted in the modules")
    # In a narrow text the number tells the line; that the FLOPs are not none is said anyway.
    assert "In[1]:2 counted in the modules" in str(report)


def test_functions_that_say_little_share_a_row() -> None:
    code = (
        "def check(x):\n    return x[0, 0] + 1\n"
        "def limit(x):\n    return x[0, 0] * 1\n"
        "def product(x):\n    return x @ x.T\n"
        "def solve(x):\n    check(x), limit(x), product(x)\n"
        "def fit(x):\n    product(x)\n"
        "solve(x), fit(x)"
    )
    report = count_cell(code, {"x": torch.ones(50, 50)}, device_time=False)  # 250,000 FLOPs each
    assert names(report) == [
        (0, "(all)"),
        (1, "solve"),
        (2, "product"),
        (2, "2 rows with few FLOPs"),
        (1, "fit.product"),
    ]


def test_a_function_that_is_called_backward_says_where_the_flops_are() -> None:
    accelerator = library(
        "accelerator", "def backward(loss, steps):\n    (loss / steps).backward()\n"
    )
    variables = {"model": nn.Linear(4, 4), "x": X, "backward": accelerator.backward}
    report = count_cell("loss = model(x).sum()\nbackward(loss, 2)", variables)
    row = next(row for row in tree_rows(report, most=40) if row.name == "backward")
    assert row.note == "counted in the modules"
    assert 0 < row.totals.flops < report.by_phase["backward"].flops
