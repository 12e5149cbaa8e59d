"""Moving and casting modules in a dry run: ``model.to("cpu")``, ``model.half()``.

A module that moves gives its parameters new data. They stay the same objects, so optimizers that
hold them and graphs that come from them go on. PyTorch does something else with fake parameters; as
long as a dry run lasts it treats those of a dry run as it treats real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.dry_runs.replacement import Replacement
from ipyflops.torch_private import CONVERSION, FakeTensor, conversion_of_modules, forget_value


def is_of_dry_run(value: Any) -> bool:
    """Whether something is a fake tensor of a dry run."""
    return type(value) is FakeTensor and isinstance(value.fake_mode, DryRunMode)


def _as_real(_: Callable[..., Any]) -> Callable[..., Any] | None:
    """Return a conversion that tells fake parameters with new data where and what they are."""
    convert = conversion_of_modules(is_of_dry_run)
    if convert is None:
        return None

    def convert_and_note(
        module: torch.nn.Module, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any
    ) -> Any:
        converted: list[tuple[Any, Any]] = []

        def noted(tensor: Tensor) -> Tensor:
            made = fn(tensor)
            if is_of_dry_run(tensor) and is_of_dry_run(made) and made is not tensor:
                converted.append((tensor, made))
            return made

        result = convert(module, noted, *args, **kwargs)
        for tensor, made in converted:
            if tensor.untyped_storage() == made.untyped_storage():
                tensor.fake_device = made.fake_device
                forget_value(tensor)  # that of the data that it had before
        return result

    return convert_and_note


#: The method by which `torch.nn.Module` moves and casts.
CONVERSION_OF_MODULES = Replacement(torch.nn.Module, CONVERSION, _as_real)
