"""In which phase the loss of an optimizer, hooks for gradients and updates of parameters run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.checkpoint import checkpoint

from ipyflops.counting import FlopCounter
from ipyflops.report import Report

IN, OUT, ROWS = 64, 32, 2
#: The one product of the losses below: a forward of them has 2·2·64·32 FLOPs.
PRODUCT = 2 * ROWS * IN * OUT


def products(report: Report) -> Report:
    return report.under("contractions")


def counted(run: Callable[[], Any]) -> dict[str, int]:
    """The FLOPs of products in each phase that has any."""
    with FlopCounter() as counter:
        run()
    return of_phases(products(counter.report))


def of_phases(report: Report) -> dict[str, int]:
    return {phase: one.flops for phase, one in report.by_phase.items() if one.flops}


# --- the loss of an optimizer --------------------------------------------------------------------

#: What a cell that ran before, or a file, defines. Each is made of a weight and an input.
DEFINITIONS = """
import functools
import torch

def plain(w, x):
    def closure():
        w.grad = None
        loss = (x @ w).sum()
        loss.backward()
        return loss
    return closure

def doubles_the_input_first(w, x):
    def closure():
        y = x * 1.0
        y = y @ w
        loss = y.sum()
        loss.backward()
        return loss
    return closure

def anonymous(w, x):
    return lambda: plain(w, x)()

class Trainer:
    def __init__(self, w, x):
        self.w, self.x = w, x

    def closure(self):
        loss = self.loss(self.w)
        loss.backward()
        return loss

    def loss(self, w):
        return (self.x @ w).sum()

    def __call__(self):
        return self.closure()

def bound(w, x):
    return Trainer(w, x).closure

def called(w, x):
    return Trainer(w, x)

def partial(w, x):
    return functools.partial(lambda closure: closure(), plain(w, x))

def decorated(w, x):
    return torch.enable_grad()(plain(w, x))

def in_a_helper(w, x):
    def helper(function):
        return function()
    return lambda: helper(plain(w, x))
