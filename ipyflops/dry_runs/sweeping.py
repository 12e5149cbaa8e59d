"""Counts the same function for a grid of sizes, on fake tensors: `ipyflops.sweep`."""

from __future__ import annotations

import inspect
import itertools
import math
import operator
import sys
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ipyflops.costs import COUNTED
from ipyflops.dry_runs.calls import RepeatedCalls, check_callable, count_call
from ipyflops.dry_runs.cuda import AbsentDevice
from ipyflops.report import PEAK, Growth, Point, Sweep, Variable, counts_of, fit

MAX_POINTS = 10_000
_UNKNOWN = ("irregular", "undetermined")
#: A cubic growth takes four values, and one more that agrees.
ENOUGH_VALUES = 5
#: At most this many points are added for a further value of a variable.
MAX_PLANE = 100


class SweepError(RuntimeError):
    """A point of the grid could not be counted; the message says which, and its cause is kept."""


def sweep(
    function: Callable[..., object],
    /,
    *,
    device: Any = None,
    memory: Any = False,
    **variables: Iterable[int],
) -> Sweep:
    """Count a call over a grid of sizes, on fake tensors: nothing is computed, and any size fits.

    Every combination of the values is one call ``function(name=value, …)``, counted as by
    `ipyflops.dry_run`. So the function must make its own inputs from the sizes. If there are too
    few values to tell how a count grows, one more value of a variable is counted to check the
    growth, between the given ones if possible. If two or three values show no growth that fits, up
    to three more are counted.

    Parameters
    ----------
    function : callable
        Called with each of the variables by name.
    device : str, optional
        Count as on this device, even if it does not exist: ``cuda``.
    memory : bool
        Whether each point's report says what uses memory (see `Report.memory`). Then the peak is
        shown for each point, with a formula if one fits.
    **variables : iterable of int
        The values of each variable; order and repetitions do not matter.

    Returns
    -------
    Sweep
        It has a frame, a plot, and the growth of every module by name.

    Raises
    ------
    TypeError
        If the function is not callable or does not take the variables by name, or if a value is not
        a whole number.
    ValueError
        If there is no variable, a variable has no values, no variable has two values, there are too
        many points, or a dry run cannot act as the device.
    SweepError
        If the function fails at a point; the message names the point, and the error is its cause.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(512, 2048)
    >>> run = sweep(lambda batch: layer(torch.randn(batch, 512)), batch=[1, 2, 4, 8])
    >>> run.growth().name, run.growth().expression
    ('linear in batch', '2,097,152·batch')
    """
    check_callable(
        function, "sweep", "sweep(lambda batch: model(torch.randn(batch, 8)), batch=[1, 2])"
    )
    if not isinstance(memory, bool):
        variables, memory = {**variables, "memory": memory}, False
    grid = _grid(variables)
    _check_accepts(function, [variable.name for variable in grid])
    AbsentDevice(device)  # which raises if it is none
    counter = _CallCounter(function, grid, sys._getframe(1), device, memory)
    all_values = itertools.product(*(variable.values for variable in grid))
    points = tuple(
        counter.count(values, first=index == 0) for index, values in enumerate(all_values)
    )
    notes = dict.fromkeys(note for point in points for note in point.report.notes)
    counted = Sweep(grid, points, notes=tuple(notes))
    checks, failed = _count_checks(counter, counted)
    counted = replace(counted, checks=checks, notes=(*failed, *counted.notes))
    return _count_planes(counter, counted)


def _grid(variables: Mapping[str, Iterable[int]]) -> tuple[Variable, ...]:
    if not variables:
        raise ValueError("a sweep needs a variable, as sweep(function, batch=[1, 2, 4])")
    grid = tuple(Variable(name, _values(name, values)) for name, values in variables.items())
    if all(len(variable.values) == 1 for variable in grid):
        raise ValueError(
            "a sweep needs a variable with two values or more; "
            "ipyflops.dry_run(function, …) counts a single call"
        )
    points = math.prod(len(variable.values) for variable in grid)
    if points > MAX_POINTS:
        raise ValueError(f"the grid has {points:,} points; at most {MAX_POINTS:,} are counted")
    return grid


def _values(name: str, values: Iterable[int]) -> tuple[int, ...]:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise TypeError(
            f"the values of {name} are a list, as {name}=[1, 2, 4], not {_shown(values)}"
        )
    numbers = set()
    for value in values:
        try:
            numbers.add(operator.index(value))
        except TypeError:
            raise TypeError(
                f"the values of {name} are whole numbers, and {_shown(value)} is none"
            ) from None
        if isinstance(value, bool):
            raise TypeError(f"the values of {name} are whole numbers, and {value} is none")
    if not numbers:
        raise ValueError(f"{name} has no values")
    return tuple(sorted(numbers))


def _shown(value: object) -> str:
    """A value in a message: itself if it is short, else what it is."""
    return repr(value) if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"


