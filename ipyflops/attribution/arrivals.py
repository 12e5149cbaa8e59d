"""At which place a call of a module or of an optimizer arrives, and what it is called there."""

from __future__ import annotations

from itertools import chain
from types import FrameType
from typing import Any

import torch

from ipyflops.attribution.frames import user_frames
from ipyflops.attribution.names import namespaces, variable_name, variable_path
from ipyflops.attribution.places import Place
from ipyflops.attribution.replicas import Replicas, is_replica
from ipyflops.report.tables import Phase


class Arrivals:
    """Finds the places of what is called.

    Parameters
    ----------
    root : Place
    user_file : str
        The file name of the user's code.
    thread : int
        The thread that entered the block; its frames know the user's variables.
    """

    def __init__(self, root: Place, user_file: str, thread: int) -> None:
        self._root = root
        self._user_file = user_file
        self._thread = thread
        self._replicas = Replicas()

    def counted_as(self, holder: Any, frame: FrameType) -> Any:
        """What the variable ``self`` of a frame counts as: a replica as what it is a copy of."""
        if not is_replica(holder):
            return holder
        known = self._replicas.known(holder)
        if known is not None:
            return known
        around = chain(*user_frames(frame, self._user_file, self._thread))
        return self._replicas.find(holder, namespaces(around)) or holder

    def module(
        self, module: torch.nn.Module, frame: FrameType, around: Place, phase: Phase, is_call: bool
    ) -> tuple[Place, Phase]:
        """The place and the phase of a module whose frame was called at `around`.

        `is_call` tells whether the frame is a call of the module, and not one of its methods.
        """
        if around.folded and around.parent is not None:
            around = around.parent
        in_engine = phase == "backward"
        if phase == "optimizer":
            # A closure that the optimizer calls: it runs the model.
            around, phase = self._root, "forward"
        place: Place | None = around
        if around.holder is not module:
            is_call = True
            place = around.known(module) or self._place_in(around, module, frame, in_engine)
        if place is None:
            return around, phase
        if is_call:
            place.calls += 1
        return place, "recompute" if in_engine else phase

    def _place_in(
        self, around: Place, module: torch.nn.Module, frame: FrameType, in_engine: bool
    ) -> Place | None:
        """The place of a module called at `around`; None if it is none of the user's."""
        for outer in around.enclosing():
            if outer.holder is module:
                return outer  # a module called inside itself is one place, however deep
        if in_engine:
            # The node at work may lie anywhere in what is recomputed; go out to where both are.
            for outer in around.enclosing():
                found = outer.registered(module)
                if found is not None:
                    return found
        # A graph that nobody holds is one that torch made, of the branch of a `cond`, say.
        is_graph = issubclass(type(module), torch.fx.GraphModule)
        if around.kind == "module":
            return around.registered(module) if is_graph else around.module(module)
        known = self._root.known(module)
        if known is not None:
            return known
        path = variable_path(module, user_frames(frame, self._user_file, self._thread))
        if path is None:
            return None if is_graph else self._root.held(module, type(module).__name__)
        name, owner, names = path
        place = self._root.held(owner, name)
        if names:
            place = place.descend(owner, names)
            self._root.remember(module, place)
        return place

    def optimizer(self, optimizer: torch.optim.Optimizer, frame: FrameType, around: Place) -> Place:
        """The place of an optimizer one of whose methods was called."""
        place = self._root.known(optimizer)
        if place is None:
            name = variable_name(optimizer, user_frames(frame, self._user_file, self._thread))
            place = self._root.held(optimizer, name or type(optimizer).__name__, "optimizer")
        if around is not place and frame.f_code.co_name == "step":
            place.calls += 1
        return place
