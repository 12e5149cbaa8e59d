"""What runs outside of modules is grouped by function; those of libraries have two rows."""

from __future__ import annotations

import sys
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter, Node, Report, dry_run
from ipyflops.report import walk
from tests.names.programs import count_cell, library, own_file

X = torch.ones(2, 4)  # 8 elements: an operation on each is 8 FLOPs
SOLVER = """
class Solver:
    def _step_func(self, f, y):
        return rk_step(f, y)

    def integrate(self, f, y):
        for _ in range(2):
            y = y + self._step_func(f, y)
        return y

def rk_step(f, y):
    return f(y) * 2 * 3

def _check(y):
    return y + 1

def solve(f, y):
    _check(y)
    return Solver().integrate(f, y)
"""


def rows(report: Report) -> dict[str, tuple[str, int, int]]:
    """Type, calls and FLOPs of all that are no lines, by their paths."""
    return {
        node.path: (node.type, node.calls, node.flops)
        for node in report.walk()
        if node.kind not in ("code", "root")
    }


def adds_up(node: Node) -> bool:
    inside = sum(child.flops for child in node.children)
    return node.flops == node.own.flops + inside and all(map(adds_up, node.children))


def test_a_function_of_a_library_shows_its_parts() -> None:
    solver = library("solver", SOLVER)
    report = count_cell("y = solve(torch.sin, x)", {"torch": torch, "x": X, **vars(solver)})
    assert rows(report) == {
        "solve": ("function (solver)", 1, 8 + 2 * (8 + 3 * 8)),
        "solve._check": ("function", 1, 8),
        # Two steps: a sine and two products each in the one, a sum in the other.
        "solve.rk_step": ("function", 2, 2 * 3 * 8),
        "solve.integrate": ("function", 1, 2 * 8),
    }
    assert adds_up(report.tree)
    assert report.find("solve.rk_step").flops == report.find("rk_step").flops == 48


def test_a_function_of_the_user_that_a_library_calls_stands_in_the_one_that_was_called() -> None:
    solver = library("solver", SOLVER)
    code = "def field(y):\n    return y * 5\ny = solve(field, x)"
    report = count_cell(code, {"x": X, "solve": solver.solve})
    assert report.find("solve.field").flops == report.find("field").flops == 2 * 8
    assert report.find("solve.field").type == "function"
    assert report.find("solve.rk_step").flops == 2 * 2 * 8


def test_functions_of_the_user_hold_those_that_they_call() -> None:
    mine = own_file(
        "losses",
        "def kl(y):\n    return y * 2\n\ndef compute_loss(y):\n    return (kl(y) + 1).sum()\n",
    )
    code = "def step(x):\n    return compute_loss(x * 3)\nfor _ in range(3):\n    step(x)"
    report = count_cell(code, {"x": X, **vars(mine)})
    assert rows(report) == {
        "step": ("function", 3, 3 * (8 + 8 + 8 + 7)),
        "step.compute_loss": ("function", 3, 3 * (8 + 8 + 7)),
        "step.compute_loss.kl": ("function", 3, 3 * 8),
    }
    # The lines of the counted code are told as before.
    assert [(line, totals.flops) for line, totals in report.by_line.items()] == [
        ("In[1]:2", 93),
    ]


def test_modules_stand_where_they_stood() -> None:
    code = "def step(x):\n    return model(x).sum()\nstep(x)"
    report = count_cell(code, {"x": X, "model": nn.Linear(4, 3)})
    assert rows(report) == {"step": ("function", 1, 5), "model": ("Linear", 1, 2 * 2 * 4 * 3)}


def test_inside_modules_functions_have_no_rows() -> None:
    solver = library("solver", SOLVER)

    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return solver.solve(torch.cos, x)

    report = count_cell("net(x)", {"x": X, "net": Net()})
    assert list(rows(report)) == ["net"]


def test_the_backward_pass_of_a_function_is_its_own() -> None:
    code = "def loss(w):\n    return (w * 2).sum()\nloss(w).backward()"
    report = count_cell(code, {"w": torch.ones(2, 4, requires_grad=True)})
    phases = {phase: totals.flops for phase, totals in report.find("loss").phases.items()}
    assert phases == {"forward": 8 + 7, "backward": 8}


def test_clipping_gradients_has_a_row_once_however_it_is_wrapped() -> None:
    wrapping = library(
        "wrapping",
        "import torch\n"
        "def _aware(p, n):\n    return torch.nn.utils.clip_grad_norm_(p, n)\n"
        "class Trainer:\n    def clip_grad_norm_(self, p, n):\n        return _aware(p, n)\n",
    )
    model = nn.Linear(4, 3)
    model(X).sum().backward()
    variables = {"p": list(model.parameters()), "t": wrapping.Trainer()}
    report = count_cell("for _ in range(2):\n    t.clip_grad_norm_(p, 1.0)", variables)
    assert [(path, calls) for path, (_, calls, _) in rows(report).items()] == [
        ("clip_grad_norm_", 2)
    ]
    assert report.by_phase["optimizer"].flops == report.find("clip_grad_norm_").flops > 0
    plain = count_cell("clip(p, 1.0)", {**variables, "clip": nn.utils.clip_grad_norm_})
    assert rows(plain)["clip_grad_norm_"][0] == "function (torch)"


