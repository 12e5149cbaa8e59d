"""Which kernel of attention CUDA would choose: `torch.nn.functional.scaled_dot_product_attention`.

The rules are those of PyTorch's ``aten/src/ATen/native/transformers/cuda/sdp_utils.cpp`` and
``sdp_utils_cpp.h`` in PyTorch 2.13, for dense tensors on a device of compute capability 9.0 with
cuDNN 9. What the user has set by `torch.nn.attention.sdpa_kernel` or ``torch.backends.cuda`` holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend

from ipyflops.dry_runs.cuda.mode import is_on_cuda
from ipyflops.torch_private import attention_order

aten = torch.ops.aten
#: cuDNN comes first on devices of compute capability 9 and 10.
ORDER = (
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
)
_HALF = (torch.float16, torch.bfloat16)
MAX_FLASH_HEAD = 256
MAX_CUDNN_HEAD = 256
MAX_CUDNN_SIZE = 65535
#: cuDNN's probability of a dropout is a multiple of one part in so many.
CUDNN_DROPOUT_PARTS = 16
#: The steps in which the memory-efficient kernel reads the last dimension of a mask.
MASK_STEP = 16
#: The bytes that the last dimension of an operand in the memory-efficient kernel is a multiple of.
ALIGNMENT_BYTES = 16


@dataclass(frozen=True)
class Call:
    """What attention is asked for, by the names of PyTorch's function."""

    query: Tensor
    key: Tensor
    value: Tensor
    mask: Tensor | None = None
    dropout: float = 0.0
    is_causal: bool = False
    enable_gqa: bool = False

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The query, the key and the value."""
        return self.query, self.key, self.value

    @property
    def learns(self) -> bool:
        """Whether a backward pass can follow."""
        return torch.is_grad_enabled() and any(one.requires_grad for one in self.tensors)


def chosen_kernel(call: Call) -> SDPBackend:
    """The kernel that PyTorch would choose on CUDA."""
    return next((one for one in _order() if _CAN_RUN[one](call)), SDPBackend.ERROR)


def _order() -> tuple[SDPBackend, ...]:
    """The order in which kernels are tried: the device's, unless the user has set another."""
    known = {int(one.value): one for one in ORDER}
    asked = tuple(known[number] for number in attention_order() if number in known)
    by_default = (*ORDER[1:], ORDER[0])  # of a process that has used no CUDA device yet
    return asked if asked and asked != by_default else ORDER


# --- what each kernel can run --------------------------------------------------------------------


def _is_flash(call: Call) -> bool:
    head = call.query.shape[-1]
    return (
        torch.backends.cuda.flash_sdp_enabled()
        and _has_four_dimensions(call)
        and call.mask is None
        and all(one.shape[-1] == head for one in call.tensors)
        and head <= MAX_FLASH_HEAD
        and (not call.is_causal or call.query.shape[-2] == call.key.shape[-2])
        and _has_dtype(call, _HALF)
        and _has_fitting_heads(call)
        and _has_sequences(call)
        and _has_rows(call, ignore_single=True)
    )


def _is_efficient(call: Call) -> bool:
    query, key, value = call.tensors
    alignment = ALIGNMENT_BYTES // (2 if query.dtype in _HALF else 4)
    return (
        torch.backends.cuda.mem_efficient_sdp_enabled()
        and _has_four_dimensions(call)
        and query.shape[-1] == key.shape[-1]
        and all(one.shape[-1] > 0 and one.shape[-1] % alignment == 0 for one in (query, value))
        and _has_sequences(call)
        and _has_rows(call)
        and _has_fitting_heads(call, groups=False)
        and _has_dtype(call, (*_HALF, torch.float32))
    )


def _is_cudnn(call: Call) -> bool:
    return (
        bool(torch.backends.cuda.cudnn_sdp_enabled())
        and _has_four_dimensions(call)
        and (
            not torch.are_deterministic_algorithms_enabled()
            or torch.is_deterministic_algorithms_warn_only_enabled()
        )
        and _has_dtype(call, _HALF)
        and _has_mask_for_cudnn(call)
        and call.dropout * CUDNN_DROPOUT_PARTS == math.floor(call.dropout * CUDNN_DROPOUT_PARTS)
        and _has_sequences(call)
        and _has_rows(call, ignore_single=True)
        and _has_fitting_heads(call, same_heads=False)
        and _has_shape_for_cudnn(call)
    )


def _is_math(call: Call) -> bool:
    return bool(torch.backends.cuda.math_sdp_enabled())


_CAN_RUN: dict[SDPBackend, Callable[[Call], bool]] = {
    SDPBackend.CUDNN_ATTENTION: _is_cudnn,
    SDPBackend.FLASH_ATTENTION: _is_flash,
    SDPBackend.EFFICIENT_ATTENTION: _is_efficient,
    SDPBackend.MATH: _is_math,
}


def _has_four_dimensions(call: Call) -> bool:
    return all(one.dim() == 4 for one in call.tensors)


def _has_dtype(call: Call, allowed: tuple[torch.dtype, ...]) -> bool:
    dtype = call.query.dtype
    return dtype in allowed and all(one.dtype is dtype for one in call.tensors)


