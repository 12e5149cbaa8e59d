"""What PyTorch keeps private of fake tensors, for dry runs: how they are made, and how they move.

Example: ``model.half()`` in a dry run. `torch.nn.Module` gives a real parameter new data, and swaps
a fake one for another, which fails while anything else refers to it. `conversion_of_modules` makes
it treat both alike.
"""

from __future__ import annotations

import os
import types
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

try:
    from torch._subclasses import fake_tensor
except ImportError:  # the error at import names it
    fake_tensor = None  # type: ignore[assignment]
try:
    from torch.fx import _symbolic_trace
except ImportError:
    _symbolic_trace = None  # type: ignore[assignment]
_Converter: Any = getattr(fake_tensor, "FakeTensorConverter", object)


class StrongConverter(_Converter):  # type: ignore[misc]
    """Makes fake tensors, and keeps no weak reference to them.

    PyTorch's own converter remembers every fake tensor by a weak reference, and a tensor that has
    one cannot be swapped for another. This one remembers only the fakes of real tensors, and
    holds them itself, for as long as the real ones live. Without it: an error at import.
    """

    def __init__(self) -> None:
        super().__init__()
        converter: Any = self.meta_converter
        self.fakes: dict[int, Any] = {}
        converter.tensor_memo = self.fakes
        self.real: dict[int, weakref.ref[Tensor]] = {}

    def from_real_tensor(self, fake_mode: Any, t: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Give the fake of a real tensor, the same one each time."""
        before = len(self.fakes)
        whole = None
        if kwargs.get("make_constant") and t.untyped_storage().nbytes() > t.nbytes:
            # Views of one tensor share its storage, which has to be as large as all of it.
            storage = self.meta_converter.describer.describe_storage(t.untyped_storage())
            whole = self.meta_converter.get_storage_memo(storage)
            if whole is None or whole.nbytes() < storage.size:
                made = torch.empty(storage.size, dtype=torch.uint8, device="meta")
                whole = made.untyped_storage()
                self.meta_converter.set_storage_memo(storage, whole)
        fake = super().from_real_tensor(fake_mode, t, *args, **kwargs)
        del whole
        if kwargs.get("make_constant"):
            while len(self.fakes) > before:  # it holds the real tensor, which would never be gone
                self.fakes.popitem()
            return fake
        number = self.meta_converter.describer.get_tensor_id(t)
        if number not in self.real:
            self.real[number] = weakref.ref(t, lambda _: self.drop(number))
        return fake

    def drop(self, number: int) -> None:
        """Let go of the fake of a real tensor that is gone."""
        self.real.pop(number, None)
        self.fakes.pop(number, None)

    def from_meta_and_device(
        self,
        fake_mode: Any,
        t: Tensor,
        device: torch.device,
        pytype: type[Tensor] | None = None,
        dispatch_keys: Any = None,
    ) -> Any:
        """Give the fake of a meta tensor. Every operator's result is made here, each once."""
        # PyTorch 2.6 gives neither, and its tensors take neither.
        given = {"pytype": pytype, "dispatch_keys": dispatch_keys}
        options = {name: value for name, value in given.items() if value is not None}
        return fake_tensor.FakeTensor(fake_mode, t, device, **options)

    def forget(self) -> None:
        """Let go of all fake tensors."""
        self.real.clear()
        self.fakes.clear()


def forget_value(value: Any) -> None:
    """Forget the value of a fake tensor, and of those that share its memory.

    PyTorch keeps the values of single numbers, and computes with them. Without it: an error at the
    first number that a program reads and gives to an operator.
    """
    constant = getattr(value, "constant", None)
    if isinstance(value, fake_tensor.FakeTensor) and constant is not None:
        value.fake_mode.fake_tensor_converter.invalidate_constant_aliases(constant)
        value.constant = None


def conversion_of_modules(is_plain: Callable[[Any], bool]) -> Callable[..., Any] | None:
    """PyTorch's own conversion of modules, in which some fake tensors pass for plain ones.

    All methods that move or cast a module come to ``nn.Module._apply``. It asks of each parameter
    whether it is a fake one, and this gives the same code another ``isinstance`` to ask with. So
    the rest of it, and the settings of ``torch.__future__``, hold as they do for real parameters.
    Without it (another name or kind of method): None, so that modules cannot be moved in a dry run.
    """
    own = getattr(torch.nn.Module, "_apply", None)
    if not isinstance(own, types.FunctionType):
        return None

    def passes_for(value: Any, kind: Any) -> bool:
        return isinstance(value, kind) and not (kind is fake_tensor.FakeTensor and is_plain(value))

    variables = {**own.__globals__, "isinstance": passes_for}
    made = types.FunctionType(
        own.__code__, variables, own.__name__, own.__defaults__, own.__closure__
    )
    made.__kwdefaults__ = own.__kwdefaults__
    return made


def kernel_below_a_mode(kernel: Any) -> Callable[..., Any] | None:
    """The kernel of a higher-order operator, for use while a mode is there.

    PyTorch has each mode handle such an operator whole, by rules for the mode's exact type. A dry
    run runs the same kernel as a real run. Some kernels ask whether a mode is there, and raise if
    one is; here they are told that none is.
    Without it: None, so that a dry run says that it cannot run the operator.
    """
    if not isinstance(kernel, types.FunctionType):
        return None
    variables = {**kernel.__globals__, "_get_current_dispatch_mode": lambda: None}
    return types.FunctionType(
        kernel.__code__, variables, kernel.__name__, kernel.__defaults__, kernel.__closure__
    )


_ask_tracing: Any = getattr(_symbolic_trace, "_get_is_fx_tracing", None)


def is_made_a_graph() -> bool:
    """Whether a program is being made a graph. It is asked for every operator of a dry run.

    From PyTorch 2.15 on each thread has an answer of its own.
    Without it (another name): no, so that ``torch.func.linearize`` counts too little there.
    """
    if _ask_tracing is not None:
        return bool(_ask_tracing())
    return bool(getattr(_symbolic_trace, "_is_fx_tracing_flag", False))


#: The method of modules that `conversion_of_modules` stands in for.
CONVERSION = "_apply"
#: Where PyTorch asks whether values are finite, by module and function, and what a normal run says.
#: Without one of these (another name): a dry run cannot go on there, and says so.
ASKS_FINITE: dict[tuple[str, str], int] = {
    ("torch.amp.grad_scaler", "_maybe_opt_step"): 0,
    ("torch.nn.utils.clip_grad", "_get_total_norm"): 0,
}
#: Functions that choose one of two numbers, and do the same with either. Without them: likewise.
CHOOSES_NUMBERS = frozenset(
    ("torch.optim._adafactor", name)
    for name in ("_single_tensor_adafactor", "_multi_tensor_adafactor", "<listcomp>")
)
#: The module that says how many elements' values a fake tensor keeps, and the name of that number.
#: Without it: of one element, so that more code needs values that are not known.
KEPT_ELEMENTS: tuple[Any, str] = (fake_tensor, "CONSTANT_NUMEL_LIMIT")
#: The logger of fake tensors, which is kept from logging errors that the dry run explains.
#: Without it (another name): the errors are logged as well.
FAKE_TENSOR_LOGGER = "torch._subclasses.fake_tensor"
#: The code that works out what operators give on fake tensors: an error in there that no wrong
#: argument explains is PyTorch's own. Without it (other names): the error is shown as it is.
FAKE_TENSOR_FILES = tuple(
    os.path.join(os.path.dirname(torch.__file__), *path.split("/"))
    for path in ("_subclasses/", "_meta_registrations.py", "_prims", "_refs/", "_decomp/", "fx/")
)
#: What PyTorch itself sets on a fake parameter or buffer, so that it passes for one.
#: Without them: attributes that nobody reads.
FAKE_PARAMETER = "_is_param"
FAKE_BUFFER = "_is_buffer"
