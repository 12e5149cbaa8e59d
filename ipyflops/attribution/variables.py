"""What the user calls a module: by the variable that holds it, or one that holds its container."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch

from ipyflops.attribution.frames import read_variables
from ipyflops.attribution.modules import ModelsOfVariables, unwrap_compiled


def namespaces(frames: Iterable[FrameType]) -> Iterator[Mapping[str, Any]]:
    """Give the variables of frames: of each its own, then those of its file, each only once."""
    seen: set[int] = set()
    for frame in frames:
        yield read_variables(frame)
        if id(frame.f_globals) not in seen:
            seen.add(id(frame.f_globals))
            yield frame.f_globals


def _public(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    # IPython's history variables (_, __, _5) hold results too, but are nobody's name for them.
    return [
        (name, unwrap_compiled(value))
        for name, value in list(variables.items())
        if type(name) is str and not name.startswith("_") and name != "self"
    ]


def variable_name(value: object, groups: Iterable[Iterable[FrameType]]) -> str | None:
    """Give the first variable that holds a value; looks through the groups in their order."""
    for frames in groups:
        for variables in namespaces(frames):
            for name, held in _public(variables):
                if held is value:
                    return name
    return None


def variable_path(
    module: torch.nn.Module, groups: Iterable[Iterable[FrameType]], models: ModelsOfVariables
) -> tuple[str, torch.nn.Module, tuple[str, ...]] | None:
    """Say how the user reaches a module: a variable, the module it holds, and names below that.

    ``model.encoder(x)`` calls a module that only ``model`` leads to: that is ``model``, the module
    in it, and ``("encoder",)``. A variable that holds the module itself is preferred. Each group of
    frames is looked through for both before the next group.
    """
    for frames in groups:
        name = variable_name(module, [frames])
        if name is not None:
            return name, module, ()
        for variables in namespaces(frames):
            for name, held in _public(variables):
                if issubclass(type(held), torch.nn.Module):
                    below = models.find(held, module)
                    if below is not None:
                        return name, held, below
    return None
