"""What a count makes of CUDA graphs: captured calls do not count, replayed ones do.

A graph that was captured in the same count is counted where its operators were captured: at their
modules and lines. Of one that was captured in an earlier count only the operators and their phases
are known, so they count where the graph is replayed. One that was captured beside all counts is
named as unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from ipyflops.attribution import Location
from ipyflops.costs import ZERO_COST
from ipyflops.counting.call_keys import Key
from ipyflops.counting.entries import Entry
from ipyflops.counting.graphs import GRAPHS, Captured
from ipyflops.counting.recording import Recorder
from ipyflops.report import Phase, Signature

#: The operator that has the time of replays, which is known as a whole.
REPLAY = "cuda_graph::replay"
_KNOWN = Signature(REPLAY, "", "", "free", ZERO_COST, 0)
_UNKNOWN = Signature(REPLAY, "", "", "unknown", ZERO_COST, 0)
#: Gives the location of another phase at the place and line of a location.
InPhase = Callable[[Location, Phase], Location]


class Replays:
    """The captures and replays of one count."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        #: Where the calls of each graph were captured, and how often.
        self._places: WeakKeyDictionary[
            Captured, dict[tuple[Location, Key], tuple[Signature, int]]
        ] = WeakKeyDictionary()
        self._captured = self._in_unknown_graph = self._replayed = self._unknown = 0

    def capture(self, location: Location, key: Key, signature: Signature) -> None:
        """Note a call that became part of a graph and did not run."""
        graph = GRAPHS.note(self, location.phase, key, signature)
        if graph is None:
            self._in_unknown_graph += 1
            return
        self._captured += 1
        places = self._places.setdefault(graph, {})
        _, number = places.get((location, key), (signature, 0))
        places[location, key] = (signature, number + 1)

    def replay(self, graph: Any, location: Location, device: str, in_phase: InPhase) -> Entry:
        """Count what a graph runs; gives the entry that has the time of the replay.

        Parameters
        ----------
        graph : torch.cuda.CUDAGraph
        location : Location
            Where it is replayed.
        device : str
        in_phase : callable
        """
        captured = GRAPHS.captured_in(graph)
        if captured is None:
            self._unknown += 1
            return self._recorder.add(location, (_UNKNOWN,), _UNKNOWN, device, 1)
        self._replayed += 1
        places = self._places.get(captured)
        if places is None:
            places = {
                (in_phase(location, phase), key): call
                for (phase, key), call in captured.calls.items()
            }
        for (place, key), (signature, number) in places.items():
            self._recorder.add(place, key, signature, device, number)
        return self._recorder.add(location, (_KNOWN,), _KNOWN, device, 1)

    def notes(self) -> list[str]:
        """What a reader has to know of graphs."""
        notes = []
        if self._replayed:
            notes.append(
                f"{_times(self._replayed, 'replay')} of CUDA graphs: counted is what was captured, "
                f"and the time stands at {REPLAY} as a whole"
            )
        elif self._captured:
            notes.append(
                f"{_times(self._captured, 'operator')} captured in a CUDA graph: that runs "
                "nothing, and they count with each replay"
            )
        if self._unknown:
            notes.append(
                f"not counted: {_times(self._unknown, 'replay')} of a CUDA graph that was captured "
                "while nothing was counted"
            )
        if self._in_unknown_graph:
            notes.append(
                f"not counted: {_times(self._in_unknown_graph, 'operator')} captured in a CUDA "
                "graph whose capture had begun before the block"
            )
        return notes


def _times(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number:,} {what}s"
