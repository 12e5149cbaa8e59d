"""Programs that are counted on a device: layers, functions and optimizers, with fixed inputs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Run = Callable[[], list[Tensor]]
#: Makes a program for a kind of device.
Build = Callable[[str], Run]


class Block(nn.Module):
    """A block of a transformer."""

    def __init__(self, d: int = 64, h: int = 4, *, causal: bool = False, kv: int = 0) -> None:
        super().__init__()
        self.h, self.kv, self.causal = h, kv or h, causal
        width = d // h * self.kv
        self.norm, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.q, self.k, self.v = nn.Linear(d, d), nn.Linear(d, width), nn.Linear(d, width)
        self.o, self.up, self.down = nn.Linear(d, d), nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: Tensor) -> Tensor:
        b, s, d = x.shape
        y = self.norm(x)
        q, k, v = (
            layer(y).view(b, s, -1, d // self.h).transpose(1, 2)
            for layer in (self.q, self.k, self.v)
        )
        shared = self.kv != self.h
        a = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal, enable_gqa=shared)
        x = x + self.o(a.transpose(1, 2).reshape(b, s, d))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Residual(nn.Module):
    """A block of a convolutional network."""

    def __init__(self, c: int = 16) -> None:
        super().__init__()
        self.a, self.b = (nn.Conv2d(c, c, 3, 1, 1, bias=False) for _ in range(2))
        self.n, self.m = nn.BatchNorm2d(c), nn.BatchNorm2d(c)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.m(self.b(F.relu(self.n(self.a(x))))))


def tensors(value: Any) -> list[Tensor]:
    """The tensors in nested lists and tuples."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, (list, tuple)):
        return [one for item in value for one in tensors(item)]
    return []


def module(
    make: Callable[[], nn.Module],
    *shapes: tuple[int, ...],
    dtype: torch.dtype = torch.float32,
    train: bool = True,
    call: Callable[..., Any] | None = None,
) -> Build:
    """A step of a module: forward, and backward where it trains."""

    def build(device: str) -> Run:
        torch.manual_seed(0)
        model = make().to(device=device, dtype=dtype).train(train)
        inputs = [torch.randn(*shape).to(device=device, dtype=dtype) for shape in shapes]

        def run() -> list[Tensor]:
            model.zero_grad()
            with torch.set_grad_enabled(train):
                out = tensors(call(model, *inputs) if call else model(*inputs))
            leaves = [one for one in out if one.requires_grad]
            if leaves:
                torch.stack([one.float().sum() for one in leaves]).sum().backward()
            grads = [one.grad for one in model.parameters() if one.grad is not None]
            return [one.detach() for one in (*out, *grads)]

        return run

    return build


def function(
    compute: Callable[..., Any], *shapes: tuple[int, ...], dtype: torch.dtype = torch.float32
) -> Build:
    """A function of tensors, forward and backward."""

    def build(device: str) -> Run:
        torch.manual_seed(0)
        inputs = [torch.randn(*s).to(device=device, dtype=dtype).requires_grad_() for s in shapes]

        def run() -> list[Tensor]:
            for one in inputs:
                one.grad = None
            out = tensors(compute(*inputs))
            torch.stack([one.float().sum() for one in out if one.requires_grad]).sum().backward()
            return [one.detach() for one in out]

        return run

    return build


def attention(backend: str, q: tuple[int, ...], kv: tuple[int, ...] = (), **options: Any) -> Build:
    """Scaled dot product attention by one of PyTorch's kernels, where the device has several."""

    def compute(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        kernel = getattr(SDPBackend, backend)
        with sdpa_kernel(kernel) if a.is_cuda else contextlib.nullcontext():
            return F.scaled_dot_product_attention(a, b, c, **options)

    return function(compute, q, kv or q, kv or q, dtype=torch.bfloat16)


def optimizer(make: Callable[..., torch.optim.Optimizer], **options: Any) -> Build:
    """A step of an optimizer."""

    def build(device: str) -> Run:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8)).to(device)
        made = make(model.parameters(), **options)
        x = torch.randn(16, 32).to(device)

        def run() -> list[Tensor]:
            made.zero_grad()
            model(x).sum().backward()
            made.step()
            return [one.detach().clone() for one in model.parameters()]

        return run

    return build
