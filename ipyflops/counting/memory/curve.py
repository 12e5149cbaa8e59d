"""The curve of live bytes over the operators of a run, in a bounded number of points.

Each point stands for some operators that follow each other, and is the largest number among them,
with the operator at which it stood. When there are too many points, each two become one: the larger
stays. So the maximum of the run is always a point, and so is that of any stretch.
"""

from __future__ import annotations

#: There are at most this many points, and at least half as many after a long run.
MAX_POINTS = 1024


class Curve:
    """Live bytes over operators.

    Attributes
    ----------
    end : int
        The number of the first operator that the last point does not stand for.
    top : int
        The bytes of the last point.
    """

    __slots__ = ("_points", "_width", "end", "top")

    def __init__(self) -> None:
        #: The number of an operator, the bytes that were live at its end, and its phase.
        self._points: list[tuple[int, int, int]] = []
        self._width = 1
        self.end = 0
        self.top = 0

    def add(self, number: int, live: int, phase: int) -> None:
        """Add a number of bytes that is at or after `end`, or above `top`."""
        self.top = live
        if number < self.end:
            self._points[-1] = (number, live, phase)
            return
        if len(self._points) >= MAX_POINTS:
            self._halve()
        self._points.append((number, live, phase))
        self.end = number - number % self._width + self._width

    def points(self) -> list[tuple[int, int, int]]:
        """Return the points in the order of the operators."""
        return list(self._points)

    def _halve(self) -> None:
        self._width *= 2
        merged: dict[int, tuple[int, int, int]] = {}
        for point in self._points:
            stretch = point[0] // self._width
            known = merged.get(stretch)
            if known is None or point[1] > known[1]:
                merged[stretch] = point
        self._points = list(merged.values())
