"""The peak of live bytes on a device, against what PyTorch's own allocator has given out.

The device is simulated, the allocator is PyTorch's. It tells the bytes that were asked for, and
those that it took: it rounds each block up to 512 bytes.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ipyflops import FlopCounter
from ipyflops.report import DeviceMemory
from tests.architectures.test_architectures import case
from tests.architectures.test_fake import run_of

#: To what the allocator rounds a block up.
BLOCK = 512
MODELS = (
    *("resnet", "mobilenet", "efficientnet", "unet", "vit", "swin", "bert", "gpt2", "llama", "t5"),
    *("mamba", "vae", "gan", "diffusion", "pinn"),
)
#: Kernels that take memory for themselves while they run, which only the allocator sees, and how
#: much that is at most for these sizes.
WORKSPACES = {
    "aten::_scaled_dot_product_efficient_attention_backward": 65_696,
    **dict.fromkeys(("aten::cudnn_batch_norm", "aten::cudnn_batch_norm_backward"), 1024),
    **dict.fromkeys(("aten::native_group_norm", "aten::native_group_norm_backward"), 416),
}
#: Models that have modules in lists, of which each is a segment of a checkpointed run.
CHECKPOINTED = ("mobilenet", "efficientnet", "unet", "vit", "swin", "bert", "gpt2", "t5")

Run = Callable[[], None]


def requested(when: str) -> int:
    """Bytes that were asked of the allocator."""
    return int(torch.cuda.memory_stats()[f"requested_bytes.all.{when}"])


def step(name: str, *, training: bool, checkpointed: bool = False, adam: bool = False) -> Run:
    """A forward pass or a training step of an architecture on the device, which has run before."""
    with torch.device("cuda"):
        one = case(name)
        one.model.cuda()
        one.inputs = tuple(value.cuda() for value in one.inputs)
    for module in list(one.model.modules()) if checkpointed else ():
        if isinstance(module, (nn.ModuleList, nn.Sequential)) and module is not one.model:
            for part in module:
                forward: Any = partial(checkpoint, part.forward, use_reentrant=False)
                part.forward = forward
    # A step of SGD makes nothing, so that the peak is in the backward pass.
    sgd = torch.optim.SGD(one.model.parameters(), 0.1, foreach=True)
    run = run_of(one, training, None if adam else sgd)

    def on_device() -> None:
        with torch.device("cuda"):
            run()
        one.model.zero_grad()  # a gradient that was never read is not found in the next run

    for _ in range(2):
        on_device()
    return on_device


def counted(run: Run) -> tuple[DeviceMemory, set[str]]:
    """What is said of the device, and the operators that ran."""
    with FlopCounter(memory=True, device_time=False) as counter:
        run()
    memory = counter.report.memory
    assert memory is not None
    return memory.by_device["cuda:0"], set(counter.report.by_operator)


STEPS = {
    "forward": {"training": False},
    "backward": {"training": True},
    "checkpointed": {"training": True, "checkpointed": True},
    "adamw": {"training": True, "adam": True},
}


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("name", MODELS)
def test_the_peak_is_that_of_the_allocator(name: str, kind: str, simulated: torch.device) -> None:
    run = step(name, **STEPS[kind])
    gc.collect()
    before = requested("current")
    torch.cuda.reset_peak_memory_stats()
    run()
    most, taken = requested("peak"), torch.cuda.max_memory_allocated()
    blocks = torch.cuda.memory_stats()["allocation.all.peak"]
    device, operators = counted(run)
    existed = sum(holding.bytes for holding in device.holdings if holding.existed)
    # Handles of libraries keep workspaces on the device, which no operator touches.
    untouched = before - existed
    inside = most - untouched - device.peak
    assert 0 <= inside <= max(WORKSPACES.get(one, 0) for one in operators)
    assert taken - most in range(BLOCK * blocks)


@pytest.mark.parametrize("name", CHECKPOINTED)
def test_checkpointing_lowers_the_peak(name: str, simulated: torch.device) -> None:
    whole, _ = counted(step(name, training=True))
    device, _ = counted(step(name, training=True, checkpointed=True))
    assert device.peak < whole.peak
    assert device.at_peak["activations"] < whole.at_peak["activations"]


def test_the_report_has_what_the_allocator_says(simulated: torch.device) -> None:
    """A product of 1 MiB, twice, and the workspace of the library that computes it."""
    x = torch.zeros(512, 512, device="cuda")
    x @ x
    torch.cuda.reset_peak_memory_stats()
    untouched = torch.cuda.memory_allocated() - 4 * 512 * 512
    device, _ = counted(lambda: x @ x)
    assert device.peak == 2 * 4 * 512 * 512
    assert device.allocator_peak == device.peak + untouched
    assert untouched > 0