def _check_accepts(function: Callable[..., object], names: Sequence[str]) -> None:
    """Fail before anything is counted if the function cannot be called with these names."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        # What is written in C may not tell.
        return
    try:
        signature.bind(**dict.fromkeys(names))
    except TypeError as error:
        name = getattr(function, "__name__", type(function).__name__)
        called = ", ".join(f"{one}=…" for one in names)
        raise TypeError(
            f"{name}{signature} cannot be called as {name}({called}): {error}"
        ) from None


@dataclass(frozen=True, slots=True)
class _CallCounter:
    """Counts calls of one function."""

    function: Callable[..., object]
    grid: Sequence[Variable]
    caller: types.FrameType
    device: Any = None
    memory: bool = False
    repeated: RepeatedCalls = field(default_factory=RepeatedCalls)

    def count(self, values: Sequence[int], *, first: bool = False) -> Point:
        """Count one point; only the first one looks for fake tensors that stay alive."""
        sizes = {variable.name: value for variable, value in zip(self.grid, values, strict=True)}
        try:
            report = count_call(
                self.function,
                (),
                sizes,
                self.caller,
                device=self.device,
                look_for_leaks=first,
                memory=self.memory,
                # What is kept for the next point would count as memory that is still held.
                repeated=None if self.memory else self.repeated,
            )
        except Exception as error:
            at = ", ".join(f"{name}={value}" for name, value in sizes.items())
            raise SweepError(f"at {at}: {type(error).__name__}: {error}") from error
        return Point(tuple(values), report)


# --- further points, to tell how counts grow -----------------------------------------------------


def _count_checks(
    counter: _CallCounter, counted: Sweep
) -> tuple[tuple[Point, ...], tuple[str, ...]]:
    """Count one more value of each variable that has too few; say what failed.

    The other variables have their largest values: the smallest of all are often special. A peak is
    checked at their smallest, too: it may be another moment's there.
    """
    checks = []
    failed = []
    for index, variable in enumerate(counted.variables):
        if len(variable.values) < 2 or not _needs_check(counted, index):
            continue
        others = [[one.values[-1] for one in counted.variables]]
        if counted.has_memory:
            others.append([one.values[0] for one in counted.variables])
        for values in others:
            values[index] = _further_value(variable.values)
        for point in dict.fromkeys(map(tuple, others)):
            try:
                checks.append(counter.count(point))
            except SweepError as error:
                failed.append(f"the growth with {variable.name} could not be checked {error}")
    return tuple(checks), tuple(failed)


def _needs_check(counted: Sweep, index: int) -> bool:
    """Whether the points do not determine how some node grows with a variable."""
    series = {
        tuple(counts_of(counted.points, [path], metric))
        for metric in COUNTED
        for path in counted.paths
    }
    if counted.has_memory:
        series.add(tuple(counted.counts(metric=PEAK)))
    return any(
        fit(counted.variables, counts).by_variable[index].known in _UNKNOWN for counts in series
    )


def _count_planes(counter: _CallCounter, counted: Sweep) -> Sweep:
    """Count further values of a variable at all points, where two or three values tell too little.

    Example: through two values goes a line, and a third one shows that the count is no line. It
    takes four to say that it is a square.
    """
    for index, variable in enumerate(counted.variables):
        values = variable.values
        others = [one.values for one in counted.variables]
        plane = math.prod(map(len, others)) // len(values)
        while (
            1 < len(values) < ENOUGH_VALUES
            and plane <= MAX_PLANE
            and any(point.values[index] not in variable.values for point in counted.checks)
            and any(one.by_variable[index].known in _UNKNOWN for one in _growths(counted))
        ):
            further = _further_value(values)
            values = tuple(sorted((*values, further)))
            others[index] = (further,)
            known = {point.values for point in counted.checks}
            try:
                more = [
                    counter.count(point)
                    for point in itertools.product(*others)
                    if point not in known
                ]
            except SweepError as error:
                note = f"the growth with {variable.name} could not be told {error}"
                return replace(counted, notes=(note, *counted.notes))
            counted = replace(counted, checks=(*counted.checks, *more))
    return counted


def _growths(counted: Sweep) -> Iterator[Growth]:
    yield from (growth for metric in COUNTED for growth in counted.growths(metric).values())
    if counted.has_memory:
        yield counted.growth(metric=PEAK)


def _further_value(values: Sequence[int]) -> int:
    """A new value that is, like the given ones, a multiple of their greatest common divisor.

    It lies between the two largest values or, if there is no room, between the two next to them,
    and so on. If there is no room anywhere, it is larger than all of them.
    """
    step = math.gcd(*values) or 1
    for low, high in zip(values[-2::-1], values[:0:-1], strict=True):
        if (high - low) // step > 1:
            return low + (high - low) // step // 2 * step
    return values[-1] + step
