"""Where each node of the autograd graph was made."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from threading import get_ident
from typing import TypeAlias

from ipyflops.attribution.marks import Location
from ipyflops.attribution.this_thread import THREAD, Token
from ipyflops.torch_private import current_sequence_number

#: What stands for a thread: the token of one that is counted, the identifier of one of the engine.
ThreadKey: TypeAlias = Token | int


class SequenceMap:
    """The location where each autograd node of one thread was made, by the node's number.

    Nodes are numbered upwards in each thread, and most neighbours were made at one location. So
    only the numbers are kept at which it changes. Of these only the last `MAX_CHANGES` are kept,
    so that a long run of training steps, whose graphs are long gone, takes no more memory than a
    short one. Two locations are the same here if they have the same place and, where lines of
    methods are followed, the same line of a method.

    Attributes
    ----------
    next_number : int
        The number that the first node after the last operator gets.
    last : Location or None
        Where the nodes before it were made.
    """

    MAX_CHANGES = 1 << 18
    __slots__ = ("_locations", "_starts", "last", "next_number")

    def __init__(self, next_number: int) -> None:
        self._starts: list[int] = []
        self._locations: list[Location | None] = []
        self.last: Location | None = None
        self.next_number = next_number

    def note(self, location: Location | None, next_number: int) -> None:
        """Note that the nodes made since the last operator were made at `location`."""
        if not self._starts or not _same_origin(location, self.last):
            self._starts.append(self.next_number)
            self._locations.append(location)
            self.last = location
            if len(self._starts) > self.MAX_CHANGES:
                del self._starts[: self.MAX_CHANGES // 2], self._locations[: self.MAX_CHANGES // 2]
        self.next_number = next_number

    def skip(self) -> None:
        """Leave out the nodes that were made since the last operator: they were not counted."""
        self.note(None, current_sequence_number())

    def origin_of(self, number: int) -> Location | None:
        """Where the node of that number was made; None if it was not counted."""
        if number >= self.next_number:
            return None
        index = bisect_right(self._starts, number) - 1
        return self._locations[index] if index >= 0 else None


def _same_origin(one: Location | None, other: Location | None) -> bool:
    """Whether the backward pass of both is at one place, and on one line of a method."""
    if one is None or other is None:
        return one is other
    return one.place is other.place and one.method_line is other.method_line


class NodeMap:
    """The location where each autograd node was made, in every thread that is counted.

    Each thread numbers its nodes from zero, and a node does not tell which thread made it. So where
    two threads have made nodes of one number in different places, nobody knows in which of them a
    node was made. The threads of the autograd engine are kept apart: they make nodes when they
    recompute a forward, and take the gradient of these in a backward pass that they start
    themselves.

    A thread that ends leaves its identifier to another, which may be one of the engine. So Python's
    threads are told by their tokens. Those of the engine, which do not all keep theirs, are told by
    their identifiers: they never end.

    Attributes
    ----------
    only : SequenceMap or None
        That of the only thread, as long as there was no other.
    """

    #: Threads that have ended whose nodes are remembered.
    MAX_ENDED = 64
    __slots__ = ("_all", "_ended", "_engine", "_threads", "only")

    def __init__(self) -> None:
        self._threads: dict[Token, SequenceMap] = {}
        self.only: SequenceMap | None = None
        self._ended: deque[SequenceMap] = deque(maxlen=self.MAX_ENDED)
        self._engine: dict[int, SequenceMap] = {}
        #: Of the threads that go on and of those that have ended.
        self._all: tuple[SequenceMap, ...] = ()

    def in_own_thread(self) -> bool:
        """Whether `begin_thread` was called in this thread; in those of the engine it is not."""
        return THREAD.token in self._threads

    def this_thread(self) -> ThreadKey:
        """What to keep something of this thread under, so that no later thread finds it."""
        token = THREAD.token
        return token if token in self._threads else get_ident()

    def of_this_thread(self) -> SequenceMap:
        """Give the map of this thread, which may be one of the autograd engine."""
        sequence = self._threads.get(THREAD.token)
        return self._of_engine_thread() if sequence is None else sequence

    def of_engine_thread(self) -> SequenceMap | None:
        """Give the map of this thread if it is one of the autograd engine."""
        return None if self.in_own_thread() else self._of_engine_thread()

    def _of_engine_thread(self) -> SequenceMap:
        thread = get_ident()
        sequence = self._engine.get(thread)
        if sequence is None:
            # From 0 on, because the operator at hand has made its node by now.
            sequence = self._engine[thread] = SequenceMap(0)
        return sequence

    def begin_thread(self) -> None:
        """Note the nodes of this thread from now on, leaving out those made since it stopped."""
        sequence = self._threads.get(THREAD.token)
        if sequence is not None:
            sequence.skip()
            return
        ended = [thread for thread in self._threads if not thread.is_alive()]
        self._ended.extend(self._threads[thread] for thread in ended)
        left = {thread: nodes for thread, nodes in self._threads.items() if thread not in ended}
        sequence = left[THREAD.token] = SequenceMap(current_sequence_number())
        self._threads = left
        self._all = (*left.values(), *self._ended)
        self.only = sequence if len(self._threads) == 1 and not self._ended else None

    def origins_of(self, number: int, engine_nodes: SequenceMap | None) -> Sequence[Location]:
        """Where a node may have been made, if several threads make nodes.

        That is one location in all but rare cases, and none if the node was not counted.

        Parameters
        ----------
        number : int
            That of the node.
        engine_nodes : SequenceMap or None
            Of the thread of the engine that started the backward pass, if one of these did.
        """
        if engine_nodes is not None:
            origin = engine_nodes.origin_of(number)
            if origin is not None:
                return (origin,)
        origins: list[Location] = []
        last: Location | None = None
        for sequence in self._all:
            if number < sequence.next_number:
                origin = sequence.origin_of(number)
                if origin is not None and origin is not last:
                    last = origin
                    if not any(_same_origin(origin, one) for one in origins):
                        origins.append(origin)
        return origins
