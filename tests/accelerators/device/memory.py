"""The peak of live bytes on a device, against what its allocator has given out."""

from __future__ import annotations

import gc
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from tests.accelerators.device.checks import Fail, Machine, Skip, check, count
from tests.accelerators.device.programs import Block, Residual

#: Kernels' workspaces and what the allocator rounds up, as a share of the peak.
TOLERANCE = 0.02


class Layers(nn.Module):
    """Layers one after the other, each of which may be a segment of its own."""

    def __init__(self, *layers: nn.Module, checkpointed: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.checkpointed = checkpointed

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = checkpoint(layer, x, use_reentrant=False) if self.checkpointed else layer(x)
        return x


def difference(machine: Machine, model: nn.Module, x: Tensor, *, training: bool) -> float:
    """How far the two peaks are apart, as a share of the allocator's."""
    optimizer = torch.optim.AdamW(model.parameters())

    def run() -> None:
        with torch.set_grad_enabled(training):
            loss = F.mse_loss(model(x), x)
        if training:
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    for _ in range(2):  # the optimizer's state is made, and so are the workspaces of libraries
        run()
    machine.wait()
    gc.collect()
    before = torch.cuda.memory_allocated(machine.device)
    torch.cuda.reset_peak_memory_stats(machine.device)
    run()
    taken = torch.cuda.max_memory_allocated(machine.device)
    report, _ = count(run, memory=True, device_time=False)
    memory = report.memory
    device = memory.device if memory is not None else None
    if device is None or not device.name.startswith("cuda"):
        raise Fail("the report has no memory of the device")
    existed = sum(one.bytes for one in device.holdings if one.existed)
    return (device.peak + before - existed) / taken - 1


@check("memory/the_peak_is_the_allocators", 40)
def peak_of_allocator(machine: Machine) -> dict[str, Any]:
    """A transformer and a convolutional network: forward, and a step, eager and checkpointed."""
    if not machine.is_cuda:
        raise Skip("no other device tells a peak")
    figures: dict[str, Any] = {}
    for kind in ("forward", "step", "checkpointed"):
        again = kind == "checkpointed"
        blocks = Layers(*(Block(512, 8) for _ in range(6)), checkpointed=again)
        residuals = Layers(*(Residual(64) for _ in range(4)), checkpointed=again)
        for name, model, shape in (
            ("transformer", blocks, (8, 512, 512)),
            ("convolutions", residuals, (16, 64, 56, 56)),
        ):
            x = torch.randn(shape, device=machine.device)
            apart = difference(machine, model.to(machine.device), x, training=kind != "forward")
            figures[f"{name}, {kind}"] = round(apart, 4)
    if max(map(abs, figures.values())) > TOLERANCE:
        raise Fail("the peaks are more than 2 % apart", figures)
    return figures
