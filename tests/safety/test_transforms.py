"""Function transforms and every way to a gradient: right counts on the right module."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, hessian, jacrev, jvp, vjp, vmap
from torch.utils.checkpoint import checkpoint

from ipyflops.counting import FlopCounter
from tests.formulas.dispatch import total
from tests.safety.programs import Pair, counted, modules, phases

# What jvp loads when it is first used.
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")

A = torch.randn(4, 4)
MM = 2 * 4 * 4 * 4


def product(x: Tensor) -> Tensor:
    return (x @ A).sum()


def test_grad() -> None:
    report = counted(lambda: grad(product)(A))
    assert report.flops == 2 * MM
    assert phases(report) == {"forward": MM, "backward": MM}


def test_vjp() -> None:
    def run() -> Any:
        output, pull = vjp(lambda x: x @ A, A)
        return output, pull(torch.ones(4, 4))

    report = counted(run)
    assert phases(report) == {"forward": MM, "backward": MM}


def test_jvp() -> None:
    report = counted(lambda: jvp(lambda x: x @ A, (A,), (A,)))
    # The value, its tangent, and one product with the tangent of `A`, which torch fills with zeros.
    assert report.flops == 3 * MM


def test_vmap() -> None:
    batch = torch.randn(5, 4, 4)
    report = counted(lambda: vmap(lambda x: x @ A)(batch))
    assert report.flops == 5 * MM
    report = counted(lambda: vmap(grad(product))(batch))
    assert report.flops == 2 * 5 * MM


def test_jacrev_and_hessian() -> None:
    x = torch.randn(4)
    report = counted(lambda: jacrev(lambda v: A @ v)(x))
    # One product forward, and one back for each of four outputs.
    assert report.flops == 32 + 4 * 32
    function = lambda v: (A @ v).pow(3).sum()  # noqa: E731
    assert counted(lambda: hessian(function)(x)).flops == total(
        lambda: hessian(function)(x), "contractions"
    )


def test_functional_call() -> None:
    model = Pair()
    weights = {name: torch.ones_like(p) for name, p in model.named_parameters()}
    report = counted(lambda: functional_call(model, weights, (torch.ones(1, 4),)))
    assert modules(report)["model.layers.0"] == 64

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, parameters, (x,)).sum()  # type: ignore[no-any-return]

    report = counted(lambda: grad(loss)(weights, torch.ones(1, 4)))
    assert modules(report)["model.out"] == 3 * 64
    assert modules(report)["model.layers.0"] == 2 * 64


def test_per_sample_gradients_of_a_model() -> None:
    model = Pair()
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    batch = torch.ones(5, 4)

    def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, weights, (x.unsqueeze(0),)).sum()  # type: ignore[no-any-return]

    report = counted(lambda: vmap(grad(loss), in_dims=(None, 0))(parameters, batch))
    assert report.flops == 5 * 64 * 5
    assert modules(report)["model.out"] == 5 * 3 * 64


@pytest.mark.parametrize("wanted", ["input", "parameters", "both"])
def test_gradients_of_leaves(wanted: str) -> None:
    model = Pair()
    x = torch.ones(1, 4, requires_grad=True)
    leaves = {"input": [x], "parameters": [*model.parameters()], "both": [x, *model.parameters()]}
    report = counted(lambda: torch.autograd.grad(model(x).sum(), leaves[wanted]))
    parts = {"input": 1, "parameters": 1, "both": 2}[wanted]
    assert modules(report)["model.layers.0"] == 64 + parts * 64


def test_a_leaf_input_of_a_module_in_a_training_step() -> None:
    model = Pair()
    x = torch.ones(1, 4, requires_grad=True)

    def step() -> Any:
        x.grad = None
        model.zero_grad()
        model(x).sum().backward()
        return x.grad

    assert modules(counted(step))["model.layers.0"] == 3 * 64


def test_double_backward() -> None:
    model = Pair()
    x = torch.ones(1, 4, requires_grad=True)

    def penalty() -> Any:
        (gradient,) = torch.autograd.grad(model(x).pow(2).sum(), x, create_graph=True)
        return torch.autograd.grad(
            gradient.pow(2).sum(), list(model.parameters()), allow_unused=True
        )

    report = counted(lambda: [g for g in penalty() if g is not None])
    assert modules(report)["model"] == report.flops == total(penalty, "contractions")


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x @ x

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradient @ x.T + x.T @ gradient


class Squared(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Square.apply(x)  # type: ignore[no-any-return, no-untyped-call]


def test_a_custom_autograd_function_is_the_modules() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Linear(4, 4)
            self.square = Squared()
            self.last = nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.last(self.square(self.first(x)))  # type: ignore[no-any-return]

    model = Model()

    def step() -> Any:
        return torch.autograd.grad(model(A).sum(), list(model.parameters()))

    report = counted(step)
    node = report.find("model.square")
    assert {name: part.flops for name, part in node.phases.items() if part.flops} == {
        "forward": MM, "backward": 2 * MM
    }  # fmt: skip
    assert modules(report)["model.first"] == 2 * MM
    assert modules(report)["model.last"] == 3 * MM


def test_a_custom_function_that_calls_a_module_in_its_backward() -> None:
    inner = nn.Linear(4, 4)

    class Calls(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            return inner(gradient)  # type: ignore[no-any-return]

    x = torch.ones(1, 4, requires_grad=True)

    def run() -> Any:
        return torch.autograd.grad(Calls.apply(x).sum(), x)  # type: ignore[no-untyped-call]

    report = counted(run)
    assert modules(report) == {"inner": 32}


def test_modes_of_gradients() -> None:
    model = Pair()
    x = torch.ones(1, 4)
    for mode in (torch.inference_mode, torch.no_grad, torch.enable_grad):
        with mode():
            report = counted(lambda: model(x))
        assert modules(report) == {
            "model": 128, "model.layers": 64, "model.layers.0": 64, "model.out": 64
        }, mode  # fmt: skip


@pytest.mark.parametrize(
    "function",
    [F.dropout, lambda x: torch.stft(x[0], 8, window=torch.ones(8), return_complex=True)],
    ids=["dropout", "stft"],
)
def test_inference_mode_runs_the_kernels_and_not_what_the_compiler_makes_of_them(
    function: Callable[[Tensor], Tensor],
) -> None:
    # With this, composite operators get decompositions for the compiler, which run other operators.
    importlib.import_module("torch._decomp")
    x = torch.randn(2, 10, 20)
    with torch.no_grad():
        expected = counted(lambda: function(x))
    with torch.inference_mode():
        report = counted(lambda: function(x))
    assert {name: total.calls for name, total in report.by_operator.items()} == {
        name: total.calls for name, total in expected.by_operator.items()
    }


def test_entering_inference_mode_inside_the_block() -> None:
    model = Pair()

    def run() -> Any:
        with torch.inference_mode():
            return model(torch.ones(1, 4))

    assert modules(counted(run))["model.out"] == 64


def test_autocast() -> None:
    model = Pair()

    def run() -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output = model(torch.ones(1, 4))
        return torch.autograd.grad(output.float().sum(), list(model.parameters()))

    report = counted(run)
    assert modules(report)["model.out"] == 3 * 64
    assert report.by_dtype["bfloat16"].flops == report.flops == 5 * 64


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_recomputes_on_the_right_module(reentrant: bool) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = Pair(), nn.Linear(4, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(checkpoint(self.body, x, use_reentrant=reentrant))  # type: ignore[no-any-return]

    model = Model()
    x = torch.ones(1, 4, requires_grad=True)
    report = counted(lambda: _step(model, x))
    node = report.find("model.body.layers.0")
    assert node.phases["recompute"].flops == 64
    assert "recompute" not in report.find("model.head").phases


def _step(model: nn.Module, x: Tensor) -> Any:
    x.grad = None
    model(x).sum().backward()
    return x.grad


def test_gradient_accumulation() -> None:
    model = Pair()

    def steps() -> Any:
        model.zero_grad()
        for _ in range(3):
            model(torch.ones(1, 4)).sum().backward()
        return [p.grad for p in model.parameters()]

    report = counted(steps)
    assert modules(report)["model"] == report.flops == 3 * 5 * 64


@dataclass
class Batch:
    x: Tensor
    scale: float = 2.0


class ByName(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)

    def forward(self, *, batch: Batch) -> Batch:
        return Batch(self.linear(batch.x) * batch.scale)


def test_keyword_and_dataclass_inputs() -> None:
    model = ByName()
    batch = Batch(torch.ones(1, 4))

    def step() -> Any:
        return torch.autograd.grad(model(batch=batch).x.sum(), list(model.parameters()))

    report = counted(step)
    assert modules(report) == {"model": 64, "model.linear": 64}


def test_branches_that_need_no_gradient() -> None:
    class Branches(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.frozen, self.trained = nn.Linear(4, 4), nn.Linear(4, 4)
            self.frozen.requires_grad_(False)

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                aside = self.trained(x)
            return self.frozen(x) + self.trained(x) + aside  # type: ignore[no-any-return]

    model = Branches()
    x = torch.ones(1, 4)
    report = counted(lambda: torch.autograd.grad(model(x).sum(), list(model.trained.parameters())))
    assert modules(report)["model.frozen"] == 32
    assert modules(report)["model.trained"] == 3 * 32


def test_the_hooks_of_the_user_run_and_count_where_they_run() -> None:
    model = Pair()
    model.out.register_full_backward_hook(lambda *values: (values[1][0] @ torch.eye(8),))
    model.out.weight.register_hook(lambda gradient: gradient @ torch.eye(8))
    x = torch.ones(1, 4, requires_grad=True)

    def step() -> Any:
        return torch.autograd.grad(model(x).sum(), [x, model.out.weight])

    report = counted(step)
    # (1×8) @ (8×8), and (4×8) @ (8×8).
    assert report.flops == 2 * 64 + 64 * 3 + 2 * 8 * 8 + 2 * 4 * 8 * 8
    assert report.by_phase["forward"].flops == 2 * 64


def test_saved_tensor_hooks() -> None:
    model = Pair()

    def step() -> Any:
        with torch.autograd.graph.saved_tensors_hooks(lambda t: t @ t.T @ t, lambda t: t.clone()):
            loss = model(torch.ones(1, 4)).sum()
        return torch.autograd.grad(loss, list(model.parameters()))

    with FlopCounter("contractions") as counter:
        step()
    assert counter.report.flops == total(step, "contractions")


def test_sums_of_gradients_in_a_linear_layer_are_counted() -> None:
    layer = nn.Linear(3, 3)
    x = torch.ones(2, 3)

    def step() -> Any:
        return torch.autograd.grad(layer(layer(x)).sum(), list(layer.parameters()))

    expected = total(step)
    with FlopCounter() as counter:
        step()
    assert counter.report.flops == expected
    # The layer ran twice, so its weight and bias get two gradients each.
    assert counter.report.by_operator["aten::add"].flops == 9 + 3


def test_an_addition_of_a_kind_of_linear_layer_is_no_bias() -> None:
    class Residual(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x) + x

    model = Residual(4, 4)
    with FlopCounter() as counter:
        model(torch.ones(2, 4))
    assert counter.report.find("model").flops == 2 * 32 + 8
