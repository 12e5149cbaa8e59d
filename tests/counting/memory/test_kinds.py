"""What memory is for: closed forms of what training is known to keep, and what autograd saves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ipyflops import FlopCounter, Report, dry_run
from ipyflops.report import Memory
from tests.counting.memory.brute_force import BruteForce, Saved

#: Sizes of a chain of layers: s rows, width h, in float32.
S, H, LAYERS = 64, 32, 6
ACTIVATION = 4 * S * H


def counted(function: Callable[[], object]) -> Report:
    with FlopCounter(memory=True, device_time=False) as counter:
        function()
    return counter.report


def memory_of(report: Report) -> Memory:
    assert report.memory is not None
    return report.memory


class Chain(nn.Module):
    """Linear and Tanh: tanh's result is saved, for itself and for the next Linear."""

    def __init__(self, checkpointed: bool = False, reentrant: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(H, H), nn.Tanh(), nn.Linear(H, H), nn.Tanh())
            for _ in range(LAYERS)
        )
        self.checkpointed, self.reentrant = checkpointed, reentrant

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            if self.checkpointed:
                x = checkpoint(layer, x, use_reentrant=self.reentrant)
            else:
                x = layer(x)
        return x


def training(model: nn.Module, x: Tensor) -> Callable[[], None]:
    def step() -> None:
        model(x).sum().backward()
        model.zero_grad()

    return step


def test_a_chain_saves_each_result_once() -> None:
    """Two tanh a layer, S×H numbers each: what a Linear gives is freed at once."""
    model, x = Chain(), torch.randn(S, H)
    report = counted(training(model, x))
    assert report.find("model").saved_bytes == 2 * LAYERS * ACTIVATION
    for layer in report.find("model.layers").children:
        assert layer.saved_bytes == 2 * ACTIVATION
    assert report.find("model").parameter_bytes == LAYERS * 2 * 4 * (H * H + H)
    assert report.find("model").trainable_bytes == report.find("model").parameter_bytes


@pytest.mark.parametrize("reentrant", [False, True])
def test_checkpointing_keeps_only_what_is_between_segments(reentrant: bool) -> None:
    """The result of each segment but the last is kept, and in the backward one segment more."""
    model, x = Chain(checkpointed=True, reentrant=reentrant), torch.randn(S, H)
    x.requires_grad_(reentrant)
    report = counted(training(model, x))
    between = (LAYERS - 1) * ACTIVATION
    # The recomputed segment has 2 results. The last segment's own result lives in both cases, as
    # that of the forward, and, where PyTorch recomputes a segment to its end, once more.
    saved = report.find("model").saved_bytes
    assert between <= saved <= between + ACTIVATION
    whole = memory_of(counted(training(Chain(), torch.randn(S, H))))
    memory = memory_of(report)
    assert memory.at_peak["activations"] < whole.at_peak["activations"] * 0.7
    assert memory.peak < whole.peak


def test_saving_on_the_cpu_leaves_nothing_on_the_device() -> None:
    """On a CUDA device that is not there: what is saved is copied to the CPU wherever it is."""
    model, x = Chain(), torch.randn(S, H)

    def step(offloaded: bool) -> None:
        on_device, inputs = model.cuda(), x.cuda()
        if offloaded:
            with torch.autograd.graph.save_on_cpu():
                on_device(inputs).sum().backward()
        else:
            on_device(inputs).sum().backward()

    kept = memory_of(dry_run(step, False, device="cuda", memory=True)).by_device
    moved = memory_of(dry_run(step, True, device="cuda", memory=True)).by_device
    assert kept["cuda:0"].at_peak["activations"] >= (2 * LAYERS - 2) * ACTIVATION
    assert moved["cuda:0"].at_peak.get("activations", 0) <= 2 * ACTIVATION
    assert moved["cpu"].at_peak["activations"] >= 2 * LAYERS * ACTIVATION


