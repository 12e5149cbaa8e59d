"""CUDA graphs: what is captured runs later, with each replay, where no dispatch mode sees it.

Example: ``with torch.cuda.graph(graph): y = model(x)`` runs nothing; each ``graph.replay()`` runs
the model. So what a count sees while a graph is captured is remembered with the graph, and is added
for each replay, in the same block or in a later one. As long as a counter is open, it stands in for
three methods of `torch.cuda.CUDAGraph`, which say when that is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from types import FrameType
from typing import Any
from weakref import WeakKeyDictionary

import torch

from ipyflops.counting.call_keys import Key
from ipyflops.report import Phase, Signature


class Captured:
    """What was counted while a graph was captured: how often each distinct call is in the graph.

    Attributes
    ----------
    owner : object
        What has noted it; others that count meanwhile do not note it once more.
    calls : dict
    """

    def __init__(self, owner: object) -> None:
        self.owner = owner
        self.calls: dict[tuple[Phase, Key], tuple[Signature, int]] = {}

    def add(self, phase: Phase, key: Key, signature: Signature) -> None:
        """Add a call."""
        _, number = self.calls.get((phase, key), (signature, 0))
        self.calls[phase, key] = (signature, number + 1)


class Graphs:
    """The graphs of this process, and the captures that go on.

    Attributes
    ----------
    capturing : list
        The graphs that are being captured; the latest is last.
    """

    def __init__(self) -> None:
        self.capturing: list[Any] = []
        self._captured: WeakKeyDictionary[Any, Captured] = WeakKeyDictionary()

    def captured_in(self, graph: Any) -> Captured | None:
        """What was counted while a graph was captured; None if it was captured beside a count."""
        return self._captured.get(graph)

    def note(self, owner: object, phase: Phase, key: Key, signature: Signature) -> Captured | None:
        """Note a call that is being captured; gives None if it is not known in which graph."""
        if not self.capturing:
            return None
        graph = self.capturing[-1]
        captured = self._captured.get(graph)
        if captured is None:
            captured = self._captured[graph] = Captured(owner)
        if captured.owner is owner:
            captured.add(phase, key, signature)
        return captured

    def begins(self, graph: Any) -> None:
        """Note that a capture begins; what the graph held before is gone."""
        self._captured.pop(graph, None)
        self.capturing.append(graph)

    def ends(self, graph: Any) -> None:
        """Note that a capture ends."""
        self.capturing = [one for one in self.capturing if one is not graph]

    def clear(self) -> None:
        """Forget all."""
        self.capturing.clear()
        self._captured.clear()


#: Those of this process.
GRAPHS = Graphs()
#: Gives what surrounds the replay of a graph for each count that it belongs to.
Around = Callable[[Any, FrameType], Iterator[AbstractContextManager[object]]]


class GraphHooks:
    """Stands in for methods of `torch.cuda.CUDAGraph`.

    Each method can be called at any time, and again where an interrupt cut it short.

    Parameters
    ----------
    around : callable
        Is given the graph and the frame that replays it.
    """

    def __init__(self, around: Around) -> None:
        before: dict[str, Callable[..., Any]] = {}

        def capture_begin(graph: Any, *args: Any, **kwargs: Any) -> Any:
            given = before["capture_begin"](graph, *args, **kwargs)
            GRAPHS.begins(graph)
            return given

        def capture_end(graph: Any, *args: Any, **kwargs: Any) -> Any:
            try:
                return before["capture_end"](graph, *args, **kwargs)
            finally:
                GRAPHS.ends(graph)

        def replay(graph: Any, *args: Any, **kwargs: Any) -> Any:
            with ExitStack() as stack:
                for one in around(graph, sys._getframe(1)):
                    stack.enter_context(one)
                return before["replay"](graph, *args, **kwargs)

        self._ours = {"capture_begin": capture_begin, "capture_end": capture_end, "replay": replay}
        self._before = before

    def set(self) -> None:
        """Take the places of the methods."""
        if not torch.backends.cuda.is_built():
            return
        kind: Any = torch.cuda.graphs.CUDAGraph
        for name, ours in self._ours.items():
            if getattr(kind, name) is not ours:
                self._before[name] = getattr(kind, name)
                setattr(kind, name, ours)

    def set_back(self) -> None:
        """Put the methods back, unless somebody has taken their places since."""
        kind: Any = torch.cuda.graphs.CUDAGraph
        for name, ours in self._ours.items():
            if getattr(kind, name, None) is ours:
                setattr(kind, name, self._before[name])
        GRAPHS.capturing.clear()