"""
WAYS = [
    *("plain", "doubles_the_input_first", "anonymous", "bound"),
    *("called", "partial", "decorated", "in_a_helper"),
]


class Holds(torch.optim.SGD):
    """Was given its loss before, and calls it in its step."""

    loss: Any

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        with torch.enable_grad():
            self.loss()
        return super().step()


class Wraps(torch.optim.Optimizer):
    """Sharpness-aware: computes the loss, climbs, computes it again, and lets another one step."""

    def __init__(self, params: Any, base: type[torch.optim.Optimizer], **options: Any) -> None:
        super().__init__(params, {})
        self.base = base(self.param_groups, **options)

    @torch.no_grad()
    def step(self, *args: Any, **kwargs: Any) -> Any:
        compute = torch.enable_grad()(args[0])
        compute()
        climbed = [
            (one, one.grad / one.grad.norm())
            for group in self.param_groups
            for one in group["params"]
        ]
        for one, step in climbed:
            one.add_(step)
        loss = compute()
        for one, step in climbed:
            one.sub_(step)
        self.base.step()
        return loss


class OldFashioned(torch.optim.Optimizer):
    """Switches gradients off nowhere, and uses a function for its update, as is done by many."""

    def step(self, closure: Any = None) -> Any:
        loss = closure()
        for group in self.param_groups:
            for one in group["params"]:
                one.data.add_(orthogonal(one.grad.data), alpha=-0.1)
        return loss


def orthogonal(gradient: Tensor) -> Tensor:
    return gradient @ (gradient.t() @ gradient)


OPTIMIZERS: dict[str, tuple[Callable[[Tensor, Any], Any], int]] = {
    "SGD": (lambda w, loss: torch.optim.SGD([w], lr=0.1).step(loss), 1),
    "Adam": (lambda w, loss: torch.optim.Adam([w]).step(loss), 1),
    "LBFGS": (lambda w, loss: torch.optim.LBFGS([w], max_iter=1).step(loss), 1),  # type: ignore[no-untyped-call]
    "holds its loss": (lambda w, loss: hold(w, loss).step(), 1),
    "sharpness-aware": (lambda w, loss: Wraps([w], torch.optim.Adam).step(loss), 2),
}


def hold(w: Tensor, loss: Any) -> Holds:
    optimizer = Holds([w], lr=0.1)
    optimizer.loss = loss
    return optimizer


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("from_here", [True, False])
def test_the_loss_of_an_optimizer_is_forward(name: str, way: str, from_here: bool) -> None:
    """In whatever file it is defined, and however the optimizer got it."""
    space: dict[str, Any] = {}
    exec(compile(DEFINITIONS, __file__ if from_here else "<an earlier cell>", "exec"), space)
    w = torch.randn(IN, OUT, requires_grad=True)
    step, times = OPTIMIZERS[name]
    loss = space[way](w, torch.randn(ROWS, IN))
    phases = counted(lambda: step(w, loss))
    assert phases["forward"] == times * PRODUCT
    # The gradient of the weight alone.
    assert phases["backward"] == times * PRODUCT
    if name != "LBFGS":  # which has scalar products of its own
        assert "optimizer" not in phases


def test_functions_of_an_optimizer_that_never_switches_gradients_off() -> None:
    w, x = torch.randn(IN, OUT, requires_grad=True), torch.randn(ROWS, IN)
    space: dict[str, Any] = {}
    exec(compile(DEFINITIONS, "<an earlier cell>", "exec"), space)
    phases = counted(lambda: OldFashioned([w], {}).step(space["plain"](w, x)))
    assert phases["forward"] == phases["backward"] == PRODUCT
    assert phases["optimizer"] == 2 * (2 * IN * OUT * OUT)


def test_an_update_that_is_differentiated_is_the_optimizers() -> None:
    w = torch.randn(IN, OUT, requires_grad=True)

    def run() -> None:
        moved = w.clone()
        moved.retain_grad()
        (moved * 2).sum().backward(retain_graph=True)
        torch.optim.SGD([moved], lr=0.1, differentiable=True).step()

    with FlopCounter() as counter:
        run()
    by_phase = counter.report.by_phase
    # lr·gradient and its subtraction: two operations for each element.
    assert by_phase["optimizer"].flops == 2 * IN * OUT
    assert by_phase["forward"].flops == IN * OUT + (IN * OUT - 1)


def test_the_example_of_a_limited_memory_optimizer() -> None:
    """LBFGS on a weight of 64×32, its closure in another file: one product a forward."""
    w, x = torch.randn(IN, OUT, requires_grad=True), torch.randn(1, IN)
    space: dict[str, Any] = {}
    exec(compile(DEFINITIONS, "elsewhere.py", "exec"), space)
    optimizer = torch.optim.LBFGS([w], max_iter=1)
    phases = counted(lambda: optimizer.step(space["plain"](w, x)))  # type: ignore[no-untyped-call]
    assert phases["forward"] == 4096


# --- hooks for gradients -------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)
        self.other = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return self.other(self.layer(x))  # type: ignore[no-any-return]


class Method:
    """A hook that is a method."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def hook(self, gradient: Tensor) -> None:
        self.module(gradient)


def on_a_tensor(net: Net, out: Tensor, other: nn.Module) -> None:
    out.register_hook(lambda gradient: other(gradient))


def on_a_tensor_by_a_method(net: Net, out: Tensor, other: nn.Module) -> None:
    out.register_hook(Method(other).hook)


def on_a_parameter(net: Net, out: Tensor, other: nn.Module) -> None:
    def hook(parameter: Tensor) -> None:
        other(parameter.grad)

    net.layer.weight.register_post_accumulate_grad_hook(hook)


def on_a_module(net: Net, out: Tensor, other: nn.Module) -> None:
    def hook(module: nn.Module, grad_input: Any, grad_output: Any) -> None:
        other(grad_output[0])

    net.layer.register_full_backward_hook(hook)


def on_a_node(net: Net, out: Tensor, other: nn.Module) -> None:
    assert out.grad_fn is not None

    def hook(gradients: Any) -> None:
        other(gradients[0])

    out.grad_fn.register_prehook(hook)


@pytest.mark.filterwarnings("ignore:Using backward.. with create_graph=True:UserWarning")
@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize(
    "register", [on_a_tensor, on_a_tensor_by_a_method, on_a_parameter, on_a_module, on_a_node]
)
def test_a_module_that_a_hook_for_gradients_calls_is_backward(
    register: Callable[[Net, Tensor, nn.Module], None], create_graph: bool
) -> None:
    net, other = Net(), Net()
    x = torch.randn(8, 8, requires_grad=True)

    def run() -> None:
        if register is on_a_module:
            register(net, x, other)
        out = net(x)
        if register is not on_a_module:
            register(net, out, other)
        out.sum().backward(create_graph=create_graph)

    one = 2 * 8 * 8 * 8
    phases = counted(run)
    assert set(phases) == {"forward", "backward"}
    assert phases["forward"] == 2 * one
    # Two products a layer for its gradients, and the two layers that the hook calls.
    assert phases["backward"] == 4 * one + 2 * one


