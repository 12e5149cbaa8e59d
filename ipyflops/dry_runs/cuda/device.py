"""The device that a dry run is asked to have, and whether it is there."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from ipyflops.dry_runs.cuda.answers import NAME
from ipyflops.dry_runs.cuda.mode import CudaDryRunMode
from ipyflops.dry_runs.cuda.patches import PATCHES
from ipyflops.dry_runs.mode import DryRunMode


class AbsentDevice:
    """A device that a dry run has although it is not there; it may be there, or none be named.

    Parameters
    ----------
    name : str or torch.device, optional
        ``cuda``, ``cuda:0``, or ``cpu``, which is always there.

    Attributes
    ----------
    is_absent : bool
        Whether the dry run has to stand in for it.

    Raises
    ------
    ValueError
        If it is another one: what it would run is not known without it.
    """

    def __init__(self, name: str | torch.device | None = None) -> None:
        if name is not None and not _is_known(name):
            raise ValueError(
                f"a dry run can stand in for a cuda device alone, not for {str(name)!r}: what "
                "other devices run is not known without them"
            )
        named = name is not None and torch.device(name).type == "cuda"
        self.is_absent = named and not torch.cuda.is_available()

    @property
    def meta_name(self) -> str:
        """What tensors of the meta device are counted as being on."""
        return "CUDA device" if self.is_absent else "CPU"

    @property
    def note(self) -> str:
        """What a reader of the report has to know."""
        return (
            "a dry run for a CUDA device that is not there: operators as PyTorch would choose "
            f"them for an {NAME} (compute capability 9.0, cuDNN 9)"
        )

    def mode(self) -> DryRunMode:
        """Make the mode under which the code runs."""
        return CudaDryRunMode() if self.is_absent else DryRunMode()

    def active(self) -> AbstractContextManager[None]:
        """Have the device there in the block, as far as the code can tell."""
        return PATCHES.active(self) if self.is_absent else nullcontext()

    def leave(self) -> None:
        """Make sure of it that all is put back, after an interrupt too."""
        PATCHES.leave(self)


def _is_known(name: str | torch.device) -> bool:
    try:
        device = torch.device(name)
    except RuntimeError:
        return False
    return device.type == "cpu" or (device.type == "cuda" and device.index in (None, 0))


def device_for(
    function: Callable[..., Any], named: Mapping[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """The device that a call of ``dry_run`` names, and the arguments that go to the function.

    A function that has a parameter ``device`` gets it too. Example: in
    ``dry_run(build, device="cuda")`` with ``def build(device): …``, the device is there, and
    `build` is told to use it. Any other value is an argument of that function alone.
    """
    arguments = dict(named)
    if "device" not in arguments:
        return None, arguments
    device = arguments["device"]
    if not _has_parameter(function, "device"):
        del arguments["device"]
        return device, arguments
    is_name = isinstance(device, (str, torch.device)) and _is_known(device)
    return device if is_name else None, arguments


def _has_parameter(function: Callable[..., Any], name: str) -> bool:
    if isinstance(function, torch.nn.Module):
        function = function.forward
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return name in parameters
