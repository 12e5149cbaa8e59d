"""Modules that are moved or cast in a dry run count, and end, as those of a real run do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import FlopCounter, dry_run
from ipyflops.costs import CONVENTIONS
from ipyflops.report import Report
from tests.pictures import Picture
from tests.thoroughness import ALL_SAMPLES


class Net(nn.Module):
    """A buffer, a tied weight, and kernels that keep their weights in a list of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 6)
        self.recurrent = nn.RNN(6, 6, batch_first=True)
        self.gain = nn.Parameter(torch.ones(6))
        self.head = nn.Linear(6, 11, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.ones(()))

    def forward(self, tokens: Tensor) -> Tensor:
        hidden, _ = self.recurrent(self.embed(tokens))
        hidden = hidden * hidden.square().mean(-1, keepdim=True).rsqrt() * self.gain * self.scale
        return self.head(hidden)


TOKENS = torch.tensor([[1, 2], [4, 5]])
WAYS: dict[str, Callable[[nn.Module], object]] = {
    "to cpu": lambda net: net.to("cpu"),
    "cpu": lambda net: net.cpu(),
    "to dtype": lambda net: net.to(torch.float64),
    "to both": lambda net: net.to("cpu", torch.bfloat16),
    "to a format": lambda net: net.to(memory_format=torch.channels_last),
    "like a tensor": lambda net: net.to(torch.zeros((), dtype=torch.float64)),
    "half": lambda net: net.half().float(),
    "bfloat16": lambda net: net.bfloat16(),
    "double": lambda net: net.double(),
    "float": lambda net: net.float(),
    "type": lambda net: net.type(torch.float64),
    "to_empty": lambda net: net.to_empty(device="cpu"),
    "one child": lambda net: net.get_submodule("head").double().float(),
    "twice": lambda net: net.double().bfloat16().to("cpu"),
}
#: Where in a training step a module can be converted.
MOMENTS = ("before", "in between", "after the backward", "after the step")
#: Each way at two of them: at an outer one, and between two parts of the step.
PLAN = [
    (way, moment)
    for number, way in enumerate(WAYS)
    for moment in (
        MOMENTS if ALL_SAMPLES else (MOMENTS[number % 2 * 3], MOMENTS[1 + number // 2 % 2])
    )
]


def step_of(net: nn.Module, way: str, moment: str, name: str = "SGD") -> Callable[[], None]:
    """A training step with a conversion at one moment, and what shows the conversion after it."""
    optimizer = getattr(torch.optim, name)(net.parameters(), lr=0.1)

    def convert(now: str) -> None:
        if now == moment:
            WAYS[way](net)

    def run() -> None:
        convert("before")
        optimizer.zero_grad()
        loss = net(TOKENS).square().mean()
        convert("in between")
        loss.backward()
        convert("after the backward")
        optimizer.step()
        convert("after the step")
        if moment != "before":
            net(TOKENS).square().mean().backward()
            optimizer.step()

    return run


def really(function: Callable[[], object]) -> Report:
    with FlopCounter(device_time=False) as counter:
        function()
    return counter.report


def tree_of(report: Report, calls: bool) -> dict[Any, Any]:
    """Without functions that copy: a copy of a fake tensor has no bytes that one would copy."""
    return {
        node.path: (node.flops, node.calls if calls else 0)
        for node in report.walk()
        if node.kind != "code" and (node.flops or node.kind != "function")
    }


def assert_equal(dry: Report, real: Report, calls: bool = True) -> None:
    for convention in CONVENTIONS:
        one, other = dry.under(convention), real.under(convention)
        assert tree_of(one, calls) == tree_of(other, calls)
        assert {name: totals.flops for name, totals in one.by_phase.items()} == {
            name: totals.flops for name, totals in other.by_phase.items()
        }
    assert {name: (one.calls, one.flops) for name, one in dry.by_operator.items() if one.flops} == {
        name: (one.calls, one.flops) for name, one in real.by_operator.items() if one.flops
    }
    assert {name: totals.flops for name, totals in dry.by_dtype.items() if totals.flops} == {
        name: totals.flops for name, totals in real.by_dtype.items() if totals.flops
    }
    assert dry.unknown == real.unknown == {}


def check(run: Callable[[], object], *objects: object, calls: bool = True) -> None:
    """Run dry, which changes nothing, then for real: both count the same, or fail alike."""
    before = Picture(run, *objects)
    dry = outcome(lambda: dry_run(run))
    before.assert_same(Picture(run, *objects))
    real = outcome(lambda: really(run))
    if isinstance(real, Exception) or isinstance(dry, Exception):
        assert type(dry) is type(real), (dry, real)
    else:
        assert_equal(dry, real, calls=calls)


def outcome(count: Callable[[], Report]) -> Any:
    """The report, or the error that ended the run."""
    try:
        return count()
    except (RuntimeError, ValueError) as error:
        return error


@pytest.mark.parametrize(("way", "moment"), PLAN)
def test_a_module_of_the_users(way: str, moment: str) -> None:
    torch.manual_seed(0)
    net = Net()
    check(step_of(net, way, moment), net)


@pytest.mark.parametrize(
    ("way", "moment"),
    [("half", "before"), ("double", "in between"), ("to_empty", "after the step")],
)
def test_a_module_made_in_the_code(way: str, moment: str) -> None:
    check(lambda: step_of(Net(), way, moment)())


@pytest.mark.parametrize("name", ["Adam", "Adagrad", "RMSprop", "NAdam"])
def test_optimizers_keep_the_parameters_that_moved(name: str) -> None:
    for moment in MOMENTS if ALL_SAMPLES else ("after the backward", "after the step"):
        net = Net()
        check(step_of(net, "double", moment, name), net)


@pytest.mark.parametrize("way", ["to_empty", "bfloat16"])
def test_a_module_on_the_meta_device(way: str) -> None:
    """It is made for real here: on the meta device a real run has no values to compare."""
    with torch.device("meta"):
        net = Net()
    before = Picture(net)
    dry = dry_run(step_of(net, way, "before"))
    before.assert_same(Picture(net))
    assert_equal(dry, really(step_of(Net(), way, "before")))


def test_modules_without_memory_until_they_get_it() -> None:
    def run() -> None:
        nn.utils.skip_init(nn.Linear, 4, 3)(torch.ones(2, 4))

    check(run)


@contextmanager
def future(**settings: bool) -> Iterator[None]:
    names = {
        "overwrite": "overwrite_module_params_on_conversion",
        "swap": "swap_module_params_on_conversion",
    }
    before = {name: getattr(torch.__future__, f"get_{names[name]}")() for name in settings}
    for name, value in settings.items():
        getattr(torch.__future__, f"set_{names[name]}")(value)
    try:
        yield
    finally:
        for name, value in before.items():
            getattr(torch.__future__, f"set_{names[name]}")(value)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("setting", ["overwrite", "swap"])
def test_the_users_settings_hold(setting: str, moment: str) -> None:
    """Between forward and backward PyTorch refuses to swap a parameter: here as in a real run.

    A new parameter is one more (free) operator if it is made of a fake tensor, so a module of which
    nothing else runs counts as called.
    """
    with future(**{setting: True}):
        net = Net()
        check(step_of(net, "double", moment), net, calls=setting != "overwrite")
        assert torch.__future__.get_swap_module_params_on_conversion() == (setting == "swap")


@pytest.mark.parametrize("seed", range(8))
def test_random_programs(seed: int) -> None:
    """Forward passes, backward passes, steps and conversions in any order."""
    choose = random.Random(seed)
    net = Net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    plan = [choose.choice(["forward", "backward", "step", *WAYS]) for _ in range(12)]

    def run() -> None:
        losses: list[Tensor] = []
        for part in ("forward", *plan):
            if part == "forward":
                losses.append(net(TOKENS).square().mean())
            elif part == "backward" and losses:
                losses.pop().backward()
            elif part == "step":
                optimizer.step()
            elif part in WAYS:
                WAYS[part](net)

    check(run, net)


def test_nothing_of_pytorch_stays_replaced() -> None:
    own = nn.Module._apply
    net = Net()

    def fails() -> None:
        net.double()
        dry_run(lambda: net.half())
        raise KeyError

    with pytest.raises(KeyError):
        dry_run(fails)
    assert nn.Module._apply is own
    assert net.double().head.weight.dtype is torch.float64


@pytest.mark.parametrize("foreach", [None, True, False])
def test_gradients_are_clipped_together_as_in_a_real_run(foreach: bool | None) -> None:
    net = Net()

    def run() -> None:
        net(TOKENS).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0, foreach=foreach)
        torch.nn.utils.clip_grad_value_(net.parameters(), 1.0, foreach=foreach)

    check(run, net)
