"""Moving and casting modules in a dry run: ``model.to("cpu")``, ``model.half()``.

A module that moves gives its parameters new data. They stay the same objects, so optimizers that
hold them and graphs that come from them go on. PyTorch does something else with fake parameters; as
long as a dry run lasts it treats those of a dry run as it treats real ones.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.torch_private import CONVERSION, FakeTensor, conversion_of_modules


class _Conversion:
    """The method by which `torch.nn.Module` converts modules, and how many dry runs replace it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs = 0
        self._own: Callable[..., Any] | None = None

    def replace(self) -> None:
        """Have modules treat the parameters of dry runs as real ones."""
        with self._lock:
            self._runs += 1
            made = conversion_of_modules(_is_of_dry_run) if self._runs == 1 else None
            if made is not None:
                self._own = getattr(torch.nn.Module, CONVERSION)
                setattr(torch.nn.Module, CONVERSION, _on_the_right_device(made))

    def restore(self) -> None:
        """Undo one `replace`; after the last one modules convert as PyTorch has it."""
        with self._lock:
            self._runs -= 1
            if self._runs == 0 and self._own is not None:
                setattr(torch.nn.Module, CONVERSION, self._own)
                self._own = None


_CONVERSION = _Conversion()


@contextmanager
def modules_converted_as_real() -> Iterator[None]:
    """Let modules with the fake parameters of a dry run be moved and cast in the block."""
    _CONVERSION.replace()
    try:
        yield
    finally:
        _CONVERSION.restore()


def _is_of_dry_run(value: Any) -> bool:
    return type(value) is FakeTensor and isinstance(value.fake_mode, DryRunMode)


def _on_the_right_device(convert: Callable[..., Any]) -> Callable[..., Any]:
    """Tell fake parameters that got data on another device that they are there now."""

    def converted(
        module: torch.nn.Module, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any
    ) -> Any:
        moved: list[tuple[Any, Any]] = []

        def noted(tensor: Tensor) -> Tensor:
            made = fn(tensor)
            if _is_of_dry_run(tensor) and _is_of_dry_run(made) and tensor.device != made.device:
                moved.append((tensor, made))
            return made

        result = convert(module, noted, *args, **kwargs)
        for tensor, made in moved:
            if tensor.untyped_storage() == made.untyped_storage():
                tensor.fake_device = made.fake_device
        return result

    return converted
