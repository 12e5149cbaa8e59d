"""Tensors without values: PyTorch's fake tensors, and what may touch a real one meanwhile.

Under a `DryMode` every operator works out what its result would look like, and computes nothing.
Real tensors that reach an operator all the same (held by a library, say) are read as fakes; nothing
may write to them, and the gradients they get are taken off again.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.errors import NO_DEVICE, DryRunError
from ipyflops.measuring.restoring import gradient_of
from ipyflops.torch_private import (
    FAKE_PARAMETER,
    FakeTensor,
    FakeTensorMode,
    OpOverload,
    UnwrappedMode,
    schema_of,
)

_CPU = torch.device("cpu")
#: Asks for a tensor's device.
_DEVICE = torch.ops.prim.device.default
#: Operators that take in a tensor which was made a moment ago, from numbers.
_LIFTS = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default)


class DryMode(UnwrappedMode, FakeTensorMode):
    """PyTorch's mode of fake tensors, for code that was written for real ones.

    There is no meta device under it: what is asked for there is on the CPU, as it would be once it
    really is to run. So counts are those of a CPU's kernels, and tensors of both can meet.

    Attributes
    ----------
    met_meta : bool
        Whether any tensor was taken from the meta device to the CPU.
    """

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        self.met_meta = False
        #: Real tensors that operators met, with the gradients that they had.
        self._strays: dict[int, tuple[Tensor, Tensor | None]] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is _DEVICE:  # every other call is one of these
            return super().__torch_dispatch__(func, types, args, kwargs or {})
        if kwargs:
            device = kwargs.get("device")
            if device is not None:
                backend = torch.device(device).type
                if backend == "meta":
                    kwargs = {**kwargs, "device": _CPU}
                    self.met_meta = True
                elif not _is_here(backend):
                    # The backward pass of such a tensor would end the process.
                    raise DryRunError(NO_DEVICE)
        for value in args if not kwargs else (*args, *kwargs.values()):
            kind = type(value)
            if kind is FakeTensor or kind is int or value is None:
                continue
            for tensor in _tensors(value):
                if not isinstance(tensor, FakeTensor) and func not in _LIFTS:
                    self._admit(func, tensor, args, kwargs or {})
        return super().__torch_dispatch__(func, types, args, kwargs or {})

    def _admit(self, func: Any, stray: Tensor, args: Any, kwargs: Mapping[str, Any]) -> None:
        if _writes(func, stray, args, kwargs):
            raise DryRunError(
                f"{func} would write to a real tensor ({_described(stray)}) that the dry run does "
                "not know: it was made from other data, as by torch.from_numpy, or is held by "
                "something outside the variables in use. Give it to the code as a variable or an "
                "argument, or make a new tensor instead of writing"
            )
        if stray.requires_grad and id(stray) not in self._strays:
            self._strays[id(stray)] = (stray, gradient_of(stray))
            if type(stray) in (Tensor, torch.nn.Parameter):
                self._from_real(stray)  # which torch remembers, and would do itself

    def put_back(self) -> None:
        """Give real tensors that got the gradients of a dry run their own back."""
        for tensor, gradient in self._strays.values():
            if gradient_of(tensor) is not gradient:
                tensor.grad = gradient
        self._strays.clear()

    # --- from real to fake ---------------------------------------------------------------------

    def fake_of(self, tensor: Tensor) -> Tensor:
        """Give a tensor of the same shape, strides, dtype and device, without values.

        Tensors that share memory have fakes that do. A single number on the CPU keeps its value
        for as long as it is known: an optimizer asks for the number of its step.

        Raises
        ------
        DryRunError
            If PyTorch has no fake tensors of its kind.
        """
        if tensor.layout is not torch.strided or tensor.is_quantized:
            kind = "quantized" if tensor.is_quantized else str(tensor.layout).removeprefix("torch.")
            raise DryRunError(
                f"a dry run cannot stand in for {kind} tensors ({_described(tensor)}): what work "
                "on them costs is told by their values. Count the code without --fake"
            )
        try:
            if tensor.device.type == "meta" and type(tensor) in (Tensor, torch.nn.Parameter):
                return self._from_meta(tensor)
            number = _number(tensor)
            if number is not None:
                converter = self.fake_tensor_converter
                return converter.from_real_tensor(self, number, make_constant=True)
            return self._from_real(tensor)
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            raise DryRunError(
                f"PyTorch makes no fake tensor of a {type(tensor).__name__} "
                f"({_described(tensor)}): {error}"
            ) from error

    def _from_real(self, tensor: Tensor) -> Tensor:
        with warnings.catch_warnings():
            # It asks tensors for their gradients that have none.
            warnings.filterwarnings("ignore", "The .grad attribute of a Tensor", UserWarning)
            fake = self.from_tensor(tensor)
        if fake.requires_grad and not tensor.is_leaf:
            fake.register_hook(_no_graph)
        return fake

    def _from_meta(self, tensor: Tensor) -> Tensor:
        self.met_meta = True
        with torch.no_grad():
            # Of the same storage, but with a version of its own: writing to the fake shall not show
            # in the real one. Neither has any values.
            alias = torch.empty(0, dtype=tensor.dtype, device="meta").set_(
                tensor.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride()
            )
        fake: Any = self.fake_tensor_converter.from_meta_and_device(self, alias, _CPU)
        fake.requires_grad_(tensor.requires_grad)
        if isinstance(tensor, torch.nn.Parameter):
            setattr(fake, FAKE_PARAMETER, True)
        return fake  # type: ignore[no-any-return]


@lru_cache
def _is_here(kind: str) -> bool:
    """Whether this PyTorch can use a kind of device on this machine."""
    backend = getattr(torch, kind, None)
    return kind == "cpu" or (backend is not None and bool(backend.is_available()))


def _no_graph(_: Tensor) -> None:
    raise DryRunError(
        "the backward pass comes to a tensor whose forward ran before, for real, and a dry run "
        "knows only its own forward. Put the forward into the same code"
    )


def _number(tensor: Tensor) -> Tensor | None:
    """A copy of a tensor that holds one number on the CPU, none that is learnt; else None."""
    plain = type(tensor) is Tensor and tensor.device.type == "cpu" and tensor.dim() == 0
    return tensor.detach().clone() if plain and not tensor.requires_grad else None


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _writes(func: Any, tensor: Tensor, args: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether an operator writes to one of its arguments."""
    if not isinstance(func, OpOverload) or not schema_of(func).is_mutable:
        return False
    arguments = schema_of(func).arguments
    given = [*zip(arguments, args, strict=False)]
    given += [(one, kwargs[one.name]) for one in arguments if one.name in kwargs]
    return any(
        one.alias_info is not None
        and one.alias_info.is_write
        and any(held is tensor for held in _tensors(value))
        for one, value in given
    )


def _described(tensor: Tensor) -> str:
    shape = "×".join(map(str, tensor.shape)) or "one number"
    return f"{str(tensor.dtype).removeprefix('torch.')}, {shape}"
