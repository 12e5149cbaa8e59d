"""Programs that use a CUDA device: run for real on one, or in a dry run that stands in for one.

``python -m tests.dry_runs.cuda_programs`` runs all of them for real, with a CUDA build of PyTorch,
and writes what they count to ``tests/data/cuda_counts.json``. It was made by PyTorch 2.13.0+cu130
on a stand-in for NVIDIA's libraries (cuDNN 9.20, compute capability 9.0) whose kernels do nothing:
values do not matter to counts. There cuDNN's recurrent layers need ``--simulated``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ipyflops import FlopCounter
from ipyflops.costs import CONVENTIONS
from ipyflops.report import Report
from tests.dry_runs.cuda_attention import CALLS, chosen

FILE = Path(__file__).parents[1] / "data" / "cuda_counts.json"
Program = Callable[[], object]
CUDA = "cuda"


# --- attention -----------------------------------------------------------------------------------


def attention(
    *,
    dtype: torch.dtype = torch.float16,
    head: int = 64,
    length: int = 48,
    keys: int = 0,
    mask: str = "",
    training: bool = True,
    kv_heads: int = 4,
    transposed: bool = False,
    **options: Any,
) -> None:
    keys = keys or length
    q = torch.randn(2, 4, length, head, dtype=dtype, device=CUDA, requires_grad=training)
    k, v = (torch.randn(2, kv_heads, keys, head, dtype=dtype, device=CUDA) for _ in range(2))
    if transposed:
        q, k, v = (one.transpose(-2, -1).contiguous().transpose(-2, -1) for one in (q, k, v))
    masks = {
        "": None,
        "bool": torch.ones(length, keys, dtype=torch.bool, device=CUDA),
        "float": torch.zeros(2, 1, length, keys, dtype=dtype, device=CUDA),
        "learnt": torch.zeros(length, keys, dtype=dtype, device=CUDA, requires_grad=True),
    }
    out = F.scaled_dot_product_attention(q, k, v, masks[mask], enable_gqa=kv_heads != 4, **options)
    if training:
        out.sum().backward()


def with_kernels(*names: str, **options: Any) -> None:
    backends = [getattr(nn.attention.SDPBackend, name) for name in names]
    with nn.attention.sdpa_kernel(backends):
        attention(**options)


ATTENTION: dict[str, Program] = {
    f"attention {str(dtype).removeprefix('torch.')} {name}": partial(
        attention, dtype=dtype, **options
    )
    for dtype in (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    for name, options in {
        "training": {},
        "inference": {"training": False},
        "causal": {"is_causal": True},
        "causal, not square": {"is_causal": True, "keys": 32},
        "bool mask": {"mask": "bool"},
        "float mask": {"mask": "float"},
        "odd mask": {"mask": "bool", "length": 45},
        "short odd mask": {"mask": "bool", "length": 20},
        "mask of one head": {"mask": "float", "kv_heads": 2},
        "learnt mask": {"mask": "learnt"},
        "dropout": {"dropout_p": 0.1},
        "dropout of a sixteenth": {"dropout_p": 0.125},
        "head of 36": {"head": 36},
        "head of 20": {"head": 20},
        "head of 7": {"head": 7},
        "head of 192": {"head": 192},
        "head of 512": {"head": 512},
        "one key": {"keys": 1},
        "grouped heads": {"kv_heads": 2},
        "one head of keys": {"kv_heads": 1, "training": False},
        "columns": {"transposed": True},
        "scale": {"scale": 0.3},
    }.items()
} | {
    "attention by flash": partial(with_kernels, "FLASH_ATTENTION"),
    "attention by flash, head of 36": partial(with_kernels, "FLASH_ATTENTION", head=36),
    "attention by flash, head of 20, causal": partial(
        with_kernels, "FLASH_ATTENTION", head=20, is_causal=True, dropout_p=0.1
    ),
    "attention by efficient": partial(with_kernels, "EFFICIENT_ATTENTION", mask="bool"),
    "attention by math": partial(with_kernels, "MATH"),
    "attention by two": partial(with_kernels, "EFFICIENT_ATTENTION", "FLASH_ATTENTION"),
}


# --- layers --------------------------------------------------------------------------------------


def layer(
    make: Callable[[], nn.Module],
    *shapes: tuple[int, ...],
    training: bool = True,
    autocast: torch.dtype | None = None,
    inference: bool = False,
    dtype: torch.dtype = torch.float32,
) -> None:
    model = make().to(CUDA, dtype).train(training)
    given = [
        torch.randn(shape, device=CUDA, dtype=dtype, requires_grad=training) for shape in shapes
    ]
    with (
        torch.inference_mode(inference),
        torch.set_grad_enabled(training),
        torch.autocast("cuda", autocast, enabled=autocast is not None),
    ):
        out = model(*given)
    while isinstance(out, tuple):
        out = out[0]
    if training:
        out.float().square().mean().backward()


def vision(norm: bool = True) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=not norm),
        nn.BatchNorm2d(8) if norm else nn.GroupNorm(2, 8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.ConvTranspose2d(8, 4, 3),
        nn.Dropout(0.3),
        nn.Upsample(scale_factor=2.0, mode="bilinear"),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(16, 5),
        nn.LogSoftmax(-1),
    )


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True, dropout=0.1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return out


class Cells(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.ModuleList([nn.LSTMCell(6, 6), nn.GRUCell(6, 6), nn.RNNCell(6, 6)])

    def forward(self, x: Tensor) -> Tensor:
        first: Tensor = self.cells[0](x)[0]
        return self.cells[2](self.cells[1](first))  # type: ignore[no-any-return]


class Functions(nn.Module):
    """Functions that autocast treats each in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(8, 8))

    def forward(self, x: Tensor) -> Tensor:
        y = x @ self.weight + torch.einsum("bi,ij->bj", x, self.weight)
        y = y.softmax(-1) + y.exp() + y.pow(2) + y.cumsum(-1) + F.softplus(y)
        y = y + torch.addcmul(x, x, x @ self.weight) + y.norm() + torch.norm(y, dim=0)
        y = y + F.linear(y, self.weight).sum(0, keepdim=True) + y.prod(0)
        return F.layer_norm(y, (8,)) + F.rms_norm(y, (8,)) + F.smooth_l1_loss(y, x) + y.log1p()


