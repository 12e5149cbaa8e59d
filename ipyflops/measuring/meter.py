"""A meter for training loops: it counts a step once, and afterwards only reads the clock."""

from __future__ import annotations

import sys
import time
from collections import UserDict, deque
from collections.abc import Mapping
from dataclasses import replace
from types import FrameType, TracebackType
from typing import Any, NamedTuple

import torch

from ipyflops.attribution import read_variables
from ipyflops.cells import readable_name
from ipyflops.costs import Convention, conventions
from ipyflops.counting import FlopCounter
from ipyflops.report import Device, Peak, Rate, Report, Source
from ipyflops.units import duration, percent, scaled

#: So many steps are kept, so many shapes are known, and so many items of a batch are looked at.
MAX_HISTORY, MAX_SHAPES, MAX_ITEMS = 100_000, 1000, 32
_CONTAINERS = (dict, list, tuple, UserDict)


class MeterStep(NamedTuple):
    """A step of a loop.

    Attributes
    ----------
    number : int
        Counted from 1.
    seconds : float
        Wall time; counting makes a counted step slower.
    flops : int
    tokens : int
        0 where the meter was not told.
    counted : bool
        Whether its operators were counted. Otherwise its FLOPs are those of the last counted step
        with inputs of the same shapes.
    peak_seconds : float
        Time that its model's products take at the peak; 0 if no peak is known.
    """

    number: int
    seconds: float
    flops: int
    tokens: int
    counted: bool
    peak_seconds: float

    @property
    def flops_per_second(self) -> float:
        """FLOPS of this step."""
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second; 0 if the meter does not know the tokens."""
        return self.tokens / self.seconds if self.seconds else 0.0

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation, as `Report.mfu`; None where no peak is known."""
        return self.peak_seconds / self.seconds if self.peak_seconds and self.seconds else None


