"""What Python code asks of a tensor on a CUDA device that is not there.

PyTorch answers ``tensor.is_cuda`` and ``tensor.to("cuda")`` in C++, which knows no such device. As
long as a dry run with that device lasts, the class of fake tensors has attributes of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.cuda.answers import index_of
from ipyflops.dry_runs.cuda.mode import CUDA, CudaDryRunMode, is_on_cuda
from ipyflops.dry_runs.mode import META


def _is_of_cuda_run(value: Any) -> bool:
    return isinstance(getattr(value, "fake_mode", None), CudaDryRunMode)


def _property(name: str, kind: str) -> property:
    """A question for one kind of device, such as ``is_cuda``."""
    own = getattr(Tensor, name)

    def answer(tensor: Any) -> bool:
        if not _is_of_cuda_run(tensor):
            return bool(own.__get__(tensor))
        return bool(tensor.device.type == kind)

    return property(answer)


def _as_seen_by_torch(tensor: Any, value: Any) -> Any:
    """A device as C++ knows it: a tensor that is on CUDA is on ``meta`` there."""
    if isinstance(value, bool) or not isinstance(value, (str, int, torch.device)):
        return value
    if isinstance(value, str) and not value.startswith("cuda"):
        return value
    device = torch.device("cuda", value) if isinstance(value, int) else torch.device(value)
    if device.type != "cuda":
        return value
    index_of(device)
    return META if is_on_cuda(tensor) else CUDA


def _to(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
    if _is_of_cuda_run(tensor):
        args = tuple(_as_seen_by_torch(tensor, one) for one in args[:1]) + args[1:]
        if "device" in kwargs:
            kwargs = {**kwargs, "device": _as_seen_by_torch(tensor, kwargs["device"])}
    return Tensor.to(tensor, *args, **kwargs)


def _cuda(tensor: Tensor, device: Any = None, *args: Any, **kwargs: Any) -> Any:
    if not _is_of_cuda_run(tensor):
        return Tensor.cuda(tensor, device, *args, **kwargs)
    index_of(device)
    kwargs.pop("memory_format", None)
    return _to(tensor, CUDA)


def _type(tensor: Tensor, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    own = Tensor.type
    if not _is_of_cuda_run(tensor):
        return own(tensor, dtype, *args, **kwargs)
    name = dtype if isinstance(dtype, str) else getattr(dtype, "__module__", "")
    if dtype is None and is_on_cuda(tensor):
        return own(torch.empty(0, dtype=tensor.dtype)).replace("torch.", "torch.cuda.")
    if isinstance(dtype, str) and name.startswith("torch.cuda."):
        wanted = torch.empty(0).type(name.replace("torch.cuda.", "torch.")).dtype
        return _to(tensor, CUDA).to(wanted)
    if isinstance(dtype, str):
        return own(tensor.cpu(), dtype)
    return tensor.to(dtype)


def _get_device(tensor: Any) -> int:
    if not _is_of_cuda_run(tensor):
        return Tensor.get_device(tensor)
    return 0 if is_on_cuda(tensor) else -1


def _record_stream(tensor: Tensor, stream: Any) -> None:
    if not _is_of_cuda_run(tensor):
        Tensor.record_stream(tensor, stream)


#: What a fake tensor has in the place of PyTorch's own.
OF_TENSORS: dict[str, Callable[..., Any] | property] = {
    "is_cuda": _property("is_cuda", "cuda"),
    "is_cpu": _property("is_cpu", "cpu"),
    "is_meta": _property("is_meta", "meta"),
    "to": _to,
    "cuda": _cuda,
    "type": _type,
    "get_device": _get_device,
    "record_stream": _record_stream,
}
