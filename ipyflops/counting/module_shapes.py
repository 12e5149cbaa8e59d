"""What goes into each module and comes out, where that is asked for.

When PyTorch's function that calls a module returns, it has the arguments, and its result is known.
So nothing is registered with the module: Python tells of the return, as it does to any profiler,
and the mark on the frame tells the place. While another profiler is at work, nothing is recorded.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any

from torch import Tensor

from ipyflops.attribution import Locator, Place, read_variables, trainable_elements, vars_of
from ipyflops.counting.signatures import shape_of
from ipyflops.report import NO_SHAPES, ModuleShapes
from ipyflops.torch_private import CALL_CODE, without_torch_function

#: So many shapes of a call are shown; containers are looked into so deep.
MAX_SHAPES, MAX_DEPTH = 4, 4
PROFILER_NOTE = "shapes are missing where another profiler (cProfile, say) was at work"


class ModuleShapeRecorder:
    """Records the shapes of the calls of one count."""

    def __init__(self) -> None:
        self._locator: Locator | None = None
        self._of_place: dict[Place, ModuleShapes] = {}
        self._missed = False

    def begin_block(self, locator: Locator) -> None:
        """Begin, or go on, in this thread."""
        self._locator = locator
        LISTENING.add(self)
        self.begin_thread()

    def begin_thread(self) -> None:
        """Record what this thread calls, too."""
        self._missed |= not LISTENING.listen_here()

    def end_block(self) -> None:
        """End; may be called twice."""
        LISTENING.remove(self)

    def notes(self) -> list[str]:
        """What a reader has to know of the shapes."""
        return [PROFILER_NOTE] if self._missed else []

    def returned(self, frame: FrameType, result: object) -> None:
        """Note that a call of a module has returned; `frame` is that of PyTorch's function."""
        place = None if self._locator is None else self._locator.place_of_call(frame)
        if place is None or place.kind != "module":
            return
        variables = read_variables(frame)
        with without_torch_function():
            given = shapes((variables.get("args"), variables.get("kwargs")))
            gave = shapes(result)
            known = self._of_place.get(place)
            if known is None:
                module = variables.get("self")
                made = ModuleShapes(given, gave, _kernel(module), trainable_elements(module))
                self._of_place[place] = made
                return
        if (given, gave) != (known.input, known.output):
            self._of_place[place] = known.merged(ModuleShapes(given, gave))

    def of_place(self, place: Place) -> ModuleShapes:
        """Return what is known of a place; of a module that was never called, its parameters."""
        known = self._of_place.get(place)
        if known is not None:
            return known
        holder = place.holder
        if place.kind != "module" or holder is None:
            return NO_SHAPES
        with without_torch_function():
            return ModuleShapes(trainable=trainable_elements(holder))


class _Listening:
    """The recorders of this process, and Python's telling them of returns."""

    def __init__(self) -> None:
        self._recorders: tuple[ModuleShapeRecorder, ...] = ()
        #: One object, so that it can be recognized.
        self._function = self._event

    def add(self, recorder: ModuleShapeRecorder) -> None:
        """Tell a recorder of returns; nothing happens if it is told already."""
        if recorder not in self._recorders:
            self._recorders = (*self._recorders, recorder)

    def remove(self, recorder: ModuleShapeRecorder) -> None:
        """Tell a recorder no more. In other threads that ends with their next call."""
        self._recorders = tuple(one for one in self._recorders if one is not recorder)
        if not self._recorders:
            self._end_here()

    def listen_here(self) -> bool:
        """Have Python tell of this thread; False if another profiler has that place."""
        present = sys.getprofile()
        if present is None:
            sys.setprofile(self._function)
        return present is None or present is self._function

    def _end_here(self) -> None:
        if sys.getprofile() is self._function:
            sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, result: object) -> None:
        if not self._recorders:
            self._end_here()
        elif event == "return" and frame.f_code is CALL_CODE and result is not None:
            for recorder in self._recorders:
                try:
                    recorder.returned(frame, result)
                except Exception:
                    LISTENING.remove(recorder)


#: That of the process.
LISTENING = _Listening()


def shapes(value: object) -> str:
    """Return the shapes of the tensors in a value, such as ``128×768, 768×3072``."""
    found: list[str] = []
    for tensor in _tensors(value, MAX_DEPTH):
        if len(found) == MAX_SHAPES:
            found.append("…")
            break
        found.append(shape_of(tensor))
    return ", ".join(found)


def _tensors(value: object, depth: int) -> Iterator[Tensor]:
    kind = type(value)
    inside: Iterable[Any] = ()
    if issubclass(kind, Tensor):
        yield value  # type: ignore[misc]
    elif issubclass(kind, (list, tuple)):
        inside = value  # type: ignore[assignment]
    elif issubclass(kind, dict):
        inside = dict.values(value)  # type: ignore[arg-type]
    if depth:
        for one in inside:
            yield from _tensors(one, depth - 1)


def _kernel(module: object) -> str:
    size = vars_of(module).get("kernel_size")
    sides = size if type(size) is tuple else (size,)
    return "×".join(map(str, sides)) if all(type(side) is int for side in sides) else ""