class Sampled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        corners = torch.ones(2, 2, 3, device=x.device, dtype=x.dtype)
        grid = F.affine_grid(corners, [2, 3, 4, 4], align_corners=False)
        edge = F.grid_sample(x, grid, align_corners=True)
        inside = F.grid_sample(x, grid, align_corners=False)
        return edge + inside + F.grid_sample(x, grid, "nearest", align_corners=True)


def transformer(**options: Any) -> nn.Module:
    one = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, **options)
    return nn.TransformerEncoder(one, 2, enable_nested_tensor=False)


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "vision": (vision, (2, 3, 14, 14)),
    "vision without batch norm": (partial(vision, norm=False), (2, 3, 14, 14)),
    "batch norm of rows": (lambda: nn.BatchNorm1d(6), (4, 6)),
    "batch norm 3d": (lambda: nn.BatchNorm3d(3), (2, 3, 4, 4, 4)),
    "instance norm": (lambda: nn.InstanceNorm2d(3, affine=True), (2, 3, 6, 6)),
    "rms norm": (lambda: nn.RMSNorm(8), (4, 8)),
    "dropout": (lambda: nn.Dropout(0.2), (4, 8)),
    "dropout of channels": (lambda: nn.Dropout2d(0.2), (4, 8, 3, 3)),
    "activations": (
        lambda: nn.Sequential(nn.SiLU(), nn.Mish(), nn.GELU(), nn.PReLU(), nn.Hardswish()),
        (4, 8),
    ),
    "multi-head attention": (Attention, (2, 9, 32)),
    "encoder": (transformer, (2, 9, 32)),
    "encoder, norm first": (partial(transformer, norm_first=True, dropout=0.0), (2, 9, 32)),
    "cells": (Cells, (3, 6)),
    "functions": (Functions, (5, 8)),
    "grid sampling": (Sampled, (2, 3, 6, 6)),
    "weight norm": (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(6, 6)), (3, 6)),
    **{
        f"{kind.__name__} {name}": (partial(kind, 6, 5, **options), (7, 2, 6))
        for kind in (nn.LSTM, nn.GRU, nn.RNN)
        for name, options in {
            "of one layer": {},
            "of two": {"num_layers": 2, "bidirectional": True, "dropout": 0.2},
            "without bias": {"bias": False, "batch_first": True},
        }.items()
    },
    "LSTM with a projection": (lambda: nn.LSTM(6, 5, proj_size=3, num_layers=2), (7, 2, 6)),
}
WAYS: dict[str, dict[str, Any]] = {
    "training": {},
    "evaluation": {"training": False},
    "inference mode": {"training": False, "inference": True},
    "float16": {"dtype": torch.float16},
    "bfloat16": {"dtype": torch.bfloat16},
    "autocast float16": {"autocast": torch.float16},
    "autocast bfloat16": {"autocast": torch.bfloat16},
}
LAYER_PROGRAMS: dict[str, Program] = {
    f"{name}, {way}": partial(layer, make, shape, **options)
    for name, (make, shape) in LAYERS.items()
    for way, options in WAYS.items()
}


