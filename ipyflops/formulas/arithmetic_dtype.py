"""In which dtype does a call compute?

Attention in bfloat16 hands its backward kernel a ``logsumexp`` in float32, a float8 product has
scales in float32, a batch norm of bfloat16 numbers keeps its statistics in float32. Each is set
against the peak of the dtype of what is multiplied, which is not the widest one. So a formula says
which argument tells it (``dtype_from``, see `ipyflops.formulas.registry.formula`). Where it says
nothing, PyTorch's own rule of promotion holds.

A GPU may round the operands of float32 products to TF32, and does so in convolutions unless it is
told not to. That is many times faster and has a peak of its own, so it has a name of its own here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from ipyflops.formulas.call import Call, tensors
from ipyflops.formulas.operator_names import TRITON_LAUNCHES, operator_name
from ipyflops.formulas.registry import REGISTRY, RESULT, DtypeSource, Formula


def dtype_of(call: Call) -> str:
    """The dtype of a call's arithmetic, such as ``bfloat16``; ``none`` where there is no tensor.

    The first of these that gives one:

    1. what the operator's formula names as the source of its dtype;
    2. the dtype that the caller asked for: ``x.sum(dtype=torch.float32)`` casts first;
    3. the floating point inputs: as PyTorch promotes them, or, of an operator that is not one of
       PyTorch's, the dtype of the largest of them, as the others are scales and statistics;
    4. the floating point results;
    5. the first tensor of integers.

    Examples
    --------
    >>> half, single = torch.zeros(2, 2, dtype=torch.float16), torch.zeros(2, 2)
    >>> dtype_of(Call(torch.ops.aten.mul.Tensor, (half, single), {}, single))
    'float32'
    >>> dtype_of(Call(torch.ops.aten.mul.Tensor, (half, torch.tensor(2.0)), {}, half))
    'float16'
    """
    own = REGISTRY.own_verdict(call.func)
    dtype = _named(call, own.dtype_from) if isinstance(own, Formula) else None
    dtype = dtype or _asked_for(call)
    if dtype is None:
        inputs = list(call.inputs())
        known = own is not None and operator_name(call.func) not in TRITON_LAUNCHES
        dtype = promoted(inputs) if known else _of_the_largest(inputs)
        dtype = dtype or promoted(call.outputs())
        dtype = dtype or next((one.dtype for one in (*inputs, *call.outputs())), None)
    if dtype is torch.float32 and isinstance(own, Formula) and _in_tf32(call, own):
        return "tf32"
    return "none" if dtype is None else str(dtype).removeprefix("torch.")


#: Products that cuBLAS computes; those of vectors are not for tensor cores.
_PRODUCTS = frozenset(
    ("mm", "addmm", "bmm", "baddbmm", "addbmm", "matmul", "matmul_backward", "linear")
) | {"linear_backward", "_addmm_activation", "_grouped_mm"}
#: The families whose kernels on a GPU are cuDNN's, and what its switch for TF32 is called there.
_CUDNN_FAMILIES = {"convolutions": "conv", "convolution_backends": "conv", "recurrent": "rnn"}
#: NVIDIA's GPUs have TF32 from this capability on (Ampere).
_FIRST_WITH_TF32 = 8


def _in_tf32(call: Call, own: Formula) -> bool:
    """Whether a call on float32 tensors computes in TF32, as far as PyTorch tells."""
    switch = _CUDNN_FAMILIES.get(own.family)
    base = call.operator.partition("::")[2].removesuffix("_")
    if switch is None and base not in _PRODUCTS:
        return False
    tensor = next(call.inputs(), None)
    cuda: Any = torch.cuda
    if tensor is None or not tensor.is_cuda or not cuda.is_initialized():
        return False
    if torch.version.hip or cuda.get_device_capability(tensor.device)[0] < _FIRST_WITH_TF32:
        return False
    if switch is None:
        return _set_to_tf32(torch.backends.cuda.matmul)
    cudnn: Any = torch.backends.cudnn
    return bool(cudnn.enabled) and _set_to_tf32(getattr(cudnn, switch, cudnn))


def tf32_switches() -> tuple[bool, ...]:
    """What the switches for TF32 are set to, on which the dtype of a call depends on a GPU.

    Examples
    --------
    >>> tf32_switches() in ((), (False, True, True))
    True
    """
    if not torch.cuda.is_initialized():
        return ()
    cudnn: Any = torch.backends.cudnn
    of_cudnn = (getattr(cudnn, switch, cudnn) for switch in ("conv", "rnn"))
    backends = (torch.backends.cuda.matmul, *of_cudnn)
    return tuple(map(_set_to_tf32, backends))


def _set_to_tf32(backend: Any) -> bool:
    """What a backend is set to; PyTorch before 2.9 has the older switch only."""
    precision = getattr(backend, "fp32_precision", None)
    return bool(backend.allow_tf32) if precision is None else precision == "tf32"


def _named(call: Call, sources: Iterable[DtypeSource]) -> torch.dtype | None:
    """The dtype of the first of these arguments that is there."""
    for source in sources:
        value: Any = source
        if source == RESULT:
            value = call.out
        elif isinstance(source, str):
            value = call.get(source)
        elif isinstance(source, int):
            value = call.args[source] if source < len(call.args) else None
        if isinstance(value, torch.dtype):
            return value
        for tensor in tensors(value):
            return tensor.dtype
    return None


def _asked_for(call: Call) -> torch.dtype | None:
    """The floating point dtype that the inputs are cast to before anything else."""
    dtype = call.get("dtype")
    if isinstance(dtype, torch.dtype) and _is_floating(dtype):
        return dtype
    return torch.float32 if call.get("half_to_float") else None


def promoted(operands: Iterable[Tensor]) -> torch.dtype | None:
    """The floating point dtype that PyTorch promotes some tensors to; None without such a tensor.

    A tensor without dims (a scalar) makes nothing wider, as a Python number does not.

    Examples
    --------
    >>> promoted([torch.zeros(2, dtype=torch.float16), torch.zeros(2, dtype=torch.bfloat16)])
    torch.float32
    >>> promoted([torch.zeros(2, dtype=torch.float16), torch.tensor(1j, dtype=torch.complex64)])
    torch.complex32
    """
    arrays: torch.dtype | None = None
    scalars: torch.dtype | None = None
    for tensor in operands:
        if not _is_floating(tensor.dtype):
            continue
        if tensor.is_nested or tensor.dim():
            arrays = _wider(arrays, tensor.dtype)
        else:
            scalars = _wider(scalars, tensor.dtype)
    if arrays is None or scalars is None:
        return arrays or scalars
    return arrays.to_complex() if scalars.is_complex and not arrays.is_complex else arrays


def _wider(first: torch.dtype | None, second: torch.dtype) -> torch.dtype:
    if first is None or first == second:
        return second
    try:
        return torch.promote_types(first, second)
    except RuntimeError:  # PyTorch does not promote float8 and narrower ones
        return max(first, second, key=lambda dtype: dtype.itemsize)


def _of_the_largest(operands: Iterable[Tensor]) -> torch.dtype | None:
    """The dtype of the floating point tensor with the most elements; of several, the first."""
    floating = [tensor for tensor in operands if _is_floating(tensor.dtype)]
    return max(floating, key=lambda tensor: tensor.numel()).dtype if floating else None


def _is_floating(dtype: torch.dtype) -> bool:
    return dtype.is_floating_point or dtype.is_complex