class Meter:
    """Measures the steps of a loop: FLOPS, MFU, tokens a second.

    The meter counts the first step, and each step whose inputs have new shapes. For all other steps
    it only reads the clock and intercepts nothing. It looks at the shapes of the tensors in the
    variables that the code around the ``with`` statement uses, also inside lists and dictionaries;
    or you pass the inputs: ``with meter(batch):``.

    Parameters
    ----------
    tokens : int, optional
        Tokens of a step, if it is always the same number; otherwise
        ``with meter(batch, tokens=512):``.
    peak : Peak, Device, str or float, optional
        The peak for MFU: `ipyflops.peak`, a device or its name, or FLOPS for any dtype.
    convention : {"standard", "contractions", "article"}
    synchronize : bool, optional
        Whether a step ends when the accelerator is done. By default, yes if the counted step ran on
        one.

    Attributes
    ----------
    history : deque of MeterStep
        The last 100,000 steps.
    report : Report or None
        The report of the step that was counted last.

    Raises
    ------
    ValueError
        If there is no such device or convention.

    Examples
    --------
    >>> model = torch.nn.Linear(4, 3)
    >>> meter = Meter(tokens=2)
    >>> for _ in range(3):
    ...     with meter:
    ...         loss = model(torch.ones(2, 4)).sum()
    >>> [step.counted for step in meter.history], meter.history[-1].flops
    ([True, False, False], 53)
    """

    def __init__(
        self,
        *,
        tokens: int = 0,
        peak: Peak | Device | str | float | None = None,
        convention: Convention = "standard",
        synchronize: bool | None = None,
    ) -> None:
        self.history: deque[MeterStep] = deque(maxlen=MAX_HISTORY)
        self.report: Report | None = None
        self._steps = 0
        self._convention = conventions.check(convention)
        self._peak: Peak | float | None = _as_peak(peak)
        self._tokens = tokens
        self._synchronize = synchronize
        #: FLOPs and seconds at the peak, by shapes.
        self._known: dict[object, tuple[int, float]] = {}
        self._next: tuple[tuple[Any, ...], int] | None = None
        self._counter: FlopCounter | None = None
        self._shapes: object = None
        self._began = 0.0
        self._step_tokens = tokens

    # --- a step ----------------------------------------------------------------------------------

    def __call__(self, *inputs: object, tokens: int | None = None) -> Meter:
        """Tell the next step's inputs, whose shapes decide whether it is counted, and tokens."""
        self._next = inputs, self._tokens if tokens is None else tokens
        return self

    def begin(self, *inputs: object, tokens: int | None = None) -> None:
        """Begin a step, for a callback that cannot use a ``with`` statement."""
        if inputs or tokens is not None:
            self(*inputs, tokens=tokens)
        self._begin(sys._getframe(1))

    def end(self) -> MeterStep | None:
        """End a step and return it; None if no step has begun."""
        return self._end()

    def __enter__(self) -> Meter:
        self._begin(sys._getframe(1))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._end()
            return
        counter, self._counter, self._began = self._counter, None, 0.0
        if counter is not None:  # a step that failed is none
            counter.__exit__(kind, error, traceback)

    def _begin(self, frame: FrameType) -> None:
        if self._counter is not None:  # a step that began and never ended
            counter, self._counter = self._counter, None
            counter.__exit__(None, None, None)
        inputs, self._step_tokens = self._next or ((), self._tokens)
        self._next = None
        self._shapes = _shapes(inputs) if inputs else _shapes_around(frame)
        if self._shapes not in self._known:
            filename = frame.f_code.co_filename
            source = Source(filename, readable_name(filename))
            counter = FlopCounter(self._convention, device_time=False, source=source)
            counter.__enter__()
            self._counter = counter
        self._began = time.perf_counter()

    def _end(self) -> MeterStep | None:
        if not self._began:
            return None
        counter, self._counter = self._counter, None
        if counter is not None:
            counter.__exit__(None, None, None)
            self._learn(counter.report)
        if self._synchronize:
            torch.accelerator.synchronize()
        seconds = time.perf_counter() - self._began
        self._began = 0.0
        flops, peak_seconds = self._known[self._shapes]
        self._steps += 1
        step = MeterStep(
            self._steps, seconds, flops, self._step_tokens, counter is not None, peak_seconds
        )
        self.history.append(step)
        return step

    def _learn(self, report: Report) -> None:
        self.report = report
        if self._synchronize is None and report.device != "cpu":
            self._synchronize = torch.accelerator.is_available()
        if len(self._known) >= MAX_SHAPES:
            self._known.pop(next(iter(self._known)))
        self._known[self._shapes] = report.flops, self._at_peak(report)

    def _at_peak(self, report: Report) -> float:
        """Seconds of the model's products at the peak."""
        peak = self._peak
        if isinstance(peak, float):
            rates = tuple(Rate(dtype, peak) for dtype in report.by_dtype)
            peak = Peak("device", "", rates) if rates else None
        return 0.0 if peak is None else replace(report, peak=peak).totals.mfu_seconds

    # --- all steps -------------------------------------------------------------------------------

    @property
    def measured(self) -> list[MeterStep]:
        """The steps that were timed and not counted: counting changes the time."""
        return [step for step in self.history if not step.counted]

    @property
    def seconds(self) -> float:
        """Total time of the measured steps."""
        return sum(step.seconds for step in self.measured)

    @property
    def flops_per_second(self) -> float:
        """FLOPS of the measured steps; 0 if there are none yet."""
        return self._rate([step.flops for step in self.measured])

    @property
    def tokens_per_second(self) -> float:
        """Tokens a second of the measured steps."""
        return self._rate([step.tokens for step in self.measured])

    @property
    def mfu(self) -> float | None:
        """MFU of the measured steps; None if no peak is known or no step was measured."""
        return self._rate([step.peak_seconds for step in self.measured]) or None

    def _rate(self, amounts: list[Any]) -> float:
        return sum(amounts) / self.seconds if self.seconds else 0.0

    def __str__(self) -> str:
        measured = self.measured
        said = [f"{self._steps:,} steps, {len(self.history) - len(measured):,} counted"]
        if measured:
            said.append(f"{duration(self.seconds / len(measured))} a step")
            said.append(scaled(self.flops_per_second, "FLOPS"))
            said += [f"MFU {percent(self.mfu)}"] if self.mfu else []
            rate = self.tokens_per_second
            said += [f"{scaled(rate)} tokens/s"] if rate else []
        return " · ".join(said)

    def __repr__(self) -> str:
        return f"<Meter: {self}>"


def _as_peak(peak: Peak | Device | str | float | None) -> Peak | float | None:
    if isinstance(peak, str):
        peak = Device.named(peak)
    if isinstance(peak, Device):
        return peak.peak
    if isinstance(peak, int | float):
        if not 0 < peak < float("inf"):
            raise ValueError(f"a peak has to be a positive number of FLOPS, not {peak!r}")
        return float(peak)
    return peak


def _shapes(values: tuple[Any, ...]) -> object:
    """The shapes of tensors among values, and inside of containers there."""
    return tuple(map(_shape, values))


def _shape(value: Any) -> object:
    if isinstance(value, torch.Tensor):
        return value.shape
    if isinstance(value, _CONTAINERS) and len(value) <= MAX_ITEMS:
        items = value.values() if isinstance(value, dict | UserDict) else value
        return tuple([one.shape for one in items if isinstance(one, torch.Tensor)])
    return None


def _shapes_around(frame: FrameType) -> object:
    """The shapes of the tensors that the code of a frame names in its own variables."""
    code = frame.f_code
    variables: Mapping[str, Any] = read_variables(frame)
    names = code.co_names if variables is frame.f_globals else variables
    found: list[tuple[str, object]] = []
    for name in names:
        value = variables.get(name)
        if isinstance(value, torch.Tensor):
            # A result of the step is not there before the first one.
            if value.requires_grad and not value.is_leaf:
                continue
            found.append((name, value.shape))
        elif isinstance(value, _CONTAINERS):
            shape = _shape(value)
            if shape:
                found.append((name, shape))
    return tuple(found)