def test_accumulation_keeps_gradients_and_the_activations_of_one_step() -> None:
    model, x = Chain(), torch.randn(S, H)

    def steps() -> None:
        for _ in range(4):
            model(x).sum().backward()

    report = counted(steps)
    size = LAYERS * 2 * 4 * (H * H + H)
    assert report.find("model").saved_bytes == 2 * LAYERS * ACTIVATION
    memory = memory_of(report)
    # From the second step on, all gradients are there throughout.
    assert memory.at_peak["gradients"] == size
    assert memory.at_peak["parameters"] == size


@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_that_are_zeroed_are_there_still_and_those_set_to_none_are_not(
    set_to_none: bool,
) -> None:
    model = nn.Linear(64, 64)
    few, many = torch.randn(1, 64), torch.randn(4096, 64)

    def run() -> None:
        model(few).sum().backward()
        model.zero_grad(set_to_none=set_to_none)
        with torch.no_grad():
            model(many)

    memory = memory_of(counted(run))
    size = 4 * (64 * 64 + 64)
    both = 2 * 4 * 4096 * 64
    held = size if set_to_none else 2 * size
    assert memory.at_peak.get("gradients", 0) == (0 if set_to_none else size)
    assert memory.peak - both - held in range(1024)  # `few`, and what is made of it


OPTIMIZERS: dict[str, tuple[Callable[[Any], torch.optim.Optimizer], int]] = {
    # For each parameter: how many numbers of state it has.
    "sgd": (lambda parameters: torch.optim.SGD(parameters, 0.1), 0),
    "momentum": (lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9), 1),
    "adamw": (lambda parameters: torch.optim.AdamW(parameters, foreach=False), 2),
    "amsgrad": (lambda parameters: torch.optim.AdamW(parameters, amsgrad=True), 3),
    "foreach": (lambda parameters: torch.optim.AdamW(parameters, foreach=True), 2),
    "fused": (lambda parameters: torch.optim.AdamW(parameters, fused=True), 2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("existed", [False, True])
def test_an_optimizer_keeps_so_many_numbers_for_each_parameter(name: str, existed: bool) -> None:
    make, numbers = OPTIMIZERS[name]
    model = nn.Sequential(nn.Linear(128, 128), nn.Linear(128, 128))
    optimizer = make(model.parameters())

    def step() -> None:
        model(torch.ones(1, 128)).sum().backward()
        optimizer.step()

    if existed:
        step()
    report = counted(lambda: (step(), step()))
    memory = memory_of(report)
    size = sum(one.numel() for one in model.parameters()) * 4
    scalars = 4 * 4 if numbers > 1 else 0  # the number of the step, of each of 4 parameters
    assert memory.at_peak["parameters"] == size
    assert memory.at_peak["gradients"] == size
    assert memory.at_peak.get("optimizer state", 0) == numbers * size + scalars
    # An update in place, or in one kernel, makes nothing more while it runs.
    if name in ("sgd", "momentum", "fused"):
        held = (2 + numbers) * size + scalars
        assert report.find("optimizer").peak_bytes - held in range(1024)


def test_autocast_keeps_the_weights_that_it_has_cast() -> None:
    model, x = nn.Linear(64, 64, bias=False), torch.randn(8, 64)

    def run() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for _ in range(3):
                model(x)

    memory = memory_of(counted(run))
    # In float32 the weight and x; in bfloat16 the weight, which stays, x, and the result.
    assert memory.peak == 4 * 64 * 64 + 4 * 8 * 64 + 2 * 64 * 64 + 2 * 8 * 64 + 2 * 8 * 64


def test_a_cache_of_keys_grows_by_one_token_at_a_time() -> None:
    layer = nn.Linear(16, 16, bias=False)

    def generate() -> list[Tensor]:
        cache: list[Tensor] = []
        with torch.no_grad():
            token = torch.zeros(1, 16)
            for _ in range(10):
                token = layer(token)
                cache.append(token + 1)
        return cache

    kept: list[list[Tensor]] = []
    memory = memory_of(counted(lambda: kept.append(generate())))
    assert memory.at_peak["other"] >= 9 * 4 * 16
    steps = [point.bytes for point in memory.curve[:-1]]
    # Two operators for each token, of which one result is kept.
    assert {late - early for early, late in zip(steps[2:], steps[4:], strict=False)} == {4 * 16}


def test_gradients_that_meet_are_added_in_place_as_without_a_counter() -> None:
    """PyTorch adds them beside the first under any mode, and in place without one."""
    x, one, other = (torch.ones(S, H) for _ in range(3))
    x.requires_grad_()

    def run() -> None:
        ((x * one).sum() + (x * other).sum()).backward()

    with torch.autograd.profiler.profile() as profile:
        run()
    assert [event.name for event in profile.function_events].count("aten::add_") == 1
    x.grad = None
    memory = memory_of(counted(run))
    # x, both factors and both gradients, and the numbers that are added and begin the backward.
    assert memory.peak - 5 * ACTIVATION in range(4, 64)
    x.grad = None
    with BruteForce([x, one, other]) as oracle:
        run()
    assert memory.peak == oracle.peaks["cpu"]


def test_what_autograd_saves_is_what_is_said() -> None:
    """Against the hooks by which PyTorch hands out all that is saved, in another run."""
    for name, make in MODELS.items():
        torch.manual_seed(0)
        model, x = make()
        given = [*model.parameters(), *model.buffers(), x]
        saved = Saved(given)
        with saved:
            model(x).sum().backward()
        model.zero_grad()
        report = counted(training(model, x))
        assert report.tree.saved_bytes == pytest.approx(saved.bytes, abs=64), name


MODELS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "chain": lambda: (Chain(), torch.randn(S, H)),
    "convolutions": lambda: (
        nn.Sequential(
            nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2),
            nn.Conv2d(8, 4, 3), nn.GELU(), nn.Flatten(),
        ),
        torch.randn(2, 3, 16, 16),
    ),
    "encoder": lambda: (
        nn.TransformerEncoderLayer(32, 4, 64, dropout=0.1, batch_first=True),
        torch.randn(2, 10, 32),
    ),
    "gated": lambda: (Gated(), torch.randn(4, 16)),
}  # fmt: skip


