"""Operators that PyTorch's fake tensors cannot run, or run otherwise than real tensors do.

Some get a rule here: those that take functions (``cond``, ``scan``, ``flex_attention``), and
grouped products in float32. The others, whose results are sparse or quantized, or which make a
graph of a program, have other costs on fake tensors, so they raise.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import cache
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from ipyflops.cells import PYTORCH_FOLDER
from ipyflops.dry_runs.errors import INSTEAD, DryRunError
from ipyflops.torch_private import (
    HIGHER_ORDER_FOLDER,
    HigherOrderOperator,
    OpOverload,
    composite_kernel,
    is_made_a_graph,
    kernel_below_a_mode,
    operator_of,
)

#: Operators whose results are sparse or quantized.
_OTHER_LAYOUTS = re.compile(
    r"aten::(_?to_sparse\w*|_?sparse_\w*tensor\w*|_?quantize_per_\w+|_make_per_\w+_tensor"
    r"|_?empty_\w*quantized\w*)$"
)
#: The operator that `grouped_product` stands in for.
GROUPED_PRODUCT = operator_of("aten::_grouped_mm.default")  # None before PyTorch 2.8
#: Functions of PyTorch that make a graph of a program and run that, by file and name.
_GRAPH_MAKERS = frozenset({("eager_transforms.py", "linearize"), ("proxy_tensor.py", "wrapped")})
#: Parts of PyTorch that make graphs for their own ends, which do not count in a real run either.
_EXPORT = os.path.join(PYTORCH_FOLDER, "export", "")


def run_higher_order(mode: Any, func: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
    """Run an operator that takes functions by the kernel of a real run, under the mode.

    Raises
    ------
    DryRunError
        If it has no such kernel.
    """
    kernel = kernel_below_a_mode(composite_kernel(func))
    if kernel is None:
        raise DryRunError(f"PyTorch runs {func} on real tensors only. {INSTEAD}")
    with mode:
        return kernel(*args, **kwargs)


def is_higher_order(func: Any) -> bool:
    """Whether an operator takes functions."""
    return type(func) is not OpOverload and isinstance(func, HigherOrderOperator)


def refuse_unlike_real(func: Any) -> None:
    """Raise if fake tensors would cost something else than real ones.

    Raises
    ------
    DryRunError
        It says why.
    """
    layout = _layout_made(func)
    if layout:
        raise DryRunError(
            f"a dry run cannot stand in for {layout} tensors: what work on them costs is told by "
            "their values. Count the code without --fake"
        )
    if is_made_a_graph() and _makes_graph(sys._getframe(1)):
        raise DryRunError(
            "the code makes a graph of a program here and runs that, and what of it PyTorch works "
            "out beforehand differs on fake tensors. Count the code without --fake"
        )


@cache
def _layout_made(func: Any) -> str:
    """What an operator makes, if it is no plain tensor."""
    name = func.name().partition(".")[0] if isinstance(func, OpOverload) else ""
    if not _OTHER_LAYOUTS.match(name):
        return ""
    return "sparse" if "sparse" in name else "quantized"


def _makes_graph(frame: FrameType | None) -> bool:
    """Whether a program is being made a graph, and not by an operator for its own ends."""
    made = False
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith((HIGHER_ORDER_FOLDER, _EXPORT)):
            return False
        made = made or (os.path.basename(code.co_filename), code.co_name) in _GRAPH_MAKERS
        frame = frame.f_back
    return made


# --- grouped products ----------------------------------------------------------------------------


def grouped_product(
    mat_a: Tensor,
    mat_b: Tensor,
    offs: Tensor | None = None,
    bias: Tensor | None = None,
    out_dtype: torch.dtype | None = None,
) -> Tensor | None:
    """Return the result of ``aten::_grouped_mm`` on fake tensors of a dtype that PyTorch refuses.

    PyTorch's own rule is that of CUDA's kernel, which takes bfloat16 alone. None if it holds.
    """
    if mat_a.dtype is torch.bfloat16 or mat_a.dtype is not mat_b.dtype or bias is not None:
        return None
    if (offs is None) != (mat_a.dim() == mat_b.dim() == 3) or mat_a.shape[-1] != mat_b.shape[-2]:
        return None
    if mat_a.dim() == 3:
        groups = mat_a.shape[:1] if mat_b.dim() == 3 else ()
    else:
        groups = offs.shape if offs is not None and mat_b.dim() == 2 else torch.Size()
    shape = (*groups, mat_a.shape[-2], mat_b.shape[-1])
    return mat_a.new_empty(shape, dtype=out_dtype or mat_a.dtype)
