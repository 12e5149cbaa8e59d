"""``torch.autocast("cuda")``: which operators run in a lower precision, and which in float32.

PyTorch's own kernels cast only what C++ knows to be on CUDA, and here that is told ``meta``
(see `mode`). The lists and rules are those of ``aten/src/ATen/autocast_mode.h``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.cuda.mode import active_cuda_run, is_on_cuda
from ipyflops.torch_private import operator_named, schema_of, without_autocast

Kernel = Callable[..., Any]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


#: Run in the lower precision.
LOWER = _names(
    """
    _convolution _convolution.deprecated conv1d conv2d conv3d conv_tbc conv_transpose1d
    conv_transpose2d.input conv_transpose3d.input convolution cudnn_convolution
    cudnn_convolution_transpose prelu addmm addmv addr matmul einsum mm mv linalg_vecdot
    linear addbmm baddbmm bmm chain_matmul linalg_multi_dot _thnn_fused_lstm_cell
    _thnn_fused_gru_cell lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
    _scaled_dot_product_flash_attention scaled_dot_product_attention
    """
)
#: Run in float32.
FLOAT32 = _names(
    """
    acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan
    pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar softplus layer_norm native_layer_norm
    rms_norm group_norm frobenius_norm.dim nuclear_norm nuclear_norm.dim cosine_similarity
    poisson_nll_loss cosine_embedding_loss nll_loss nll_loss2d hinge_embedding_loss kl_div
    l1_loss smooth_l1_loss huber_loss mse_loss margin_ranking_loss multilabel_margin_loss
    soft_margin_loss triplet_margin_loss multi_margin_loss binary_cross_entropy_with_logits
    dist pdist cdist renorm logsumexp linalg_matrix_sqrth upsample_nearest1d
    _upsample_nearest_exact1d upsample_nearest2d _upsample_nearest_exact2d upsample_nearest3d
    _upsample_nearest_exact3d upsample_linear1d upsample_bilinear2d _upsample_bilinear2d_aa
    upsample_trilinear3d upsample_bicubic2d _upsample_bicubic2d_aa
    """
)
#: Give float32, by their own argument for a dtype.
FLOAT32_RESULT = _names(
    """
    prod prod.dim_int softmax.int log_softmax.int cumprod cumsum linalg_vector_norm
    linalg_matrix_norm linalg_matrix_norm.str_ord sum sum.dim_IntList
    """
)
#: The same, where another overload has the argument.
FLOAT32_OVERLOAD = {
    "norm.Scalar": "norm.ScalarOpt_dtype",
    "norm.ScalarOpt_dim": "norm.ScalarOpt_dim_dtype",
}
#: Run in the widest precision of their arguments.
WIDEST = _names(
    """
    addcdiv addcmul atan2 bilinear cross dot vdot grid_sampler index_put tensordot scatter_add
    """
)
#: Raise under autocast, before they look at a device.
REFUSED = ("binary_cross_entropy",)


def kernels() -> Iterator[tuple[str, Kernel]]:
    """The operators that autocast changes, each with what it runs instead."""
    for name in LOWER:
        yield name, _kernel(name, _lower)
    for name in FLOAT32:
        yield name, _kernel(name, _float32)
    for name in FLOAT32_RESULT:
        yield name, _kernel(name, _float32_result)
    for name, overload in FLOAT32_OVERLOAD.items():
        yield name, _kernel(overload, _with_dtype)
    for name in WIDEST:
        yield name, _kernel(name, _widest)


def forget_weights() -> None:
    """Let go of the weights that were cast, as at the end of the outermost autocast."""
    run = active_cuda_run()
    if run is not None:
        run.cast_weights.clear()


def _kernel(name: str, cast: Callable[[Any, Any, Any], tuple[Any, Any]]) -> Kernel:
    operator = operator_named(name)

    def run(*args: Any, **kwargs: Any) -> Any:
        with without_autocast():
            args, kwargs = cast(operator, args, kwargs)
            return operator(*args, **kwargs)

    return run


def _lower(operator: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    return _all_cast(args, kwargs, torch.get_autocast_dtype("cuda"))


def _float32(operator: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    return _all_cast(args, kwargs, torch.float32)


def _float32_result(operator: Any, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    first = next(filter(_is_tensor, args), None)
    names = [argument.name for argument in schema_of(operator).arguments]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    if _is_cast(first) and given.get("dtype") is None:
        place = names.index("dtype")
        if place < len(args):
            return (*args[:place], torch.float32, *args[place + 1 :]), kwargs
        return args, {**kwargs, "dtype": torch.float32}
    return args, kwargs


def _with_dtype(operator: Any, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
    first: Tensor = args[0]
    names = [argument.name for argument in schema_of(operator).arguments]
    given = {"p": 2, "dim": [], "keepdim": False}
    given |= {**dict(zip(names, args, strict=False)), **kwargs}
    arguments = [given[name] for name in names if name != "dtype"]
    return tuple(arguments), {"dtype": torch.float32 if _is_cast(first) else first.dtype}


def _widest(operator: Any, args: Any, kwargs: Any) -> tuple[Any, Any]:
    tensors = [one for value in (*args, *kwargs.values()) for one in _tensors(value)]
    wide = any(_is_cast(one) and one.dtype is torch.float32 for one in tensors)
    dtype = torch.float32 if wide else torch.get_autocast_dtype("cuda")
    return _all_cast(args, kwargs, dtype)


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor)


def _tensors(value: Any) -> Iterator[Tensor]:
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, Tensor):
            yield one


def _is_cast(value: Any) -> bool:
    """Whether autocast casts a tensor: floating point on CUDA, and not float64."""
    return is_on_cuda(value) and value.is_floating_point() and value.dtype is not torch.float64


def _all_cast(args: Any, kwargs: Any, dtype: torch.dtype) -> tuple[Any, Any]:
    return (
        tuple(_cast(value, dtype) for value in args),
        {name: _cast(value, dtype) for name, value in kwargs.items()},
    )


def _cast(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, (list, tuple)):
        return [_cast(one, dtype) for one in value]
    if not _is_cast(value) or value.dtype is dtype:
        return value
    kept = (
        dtype is torch.get_autocast_dtype("cuda")
        and value.dtype is torch.float32
        and value.requires_grad
        and value.is_leaf
        and torch.is_autocast_cache_enabled()
        and not torch.is_inference(value)
    )
    if not kept:
        return value.to(dtype)
    weights = value.fake_mode.cast_weights
    _, made = weights.get(id(value), (None, None))
    if made is None:
        made = value.to(dtype)
        weights[id(value)] = (value, made)
    return made
