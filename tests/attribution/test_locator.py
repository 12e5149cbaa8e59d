"""Where operators are found to run: modules, lines and phases."""

import functools
import gc
import sys
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from ipyflops.counting import FlopCounter
from ipyflops.report import Node, Report


def linear_flops(batch: int, inputs: int, outputs: int) -> int:
    return 2 * batch * inputs * outputs


def products(report: Report) -> Report:
    """The report under the convention that counts nothing but the products."""
    return report.under("contractions")


def tree(report: Report) -> dict[str, tuple[int, int]]:
    """Of every module, path to (calls, FLOPs of products)."""
    return {
        node.path: (node.calls, node.flops)
        for node in products(report).walk()
        if node.kind == "module"
    }


def code_nodes(report: Report) -> list[Node]:
    """The lines outside any module that ran products."""
    return [node for node in products(report).tree.children if node.kind == "code" and node.flops]


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.down(torch.relu(self.up(self.norm(x))))


class Stack(nn.Module):
    def __init__(self, blocks: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Block(width) for _ in range(blocks))
        self.heads = nn.ModuleDict({"a": nn.Linear(width, 1), "b": nn.Linear(width, 2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = layer(x)
        return torch.cat([head(x) for head in self.heads.values()], dim=-1)


def test_the_tree_has_the_registered_names_in_their_order() -> None:
    model = Stack(12, 4)
    with FlopCounter() as counter:
        model(torch.ones(3, 4))
    report = products(counter.report)
    layers = report.find("model.layers")
    assert layers.type == "ModuleList"
    assert layers.calls == 0
    assert [child.name for child in layers.children] == [str(number) for number in range(12)]
    assert report.find("layers.10.up").flops == linear_flops(3, 4, 8)
    assert report.find("heads").type == "ModuleDict"
    assert report.find("heads.b").flops == linear_flops(3, 4, 2)
    assert report.find("model").parameters == sum(p.numel() for p in model.parameters())


def test_every_total_is_its_own_and_its_childrens() -> None:
    model = Stack(3, 4)
    with FlopCounter() as counter:
        model(torch.ones(3, 4)).sum().backward()
    for node in counter.report.walk():
        for name in ("flops", "macs", "bytes", "calls", "int_ops"):
            total = getattr(node.own, name) + sum(
                getattr(child.totals, name) for child in node.children
            )
            assert getattr(node.totals, name) == total, (node.path, name)


def test_numbered_layers_are_sorted_by_number_whatever_the_order_they_run_in() -> None:
    model = nn.ModuleList(nn.Linear(2, 2) for _ in range(11))
    with FlopCounter() as counter:
        for index in (10, 2, 0):
            model[index](torch.ones(1, 2))
    assert [child.name for child in counter.report.find("model").children] == ["0", "2", "10"]


def test_two_models_of_one_class_stay_apart() -> None:
    first, second = nn.Linear(4, 5), nn.Linear(4, 7)
    with FlopCounter() as counter:
        first(torch.ones(1, 4))
        second(torch.ones(1, 4))
        second(torch.ones(1, 4))
    found = tree(counter.report)
    assert found["first"] == (1, 40)
    assert found["second"] == (2, 112)


def test_models_without_a_name_are_named_by_their_class() -> None:
    def make(width: int) -> nn.Module:
        return nn.Linear(4, width)

    with FlopCounter() as counter:
        results = [make(5)(torch.ones(1, 4)), make(6)(torch.ones(1, 4))]
    assert len(results) == 2
    assert tree(counter.report)["Linear"] == (2, 88)


def test_a_shared_module_appears_where_it_is_called() -> None:
    class Branch(nn.Module):
        def __init__(self, shared: nn.Module) -> None:
            super().__init__()
            self.shared = shared

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.shared(x)  # type: ignore[no-any-return]

    class Siamese(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            shared = nn.Sequential(nn.Linear(4, 4))
            self.left, self.right = Branch(shared), Branch(shared)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.left(x) + self.right(x) + self.right(x)

    model = Siamese()
    with FlopCounter() as counter:
        model(torch.ones(1, 4)).sum().backward()
    found = tree(counter.report)
    # Forward and the weight's gradient: the input needs none.
    assert found["model.left.shared.0"] == (1, 2 * 32)
    assert found["model.right.shared.0"] == (2, 4 * 32)


def test_a_module_that_calls_itself_counts_once_per_call() -> None:
    class Recursive(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.step = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor, depth: int = 3) -> torch.Tensor:
            return self.step(x) if depth == 0 else self(self.step(x), depth - 1)  # type: ignore[no-any-return]

    model = Recursive()
    with FlopCounter() as counter:
        model(torch.ones(1, 4))
    assert tree(counter.report)["model"] == (4, 4 * 32)
    assert tree(counter.report)["model.step"] == (4, 4 * 32)
    assert len(tree(counter.report)) == 2


def test_methods_other_than_forward_are_seen() -> None:
    class Autoencoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.Linear(4, 2), nn.Linear(2, 4)

        def encode(self, x: torch.Tensor) -> torch.Tensor:
            return self._normalised(self.encoder(x))

        def _normalised(self, x: torch.Tensor) -> torch.Tensor:
            return x @ x.T

    model = Autoencoder()
    with FlopCounter() as counter:
        model.encode(torch.ones(3, 4))
        model.decoder.forward(torch.ones(3, 2))
    found = tree(counter.report)
    # `encode` is one call of the model, its helper is part of that; the decoder runs without it.
    assert found["model"] == (1, 48 + 36 + 48)
    assert found["model.encoder"] == (1, 48)
    assert found["model.decoder"] == (1, 48)


def test_a_part_of_a_model_that_is_called_by_itself_is_found_in_the_model() -> None:
    model = Stack(3, 4)
    with FlopCounter() as counter:
        model.layers[2](torch.ones(1, 4))
    assert tree(counter.report)["model.layers.2.up"] == (1, 64)


def test_code_outside_modules_has_its_own_line() -> None:
    a = torch.ones(3, 3)
    with FlopCounter() as counter:
        a @ a
        for _ in range(2):
            a @ a @ a
    line = sys._getframe().f_lineno
    report = products(counter.report)
    assert [(node.name, node.flops) for node in code_nodes(report)] == [
        (f"test_locator.py:{line - 3}", 54),
        (f"test_locator.py:{line - 1}", 4 * 54),
    ]
    assert list(report.by_line) == [node.name for node in code_nodes(report)]
    assert report.lines[0].text.strip() == "a @ a"


def test_lines_are_those_of_the_file_and_not_of_what_it_calls() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    with FlopCounter() as counter:
        out = model(torch.ones(1, 4))
        out.sum().backward()
    line = sys._getframe().f_lineno
    lines = {name: total.flops for name, total in products(counter.report).by_line.items()}
    assert lines == {f"test_locator.py:{line - 2}": 32, f"test_locator.py:{line - 1}": 32}


def test_lines_of_a_forward_in_the_same_file_are_its_own() -> None:
    model = Block(4)
    with FlopCounter() as counter:
        model(torch.ones(1, 4))
    name = f"test_locator.py:{Block.forward.__code__.co_firstlineno + 1}"
    assert products(counter.report).by_line[name].flops == 2 * 64


def test_code_in_a_module_belongs_to_the_module() -> None:
    class Attention(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            def helper(y: torch.Tensor) -> torch.Tensor:
                return y @ y.T

            return sum((helper(x) for _ in range(2)), torch.zeros(()))

    model = Attention()
    with FlopCounter() as counter:
        model(torch.ones(3, 4))
    assert tree(counter.report)["model"] == (1, 2 * 72)
    assert code_nodes(counter.report) == []


def test_unregistered_modules_are_found_where_they_are_held() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = [nn.Linear(4, 4), nn.Linear(4, 4)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks:
                x = block(x)
            return nn.Linear(4, 2)(nn.Linear(4, 4)(x))  # type: ignore[no-any-return]

    model = Plain()
    with FlopCounter() as counter:
        for _ in range(3):
            model(torch.ones(1, 4))
    found = tree(counter.report)
    assert found["model.blocks.0"] == (3, 96)
    assert found["model.blocks.1"] == (3, 96)
    # Modules made anew at every call are one place, or as many as live at the same time.
    assert found["model.Linear"][0] + found.get("model.Linear#2", (0, 0))[0] == 6
    assert found["model"] == (3, 3 * (32 + 32 + 32 + 16))


def test_building_a_module_is_not_calling_it() -> None:
    with FlopCounter() as counter:
        model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
        model.double().eval()
    assert [node.kind for node in counter.report.tree.children] == ["code"] * 2


# --- backward, recomputation, optimizer ----------------------------------------------------------


def test_backward_runs_in_the_module_whose_forward_made_it() -> None:
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    with FlopCounter() as counter:
        loss = model(torch.ones(3, 4)).sum()
        loss.backward()
    report = products(counter.report)
    # The first layer's input needs no gradient; the second's does.
    phases = {path: report.find(path).phases for path in ("model.0", "model.2")}
    assert phases["model.0"]["forward"].flops == phases["model.0"]["backward"].flops == 192
    assert phases["model.2"]["forward"].flops == 96
    assert phases["model.2"]["backward"].flops == 2 * 96
    assert report.by_phase["backward"].flops == 192 + 192
    relu = counter.report.find("model.1")
    assert relu.phases["backward"].calls > 0


def test_backward_is_attributed_across_other_work_in_between() -> None:
    first, second = nn.Linear(4, 4), nn.Linear(4, 4)
    with FlopCounter() as counter:
        a = first(torch.ones(1, 4))
        with torch.no_grad():
            second(torch.ones(1, 4))
        b = second(torch.ones(1, 4))
        a.sum().backward()
        b.sum().backward()
    report = products(counter.report)
    assert report.find("first").phases["backward"].flops == 32
    assert report.find("second").phases["backward"].flops == 32
    assert report.find("second").phases["forward"].flops == 64


def test_backward_of_a_forward_that_was_not_counted_is_on_its_line() -> None:
    model = nn.Linear(4, 4)
    loss = model(torch.ones(1, 4)).sum()
    with FlopCounter() as counter:
        loss.backward()
    report = products(counter.report)
    assert report.by_phase["backward"].flops == 32
    assert [node.kind for node in report.tree.children] == ["code"]


def test_a_counter_entered_again_does_not_claim_what_ran_in_between() -> None:
    model = nn.Linear(4, 4)
    with FlopCounter() as counter:
        first = model(torch.ones(1, 4))
    second = nn.Linear(4, 3)(torch.ones(1, 4))
    with counter:
        first.sum().backward()
        second.sum().backward()
    report = products(counter.report)
    assert report.find("model").phases["backward"].flops == 32
    assert report.by_phase["backward"].flops == 32 + 24


def test_gradients_of_gradients() -> None:
    model = nn.Linear(4, 4, bias=False)
    x = torch.ones(1, 4, requires_grad=True)
    with FlopCounter() as counter:
        (gradient,) = torch.autograd.grad(model(x).pow(2).sum(), x, create_graph=True)
        gradient.sum().backward()
    report = products(counter.report)
    assert report.find("model").flops == report.flops
    assert report.find("model").phases["backward"].flops > 2 * 32


def test_summing_gradients_is_backward() -> None:
    model = nn.Linear(4, 4)
    x = torch.ones(1, 4)
    with FlopCounter() as counter:
        for _ in range(2):
            (model(x) + model(x)).sum().backward()
    report = counter.report
    adds = report.by_operator["aten::add_"].calls + report.by_operator["aten::add"].calls
    assert adds >= 2 + 4
    backward_calls = {
        report.signatures[row.signature].operator for row in report.rows if row.phase == "backward"
    }
    assert "aten::add" in backward_calls or "aten::add_" in backward_calls


@pytest.mark.parametrize("reentrant", [False, True])
def test_recomputation_is_a_phase_of_the_right_module(reentrant: bool) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(Block(4) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            for block in self.blocks:
                x = checkpoint(block, x, use_reentrant=reentrant)
            return x

    model = Checkpointed()
    x = torch.ones(3, 4, requires_grad=True)
    with FlopCounter() as counter:
        model(x).sum().backward()
    report = products(counter.report)
    for path in ("model.blocks.0.up", "model.blocks.1.up"):
        node = report.find(path)
        assert node.phases["forward"].flops == 192
        assert node.phases["recompute"].flops == 192
        assert node.phases["backward"].flops == 2 * 192
    # Recomputation stops as soon as all that backward needs is there: the last product is not run.
    down = report.find("model.blocks.0.down").phases
    assert down["forward"].flops == 192
    assert (down["recompute"].flops if "recompute" in down else 0) == (192 if reentrant else 0)
    assert set(tree(report)) == {
        "model", "model.blocks",
        *(f"model.blocks.{n}{part}" for n in "01" for part in ("", ".norm", ".up", ".down")),
    }  # fmt: skip


def test_recomputation_of_a_segment() -> None:
    class Segments(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return checkpoint_sequential(self.parts, 2, x, use_reentrant=False)  # type: ignore[no-any-return]

    model = Segments()
    with FlopCounter() as counter:
        model(torch.ones(1, 4, requires_grad=True)).sum().backward()
    assert set(tree(counter.report)) == {
        "model", "model.parts", *(f"model.parts.{n}" for n in range(4))
    }  # fmt: skip


def test_the_optimizer_is_a_phase_and_a_place() -> None:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with FlopCounter() as counter:
        for _ in range(3):
            optimizer.zero_grad()
            model(torch.ones(1, 4)).sum().backward()
            optimizer.step()
    report = counter.report
    node = report.find("optimizer")
    assert (node.kind, node.type, node.calls) == ("optimizer", "SGD", 3)
    assert set(node.phases) == {"optimizer"}
    assert report.by_phase["optimizer"] == node.totals


def test_a_closure_of_the_optimizer_is_not_its_own_work() -> None:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=2)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        output = model(torch.ones(1, 4))
        loss = (output @ output.T).sum()
        loss.backward()
        return loss

    with FlopCounter() as counter:
        optimizer.step(closure)  # type: ignore[no-untyped-call]
    report = products(counter.report)
    runs = report.find("model").calls
    assert report.find("model").phases["forward"].flops == runs * 32
    assert report.by_phase["forward"].flops == runs * (32 + 8)
    assert report.by_phase["backward"].flops > 0
    assert counter.report.by_phase["optimizer"].calls > 0


ELSEWHERE = """
def closure_of(model, optimizer):
    def closure():
        optimizer.zero_grad()
        output = model(torch.ones(1, 4))
        loss = (output @ output.T).sum()
        loss.backward()
        return loss
    return closure

class Closure:
    def __init__(self, function):
        self.function = function
    def __call__(self):
        return self.function()
    def method(self):
        loss = self.function()
        return loss

class Scorer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 4)
    def forward(self, x):
        return self.layer(x) * 3

class Slow(torch.optim.SGD):
    def step(self, closure=None):
        loss = super().step(closure)
        with torch.enable_grad():
            self.scale()
        return loss

    def scale(self):
        for group in self.param_groups:
            for one in group["params"]:
                one @ one
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, Any]:
    """What a module of another file defines."""
    file = tmp_path / "elsewhere.py"
    file.write_text(ELSEWHERE)
    namespace: dict[str, Any] = {"torch": torch}
    exec(compile(ELSEWHERE, str(file), "exec"), namespace)
    return namespace


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.LBFGS, torch.optim.Adam])
@pytest.mark.parametrize("wrap", ["plain", "partial", "object", "method", "wrapped"])
def test_a_closure_from_another_file_is_not_the_optimizers_work(
    elsewhere: dict[str, Any], optimizer: type[torch.optim.Optimizer], wrap: str
) -> None:
    model = elsewhere["Scorer"]()
    options: dict[str, Any] = {"max_iter": 2} if optimizer is torch.optim.LBFGS else {}
    optimizer_ = optimizer(model.parameters(), lr=0.01, **options)  # type: ignore[call-arg]
    plain = elsewhere["closure_of"](model, optimizer_)
    closure: Any = {
        "plain": plain,
        "partial": functools.partial(plain),
        "object": elsewhere["Closure"](plain),
        "method": elsewhere["Closure"](plain).method,
        "wrapped": functools.wraps(plain)(lambda: plain()),
    }[wrap]
    with FlopCounter() as counter:
        for _ in range(2):
            optimizer_.step(closure)
    report = counter.report
    runs = report.find("model").calls
    assert runs >= 2
    # The layer's product (its bias begins the sums), three times its result, the loss's product.
    assert report.by_phase["forward"].flops == runs * (2 * 16 + 4 + 8)
    assert report.find("model").phases["forward"].flops == runs * (2 * 16 + 4)
    assert set(report.find("model").phases) == {"forward", "backward"}
    assert products(report).by_phase["backward"].flops == runs * (2 * 16 + 2 * 2 * 4)
    assert set(report.find("optimizer_").phases) == {"optimizer"}
    if optimizer is not torch.optim.LBFGS:
        assert products(report).by_phase["optimizer"].flops == 0


def test_what_the_methods_of_an_optimizer_compute_with_gradients_is_its_own(
    elsewhere: dict[str, Any],
) -> None:
    model = elsewhere["Scorer"]()
    optimizer = elsewhere["Slow"]([model.layer.weight], lr=0.01)
    closure = elsewhere["closure_of"](model, optimizer)
    with FlopCounter() as counter:
        optimizer.step(closure)
    report = products(counter.report)
    assert report.by_phase["forward"].flops == 2 * 16 + 8
    assert report.find("optimizer").phases["optimizer"].flops == 2 * 4 * 4 * 4


# --- hooks, tracers, frames ----------------------------------------------------------------------


def test_the_users_own_hooks_count_where_they_run() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    def hook(module: nn.Module, inputs: Any, output: torch.Tensor) -> None:
        output @ output.T

    model[0].register_forward_hook(hook)
    model[1].register_forward_pre_hook(lambda module, inputs: inputs[0] @ inputs[0].T @ inputs[0])
    with FlopCounter() as counter:
        model(torch.ones(1, 4))
    assert tree(counter.report)["model.0"] == (1, 32 + 8)
    assert tree(counter.report)["model.1"] == (1, 32 + 16)


def test_a_forward_that_is_not_a_method() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity())
    model[1].forward = lambda x: x @ x.T
    with FlopCounter() as counter:
        model(torch.ones(1, 4))
    assert tree(counter.report)["model.1"] == (1, 8)


def test_counting_is_the_same_under_a_tracer() -> None:
    model = Stack(3, 4)

    def run() -> Report:
        with FlopCounter() as counter:
            model(torch.ones(3, 4)).sum().backward()
        return counter.report

    def trace(frame: Any, event: str, argument: Any) -> Any:
        return trace

    plain = run()
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        traced = run()
    finally:
        sys.settrace(before)
    assert tree(plain) == tree(traced)


def test_a_tracer_that_starts_within_the_block_is_left_alone() -> None:
    model = nn.Linear(4, 4)
    events: list[str] = []

    def trace(frame: Any, event: str, argument: Any) -> Any:
        events.append(event)
        return trace

    before = sys.gettrace()
    with FlopCounter() as counter:
        model(torch.ones(1, 4))
        sys.settrace(trace)
        try:
            model(torch.ones(1, 4))
        finally:
            sys.settrace(before)
    assert tree(counter.report)["model"] == (2, 64)
    assert "line" in events


def test_no_frame_stays_marked_and_none_is_kept() -> None:
    class Local(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x @ x

    model = Local()
    counter = FlopCounter()
    with counter:
        model(torch.ones(2, 2))
    frame: Any = sys._getframe()
    while frame is not None:
        assert not type(frame.f_trace).__module__.startswith("ipyflops.")
        frame = frame.f_back
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None
    assert counter.report.find("model").calls == 1


def test_a_forward_lets_go_of_its_tensors_while_it_is_counted() -> None:
    alive: list[bool] = []

    class Chain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(2))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x * 2
            first = weakref.ref(x)
            x = self.layers[0](x)
            alive.append(first() is not None)
            return self.layers[1](x)  # type: ignore[no-any-return]

    model = Chain()
    with torch.no_grad(), FlopCounter():
        model(torch.ones(1, 4))
    assert alive == [False]


def test_what_locals_gives_in_a_forward_is_not_emptied() -> None:
    class Snapshot(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            variables = locals()
            y = x @ x
            assert variables["x"] is x
            return y

    with FlopCounter():
        Snapshot()(torch.ones(2, 2))


def test_nested_counters_agree() -> None:
    model = Stack(2, 4)
    with FlopCounter() as outer:
        model(torch.ones(1, 4))
        with FlopCounter() as inner:
            model(torch.ones(1, 4))
        model(torch.ones(1, 4))
    once = tree(inner.report)
    assert {path: (3 * calls, 3 * flops) for path, (calls, flops) in once.items()} == tree(
        outer.report
    )


def test_a_block_inside_a_forward() -> None:
    reports = []

    class Measured(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with FlopCounter() as counter:
                y = self.inner(x)
            reports.append(counter.report)
            return y  # type: ignore[no-any-return]

    model = Measured()
    model(torch.ones(1, 4))
    assert tree(reports[0])["model.inner"] == (1, 32)
