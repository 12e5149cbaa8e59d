"""Which variables code names."""

from __future__ import annotations

from typing import Any

import pytest

from ipyflops.cells import variables_used


@pytest.mark.parametrize(
    ("code", "used"),
    [
        ("model(x)", {"model", "x"}),
        ("model.base(x).other", {"model", "x"}),
        ("y = 1; del z", {"y", "z"}),
        ("import torch.nn as n; from a import b", {"n", "b"}),
        ("(lambda x: x + base)(1)", {"base"}),
        ("def f(base): return base, inner", {"f", "inner"}),
        (
            "class A:\n    base = outer\n    def m(self): return deep",
            {"A", "outer", "deep"},
        ),
        ("f(base=2); {'base': 1}; 'base'", {"f"}),
        ("global g; g = 1", {"g"}),
    ],
)
def test_the_variables_are_those_of_the_code(code: str, used: set[str]) -> None:
    found = variables_used([compile(code, "", "exec")], {})
    assert found - {"__name__"} == used  # a class asks for it


def test_functions_that_the_code_calls_are_followed_in_their_own_namespace() -> None:
    space: dict[str, Any] = {}
    exec("def step(): return helper()\ndef helper(): return model", space)
    other: dict[str, Any] = {}
    exec("def foreign(): return elsewhere", other)
    space["foreign"] = other["foreign"]
    code = compile("step(); foreign()", "", "exec")
    assert variables_used([code], space) == {"step", "helper", "model", "foreign"}
