"""Which place made which node of the autograd graph."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from threading import get_ident
from typing import TYPE_CHECKING

from torch._C._autograd import _get_sequence_nr

if TYPE_CHECKING:
    from ipyflops.places import Place


class SequenceMap:
    """The place that made each autograd node, by the node's number.

    Nodes are numbered upwards in each thread, and most neighbours are of one place: kept are only
    the numbers at which the place changes, and of those the last `LIMIT`, so that a long run of
    training steps, whose graphs are long gone, takes no more memory than a short one.

    Attributes
    ----------
    next_number : int
        The number that the first node after the last operator gets.
    last_place : Place or None
        Where the nodes before it were made.
    """

    LIMIT = 1 << 18
    __slots__ = ("_places", "_starts", "last_place", "next_number")

    def __init__(self, next_number: int) -> None:
        self._starts: list[int] = []
        self._places: list[Place | None] = []
        self.last_place: Place | None = None
        self.next_number = next_number

    def note(self, place: Place | None) -> None:
        """Note that the nodes made since the last operator were made at `place`."""
        if place is not self.last_place or not self._starts:
            self._starts.append(self.next_number)
            self._places.append(place)
            self.last_place = place
            if len(self._starts) > self.LIMIT:
                del self._starts[: self.LIMIT // 2], self._places[: self.LIMIT // 2]
        self.next_number = _get_sequence_nr()

    def skip(self) -> None:
        """Leave out the nodes that were made since the last operator: they were not counted."""
        self.note(None)

    def place_of(self, number: int) -> Place | None:
        """The place that made the node of that number; None if it was not counted."""
        if number >= self.next_number:
            return None
        index = bisect_right(self._starts, number) - 1
        return self._places[index] if index >= 0 else None


class NodeMap:
    """The place that made each autograd node, in every thread that is counted.

    Each thread numbers its nodes from zero, and a node does not tell which thread made it. So where
    two threads have made nodes of one number in different places, nobody knows. The threads of the
    autograd engine are apart: what they make, when they recompute a forward, they also take the
    gradient of, in a backward pass that they start themselves.

    Attributes
    ----------
    threads : dict of int to SequenceMap
        By the thread's identifier.
    only : SequenceMap or None
        The only one of them, as long as there are no others.
    """

    #: Threads that have ended whose nodes are remembered.
    MOST_ENDED = 64
    __slots__ = ("_ended", "_engine", "only", "threads")

    def __init__(self) -> None:
        self.threads: dict[int, SequenceMap] = {}
        self.only: SequenceMap | None = None
        self._ended: deque[SequenceMap] = deque(maxlen=self.MOST_ENDED)
        self._engine: dict[int, SequenceMap] = {}

    def of_this_thread(self) -> SequenceMap:
        """Where the nodes of this thread are noted, which may be one of the autograd engine."""
        thread = get_ident()
        found = self.threads.get(thread) or self._engine.get(thread)
        if found is None:
            # The operator at hand has made its node by now, which would be missed.
            found = self._engine[thread] = SequenceMap(0)
        return found

    def begin_thread(self) -> None:
        """Note the nodes of this thread from now on, leaving out those made since it stopped."""
        sequence = self.threads.get(get_ident())
        if sequence is not None and _get_sequence_nr() >= sequence.next_number:
            sequence.skip()
            return
        if sequence is not None:
            self._ended.append(sequence)  # of a thread that is gone and left its identifier
        self.threads[get_ident()] = sequence = SequenceMap(_get_sequence_nr())
        self.only = sequence if len(self.threads) == 1 and not self._ended else None

    def place_of(self, number: int, thread: int) -> Place | None:
        """The place that made a node, in a backward pass that was started in `thread`.

        None if that was not counted.
        """
        if self._engine and (made := self._engine.get(thread)) is not None:
            place = made.place_of(number)
            if place is not None:
                return place
        if self.only is not None:
            return self.only.place_of(number)
        found = {one.place_of(number) for one in (*self.threads.values(), *self._ended)} - {None}
        return found.pop() if len(found) == 1 else None
