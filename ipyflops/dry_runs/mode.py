"""Tensors without values: PyTorch's fake tensors, and what may touch a real one meanwhile.

Under a `DryRunMode` every operator works out the shape, dtype and device of its result, and
computes nothing. Real tensors can still reach an operator, for example from a library's cache. They
are read like fake tensors, writing to them is an error, and gradients that they get are removed
afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ipyflops.counting import accelerator_in_use
from ipyflops.dry_runs.errors import NO_DEVICE, DryRunError, without_warning_as_error
from ipyflops.dry_runs.interrupts import Interrupts
from ipyflops.dry_runs.known_numbers import Numbers
from ipyflops.dry_runs.known_values import (
    MAKERS,
    KnownCopies,
    as_unknown_if_large,
    forget_lists,
    made_known,
    values_of,
)
from ipyflops.dry_runs.operators import (
    GROUPED_PRODUCT,
    grouped_product,
    is_higher_order,
    refuse_unlike_real,
    run_higher_order,
)
from ipyflops.measuring import gradient_of
from ipyflops.torch_private import (
    FAKE_PARAMETER,
    FakeTensor,
    FakeTensorMode,
    OpOverload,
    StrongConverter,
    UnwrappedMode,
    let_functions_reach,
    schema_of,
)

_CPU = torch.device("cpu")
META = torch.device("meta")
#: The operator that gives a tensor's device.
DEVICE_OPERATOR = torch.ops.prim.device.default
_READS_NUMBER = torch.ops.aten._local_scalar_dense.default  # noqa: SLF001 - an operator, by name
#: Operators whose argument is a tensor that torch has just made from numbers.
_LIFTS = (torch.ops.aten.lift_fresh.default, torch.ops.aten.lift_fresh_copy.default)


class DryRunMode(UnwrappedMode, FakeTensorMode):
    """PyTorch's mode of fake tensors, for code that was written for real ones.

    Tensors of the meta device become tensors of the CPU, where a real run would put them. So counts
    are those of a CPU's kernels, and tensors of both devices can be used together.

    Attributes
    ----------
    met_meta : bool
        Whether a tensor of the meta device was moved to the CPU.
    skipped_saving : bool
        Whether the code wanted to save something.
    numbers : Numbers
        What the code reads.
    interrupts : Interrupts
        Interrupts that wait until an operator is done.
    """

    #: So that operators that take functions come to `__torch_dispatch__`.
    supports_higher_order_operators = True

    def __init__(self) -> None:
        super().__init__(allow_non_fake_inputs=True)
        let_functions_reach(self)
        self._converter = StrongConverter()
        self.fake_tensor_converter = self._converter
        self.met_meta = False
        self.skipped_saving = False
        self.numbers = Numbers()
        self.interrupts = Interrupts()
        #: Where a tensor of the meta device is.
        self.stands_for_meta = _CPU
        self._known = KnownCopies()
        #: What `renew` needs: whether a meta tensor was copied, and the numbers of what was copied.
        self._kept: tuple[bool, frozenset[int]] = (False, frozenset())
        #: Real tensors that were arguments of operators, with the gradients that they had before.
        self._real_tensors: dict[int, tuple[Tensor, Tensor | None]] = {}

    @property
    def avoid_device_init(self) -> bool:
        """Whether PyTorch is to set up no accelerator, because the user's code has set up none.

        PyTorch itself asks whether CUDA is available. That forbids it to processes forked later.
        """
        return accelerator_in_use() is None

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: Any = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is DEVICE_OPERATOR and type(args[0]) is FakeTensor:
            # Half of all calls; PyTorch's way to the same answer takes ten times as long.
            return META if args[0].fake_mode.in_kernel_invocation else args[0].fake_device
        if is_higher_order(func):
            return run_higher_order(self, func, args, kwargs or {})
        refuse_unlike_real(func)
        if func is _READS_NUMBER:
            number = self.numbers.number(args[0])
            if number is not None:
                return number
        if func is GROUPED_PRODUCT:
            with self:
                made = grouped_product(*args, **(kwargs or {}))
            if made is not None:
                return made
        if kwargs:
            device = kwargs.get("device")
            if device is not None:
                named = torch.device(device)
                if named.type == "meta":
                    kwargs = {**kwargs, "device": self.stands_for_meta}
                    self.met_meta = True
                elif not self.has_device(named):
                    # The backward pass of such a tensor would end the process.
                    raise DryRunError(NO_DEVICE)
        for value in args if not kwargs else (*args, *kwargs.values()):
            kind = type(value)
            if kind is FakeTensor or kind is int or value is None:
                continue
            for tensor in _tensors(value):
                if not isinstance(tensor, FakeTensor) and func not in _LIFTS:
                    self._check_real_tensor(func, tensor, args, kwargs or {})
        return self._run(func, types, args, kwargs or {})

    def _run(self, func: Any, types: Any, args: Any, kwargs: Mapping[str, Any]) -> Any:
        """Return what an operator makes, with its values where they are known."""
        if func in MAKERS:
            known = made_known(func, args, kwargs)
            if known is not None:
                return self._converter.from_real_tensor(self, known, make_constant=True)
        if args and type(args[0]) in (list, tuple) and schema_of(func).is_mutable:
            forget_lists(args)
        with as_unknown_if_large(func, args):
            made: Any = super().__torch_dispatch__(func, types, args, kwargs)
        if self.interrupts.waiting:
            self.interrupts.deliver()
        if type(made) is FakeTensor and made.constant is not None:
            # What is written in place stays the same tensor.
            own = args[0] if args else None
            return own if values_of(own) is made.constant else made
        return made

    def __deepcopy__(self, memo: Any) -> DryRunMode:
        """Stay one: a copied fake tensor, which refers to its mode, is of the same dry run."""
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse to be pickled, as a fake tensor that is pickled asks."""
        raise DryRunError(
            "tensors are pickled here, and a dry run has no values for that. Take this out of the "
            "code"
        )

    def create_symbolic_nested_int(self, *, nt_tensor_id: int | None = None) -> Any:
        """Refuse the length of a jagged tensor, which PyTorch asks a mode for."""
        raise DryRunError(
            "a dry run cannot stand in for jagged tensors: what work on them costs is told by "
            "their values. Count the code without --fake"
        )

    def _check_real_tensor(
        self, func: Any, tensor: Tensor, args: Any, kwargs: Mapping[str, Any]
    ) -> None:
        if _writes(func, tensor, args, kwargs):
            raise DryRunError(
                f"{func} would write to a real tensor ({_described(tensor)}) that the dry run does "
                "not know: it was made from other data, as by torch.from_numpy, or is held by "
                "something outside the variables in use. Give it to the code as a variable or an "
                "argument, or make a new tensor instead of writing"
            )
        if tensor.requires_grad and id(tensor) not in self._real_tensors:
            self._real_tensors[id(tensor)] = (tensor, gradient_of(tensor))
            if type(tensor) in (Tensor, torch.nn.Parameter):
                # Torch keeps the fake tensor and uses it for this argument. Made by torch, it would
                # lack the hook that refuses a backward pass into a real graph.
                self._from_real(tensor)

    def has_device(self, device: torch.device) -> bool:
        """Whether a tensor can be made on a device."""
        return _is_available(device.type)

    def forget(self) -> None:
        """Let go of the fake tensors that stand for real ones."""
        self._converter.forget()

    def keep(self) -> None:
        """Remember what is copied, for a further run with the same copies."""
        self._kept = (self.met_meta, frozenset(self._converter.real))

    def renew(self) -> None:
        """Begin a further run as if nothing had run yet."""
        self.met_meta, copied = self._kept
        self.skipped_saving = False
        self.numbers = Numbers()
        for number in self._converter.real.keys() - copied:
            self._converter.drop(number)

    def restore_gradients(self) -> None:
        """Give real tensors the gradients back that they had before the dry run."""
        for tensor, gradient in self._real_tensors.values():
            if gradient_of(tensor) is not gradient:
                tensor.grad = gradient
        self._real_tensors.clear()

    # --- from real to fake ---------------------------------------------------------------------

    def fake_of(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the same shape, strides, dtype and device, without values.

        Fakes of tensors that share memory share memory too. Single numbers and small tensors of
        whole numbers on the CPU keep their values for as long as they are known: an optimizer reads
        the number of its step, a library whether a mask is all ones.

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
            number = self._known.copy(tensor)
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
        # It reads the gradient also of tensors that have none, and hides the warning of that.
        fake = without_warning_as_error(self.from_tensor, tensor)
        if fake.requires_grad and not tensor.is_leaf:
            fake.register_hook(_refuse_backward)
        return fake

    def _from_meta(self, tensor: Tensor) -> Tensor:
        self.met_meta = True
        with torch.no_grad():
            # The alias has the same storage but its own version. So writing to the fake does not
            # change the version of the real tensor. Neither has any values.
            alias = torch.empty(0, dtype=tensor.dtype, device="meta").set_(
                tensor.untyped_storage(), tensor.storage_offset(), tensor.shape, tensor.stride()
            )
        fake: Any = self.fake_tensor_converter.from_meta_and_device(
            self, alias, self.stands_for_meta
        )
        fake.requires_grad_(tensor.requires_grad)
        if isinstance(tensor, torch.nn.Parameter):
            setattr(fake, FAKE_PARAMETER, True)
        return fake  # type: ignore[no-any-return]


@lru_cache
def _is_available(kind: str) -> bool:
    """Whether PyTorch can use this kind of device on this machine."""
    backend = getattr(torch, kind, None)
    return kind == "cpu" or (backend is not None and bool(backend.is_available()))


def _refuse_backward(_: Tensor) -> None:
    raise DryRunError(
        "the backward pass comes to a tensor whose forward ran before, for real, and a dry run "
        "knows only its own forward. Put the forward into the same code"
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _writes(func: Any, tensor: Tensor, args: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether an operator writes to a tensor that is one of its arguments."""
    if not isinstance(func, OpOverload) or not schema_of(func).is_mutable:
        return False
    arguments = schema_of(func).arguments
    values = [*zip(arguments, args, strict=False)]
    values += [(one, kwargs[one.name]) for one in arguments if one.name in kwargs]
    return any(
        one.alias_info is not None
        and one.alias_info.is_write
        and any(item is tensor for item in _tensors(value))
        for one, value in values
    )


def _described(tensor: Tensor) -> str:
    shape = "×".join(map(str, tensor.shape)) or "one number"
    return f"{str(tensor.dtype).removeprefix('torch.')}, {shape}"
