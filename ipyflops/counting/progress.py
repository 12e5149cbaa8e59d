"""How far a count has come, while it is still running."""

from __future__ import annotations

from dataclasses import dataclass

from ipyflops.attribution import LocationTable, Place
from ipyflops.costs import Convention, conventions
from ipyflops.units import scaled
from ipyflops.views import shortened, visible


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a count has come.

    Attributes
    ----------
    operators, flops : int
    module : str
        Path of the place that ran last; empty for none.
    """

    operators: int
    flops: int
    module: str

    def __str__(self) -> str:
        text = f"counting: {scaled(self.operators)} operators, {scaled(self.flops, 'FLOPs')}"
        return f"{text}, in {shortened(visible(self.module), 60)}" if self.module else text


class Reader:
    """Reads the sums of a running count; it remembers them, to tell where the count is at work."""

    def __init__(self, locations: LocationTable, convention: Convention) -> None:
        self._locations = locations
        self._convention = convention
        self._calls: dict[int, int] = {}

    def read(self) -> Progress:
        """Add up what there is; other threads may go on counting meanwhile."""
        operators = flops = most = 0
        latest = self._locations.root
        by_place = self._locations.by_place()
        waiting = [self._locations.root]
        while waiting:
            place = waiting.pop()
            waiting.extend(place.children())
            calls = 0
            for location in by_place.get(place, ()):
                for entry in list(location.entries.values()):
                    calls += entry.calls
                    if entry.sums is None:
                        cost = entry.signature.cost
                        flops += entry.calls * conventions.flops(cost, self._convention)
                    else:
                        flops += conventions.flops(entry.sums.cost.total(), self._convention)
            operators += calls
            gained = calls - self._calls.get(id(place), 0)
            if gained > 0:
                self._calls[id(place)] = calls
                if gained >= most:
                    most, latest = gained, place
        return Progress(operators, flops, _path(latest))


def _path(place: Place) -> str:
    names = []
    at: Place | None = place
    while at is not None and at.parent is not None:
        names.append(at.name)
        at = at.parent
    return ".".join(reversed(names))
