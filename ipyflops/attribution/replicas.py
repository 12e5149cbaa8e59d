"""Replicas: the copies of a module that ``torch.nn.DataParallel`` makes in every forward pass.

What a replica runs counts at the module that it is a copy of: replicas live for one pass, each has
its own device, and no variable of the user's leads to them. PyTorch does not say what a replica is
a copy of, but the two share the dictionaries of their hooks. So the module with the same dictionary
is looked for among those that can be replicated right now: those below a ``DataParallel`` that is
at work in some thread, and those below a variable of the user's.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping
from types import FrameType
from typing import Any

import torch
from torch.nn.parallel import data_parallel

from ipyflops.attribution.frames import read_variables
from ipyflops.attribution.modules import submodules, vars_of
from ipyflops.attribution.this_thread import frames_of_threads
from ipyflops.torch_private import FORWARD_HOOKS, REPLICA

_DATA_PARALLEL_CODE = data_parallel.__code__


class Replicas:
    """Remembers which modules were found to be replicated."""

    def __init__(self) -> None:
        #: By the id of the dictionary that the copies share. The id may pass to another dictionary,
        #: so `known` compares the dictionaries themselves.
        self._originals: dict[int, weakref.ref[Any]] = {}

    def known(self, replica: torch.nn.Module) -> torch.nn.Module | None:
        """Give the module that a replica is a copy of, if it was found before."""
        shared = vars_of(replica).get(FORWARD_HOOKS)
        reference = self._originals.get(id(shared))
        original = None if reference is None else reference()
        return original if vars_of(original).get(FORWARD_HOOKS) is shared else None

    def find(
        self, replica: torch.nn.Module, variables: Iterable[Mapping[str, Any]]
    ) -> torch.nn.Module | None:
        """Look for the module that a replica is a copy of; None if it cannot be found.

        `variables` are the user's: one of them may hold the module, or one that contains it.
        """
        for outermost in (*_at_work(), *_modules_among(variables)):
            for module in _with_all_below(outermost):
                if not is_replica(module):
                    self._originals[id(vars_of(module).get(FORWARD_HOOKS))] = weakref.ref(module)
            original = self.known(replica)
            if original is not None:
                return original
        return None


def is_replica(module: object) -> bool:
    """Whether a module is a copy that was made for one forward pass."""
    return vars_of(module).get(REPLICA) is True


def _at_work() -> Iterator[Any]:
    """The modules that are run in parallel now, in whichever thread."""
    for innermost in frames_of_threads().values():
        frame: FrameType | None = innermost
        while frame is not None:
            code = frame.f_code
            if code is _DATA_PARALLEL_CODE:
                yield read_variables(frame).get("module")
            elif code.co_varnames[:1] == ("self",) and code.co_argcount:
                holder = read_variables(frame).get("self")
                if issubclass(type(holder), torch.nn.DataParallel):
                    yield holder
            frame = frame.f_back


def _modules_among(groups: Iterable[Mapping[str, Any]]) -> Iterator[torch.nn.Module]:
    for variables in groups:
        for value in list(variables.values()):
            if issubclass(type(value), torch.nn.Module):
                yield value


def _with_all_below(outermost: torch.nn.Module) -> Iterator[torch.nn.Module]:
    seen: set[int] = set()
    waiting: list[Any] = [outermost]
    while waiting:
        module = waiting.pop()
        if module is not None and id(module) not in seen:
            seen.add(id(module))
            yield module
            waiting.extend(submodules(module).values())
