"""Counts on the device against those of the CPU."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from tests.accelerators.device import programs
from tests.accelerators.device.checks import Fail, Machine, Skip, check, count

S = (2, 4, 64, 32)
#: The other kernels of a device cost something else beside the products; why.
OTHER_KERNEL = "another kernel than the CPU's: the products are compared alone"
UNLIKE = "the CPU's kernel leaves out other pairs, or computes the scores once more"

#: By name: how the program is made, and why its count may differ from the CPU's, if it may.
CASES: dict[str, tuple[programs.Build, str]] = {
    "linear_relu": (
        programs.module(
            lambda: nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 8)), (16, 32)
        ),
        "",
    ),
    "convolutions": (
        programs.module(lambda: nn.Sequential(*map(programs.Residual, (16, 16))), (2, 16, 14, 14)),
        "",
    ),
    "convolutions_eval": (programs.module(programs.Residual, (2, 16, 14, 14), train=False), ""),
    "convolution_groups": (
        programs.module(lambda: nn.Conv2d(16, 32, 3, groups=4), (2, 16, 14, 14)),
        "",
    ),
    "convolution_depthwise": (
        programs.module(lambda: nn.Conv2d(16, 16, 3, groups=16, bias=False), (2, 16, 14, 14)),
        "",
    ),
    "convolution_1d_dilated": (
        programs.module(lambda: nn.Conv1d(8, 8, 3, dilation=2), (2, 8, 40)),
        "",
    ),
    "convolution_3d": (programs.module(lambda: nn.Conv3d(4, 8, 3), (1, 4, 8, 8, 8)), ""),
    "convolution_transposed": (
        programs.module(lambda: nn.ConvTranspose2d(8, 4, 4, 2, 1), (2, 8, 7, 7)),
        "",
    ),
    "pools": (
        programs.function(
            lambda x: [F.max_pool2d(x, 2), F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 2)],
            (2, 4, 16, 16),
        ),
        "",
    ),
    "batch_norm": (programs.module(lambda: nn.BatchNorm1d(16), (8, 16)), ""),
    "layer_norm": (programs.module(lambda: nn.LayerNorm(32), (4, 8, 32)), ""),
    "group_norm": (programs.module(lambda: nn.GroupNorm(4, 16), (2, 16, 6, 6)), ""),
    "rms_norm": (programs.module(lambda: nn.RMSNorm(32), (4, 8, 32)), OTHER_KERNEL),
    "dropout": (
        programs.module(lambda: nn.Sequential(nn.Linear(16, 16), nn.Dropout()), (4, 16)),
        OTHER_KERNEL,
    ),
    "activations": (
        programs.function(
            lambda x: [F.gelu(x), F.silu(x), F.elu(x), F.softplus(x), F.mish(x), F.sigmoid(x)],
            (8, 16),
        ),
        "",
    ),
    "cross_entropy": (
        programs.function(lambda x: F.cross_entropy(x, torch.arange(8, device=x.device)), (8, 16)),
        "",
    ),
    "losses": (
        programs.function(
            lambda x, y: [F.mse_loss(x, y), F.smooth_l1_loss(x, y), F.l1_loss(x, y)],
            *((8, 16), (8, 16)),
        ),
        "",
    ),
    "block": (programs.module(programs.Block, (2, 64, 64), dtype=torch.bfloat16), OTHER_KERNEL),
    "block_shared_heads": (
        programs.module(lambda: programs.Block(kv=2), (2, 64, 64), dtype=torch.bfloat16),
        OTHER_KERNEL,
    ),
    "block_causal": (
        programs.module(lambda: programs.Block(causal=True), (2, 64, 64)),
        UNLIKE,
    ),
    "attention_flash": (programs.attention("FLASH_ATTENTION", S), OTHER_KERNEL),
    "attention_cross": (programs.attention("FLASH_ATTENTION", S, (2, 4, 96, 32)), OTHER_KERNEL),
    "attention_efficient": (programs.attention("EFFICIENT_ATTENTION", S), OTHER_KERNEL),
    "attention_cudnn": (programs.attention("CUDNN_ATTENTION", S), OTHER_KERNEL),
    "attention_math": (programs.attention("MATH", S), UNLIKE),
    "encoder_layer": (
        programs.module(
            lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, dropout=0.0),
            (2, 16, 32),
        ),
        OTHER_KERNEL,
    ),
    "encoder_layer_fast": (
        programs.module(
            lambda: nn.TransformerEncoderLayer(32, 4, 64, batch_first=True),
            (2, 16, 32),
            train=False,
        ),
        OTHER_KERNEL,
    ),
    "lstm": (
        programs.module(
            lambda: nn.LSTM(16, 32, 2, batch_first=True, bidirectional=True), (3, 7, 16)
        ),
        OTHER_KERNEL,
    ),
    "gru": (programs.module(lambda: nn.GRU(16, 32, 2), (7, 3, 16)), OTHER_KERNEL),
    "lstm_cell": (programs.module(lambda: nn.LSTMCell(16, 32), (3, 16)), OTHER_KERNEL),
    "embedding": (
        programs.module(
            lambda: nn.Embedding(20, 8),
            call=lambda m: m(torch.arange(12, device=m.weight.device)),
        ),
        "",
    ),
    "interpolate": (
        programs.function(
            lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"), (1, 3, 8, 8)
        ),
        "",
    ),
    "fourier": (programs.function(lambda x: torch.fft.irfft(torch.fft.rfft(x)), (4, 64)), ""),
    "products": (
        programs.function(
            lambda c, a, b: [torch.einsum("bij,bjk->bik", a, b), torch.baddbmm(c, a, b, beta=0.5)],
            *((3, 8, 10), (3, 8, 9), (3, 9, 10)),
        ),
        "",
    ),
    "cholesky": (
        programs.function(
            lambda a: torch.linalg.cholesky(a @ a.mT + 9 * torch.eye(6, device=a.device)), (6, 6)
        ),
        OTHER_KERNEL,
    ),
    "sgd": (programs.optimizer(torch.optim.SGD, lr=0.1, momentum=0.9, foreach=False), ""),
    "adam_foreach": (programs.optimizer(torch.optim.Adam, lr=0.1, foreach=True), ""),
    "adamw_fused": (programs.optimizer(torch.optim.AdamW, lr=0.1, fused=True), ""),
    "sort": (
        programs.function(lambda x: [x.topk(3).values, x.sort().values, x.cumsum(0)], (8, 16)),
        "",
    ),
}


def enter(name: str, build: programs.Build, why: str) -> None:
    """Enter the check of one program."""

    @check(f"counts/{name}")
    def compare(machine: Machine) -> dict[str, Any]:
        try:
            run = build(machine.device.type)
            run()
        except (RuntimeError, NotImplementedError) as error:
            raise Skip(f"the device cannot: {error!s:.120}") from error
        report, out = count(run)
        figures = _figures(report)
        if report.unknown:
            raise Fail(f"unknown operators: {dict(report.unknown)}", figures)
        if machine.is_gpu and not report.device.startswith(machine.device.type):
            raise Fail(f"the report's device is {report.device}", figures)
        if machine.is_gpu and why != UNLIKE:
            on_cpu = build("cpu")
            on_cpu()  # as on the device: a first step of an optimizer differs
            wanted = _figures(count(on_cpu)[0])
            compared = ("contractions",) if why else tuple(figures)
            if any(figures[one] != wanted[one] for one in compared):
                raise Fail("counts differ from the CPU's", {"here": figures, "cpu": wanted})
        if not machine.simulated and not any(word in name for word in ("sgd", "adam", "dropout")):
            _same_values(run, out, figures)
        return figures


def _figures(report: Any) -> dict[str, int]:
    contractions = report.under("contractions")
    return {"flops": report.flops, "contractions": contractions.flops, "int_ops": report.int_ops}


def _same_values(run: programs.Run, counted: list[torch.Tensor], figures: dict[str, int]) -> None:
    """The counted run's results are those of an uncounted one, wherever two of these agree."""
    one, two = run(), run()
    if _equal(one, two) and not _equal(one, counted):
        raise Fail("the counted run's results differ, bit for bit", figures)


def _equal(one: list[torch.Tensor], two: list[torch.Tensor]) -> bool:
    return len(one) == len(two) and all(map(torch.equal, one, two))


for _name, (_build, _why) in CASES.items():
    enter(_name, _build, _why)
