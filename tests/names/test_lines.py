"""Lines of the user's functions are told apart, in whichever cell or file they are written."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from ipyflops import FlopCounter, Report
from ipyflops.report import Source
from ipyflops.views.rows.lines import line_rows
from tests.names.programs import library, own_file

X = torch.ones(2, 4)
CALL = 2 * 4 * 4 * 2

HELPERS = """
def step(model, x):
    y = model(x)
    return loss(y)

def loss(y):
    squares = [each * each for each in (y, y)]
    return sum(squares)
"""

#: Of a package, as IPython's own that runs a magic.
SHELL = """
class Shell:
    def run(self, net, x):
        return net(x).sum()
"""


def followed(code: str, **variables: Any) -> Report:
    """The report of a cell, with the lines of what it calls."""
    counter = FlopCounter(source=Source("<cell>", "In[1]"), follow_methods=True, device_time=False)
    with counter:
        exec(compile(code, "<cell>", "exec"), variables)
    return counter.report


def on_lines(report: Report) -> dict[tuple[str, int], int]:
    """FLOPs of the lines of functions."""
    return {
        (row.part.partition(" ")[0], row.number): row.totals.flops
        for row in line_rows(report, 100)
        if row.totals is not None and " (" in row.part
    }


def test_functions_of_another_file_are_followed() -> None:
    report = followed(
        "step(net, x)", step=own_file("helpers", HELPERS).step, net=nn.Linear(4, 4), x=X
    )
    lines = on_lines(report)
    # Two squares of 8 elements, and sum(): 0 + a, then + b.
    assert lines == {("step", 3): CALL, ("step", 4): 32, ("loss", 7): 16, ("loss", 8): 16}
    assert report.flops == CALL + 32
    assert report.by_line["In[1]:1"].flops == report.flops


def test_functions_of_libraries_and_what_called_the_cell_are_not() -> None:
    step = library("helping", HELPERS).step
    report = followed("step(net, x)", step=step, net=nn.Linear(4, 4), x=X)
    assert on_lines(report) == {}
    # This function called the cell; its line says nothing of what ran in it.
    assert not any("test_functions_of_libraries" in one.name for one in report.excerpts)


def test_methods_of_libraries_that_the_code_calls_are_not() -> None:
    shell = library("shells", SHELL).Shell()
    report = followed("shell.run(net, x)", shell=shell, net=nn.Linear(4, 4), x=X)
    assert on_lines(report) == {}
    assert report.flops == CALL + 7  # and a sum of 8 numbers


def test_a_function_that_a_module_calls_is_followed_inside_it() -> None:
    helpers = own_file("helpers", HELPERS)

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return helpers.loss(x)  # type: ignore[no-any-return]

    report = followed("net(x)", net=Net(), x=X)
    assert on_lines(report)["loss", 7] == 16
    assert report.find("net").flops == 32


def test_the_tree_is_the_same_with_lines() -> None:
    variables = {"step": own_file("helpers", HELPERS).step, "net": nn.Linear(4, 4), "x": X.clone()}
    code = "step(net, x.requires_grad_()).sum().backward()"
    report = followed(code, **variables)
    variables["net"].zero_grad()
    variables["x"].grad = None
    with FlopCounter(source=Source("<cell>", "In[1]"), device_time=False) as counter:
        exec(compile(code, "<cell>", "exec"), dict(variables))
    rows = [[(n.path, n.calls, n.flops) for n in r.walk()] for r in (report, counter.report)]
    assert rows[0] == rows[1]