def test_methods_that_make_or_call_an_object_bear_the_name_of_its_class() -> None:
    pipes = library(
        "pipes",
        "class Pipe:\n"
        "    def __init__(self, x):\n        self.x = x * 2\n"
        "    def __call__(self, x):\n        return self.x + x\n"
        "    def __add__(self, x):\n        return self.x + x\n",
    )
    report = count_cell("pipe = Pipe(x)\npipe(x)\npipe + x", {"x": X, "Pipe": pipes.Pipe})
    assert rows(report) == {"Pipe": ("function (pipes)", 2, 16)}
    # The line says more than `__add__`.
    assert [(node.name, node.flops) for node in report.tree.children if node.kind == "code"] == [
        ("In[1]:3", 8)
    ]


def test_functions_of_autograd_bear_their_names() -> None:
    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x * 2

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
            return grad * 2

    w = torch.ones(2, 4, requires_grad=True)
    report = count_cell("Scale.apply(w).sum().backward()", {"w": w, "Scale": Scale})
    assert {path: flops for path, (_, _, flops) in rows(report).items()} == {"Scale": 16}


def test_a_function_that_calls_itself_is_one_row() -> None:
    code = "def f(x, n):\n    return f(x * 2, n - 1) if n else x\nf(x, 3)"
    report = count_cell(code, {"x": X})
    assert rows(report) == {"f": ("function", 1, 3 * 8)}


def test_different_functions_of_one_name_are_told_apart() -> None:
    first, second = (own_file(name, "def loss(x):\n    return x * 2\n") for name in "ab")
    report = count_cell("f(x)\ng(x)\nf(x)", {"x": X, "f": first.loss, "g": second.loss})
    assert rows(report) == {"loss": ("function", 2, 16), "loss#2": ("function", 1, 8)}


def test_a_function_that_is_defined_anew_is_one_row() -> None:
    code = "for _ in range(3):\n    def double(x):\n        return x * 2\n    double(x)"
    assert rows(count_cell(code, {"x": X})) == {"double": ("function", 3, 24)}
    source = "def f(x):\n    return x * 2\n"
    own = "for _ in range(3):\n    exec(compile(source, '<f>', 'exec'))\n    f(x)"
    assert rows(count_cell(own, {"x": X, "source": source})) == {"f": ("function", 3, 24)}


def test_what_computes_the_loss_for_an_optimizer_stands_in_what_called_that() -> None:
    trainers = library(
        "trainers",
        "def fit(optimizer, model, x):\n"
        "    for _ in range(2):\n"
        "        optimizer.step(lambda: training_loss(optimizer, model, x))\n"
        "def training_loss(optimizer, model, x):\n"
        "    optimizer.zero_grad()\n"
        "    loss = model(x).sum()\n"
        "    loss.backward()\n"
        "    return loss\n",
    )
    model = nn.Linear(4, 3)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    variables = {"fit": trainers.fit, "model": model, "optimizer": optimizer, "x": X}
    report = count_cell("fit(optimizer, model, x)", variables)
    assert list(rows(report)) == ["fit", "fit.training_loss", "optimizer", "model"]
    assert report.find("fit.training_loss").flops == 2 * 5


def test_functions_around_the_block_have_no_rows() -> None:
    def train() -> Report:
        with FlopCounter() as counter:
            twice(X)
        return counter.report

    def twice(x: torch.Tensor) -> torch.Tensor:
        return x * 2

    assert list(rows(train())) == ["twice"]


@pytest.mark.parametrize("traced", [False, True])
def test_a_tracer_changes_nothing(traced: bool) -> None:
    solver = library("solver", SOLVER)
    variables = {"x": X, "f": torch.sin, **vars(solver)}
    plain = rows(count_cell("y = solve(f, x)", variables))
    before = sys.gettrace()
    sys.settrace(lambda *_: None)
    try:
        assert rows(count_cell("y = solve(f, x)", variables)) == plain
    finally:
        sys.settrace(before)


def test_a_dry_run_has_the_same_rows() -> None:
    solver = library("solver", SOLVER)

    def field(y: torch.Tensor) -> torch.Tensor:
        return y * 5

    def run() -> None:
        solver.solve(field, X)

    with FlopCounter() as counter:
        run()
    assert rows(dry_run(run)) == rows(counter.report)
    assert "run.solve.rk_step" in rows(counter.report)


def test_reports_with_functions_are_saved_compared_and_merged() -> None:
    solver = library("solver", SOLVER)
    variables = {"x": X, "f": torch.sin, **vars(solver)}
    once = count_cell("y = solve(f, x)", variables)
    twice = count_cell("y = 2\ny = solve(f, x)\ny = solve(f, y)", variables)
    assert rows(Report.from_dict(once.to_dict())) == rows(once)
    assert rows(Report.merge([once, once]))["solve.rk_step"][2] == 2 * 48
    # They are matched by name, whatever their lines.
    change = next(one for one in walk((twice - once).tree) if one.path == "solve.rk_step")
    assert (change.before.flops, change.after.flops) == (48, 96)
    for shown in (str(once), once._repr_mimebundle_()["text/html"]):
        assert "rk_step" in shown
        assert "function" in shown


def test_threads_have_rows_of_functions() -> None:
    mine = own_file("work", "def work(x):\n    return x * 2\n")
    code = "t = Thread(target=work, args=(x,))\nt.start()\nt.join(10)"
    from threading import Thread

    report = count_cell(code, {"x": X, "work": mine.work, "Thread": Thread})
    assert rows(report) == {"work": ("function", 1, 8)}


def test_a_generator_is_a_function() -> None:
    code = "def batches(x):\n    for _ in range(3):\n        yield x * 2\n"
    report = count_cell(f"{code}for y in batches(x):\n    y + 1", {"x": X})
    assert rows(report)["batches"][2] == 24
    assert report.flops == 24 + 24