# --- training steps ------------------------------------------------------------------------------


def step(
    make_optimizer: Callable[[Any], torch.optim.Optimizer],
    *,
    autocast: torch.dtype | None = None,
    scaled: bool = False,
    clipped: bool = False,
) -> None:
    model = nn.Sequential(nn.Embedding(11, 8), nn.Flatten(), nn.Linear(24, 16), nn.Linear(16, 5))
    model.cuda()
    optimizer = make_optimizer(model.parameters())
    scaler = torch.amp.GradScaler("cuda", enabled=scaled)
    tokens = torch.ones(4, 3, dtype=torch.long).pin_memory().to(CUDA, non_blocking=True)
    labels = torch.ones(4, dtype=torch.long).cuda(non_blocking=True)
    for _ in range(2):
        optimizer.zero_grad()
        with torch.autocast("cuda", autocast, enabled=autocast is not None):
            loss = F.cross_entropy(model(tokens), labels, label_smoothing=0.1)
        scaler.scale(loss).backward()
        if clipped:
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    torch.cuda.synchronize()


STEPS: dict[str, Program] = {
    **{
        f"step of {name}": partial(step, getattr(torch.optim, name))
        for name in ("Adam", "AdamW", "Adagrad", "RMSprop", "NAdam", "RAdam", "Adamax", "Adadelta")
    },
    "step of SGD": partial(step, partial(torch.optim.SGD, lr=0.1, momentum=0.9, nesterov=True)),
    "step of AdamW, one by one": partial(step, partial(torch.optim.AdamW, foreach=False)),
    "step of AdamW, fused": partial(step, partial(torch.optim.AdamW, fused=True)),
    "step of AdamW, capturable": partial(step, partial(torch.optim.AdamW, capturable=True)),
    "step of SGD, fused": partial(step, partial(torch.optim.SGD, lr=0.1, fused=True)),
    "step under autocast": partial(step, torch.optim.AdamW, autocast=torch.bfloat16),
    "step with a scaler": partial(step, torch.optim.AdamW, autocast=torch.float16, scaled=True),
    "step with a scaler, clipped": partial(
        step, torch.optim.AdamW, autocast=torch.float16, scaled=True, clipped=True
    ),
    "step with a scaler, fused": partial(
        step, partial(torch.optim.AdamW, fused=True), autocast=torch.float16, scaled=True
    ),
    "step, clipped": partial(step, torch.optim.AdamW, clipped=True),
}


# --- architectures -------------------------------------------------------------------------------


def architecture(name: str, training: bool) -> None:
    from tests.architectures.test_architectures import case

    one = case(name)
    with torch.device(CUDA):
        model = one.model.to(CUDA).train(training)
        one.inputs = tuple(value.to(CUDA) for value in one.inputs)
        if not training:
            with torch.no_grad():
                model(*one.inputs)
            return
        optimizer = torch.optim.AdamW(model.parameters())
        if one.loss is not None:
            loss = one.loss()
        else:
            output = model(*one.inputs)
            loss = (output if isinstance(output, Tensor) else output[0]).square().mean()
        loss.backward()
        optimizer.step()


