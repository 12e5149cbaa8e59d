"""Notices where the Python code of a custom operator hands values to code other than PyTorch's.

Example: an operator computes ``torch.from_numpy(np.sin(x.numpy())) @ w``. The product is counted.
The sine is not, and nothing that PyTorch dispatches tells of it, so that the report has to say it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeAlias

import torch

Profile: TypeAlias = Callable[[FrameType, str, Any], object]

#: Methods of tensors, in C, whose result is no tensor but their values or where they lie.
_IN_C = frozenset({"numpy", "tolist", "data_ptr"})
#: Those in Python: what NumPy and other libraries call of a tensor that they are given.
_IN_PYTHON = frozenset({"__array__", "__dlpack__", "__cuda_array_interface__"})
_TENSOR_FILE = torch.Tensor.__array__.__code__.co_filename


class OutsideCode:
    """Watches, while a function runs, whether values leave PyTorch in this thread.

    A profile function tells: it sees calls of such methods by any code but PyTorch's own. One that
    is set already is called as before. Where a profiler in C is at work, nothing is watched.

    Attributes
    ----------
    got_values : bool
        Whether some have left.
    """

    def __init__(self) -> None:
        self.got_values = False
        self._before: Profile | None = None

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Run a function under watch, and give what it gives."""
        before: Any = sys.getprofile()
        if before is not None and not callable(before):
            return function(*args, **kwargs)
        self._before = before
        try:  # an interrupt may come at any moment
            sys.setprofile(self._watch)
            return function(*args, **kwargs)
        finally:
            sys.setprofile(before)

    def _watch(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "c_call":
            if argument.__name__ in _IN_C and isinstance(
                getattr(argument, "__self__", None), torch.Tensor
            ):
                module = frame.f_globals.get("__name__") or ""
                self.got_values |= not f"{module}.".startswith("torch.")
        elif event == "call":
            code = frame.f_code
            self.got_values |= code.co_name in _IN_PYTHON and code.co_filename == _TENSOR_FILE
        if self._before is not None:
            self._before(frame, event, argument)