class Gated(nn.Module):
    """A residual, a product of two branches, and values that the backward does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.up, self.norm = nn.Linear(16, 32), nn.Linear(16, 32), nn.LayerNorm(16)
        self.down = nn.Linear(32, 16)

    def forward(self, x: Tensor) -> Tensor:
        inside = self.norm(x)
        hidden = F.silu(self.gate(inside)) * self.up(inside)
        return x + self.down(hidden) * 2 + 1


def test_a_forward_alone_leaves_what_a_backward_would_need() -> None:
    model, x = Chain(), torch.randn(S, H)
    kept: list[Tensor] = []
    report = counted(lambda: kept.append(model(x)))
    # The last result is the user's, and tanh has saved it too: it is seen as one of both.
    assert report.find("model").saved_bytes in (
        2 * LAYERS * ACTIVATION,
        (2 * LAYERS - 1) * ACTIVATION,
    )
    with torch.no_grad():
        report = counted(lambda: kept.append(model(x)))
    assert report.find("model").saved_bytes == 0
    assert "activations" not in memory_of(report).at_peak


def test_a_backward_alone_finds_gradients_and_what_was_saved() -> None:
    model, x = Chain(), torch.randn(S, H)
    model(x).sum().backward()
    loss = model(x).sum()
    memory = memory_of(counted(loss.backward))
    assert memory.at_peak["activations"] >= (2 * LAYERS - 2) * ACTIVATION
    assert memory.at_peak["gradients"] > 0
    assert "optimizer state" not in memory.at_peak


def test_a_dry_run_says_the_same_to_the_byte() -> None:
    for make in MODELS.values():
        model, x = make()
        optimizer = torch.optim.AdamW(model.parameters())

        def step(model: nn.Module = model, x: Tensor = x, optimizer: Any = optimizer) -> None:
            model(x).sum().backward()
            optimizer.step()
            optimizer.zero_grad()

        dry = memory_of(dry_run(step, memory=True))
        real = memory_of(counted(step))
        assert dry.peak == real.peak
        assert dry.at_peak == real.at_peak