class Reversible(torch.autograd.Function):
    """Runs its module again in the backward pass, without gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, module: nn.Module) -> Tensor:
        ctx.module = module
        ctx.save_for_backward(x)
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        with torch.no_grad():
            ctx.module(*ctx.saved_tensors)
        return gradient, None


@pytest.mark.parametrize("way", ["checkpoint", "reentrant", "custom function", "unpacked"])
def test_a_forward_that_is_run_again_is_recompute(way: str) -> None:
    net = nn.Linear(8, 8)
    x = torch.randn(8, 8, requires_grad=True)

    def run() -> None:
        if way == "custom function":
            out: Any = Reversible.apply(x, net)
        elif way == "unpacked":
            with torch.autograd.graph.saved_tensors_hooks(
                lambda saved: (net, saved), lambda packed: [packed[0](packed[1]), packed[1]][1]
            ):
                out = x.sin()
        else:
            out = checkpoint(lambda x: net(x).sin(), x, use_reentrant=way == "reentrant")
        out.sum().backward()

    assert counted(run)["recompute"] == 2 * 8 * 8 * 8


# --- what works on gradients and averages --------------------------------------------------------


def test_clipping_gradients_is_the_optimizers_phase() -> None:
    net = nn.Linear(4, 4)
    net(torch.randn(2, 4)).sum().backward()
    with FlopCounter() as counter:
        nn.utils.clip_grad_norm_(net.parameters(), 1e-3)
        nn.utils.clip_grad_value_(net.parameters(), 0.1)
        nn.utils.get_total_norm([one.grad for one in net.parameters()])
    assert set(of_phases(counter.report)) == {"optimizer"}


def test_scaling_the_loss_is_forward_and_unscaling_gradients_is_not() -> None:
    net = nn.Linear(4, 4)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def train() -> None:
        loss = net(torch.randn(2, 4)).sum()
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()

    train()
    with FlopCounter() as counter:
        train()
    by_phase = counter.report.by_phase
    # The product, the sum of its 8 outputs, and the loss times the scale.
    assert by_phase["forward"].flops == 2 * 2 * 4 * 4 + 7 + 1
    phases = {
        signature.operator: row.phase
        for row in counter.report.rows
        for signature in [counter.report.signatures[row.signature]]
    }
    assert phases["aten::_amp_foreach_non_finite_check_and_unscale_"] == "optimizer"


def test_averages_of_parameters_are_the_optimizers_phase() -> None:
    net = nn.Linear(4, 4)
    for average in (
        AveragedModel(net),
        AveragedModel(net, multi_avg_fn=get_ema_multi_avg_fn(0.9)),
        AveragedModel(net, avg_fn=lambda mean, one, number: 0.9 * mean + 0.1 * one),
    ):
        average.update_parameters(net)  # the first copies
        with FlopCounter() as counter:
            average.update_parameters(net)
            average(torch.randn(2, 4))
        by_phase = counter.report.by_phase
        assert set(of_phases(counter.report)) == {"optimizer", "forward"}
        assert by_phase["forward"].flops == 2 * 2 * 4 * 4
        # At least a product and a sum for each of the 20 parameters.
        assert by_phase["optimizer"].flops >= 2 * 20
        assert counter.report.find("average").phases["optimizer"].flops


def test_a_step_in_a_hook_is_the_optimizers_phase() -> None:
    net = nn.Linear(4, 4)
    optimizers = {one: torch.optim.SGD([one], lr=0.1) for one in net.parameters()}

    def hook(parameter: Tensor) -> None:
        nn.utils.clip_grad_norm_([parameter], 1.0)
        optimizers[parameter].step()  # type: ignore[index]

    for one in net.parameters():
        one.register_post_accumulate_grad_hook(hook)
    with FlopCounter() as counter:
        net(torch.randn(2, 4)).sum().backward()
    assert set(of_phases(counter.report)) == {"forward", "backward", "optimizer"}
    # A step multiplies by the rate and subtracts; the norm comes on top.
    assert counter.report.by_phase["optimizer"].flops > 2 * 20
