"""Triton kernels that a program launches itself, as ``kernel[grid](x, out, BLOCK=128)``.

Such a launch goes past PyTorch's dispatcher: no dispatch mode sees it. Libraries such as
flash-linear-attention, Liger Kernel and Unsloth do all of their work so. As long as a counter is
open, this stands in for the method of Triton that gives a kernel its grid.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import Any

from torch import Tensor

from ipyflops.torch_private import FakeTensor

#: The module of Triton that launches kernels, and the class that does it for each kind of kernel.
_MODULE, _CLASS, _METHOD = "triton.runtime.jit", "KernelInterface", "__getitem__"


class KernelLaunch:
    """One launch of a kernel.

    Parameters
    ----------
    kernel : object
        The kernel, or the autotuner or the heuristics around it.
    grid : tuple or callable
    args, kwargs : tuple and mapping
        What it is launched with.
    """

    def __init__(
        self, kernel: Any, grid: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> None:
        self.kernel = kernel
        self._grid, self._args, self._kwargs = grid, args, kwargs

    @property
    def is_fake(self) -> bool:
        """Whether it is given fake tensors, which have no memory that a kernel could use."""
        return any(isinstance(one, FakeTensor) for one in (*self._args, *self._kwargs.values()))

    def arguments(self) -> dict[str, Any]:
        """Give the kernel's arguments by their names, and the grid as ``grid``.

        Known after the launch: an autotuner chooses some of them then. In a dry run nothing is
        launched, so that these, and the grid if it depends on them, are left out.
        """
        layers, function = [], self.kernel
        while hasattr(function, "fn"):
            layers.append(function)
            function = function.fn
        code = function.__code__
        parameters = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        defaults = function.__defaults__ or ()
        first = code.co_argcount - len(defaults)
        given = dict(zip(parameters[first : code.co_argcount], defaults, strict=True))
        given |= function.__kwdefaults__ or {}
        given |= dict(zip(parameters, self._args, strict=False))
        given |= {name: value for name, value in self._kwargs.items() if name in parameters}
        for layer in layers:
            chosen = getattr(getattr(layer, "best_config", None), "kwargs", None)
            given |= chosen if isinstance(chosen, Mapping) else {}
            heuristics = getattr(layer, "values", None)
            for name, value_of in heuristics.items() if isinstance(heuristics, Mapping) else ():
                given |= _worked_out(name, value_of, given)
        if callable(self._grid):
            return _worked_out("grid", self._grid, given) | given
        return {"grid": self._grid} | given

    def tensors(self) -> list[Tensor]:
        """The tensors that the kernel is given."""
        return [one for one in (*self._args, *self._kwargs.values()) if isinstance(one, Tensor)]


#: Gives what surrounds a launch for each count that it belongs to.
Around = Callable[[KernelLaunch, FrameType], Iterator[AbstractContextManager[object]]]


class LaunchHooks:
    """Stands in for Triton's ``kernel[grid]``.

    Each method can be called at any time, and again where an interrupt cut it short. Triton is not
    imported for it.

    Parameters
    ----------
    around : callable
        Is given the launch and the frame that launches.
    """

    def __init__(self, around: Around) -> None:
        self._before: Any = None

        def getitem(kernel: Any, grid: Any) -> Callable[..., Any]:
            launcher = self._before(kernel, grid)

            def launch(*args: Any, **kwargs: Any) -> Any:
                one = KernelLaunch(kernel, grid, args, kwargs)
                counted = list(around(one, sys._getframe(1)))
                if counted and one.is_fake:
                    launched: Any = _nothing
                else:
                    launched = launcher
                with ExitStack() as stack:
                    for block in counted:
                        stack.enter_context(block)
                    return launched(*args, **kwargs)

            return launch

        self._ours = getitem

    def set(self) -> None:
        """Take the place of the method."""
        interface = _interface()
        if interface is not None and getattr(interface, _METHOD, None) is not self._ours:
            self._before = getattr(interface, _METHOD)
            setattr(interface, _METHOD, self._ours)

    def set_back(self) -> None:
        """Put the method back, unless somebody has taken its place since."""
        interface = _interface()
        if interface is not None and getattr(interface, _METHOD, None) is self._ours:
            setattr(interface, _METHOD, self._before)


def can_launch() -> bool:
    """Whether Triton has been imported, so that a program may launch kernels."""
    return _interface() is not None


def _interface() -> Any:
    """Triton's class of all that can be launched; None where Triton is not imported."""
    interface = getattr(sys.modules.get(_MODULE), _CLASS, None)
    return interface if hasattr(interface, _METHOD) else None


def _worked_out(name: str, work_out: Callable[..., Any], given: dict[str, Any]) -> dict[str, Any]:
    """Give what a function of the program's makes of a kernel's arguments, if it can."""
    try:
        return {name: work_out(dict(given))}
    except Exception:
        return {}


def _nothing(*_: Any, **__: Any) -> None:
    """Launch nothing."""
