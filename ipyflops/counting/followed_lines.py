"""What ran on the lines of methods, added up from the places of a count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import CodeType

from ipyflops.attribution import MethodLine
from ipyflops.counting.recording import Entry
from ipyflops.report.excerpts import LineCount
from ipyflops.report.tables import Phase


class FollowedLines:
    """Sums by method and line: each operator counts on every line that led to it, once."""

    def __init__(self) -> None:
        self._sums: dict[CodeType, dict[tuple[int, Phase, int], list[int]]] = defaultdict(dict)
        #: Where the signature stands for calls that differ, each row is on its own.
        self._apart: dict[CodeType, list[LineCount]] = defaultdict(list)

    def add(
        self, method_line: MethodLine, phase: Phase, signature: int, summed: bool, entry: Entry
    ) -> None:
        """Add what ran on a line of a method, to that line and to those that led there.

        Parameters
        ----------
        method_line : MethodLine
        phase : {"forward", "backward", "recompute", "optimizer"}
        signature : int
            Its index in the report.
        summed : bool
            Whether the signature stands for all calls of the entry together.
        entry : Entry
        """
        calls, nanoseconds = entry.calls, entry.nanoseconds
        for one in method_line.chain():
            # The methods in the order in which they were met.
            sums = self._sums[one.code]
            if summed:
                apart = LineCount(one.number, phase, signature, calls, nanoseconds)
                self._apart[one.code].append(apart)
                continue
            known = sums.setdefault((one.number, phase, signature), [0, 0])
            known[0] += calls
            known[1] += nanoseconds

    def counts(self) -> Mapping[CodeType, list[LineCount]]:
        """Give the sums of each method."""
        return {
            code: [
                *(LineCount(*key, calls, time) for key, (calls, time) in sums.items()),
                *self._apart.get(code, ()),
            ]
            for code, sums in self._sums.items()
        }
