"""Where each node of the autograd graph was made."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from threading import get_ident
from typing import TYPE_CHECKING

from ipyflops.torch_private import current_sequence_number

if TYPE_CHECKING:
    from ipyflops.attribution.marks import Location


class SequenceMap:
    """The location where each autograd node was made, by the node's number.

    Nodes are numbered upwards in each thread, and most neighbours are of one location: kept are
    only the numbers at which it changes, and of those the last `LIMIT`, so that a long run of
    training steps, whose graphs are long gone, takes no more memory than a short one. What counts
    is the place, and the line of a method where such lines are followed.

    Attributes
    ----------
    next_number : int
        The number that the first node after the last operator gets.
    last : Location or None
        Where the nodes before it were made.
    """

    LIMIT = 1 << 18
    __slots__ = ("_locations", "_starts", "last", "next_number")

    def __init__(self, next_number: int) -> None:
        self._starts: list[int] = []
        self._locations: list[Location | None] = []
        self.last: Location | None = None
        self.next_number = next_number

    def note(self, location: Location | None) -> None:
        """Note that the nodes made since the last operator were made at `location`."""
        if not self._starts or not _alike(location, self.last):
            self._starts.append(self.next_number)
            self._locations.append(location)
            self.last = location
            if len(self._starts) > self.LIMIT:
                del self._starts[: self.LIMIT // 2], self._locations[: self.LIMIT // 2]
        self.next_number = current_sequence_number()

    def skip(self) -> None:
        """Leave out the nodes that were made since the last operator: they were not counted."""
        self.note(None)

    def origin_of(self, number: int) -> Location | None:
        """Where the node of that number was made; None if it was not counted."""
        if number >= self.next_number:
            return None
        index = bisect_right(self._starts, number) - 1
        return self._locations[index] if index >= 0 else None


def _alike(one: Location | None, other: Location | None) -> bool:
    """Whether the backward pass of both is at one place, and on one line of a method."""
    if one is None or other is None:
        return one is other
    return one.place is other.place and one.site is other.site


class NodeMap:
    """The location where each autograd node was made, in every thread that is counted.

    Each thread numbers its nodes from zero, and a node does not tell which thread made it. So where
    two threads have made nodes of one number in different places, nobody knows which of these it
    is. The threads of the autograd engine are apart: what they make, when they recompute a forward,
    they also take the gradient of, in a backward pass that they start themselves.

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
        if sequence is not None and current_sequence_number() >= sequence.next_number:
            sequence.skip()
            return
        if sequence is not None:
            self._ended.append(sequence)  # of a thread that is gone and left its identifier
        self.threads[get_ident()] = sequence = SequenceMap(current_sequence_number())
        self.only = sequence if len(self.threads) == 1 and not self._ended else None

    def origins_of(self, number: int, thread: int) -> Sequence[Location]:
        """Where a node may have been made, in a backward pass that was started in `thread`.

        That is one location in all but rare cases, and none if it was not counted.
        """
        if self._engine and (made := self._engine.get(thread)) is not None:
            origin = made.origin_of(number)
            if origin is not None:
                return (origin,)
        if self.only is not None:
            origin = self.only.origin_of(number)
            return () if origin is None else (origin,)
        found: list[Location] = []
        for one in (*self.threads.values(), *self._ended):
            origin = one.origin_of(number)
            if origin is not None and not any(_alike(origin, other) for other in found):
                found.append(origin)
        return found
