"""What PyTorch keeps private of its dispatcher, for dry runs on a device that is not there.

Example: in ``dry_run(step, device="cuda")`` tensors have CUDA's keys, although no kernel of CUDA is
here. `KernelSet` gives the dispatcher kernels for these keys, and takes them away afterwards. No
real tensor has such keys, because the device is not there, so no other code comes to them.

The rules are those of the folder's ``__init__``, which hands these names on.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from ipyflops.torch_private.old_releases import operator_of
from ipyflops.torch_private.operators import _replaced, decomposition_of

#: The dispatcher's names for the places of autograd, of autocast and of kernels on CUDA.
#: Without them: PyTorch refuses the first kernel, and the dry run ends with that error.
_AUTOGRAD, _AUTOCAST, _KERNELS = "AutogradCUDA", "AutocastCUDA", "CUDA"

_has_kernel: Callable[[str, str], bool] = getattr(
    torch._C, "_dispatch_has_kernel_for_dispatch_key", lambda name, key: True
)
_FAKE: Any = getattr(getattr(torch._C, "_TorchDispatchModeKey", None), "FAKE", None)
_mode_at: Callable[[Any], Any] = getattr(torch._C, "_get_dispatch_mode", lambda key: None)


class KernelSet:
    """Kernels in Python for operators of PyTorch, as long as it is installed.

    Without an operator: its kernel is left out.
    """

    def __init__(self) -> None:
        self._kernels: list[tuple[str, str, Callable[..., Any]]] = []
        self._composites: dict[Any, Callable[..., Any]] = {}
        self._library: Any = None

    def add_autocast(
        self, name: str, kernel: Callable[..., Any], *, of_cuda_builds: bool = False
    ) -> None:
        """Enter what an operator, as ``mm``, runs under autocast, if this release casts it.

        Builds without CUDA tell that too, but for a few operators.
        """
        if operator_named(name) is None:
            return
        if of_cuda_builds or _has_kernel(f"aten::{name}", _AUTOCAST):
            self._add(name, _AUTOCAST, kernel)

    def add_kernel(self, name: str, kernel: Callable[..., Any]) -> None:
        """Enter a kernel of CUDA."""
        self._add(name, _KERNELS, kernel)

    def _add(self, name: str, key: str, kernel: Callable[..., Any]) -> None:
        if operator_named(name) is not None:
            self._kernels.append((name, key, kernel))

    def add_composite(self, name: str, kernel: Callable[..., Any]) -> None:
        """Enter a kernel in the place of one that runs other operators.

        It is called with PyTorch's own kernel, and then with the operator's arguments.
        """
        operator = operator_named(name)
        if operator is None:
            return
        own = decomposition_of(operator)

        def run(*args: Any, **kwargs: Any) -> Any:
            return kernel(own, *args, **kwargs)

        self._kernels.append((name, _AUTOGRAD, run))
        self._composites[operator] = run

    def install(self) -> None:
        """Give all kernels to the dispatcher."""
        self._library = torch.library.Library("aten", "IMPL")
        with warnings.catch_warnings():
            # PyTorch warns that a kernel is replaced, which is what this is for.
            warnings.simplefilter("ignore")
            for name, key, kernel in self._kernels:
                self._library.impl(name, kernel, key)
        _replaced.update(self._composites)

    def remove(self) -> None:
        """Take them away again: PyTorch's own kernels are back."""
        _replaced.clear()
        if self._library is not None:
            self._library._destroy()
            self._library = None


def operator_named(name: str) -> Any:
    """The operator of PyTorch's own of this name, as ``pow.Scalar``. Without it: None."""
    return operator_of(f"aten::{name}" if "." in name else f"aten::{name}.default")


def active_fake_mode() -> Any:
    """The mode of fake tensors under which this thread runs; None if there is none.

    Without it: None, so that PyTorch says that no device is there.
    """
    return None if _FAKE is None else _mode_at(_FAKE)


def without_autocast() -> AbstractContextManager[Any]:
    """Have no operator cast in the block, as inside of PyTorch's own kernels of autocast.

    Without it: what an operator runs is cast once more, as what it was given.
    """
    guard: Callable[[], AbstractContextManager[Any]] = getattr(
        torch._C, "_DisableAutocast", nullcontext
    )
    return guard()


def attention_order() -> list[int]:
    """The kernels of attention in the order in which they are tried, by PyTorch's numbers.

    Without it (PyTorch 2.5): none, which is the order of the device.
    """
    asked: Callable[[], list[Any]] = getattr(torch._C, "_get_sdp_priority_order", list)
    return [int(one) for one in asked()]


try:
    from torch.optim import optimizer as _optimizer
    from torch.utils import _foreach_utils
except ImportError:
    _optimizer = _foreach_utils = None  # type: ignore[assignment]

#: The lists of types that optimizers and clipping take many of at once, as they do on CUDA.
#: Without them: a fake tensor is none, so that each is taken by itself; the FLOPs are the same.
FOREACH_TYPES: list[list[type]] = [
    types
    for module in (_optimizer, _foreach_utils)
    if (types := getattr(module, "_foreach_supported_types", None)) is not None
]
#: Where tensors are grouped by their devices, and the function that does it.
#: Without them: tensors on CUDA and on the CPU come in one group.
GROUPING: tuple[Any, str] = (torch._C, "_group_tensors_by_device_and_dtype")

#: What functions of `torch.cuda` answer in a dry run that others of PyTorch call.
#: Without one of them: it is left out of the table.
PRIVATE_ANSWERS: dict[str, Any] = {"_lazy_init": None, "_sleep": None, "_is_compiled": True}