def architectures() -> dict[str, Program]:
    from tests.architectures.test_fake import RUNNABLE

    return {
        f"{name}, {'step' if training else 'forward'}": partial(architecture, name, training)
        for name in RUNNABLE
        if name not in {"dlrm", "pinn"}
        for training in (False, True)
    }


PROGRAMS: dict[str, Program] = {**ATTENTION, **LAYER_PROGRAMS, **STEPS, **architectures()}


# --- what they count -----------------------------------------------------------------------------


def summary(report: Report) -> dict[str, Any]:
    """What has to be equal, as it stands in the file."""
    assert report.unknown == {}, report.unknown
    return {
        "flops": [report.under(convention).flops for convention in CONVENTIONS],
        "dtypes": {name: totals.flops for name, totals in report.by_dtype.items() if totals.flops},
        "phases": {name: totals.flops for name, totals in report.by_phase.items()},
        "operators": {
            name: [totals.calls, totals.flops]
            for name, totals in sorted(report.by_operator.items())
            if totals.flops
        },
        "tree": {
            node.path: [node.flops, node.calls]
            for node in report.walk()
            if node.kind not in ("code", "function")
        },
    }


def give_cudnn_empty_kernels() -> torch.library.Library:
    """Have cuDNN's recurrent layers give empty results, where a build cannot run them."""
    library = torch.library.Library("aten", "IMPL")

    def forward(x: Tensor, weight: Any, stride: int, buffer: Any, hx: Tensor, *rest: Any) -> Any:
        cx, _, size, projection, layers, batch_first = rest[:6]
        directions = 2 if rest[8] else 1
        state = (layers * directions, x.shape[0 if batch_first else 1])
        return (
            x.new_empty((*x.shape[:-1], (projection or size) * directions)),
            hx.new_empty((*state, projection or size)),
            x.new_empty(0) if cx is None else cx.new_empty((*state, size)),
            x.new_empty(0, dtype=torch.uint8),
            x.new_empty(sum(one.numel() for one in weight)),
        )

    def backward(x: Tensor, weight: Any, stride: int, buffer: Any, hx: Tensor, *rest: Any) -> Any:
        states = [torch.empty_like(one) if one is not None else hx for one in (hx, rest[0])]
        return torch.empty_like(x), *states, [torch.empty_like(one) for one in weight]

    def cast(x: Tensor, weight: Any, stride: int, buffer: Any, *rest: Any) -> Any:
        dtype = torch.get_autocast_dtype("cuda")
        hx, cx = (one if one is None else one.to(dtype) for one in rest[:2])
        weight = [one.to(dtype) for one in weight]
        with torch._C._DisableAutocast():
            run = torch.ops.aten._cudnn_rnn
            return run(x.to(dtype), weight, stride, None, hx, cx, *rest[2:])

    def flat(weight: Any, *rest: Any) -> Tensor:
        return weight[0].new_empty(sum(one.numel() for one in weight))  # type: ignore[no-any-return]

    library.impl("_cudnn_rnn", forward, "CUDA")
    library.impl("_cudnn_rnn", cast, "AutocastCUDA")
    library.impl("_cudnn_rnn_backward", backward, "CUDA")
    library.impl("_cudnn_rnn_flatten_weight", flat, "CUDA")
    library.impl("_cudnn_init_dropout_state", lambda *_, **k: torch.empty(8, **k), "CUDA")
    return library


def main() -> None:
    library = give_cudnn_empty_kernels() if "--simulated" in sys.argv else None
    counts: dict[str, Any] = {
        "attention": "".join(str(chosen(call, CUDA)) for call in CALLS.values()),
        "programs": {},
    }
    for name, program in PROGRAMS.items():
        with FlopCounter(device_time=False) as counter:
            program()
        counts["programs"][name] = summary(counter.report)
    FILE.write_text(json.dumps(counts, separators=(",", ":")) + "\n")
    del library


if __name__ == "__main__":
    main()
