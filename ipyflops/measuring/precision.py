"""In which precision products of float32 run, and how to have them run in another.

An accelerator may round their operands to TF32 and be many times faster: that is a rate of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

#: What TF32 is called among dtypes, though it is none.
TF32 = "tf32"


def mode_of(device: torch.device, dtype: torch.dtype) -> str:
    """The precision set for products of a dtype, such as ``tf32``; empty for the usual one."""
    if dtype is not torch.float32:
        return ""
    if device.type == "cuda":
        return TF32 if _cuda_precision() == TF32 else ""
    try:
        precision = torch.get_float32_matmul_precision()
    except RuntimeError:  # it is set for each backend, which this older question does not know
        precision = _cpu_precision() or "highest"
    return "" if precision in ("highest", "ieee", "none") else f"precision {precision}"


@contextmanager
def products_in(device: torch.device, precision: Literal["tf32", "ieee"]) -> Iterator[None]:
    """Have an NVIDIA or AMD device compute products of float32 in TF32, or plainly, in a block.

    This is set for the whole process, and put back as it was.
    """
    if device.type != "cuda":
        yield
        return
    matmul: Any = torch.backends.cuda.matmul
    name = "fp32_precision" if hasattr(matmul, "fp32_precision") else "allow_tf32"
    before = getattr(matmul, name)
    setattr(matmul, name, precision if name == "fp32_precision" else precision == TF32)
    try:
        yield
    finally:
        setattr(matmul, name, before)


def _cuda_precision() -> str:
    matmul: Any = torch.backends.cuda.matmul
    precision = getattr(matmul, "fp32_precision", None)
    if precision is not None:
        return str(precision)
    return TF32 if matmul.allow_tf32 else "ieee"


def _cpu_precision() -> str:
    backend: Any = getattr(torch.backends.mkldnn, "matmul", None)
    return str(getattr(backend, "fp32_precision", ""))
