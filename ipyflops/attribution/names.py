"""What the user calls a module: the variable that holds it, or something that contains it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch

from ipyflops.attribution.frames import read_variables
from ipyflops.attribution.places import DescendantNames, original


def namespaces(frames: Iterable[FrameType]) -> Iterator[Mapping[str, Any]]:
    """The variables of frames: of each its own, and then those of its file, each namespace once."""
    seen: set[int] = set()
    for frame in frames:
        yield read_variables(frame)
        if id(frame.f_globals) not in seen:
            seen.add(id(frame.f_globals))
            yield frame.f_globals


def _public(variables: Mapping[str, Any]) -> list[tuple[str, Any]]:
    # IPython's history variables (_, __, _5) hold results too, but are nobody's name for them.
    return [
        (name, original(value))
        for name, value in list(variables.items())
        if type(name) is str and not name.startswith("_") and name != "self"
    ]


def variable_name(value: object, groups: Iterable[Iterable[FrameType]]) -> str | None:
    """The first variable that holds a value, looking through groups of frames in their order."""
    for frames in groups:
        for variables in namespaces(frames):
            for name, held in _public(variables):
                if held is value:
                    return name
    return None


def variable_path(
    module: torch.nn.Module, groups: Iterable[Iterable[FrameType]]
) -> tuple[str, torch.nn.Module, tuple[str, ...]] | None:
    """How the user reaches a module: a variable, the module it holds, and names below that.

    A variable that holds the module itself comes first; then one that holds a module which
    contains it, as when only ``model.encoder(x)`` is called. Each group of frames is looked
    through for both before the next one.
    """
    for frames in groups:
        name = variable_name(module, [frames])
        if name is not None:
            return name, module, ()
        for variables in namespaces(frames):
            for name, held in _public(variables):
                if issubclass(type(held), torch.nn.Module):
                    below = DescendantNames().find(held, module)
                    if below is not None:
                        return name, held, below
    return None
