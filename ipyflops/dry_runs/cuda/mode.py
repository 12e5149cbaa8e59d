"""Fake tensors on a CUDA device that is not there.

PyTorch's C++ code asks a tensor for its device, and then for that device's streams, which do not
exist here. So it is told ``meta``, a device that is always there and has no memory. Python code is
told ``cuda:0``. What C++ makes on ``meta`` is on the CUDA device.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.errors import INSTEAD, DryRunError
from ipyflops.dry_runs.mode import DEVICE_OPERATOR, META, DryRunMode
from ipyflops.torch_private import (
    FakeTensor,
    UnsupportedOperatorException,
    active_fake_mode,
    tree_leaves,
)

CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")
aten = torch.ops.aten


class CudaDryRunMode(DryRunMode):
    """A dry run in which there is one CUDA device.

    Tensors of the meta device become tensors of that device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stands_for_meta = CUDA
        # They run on real tensors, for which the device would have to be there.
        self.allow_fallback_kernels = False
        #: Weights that autocast has cast, by their ids, as long as an autocast lasts.
        self.cast_weights: dict[int, tuple[Tensor, Tensor]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is DEVICE_OPERATOR and type(args[0]) is FakeTensor:
            tensor = args[0]
            is_here = tensor.fake_device.type != "cuda"
            inside = tensor.fake_mode.in_kernel_invocation
            return tensor.fake_device if is_here and not inside else META
        rule = _RULES.get(func)
        if rule is not None:
            with self:
                return rule(*args, **(kwargs or {}))
        try:
            return super().__torch_dispatch__(func, types, args, kwargs)
        except UnsupportedOperatorException:
            return self._run_as_on_cpu(func, types, args, kwargs or {})

    def _run_as_on_cpu(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Run an operator for whose results PyTorch has no rule, as it does on the CPU.

        There it runs the kernel itself, on zeros, to see what comes out.
        """
        given = [one for one in tree_leaves((args, kwargs)) if is_on_cuda(one)]
        for tensor in given:
            tensor.fake_device = CPU
        self.allow_fallback_kernels = True
        try:
            made = super().__torch_dispatch__(func, types, args, kwargs)
        except NotImplementedError as error:
            raise DryRunError(
                f"PyTorch cannot tell what {func} gives on CUDA without running it. {INSTEAD}"
            ) from error
        finally:
            self.allow_fallback_kernels = False
            for tensor in given:
                tensor.fake_device = CUDA
        if given:
            for tensor in tree_leaves(made):
                if type(tensor) is FakeTensor:
                    tensor.fake_device = CUDA
        return made

    def renew(self) -> None:
        """Begin a further run as if nothing had run yet."""
        super().renew()
        self.cast_weights.clear()

    def has_device(self, device: torch.device) -> bool:
        """Whether a tensor can be made on a device."""
        is_it = device.type == "cuda" and device.index in (None, 0)
        return is_it or super().has_device(device)


def active_cuda_run() -> CudaDryRunMode | None:
    """The dry run with a CUDA device under which this thread runs; None if there is none."""
    mode = active_fake_mode()
    return mode if isinstance(mode, CudaDryRunMode) else None


def is_on_cuda(value: Any) -> bool:
    """Whether something is a tensor on the CUDA device of a dry run."""
    return (
        type(value) is FakeTensor
        and value.fake_device.type == "cuda"
        and isinstance(value.fake_mode, CudaDryRunMode)
    )


# --- results of CUDA's operators that PyTorch has no rule for ------------------------------------


def _pinned(tensor: Tensor, device: Any = None) -> Tensor:
    return torch.empty_like(tensor)


def _recurrent(*args: Any) -> Any:
    x, weight, _, weight_buf, hx, cx, _, hidden_size, projection, layers = args[:10]
    batch_first, _, _, bidirectional, batch_sizes = args[10:15]
    directions = 2 if bidirectional else 1
    batch = batch_sizes[0] if batch_sizes else x.shape[0 if batch_first else 1]
    size = projection or hidden_size
    state = (layers * directions, batch)
    if weight_buf is None:
        weight_buf = x.new_empty(sum(one.numel() for one in weight))
    return (
        x.new_empty((*x.shape[:-1], size * directions)),
        hx.new_empty((*state, size)),
        x.new_empty(0) if cx is None else cx.new_empty((*state, hidden_size)),
        x.new_empty(0, dtype=torch.uint8),
        weight_buf,
    )


def _recurrent_backward(*args: Any) -> Any:
    x, weight, _, _, hx, cx = args[:6]
    # The mask is the last argument: the gradients of the input, the states and the weights.
    mask = args[-1]
    return (
        torch.empty_like(x) if mask[0] else None,
        torch.empty_like(hx) if mask[1] else None,
        torch.empty_like(cx) if cx is not None and mask[2] else None,
        [torch.empty_like(one) for one in weight] if mask[3] else [],
    )


def _grid_sampler(x: Tensor, grid: Tensor) -> Tensor:
    return x.new_empty((*x.shape[:2], *grid.shape[1:3]))


def _grid_sampler_backward(x: Tensor, grid: Tensor, grad_output: Tensor) -> Any:
    return torch.empty_like(x), torch.empty_like(grid)


def _dropout_state(dropout: float, train: bool, dropout_seed: int, **options: Any) -> Tensor:
    return torch.empty(1024, **options)


def _fused_gru_cell(
    input_gates: Tensor,
    hidden_gates: Tensor,
    hx: Tensor,
    input_bias: Tensor | None = None,
    hidden_bias: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    # The workspace holds five numbers for each number of the state.
    return torch.empty_like(hx), hx.new_empty((hx.shape[0], 5 * hx.shape[1]))


def _fused_gru_cell_backward(grad_hy: Tensor, workspace: Tensor, has_bias: bool) -> Any:
    gates = grad_hy.new_empty((grad_hy.shape[0], 3 * grad_hy.shape[1]))
    biases = [gates.new_empty(gates.shape[1]) if has_bias else None for _ in range(2)]
    return gates, torch.empty_like(gates), torch.empty_like(grad_hy), *biases


_RULES: dict[Any, Callable[..., Any]] = {
    aten._cudnn_rnn.default: _recurrent,
    aten._pin_memory.default: _pinned,
    aten.cudnn_grid_sampler.default: _grid_sampler,
    aten.cudnn_grid_sampler_backward.default: _grid_sampler_backward,
    aten._cudnn_rnn_backward.default: _recurrent_backward,
    aten._cudnn_init_dropout_state.default: _dropout_state,
    aten._thnn_fused_gru_cell.default: _fused_gru_cell,
    aten._thnn_fused_gru_cell_backward.default: _fused_gru_cell_backward,
}