def _has_sequences(call: Call) -> bool:
    return call.query.shape[-2] > 0 and call.key.shape[-2] > 0


def _has_rows(call: Call, *, ignore_single: bool = False) -> bool:
    """Whether the numbers of a row lie side by side."""
    rows = all(one.stride(-1) == 1 for one in call.tensors)
    rows = rows or (ignore_single and call.query.shape[-1] == 1)
    mask = call.mask
    return rows and (mask is None or mask.stride(-1) == 1)


def _has_fitting_heads(call: Call, *, groups: bool = True, same_heads: bool = True) -> bool:
    """Whether the batches are equal, and the heads too or, if that is asked for, in groups."""
    query, key, value = (one.shape[0] for one in call.tensors)
    if not query == key == value:
        return False
    query, key, value = (one.shape[1] for one in call.tensors)
    if call.enable_gqa and groups:
        if same_heads and key != value:
            return False
        return query % key == 0 and query % value == 0
    return query == key == value


def _has_mask_for_cudnn(call: Call) -> bool:
    mask = call.mask
    if mask is None:
        return True
    batch, heads, rows = call.query.shape[:3]
    fits = (
        not mask.requires_grad
        and mask.dim() in (2, 4)
        and mask.shape[-2] in (1, rows)
        and mask.shape[-1] in (1, call.key.shape[2])
    )
    whole = mask.dim() == 2 or (mask.shape[0] in (1, batch) and mask.shape[1] in (1, heads))
    return fits and whole


def _has_shape_for_cudnn(call: Call) -> bool:
    query, key, value = call.tensors
    heads = (query.shape[3], value.shape[3])
    return (
        max(query.shape[:2]) <= MAX_CUDNN_SIZE
        and all(head <= MAX_CUDNN_HEAD and head % 8 == 0 for head in heads)
        and key.shape[2] != 1
        and (call.dropout == 0 or query.shape[2] != 1)
    )


# --- the operators -------------------------------------------------------------------------------


def attention(
    own: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Stand in for ``aten::scaled_dot_product_attention`` on CUDA.

    What it does around each kernel is as in ``aten/src/ATen/native/transformers/attention.cpp``.
    """
    call = Call(query, key, value, attn_mask, dropout_p, is_causal, enable_gqa)
    if not is_on_cuda(query):
        options: dict[str, Any] = {"scale": scale, "enable_gqa": enable_gqa}
        return own(query, key, value, attn_mask, dropout_p, is_causal, **options)  # type: ignore[no-any-return]
    chosen = chosen_kernel(call)
    if chosen is SDPBackend.ERROR:
        raise RuntimeError("No available kernel. Aborting execution.")
    return _RUN[chosen](call, scale)


def _run_flash(call: Call, scale: float | None) -> Tensor:
    size = call.query.shape[-1]
    given = [_padded(one, 8) for one in call.tensors]
    scale = 1 / math.sqrt(size) if scale is None else scale
    made: Tensor = aten._scaled_dot_product_flash_attention(
        *given, call.dropout, call.is_causal, scale=scale
    )[0]
    return made if made.shape[-1] == size else made[..., :size]


def _run_efficient(call: Call, scale: float | None) -> Tensor:
    mask = _added_mask(call)
    if mask is not None:
        # The kernel reads it in whole steps, beyond what is used.
        mask = (
            _padded(mask, MASK_STEP)[..., : mask.shape[-1]] if mask.shape[-1] % MASK_STEP else mask
        )
        mask = mask.expand(*call.query.shape[:-1], call.key.shape[-2])
    made: Tensor = aten._scaled_dot_product_efficient_attention(
        *call.tensors, mask, call.learns, call.dropout, call.is_causal, scale=scale
    )[0]
    return made


def _run_cudnn(call: Call, scale: float | None) -> Tensor:
    made: Tensor = aten._scaled_dot_product_cudnn_attention(
        *call.tensors, _added_mask(call), call.learns, call.dropout, call.is_causal, scale=scale
    )[0]
    return made


def _run_math(call: Call, scale: float | None) -> Tensor:
    made: Tensor = aten._scaled_dot_product_attention_math(
        *(*call.tensors, _added_mask(call), call.dropout, call.is_causal),
        scale=scale,
        enable_gqa=call.enable_gqa,
    )[0]
    return made


_RUN: dict[SDPBackend, Callable[[Call, float | None], Tensor]] = {
    SDPBackend.CUDNN_ATTENTION: _run_cudnn,
    SDPBackend.FLASH_ATTENTION: _run_flash,
    SDPBackend.EFFICIENT_ATTENTION: _run_efficient,
    SDPBackend.MATH: _run_math,
}


def _added_mask(call: Call) -> Tensor | None:
    """The mask as numbers that are added to the products."""
    mask = call.mask
    if mask is None or mask.dtype is not torch.bool:
        return mask
    lowest = torch.scalar_tensor(-math.inf, dtype=call.query.dtype, device=mask.device)
    return torch.where(mask, 0.0, lowest)


def _padded(tensor: Tensor, step: int) -> Tensor:
    """A tensor whose last dimension is filled up to a multiple of a number."""
    missing = -tensor.shape[-1] % step
    return torch.nn.functional.pad(tensor, (0, missing)) if missing else tensor
