"""Operators that run others on CUDA than elsewhere: all kernels that stand in for PyTorch's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.cuda import attention, autocast, recurrent
from ipyflops.dry_runs.cuda.mode import is_on_cuda
from ipyflops.torch_private import KernelSet

aten = torch.ops.aten
Own = Callable[..., Any]
#: cuDNN's smallest epsilon of a batch norm.
MIN_EPSILON = 1e-5
#: cuDNN's largest batches, in training and in evaluation.
MAX_BATCH = {True: 880801, False: 65535}
#: The most channels of an image that cuDNN samples.
MAX_SAMPLED_CHANNELS = 1024


def kernel_set() -> KernelSet:
    """All kernels for CUDA's keys."""
    made = KernelSet()
    for name, kernel in _COMPOSITES.items():
        made.add_composite(name, kernel)
    for name, kernel in autocast.kernels():
        made.add_autocast(name, kernel)
    made.add_autocast("_cudnn_rnn", recurrent.cast, of_cuda_builds=True)
    for name in _CUDA_HAS:
        made.add_kernel(name, _never)
    return made


def _never(*args: Any, **kwargs: Any) -> Any:
    """Stand for a kernel of CUDA: as one is there, autograd does not take the operator apart.

    In a dry run the mode answers before a kernel is called.
    """
    raise RuntimeError("there is no CUDA device here")


def _dropout(own: Own, x: Tensor, p: float, train: bool) -> Any:
    # aten/src/ATen/native/Dropout.cpp
    if is_on_cuda(x) and train and 0 < p < 1 and x.numel() > 0:
        return aten.native_dropout(x, p, train)[0]
    return own(x, p, train)


def _softmax(operator: Any) -> Callable[..., Any]:
    def run(own: Own, x: Tensor, dim: int, dtype: torch.dtype | None = None) -> Any:
        # aten/src/ATen/native/SoftMax.cpp
        if is_on_cuda(x) and x.dtype is torch.float16 and dtype is torch.float32:
            return operator(x, dim, True)
        return own(x, dim, dtype)

    return run


def _batch_norm(
    own: Own,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor | None,
    variance: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Any:
    # aten/src/ATen/native/Normalization.cpp
    options = (training, momentum, eps)
    takes_cudnn = (
        is_on_cuda(x)
        and weight is not None
        and bias is not None
        and torch.bfloat16 not in (x.dtype, weight.dtype)
        and (x.dtype is not torch.float16 or weight.dtype is torch.float32)
        and (mean is None) == (variance is None)
        and (mean is not None or training)
        and x.dim() >= 3
        and x.shape[0] <= MAX_BATCH[training]
        and eps >= MIN_EPSILON
        and cudnn_enabled
    )
    if not takes_cudnn:
        return own(x, weight, bias, mean, variance, *options, cudnn_enabled)
    made = aten.cudnn_batch_norm(
        x.contiguous(memory_format=_memory_format(x)), weight, bias, mean, variance, *options
    )
    return (*made, 1)


def _grid_sampler(
    own: Own, x: Tensor, grid: Tensor, interpolation: int, padding: int, align_corners: bool
) -> Any:
    # aten/src/ATen/native/GridSampler.h: bilinear, zeros around, and corners on the edge.
    takes_cudnn = (
        (interpolation, padding) == (0, 0)
        and align_corners
        and recurrent.takes_cudnn(x)
        and recurrent.takes_cudnn(grid)
        and torch.bfloat16 not in (x.dtype, grid.dtype)
        and x.dim() == 4
        and x.shape[1] <= MAX_SAMPLED_CHANNELS
    )
    if takes_cudnn:
        return aten.cudnn_grid_sampler(x, grid)
    return own(x, grid, interpolation, padding, align_corners)


def _memory_format(x: Tensor) -> torch.memory_format:
    for dimensions, layout in ((4, torch.channels_last), (5, torch.channels_last_3d)):
        if x.dim() == dimensions and x.is_contiguous(memory_format=layout):
            return torch.contiguous_format if x.is_contiguous() else layout
    return torch.contiguous_format


_COMPOSITES: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": attention.attention,
    "dropout": _dropout,
    "softmax.int": _softmax(aten._softmax),
    "log_softmax.int": _softmax(aten._log_softmax),
    "_batch_norm_impl_index": _batch_norm,
    "grid_sampler": _grid_sampler,
    "lstm_cell": recurrent.lstm_cell,
    "gru_cell": recurrent.gru_cell,
    **{f"{name}.input": recurrent.layers(name) for name in recurrent.MODES},
    **{f"{name}.data": recurrent.packed_layers(name) for name in recurrent.MODES},
}
#: Made of others elsewhere, and one kernel on CUDA.
_CUDA_HAS: Sequence[str] = ("_fused_rms_norm", "silu_backward", "mish_backward")
