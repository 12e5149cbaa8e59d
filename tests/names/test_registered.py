"""A module stands where it is registered, whichever module calls it."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ipyflops import FlopCounter
from tests.names.programs import count_cell, top_names

X = torch.ones(2, 4)
CALL = 2 * 4 * 4 * 2


class Runner(nn.Module):
    def forward(self, x: torch.Tensor, blocks: nn.ModuleList) -> torch.Tensor:
        for block in blocks:
            x = block(x)
        return x.relu()


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.runner = Runner()
        self.blocks = nn.ModuleList([nn.Sequential(nn.Linear(4, 4)) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.runner(x, self.blocks)
        return self.blocks[1](x)  # type: ignore[no-any-return]


def test_a_module_called_by_a_sibling_stands_where_it_is_registered() -> None:
    net = Net()
    report = count_cell("net(x)", {"net": net, "x": X})
    assert report.find("blocks.1").path == "net.blocks.1"
    assert [report.find(f"net.blocks.{n}").flops for n in range(3)] == [CALL, 2 * CALL, CALL]
    assert report.find("blocks.1.0").calls == report.find("blocks.1").calls == 2
    # The comparisons of relu.
    assert report.find("net.runner").flops == X.numel()
    assert top_names(report) == ["net"]


def test_its_backward_pass_and_what_is_recomputed_stand_there_too() -> None:
    class Saving(Runner):
        def forward(self, x: torch.Tensor, blocks: nn.ModuleList) -> torch.Tensor:
            for block in blocks:
                x = checkpoint(block, x, use_reentrant=True)
            return x

    net = Net()
    net.runner = Saving()
    x = X.clone().requires_grad_()
    with FlopCounter() as counter:
        net(x).sum().backward()
    block = counter.report.find("net.blocks.0")
    # The gradients of the input and of the weight are a product each; the bias adds 4 · (2 − 1).
    assert {name: totals.macs for name, totals in block.phases.items()} == {
        "forward": CALL // 2,
        "recompute": CALL // 2,
        "backward": CALL,
    }


class Adapter(nn.Module):
    """As PEFT's DoRA: a module that is given its siblings, and calls them."""

    def forward(self, x: torch.Tensor, a: nn.Module, base: nn.Module) -> torch.Tensor:
        return base(x) + a(x)  # type: ignore[no-any-return]


class Adapted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.base_layer = nn.Linear(4, 4)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(4, 4)})
        self.magnitude = Adapter()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.magnitude(x, self.lora_A["default"], self.base_layer)  # type: ignore[no-any-return]


def test_a_module_of_an_ancestor_further_up_is_found() -> None:
    model = nn.Sequential(Adapted(), Adapted())
    report = count_cell("model(x)", {"model": model, "x": X})
    assert report.find("1.lora_A.default").flops == CALL
    assert report.find("model.0.base_layer").flops == CALL


def test_what_an_ancestor_holds_unregistered_stands_with_that() -> None:
    net = Net()
    net.__dict__["extra"] = [nn.Linear(4, 4)]

    class Caller(nn.Module):
        def forward(self, x: torch.Tensor, blocks: nn.ModuleList) -> torch.Tensor:
            return net.__dict__["extra"][0](x)  # type: ignore[no-any-return]

    net.runner = Caller()
    report = count_cell("net(x)", {"net": net, "x": X})
    assert report.find("net.extra.0").flops == CALL
