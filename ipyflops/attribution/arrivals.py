"""At which place a called module or optimizer counts, and in which phase."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from types import FrameType
from typing import Any, NamedTuple

import torch

from ipyflops.attribution.frames import (
    CALL,
    CLOSURE,
    CONSTRUCTOR,
    DROPOUT,
    SELF,
    SUSPENDABLE,
    UPDATE,
    calls_itself,
    recomputes,
    self_of,
    user_frames,
)
from ipyflops.attribution.functions import place_of_function
from ipyflops.attribution.lines import Function
from ipyflops.attribution.marks import FollowedFrame, Location, Mark
from ipyflops.attribution.modules import attribute_name, unwrap_compiled, vars_of
from ipyflops.attribution.places import Place
from ipyflops.attribution.replicas import Replicas, is_replica
from ipyflops.attribution.this_thread import Token
from ipyflops.attribution.variables import UserName, UserNames, namespaces
from ipyflops.report import Phase

#: In these a module that is called runs where it is registered.
USUAL_PHASES = ("forward", "recompute")


class Arrival(NamedTuple):
    """Where the operators of a called frame count.

    Attributes
    ----------
    place : Place
    phase : {"forward", "backward", "recompute", "optimizer"}
    constructing : bool
        Whether a module's constructor is at work.
    repeats : bool
        Whether the same call from the same location will lead to the same place.
    """

    place: Place
    phase: Phase
    constructing: bool
    repeats: bool = True


class Arrivals:
    """Finds the places of what is called.

    Callers hold a lock meanwhile, so that only one thread at a time makes places.

    Parameters
    ----------
    root : Place
    user_file : str
        The file name of the user's code.
    thread : Token
        The thread that entered the block; its frames know the user's variables.
    functions : mapping of int to Function
        Those that have rows of their own, by the ids of their code.
    marks_around : callable
        Gives the marks of the frames around one, from the inside out.
    """

    def __init__(
        self,
        root: Place,
        user_file: str,
        thread: Token,
        functions: Mapping[int, Function],
        marks_around: Callable[[FrameType], Iterator[Mark]],
    ) -> None:
        self._root = root
        self._marks_around = marks_around
        self._functions = functions
        self._user_file = user_file
        self._thread = thread
        self._replicas = Replicas()
        self._names = UserNames()

    def of_frame(
        self, frame: FrameType, kind: int, around: Location, call_frame: FrameType | None
    ) -> Arrival:
        """Say where the operators of a frame count that was called at `around`.

        Parameters
        ----------
        frame : frame
        kind : int
            What its code can tell; see `frames`.
        around : Location
        call_frame : frame or None
            The frame of PyTorch through which `frame` was called as a module's forward, if it was.
        """
        place, phase, constructing = around.place, around.phase, around.constructing
        # The place of a plain function; lines and functions hold no modules.
        base = self._root if place.kind == "code" else place
        if place.kind in ("code", "function"):
            place = self._root
        if kind & DROPOUT:
            return Arrival(base.dropout(), phase, constructing)
        is_loss = phase == "optimizer" and bool(kind & CLOSURE)
        if kind & UPDATE:
            phase = "optimizer"
        if kind & (SELF | CALL):
            value = self_of(frame)
            if call_frame is not None and not issubclass(type(value), torch.nn.Module):
                # What the module calls as its forward is a method of something else.
                value = self_of(call_frame)
            holder = self._resolve_replica(value, frame)
            if issubclass(type(holder), torch.nn.Module) and unwrap_compiled(holder) is holder:
                is_call = call_frame is not None or bool(kind & CALL)
                repeats = True
                if is_call and place.holder is holder and calls_itself(call_frame or frame, value):
                    is_call = repeats = False  # its own `__call__` was the call
                constructing = (constructing or bool(kind & CONSTRUCTOR)) and not is_call
                if kind & UPDATE:
                    place = self._module(holder, frame, place, around.phase, False)[0]
                elif constructing:
                    place = base
                else:
                    place, phase = self._module(holder, frame, place, phase, is_call)
                return Arrival(place, phase, constructing, repeats)
            if issubclass(type(holder), torch.optim.Optimizer):
                return Arrival(self._optimizer(holder, frame, place), "optimizer", constructing)
        if is_loss:
            base, phase = self._outside_optimizer(frame), "forward"
        function = self._functions.get(id(frame.f_code))
        if function is not None and not (around.phase == "backward" or constructing):
            inside = place_of_function(base, function)
            if not kind & SUSPENDABLE:
                inside.enter_from(base)
            base = inside
        return Arrival(base, phase, constructing)

    def _outside_optimizer(self, frame: FrameType) -> Place:
        """The function that called an optimizer, which calls a frame that computes a loss."""
        for mark in self._marks_around(frame):
            if isinstance(mark, (Location, FollowedFrame)):
                if mark.place.kind == "function":
                    return mark.place
                if mark.place.kind in ("code", "root"):
                    break
        return self._root

    def of_child(self, module: Any, around: Location) -> Place | None:
        """The place of a module that was called at a location, in the usual case.

        That is: the module that calls it has registered it, and it was met nowhere else before, or
        it has a place there already. None in all other cases; then `of_frame` says.
        """
        place = around.place
        if (
            place.kind != "module"
            or place.folded
            or around.constructing
            or around.phase not in USUAL_PHASES
            or is_replica(module)
        ):
            return None
        parent = place.holder
        if parent is module:
            return None
        child = place.known(module)
        if child is not None:
            child.meet(module)
        elif place.outermost.of_user:
            child = place.first_call(parent, module)
        if child is not None:
            child.calls += 1
        return child

    def _resolve_replica(self, holder: Any, frame: FrameType) -> Any:
        """The module that a replica is a copy of; anything else as it is."""
        if not is_replica(holder):
            return holder
        original = self._replicas.known(holder)
        if original is not None:
            return original
        around = chain(*user_frames(frame, self._user_file, self._thread))
        return self._replicas.find(holder, namespaces(around)) or holder

    def _module(
        self, module: torch.nn.Module, frame: FrameType, around: Place, phase: Phase, is_call: bool
    ) -> tuple[Place, Phase]:
        """The place and the phase of a module, a frame of which was called at `around`.

        `is_call` tells whether the frame is a call of the module, and not one of its methods.
        """
        if around.folded and around.parent is not None:
            around = around.parent
        in_engine = phase == "backward"
        if phase == "optimizer":
            # The optimizer called a closure, which runs the model.
            around, phase = self._root, "forward"
        place: Place | None = around
        if around.holder is not module:
            place = around.known(module) or self._place_in(around, module, frame, in_engine)
        if place is None:
            return around, phase
        place.meet(module)
        is_forward = frame.f_code.co_name == "forward" and around.holder is not module
        if is_call or is_forward:
            place.calls += 1
        elif around.holder is not module:
            place.enter(frame.f_code)
        return place, "recompute" if in_engine and recomputes(frame) else phase

    def _place_in(
        self, around: Place, module: torch.nn.Module, frame: FrameType, in_engine: bool
    ) -> Place | None:
        """The place of a module called at `around`; None if it is none of the user's."""
        for outer in around.enclosing():
            if outer.holder is module:
                return outer  # a module called inside itself is one place, however deep
        if in_engine:
            # The node at work may lie anywhere in what is recomputed. So the module is looked for
            # below each place around it.
            for outer in around.enclosing():
                place = outer.registered(module)
                if place is not None:
                    return place
        # A graph that nobody holds is one that PyTorch made: of a function given to `cond`, say.
        is_graph = issubclass(type(module), torch.fx.GraphModule)
        if around.kind == "module":
            if is_graph:
                return around.registered(module)
            return self._inside(around, module, frame)
        known = self._root.known(module)
        if known is not None:
            return known
        name = self._name(self._root, module, frame)
        if name is not None:
            return self._named(self._root, module, name)
        return None if is_graph else self._root.without_name(module)

    def _inside(self, around: Place, module: torch.nn.Module, frame: FrameType) -> Place:
        """The place of a module that another module called.

        What is registered elsewhere in the same model stands where it is registered.
        """
        known = around.known(module)
        if known is not None:
            return known
        is_looked_for = around.labels.is_looked_for(module)
        name: UserName | None = None
        if not around.outermost.of_user and is_looked_for:
            # What a library, or nobody, has given a name to has called something of the user's.
            place = self._root.known(module)
            name = self._name(self._root, module, frame)
            if place is None and name is not None and not (name.package or name.below):
                place = self._named(self._root, module, name)
            if place is not None and place.of_user:
                around.remember(module, place)
                return place
        place = self._in_same_model(around, module, is_looked_for)
        if place is None and is_looked_for:
            name = name or self._name(around, module, frame)
            if name is not None and not name.package:
                place = self._named(around, module, name)
        if place is None:
            return around.without_name(module)
        around.remember(module, place)
        return place

    def _in_same_model(
        self, around: Place, module: torch.nn.Module, is_looked_for: bool
    ) -> Place | None:
        """The place of a module that one around holds: registered, or as any other attribute."""
        for outer in around.enclosing():
            place = outer.registered(module)
            if place is not None:
                return place
            if not is_looked_for:
                return None
        for outer in around.enclosing():
            attribute = attribute_name(outer.holder, module)
            if attribute is not None:
                return outer.unregistered(module, attribute)
        return None

    def _name(self, at: Place, holder: Any, frame: FrameType) -> UserName | None:
        """What the user calls a module or an optimizer whose place will be below `at`."""
        if not at.labels.is_looked_for(holder):
            return None
        name = self._names.find(
            holder,
            user_frames(frame, self._user_file, self._thread),
            lambda label: at.is_taken(holder, label),
            everywhere=at.labels.is_looked_for(holder, everywhere=True),
        )
        if name is not None and name.is_shared:
            at.labels.found_no_name(holder, everywhere=True)
        return name

    def _named(self, at: Place, module: torch.nn.Module, name: UserName) -> Place:
        """The place of a module below one, by the name that was found for it."""
        place = at.unregistered(name.owner, name.label)
        place.of_user = not name.package
        if name.below:
            place = place.descend(name.owner, name.below)
            at.remember(module, place)
        return place

    def _optimizer(
        self, optimizer: torch.optim.Optimizer, frame: FrameType, around: Place
    ) -> Place:
        """The place of an optimizer one of whose methods was called.

        An optimizer that another one calls in its step, or that another one wraps, is that one.
        """
        place = around if around.kind == "optimizer" else self._root.known(optimizer)
        if place is None:
            name = self._name(self._root, optimizer, frame)
            label = type(optimizer).__name__ if name is None else name.label
            wrapped = [
                value
                for value in vars_of(optimizer).values()
                if issubclass(type(value), torch.optim.Optimizer)
            ]
            place = next(filter(None, map(self._root.known, wrapped)), None)
            if place is None:
                place = self._root.unregistered(optimizer, label, "optimizer")
            else:
                self._root.rename(place, optimizer, label)
            for one in (*wrapped, optimizer):
                place.meet(one)
                self._root.remember(one, place)
        if frame.f_code.co_name == "step" and not _is_within_step(frame, place):
            place.calls += 1
        return place


def _is_within_step(frame: FrameType, place: Place) -> bool:
    """Whether an optimizer of the same place has called the frame in its step.

    A trainer may have functions in between that compute the loss, so that the frames around say
    nothing of an optimizer.
    """
    outer = frame.f_back
    while outer is not None:
        if outer.f_code.co_name == "step" and place.stands_for(self_of(outer)):
            return True
        outer = outer.f_back
    return False
