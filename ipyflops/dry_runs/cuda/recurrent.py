"""Recurrent layers as CUDA runs them: cuDNN's one operator a layer stack, and fused cells.

After PyTorch's ``aten/src/ATen/native/RNN.cpp`` and ``aten/src/ATen/native/cudnn/RNN.cpp``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.cuda.mode import is_on_cuda
from ipyflops.torch_private import without_autocast

aten = torch.ops.aten
#: PyTorch's own kernel, which runs where cuDNN does not.
Own = Callable[..., Any]
#: cuDNN's numbers of the kinds of layers.
MODES = {"rnn_relu": 0, "rnn_tanh": 1, "lstm": 2, "gru": 3}
_DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def takes_cudnn(x: Tensor) -> bool:
    """Whether cuDNN is used for this input."""
    return is_on_cuda(x) and torch.backends.cudnn.enabled and x.dtype in _DTYPES and x.numel() > 0


def layers(name: str) -> Callable[..., Any]:
    """Return what stands in for ``aten::lstm.input`` and its like."""

    def run(
        own: Own, x: Tensor, hidden: Any, params: Sequence[Tensor], biases: bool, *options: Any
    ) -> Any:
        if not takes_cudnn(x):
            return own(x, hidden, params, biases, *options)
        *others, batch_first = options
        return _cudnn(name, x, hidden, params, biases, others, batch_first, [])

    return run


def packed_layers(name: str) -> Callable[..., Any]:
    """Return what stands in for ``aten::lstm.data`` and its like, for packed sequences."""

    def run(
        own: Own, x: Tensor, batch_sizes: Tensor, hidden: Any, params: Any, *options: Any
    ) -> Any:
        if not takes_cudnn(x):
            return own(x, batch_sizes, hidden, params, *options)
        biases, *others = options
        sizes = [int(size) for size in batch_sizes]
        return _cudnn(name, x, hidden, params, biases, others, False, sizes)

    return run


def _cudnn(
    name: str,
    x: Tensor,
    hidden: Any,
    params: Sequence[Tensor],
    has_biases: bool,
    options: Sequence[Any],
    batch_first: bool,
    batch_sizes: Sequence[int],
) -> Any:
    num_layers, dropout, train, bidirectional = options
    hx, cx = hidden if name == "lstm" else (hidden, None)
    # With a projection, a layer puts out fewer numbers than its cell holds.
    hidden_size = hx.shape[2] if cx is None else cx.shape[2]
    projection = hx.shape[2] if hx.shape[2] != hidden_size else 0
    stride = (4 if has_biases else 2) + (1 if projection else 0)
    output, hy, cy, _, _ = aten._cudnn_rnn(
        *(x, params, stride, None, hx, cx, MODES[name], hidden_size, projection, num_layers),
        *(batch_first, dropout, train, bidirectional, batch_sizes, None),
    )
    return (output, hy, cy) if name == "lstm" else (output, hy)


def cast(x: Tensor, weight: Sequence[Tensor], *rest: Any) -> Any:
    """Stand in for the kernel of autocast, after ``aten/src/ATen/cudnn/AutocastRNN.cpp``."""
    dtype = torch.get_autocast_dtype("cuda")
    stride, _, hx, cx, *options = rest
    with without_autocast():
        states = [one if one is None else one.to(dtype) for one in (hx, cx)]
        weight = [one.to(dtype) for one in weight]
        return aten._cudnn_rnn(x.to(dtype), weight, stride, None, *states, *options)


def lstm_cell(own: Own, x: Tensor, hidden: Sequence[Tensor], *weights: Any) -> Any:
    """Stand in for ``aten::lstm_cell``."""
    if not is_on_cuda(x):
        return own(x, hidden, *weights)
    hx, cx = hidden
    hy, cy, _ = aten._thnn_fused_lstm_cell(*_gates(x, hx, weights), cx, *weights[2:])
    return hy, cy


def gru_cell(own: Own, x: Tensor, hx: Tensor, *weights: Any) -> Any:
    """Stand in for ``aten::gru_cell``."""
    if not is_on_cuda(x):
        return own(x, hx, *weights)
    return aten._thnn_fused_gru_cell(*_gates(x, hx, weights), hx, *weights[2:])[0]


def _gates(x: Tensor, hx: Tensor, weights: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """The products of a cell: with its input, and with its state."""
    return torch.matmul(x, weights[0].t()), torch.matmul(hx, weights[1].t())
