"""Cells that the browser tests run: reports made by hand, and a real network."""

from __future__ import annotations

#: What was chosen in the widget of one test is not for the next one.
FORGET = """\
from ipyflops.views.widget.choices import CHOICES
CHOICES.reset()
"""
BY_HAND = f"""\
{FORGET}
from tests.views import reports
from tests.views.reports import Builder
from ipyflops.costs.cost import Cost
from ipyflops.views.widget.view import FlopsView
"""

REAL = f"""\
{FORGET}
%load_ext ipyflops
import torch
torch.manual_seed(0)

def block():
    return torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.ReLU(), torch.nn.Linear(64, 16))

net = torch.nn.Sequential(*[block() for _ in range(6)])
x = torch.randn(4, 16)
"""

MANY = """\
def many(count):
    builder = Builder()
    line = builder.line(1, "y = model(x)")
    model = builder.scope(0, "model", "Model", parameters=count)
    for index in range(count // 10):
        block = builder.scope(model, f"block{index}", "Block", parameters=10 + index)
        for leaf in range(9):
            scope = builder.scope(block, f"leaf{leaf}", "Linear", parameters=1 + leaf + index)
            cost = Cost.of(contraction="2·n", n=1000 + index % 500 + leaf)
            builder.run(scope, "aten::mm", cost, microseconds=1 + leaf, moved=64, line=line)
    return builder.report()
"""
