"""Where the operators of a backward pass run: where the forward was that made their node.

Each backward pass has a mark, which knows the line and the thread that started it. That of the
node at work is looked up by the node's number (see `sequence`).
"""

from __future__ import annotations

from collections.abc import Sequence

from ipyflops.attribution.lines import LineKey
from ipyflops.attribution.location_table import LocationTable
from ipyflops.attribution.marks import EngineFrame, Location
from ipyflops.attribution.places import common
from ipyflops.attribution.sequence import NodeMap, SequenceMap, ThreadKey
from ipyflops.attribution.this_thread import Token
from ipyflops.torch_private import (
    ENGINE_CODE,
    current_backward_pass,
    current_node_number,
)

#: Nodes that gather the gradients of parameters have this number, or a negative one: none.
_NONE = (1 << 64) - 1


class BackwardPasses:
    """Gives the marks of backward passes, and says where their operators run.

    Parameters
    ----------
    owner : object
        Whose marks these are.
    locations : LocationTable
    nodes : NodeMap
        Where the nodes of autograd were made.
    user_file : str
        The file name of the code whose lines are wanted.
    thread : Token
        The thread that entered the block; those of the engine work for it.
    """

    def __init__(
        self, owner: object, locations: LocationTable, nodes: NodeMap, user_file: str, thread: Token
    ) -> None:
        self._owner = owner
        self._locations = locations
        self._nodes = nodes
        self._user_file = user_file
        self._thread = thread
        self._marks: dict[tuple[LineKey | None, SequenceMap | None], EngineFrame] = {}
        #: The backward pass that each thread of the engine, which never ends, has worked for last.
        self._tasks: dict[ThreadKey, tuple[int, EngineFrame]] = {}
        #: Where the node was made that each thread has worked on last, in this backward pass.
        self._last_origin: dict[ThreadKey, Location] = {}

    def started_at(self, line: LineKey | None, engine_nodes: SequenceMap | None) -> EngineFrame:
        """Give the mark of a backward pass that begins in this thread.

        Parameters
        ----------
        line : (str, int) or None
            The line that started it.
        engine_nodes : SequenceMap or None
            Of the thread of the engine that started it; None if another thread did.
        """
        self._last_origin.pop(self._nodes.this_thread(), None)
        mark = self._marks.get((line, engine_nodes))
        if mark is None:
            mark = EngineFrame(self._owner, line, engine_nodes)
            self._marks[line, engine_nodes] = mark
        elif mark.last_of_thread:
            mark.last_of_thread.pop(self._nodes.this_thread(), None)
        return mark

    def of_engine_thread(self) -> EngineFrame:
        """Give the mark of the backward pass that this thread of the engine works for."""
        task = current_backward_pass()
        thread = self._nodes.this_thread()
        known = self._tasks.get(thread)
        if known is not None and known[0] == task:
            return known[1]
        mark = self.started_at(self._waiting_line(), None)
        self._tasks[thread] = (task, mark)
        return mark

    def _waiting_line(self) -> LineKey | None:
        """The line of the user's file that waits for the engine."""
        frame = self._thread.frame()
        while frame is not None and frame.f_code is not ENGINE_CODE:
            frame = frame.f_back
        while frame is not None and frame.f_code.co_filename != self._user_file:
            frame = frame.f_back
        return None if frame is None else (self._user_file, frame.f_lineno)

    def locate(self, mark: EngineFrame) -> Location:
        """Say where the node at work runs: at the place whose forward made it.

        Sums of gradients run between two nodes, or in one that belongs to a parameter and has no
        number. They count where the node before them counts.
        """
        number = current_node_number()
        only = self._nodes.only
        last = mark.last
        if last is not None and last[0] == number and only is not None:
            return last[1]  # one node runs several operators
        thread = self._nodes.this_thread()
        origin: Location | None = None
        if 0 <= number < _NONE:
            if only is None:
                last = mark.last_of_thread.get(thread)
                if last is not None and last[0] == number:
                    return last[1]
                origins = self._nodes.origins_of(number, mark.engine_nodes)
                if origins:
                    origin = origins[0] if len(origins) == 1 else self._around(origins, mark.line)
            else:
                engine_nodes = mark.engine_nodes
                if engine_nodes is not None:
                    origin = engine_nodes.origin_of(number)
                if origin is None:
                    origin = only.origin_of(number)
        is_known = origin is not None
        if origin is not None:
            self._last_origin[thread] = origin
        else:
            origin = self._last_origin.get(thread)
            if origin is None:
                place = self._locations.code_place(mark.line)
                return self._locations.at(place, mark.line, "backward")
        location = mark.of_origin.get(origin)
        if location is None:
            location = mark.of_origin[origin] = self._locations.at(
                origin.place, mark.line, "backward", False, origin.method_line
            )
        if is_known:
            if only is not None:
                mark.last = (number, location)
            else:
                mark.last_of_thread[thread] = (number, location)
        return location

    def _around(self, origins: Sequence[Location], line: LineKey | None) -> Location:
        """What holds all these locations: no module is blamed for what may be another's."""
        place = common([origin.place for origin in origins])
        if place is None or place is self._locations.root:
            place = self._locations.code_place(line)
        return self._locations.at(place, line, "backward")
