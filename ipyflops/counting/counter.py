"""The counter: a dispatch mode that sees every operator and adds up what it costs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from types import FrameType
from typing import Any

import torch

from ipyflops.attribution import BIAS, Biases, Location, Locator
from ipyflops.costs import Convention, conventions
from ipyflops.counting import clock, stack
from ipyflops.counting.beside_dispatch import BesideDispatch
from ipyflops.counting.blocks import COUNTING, CountedBlocks
from ipyflops.counting.building import build_report
from ipyflops.counting.call_keys import Key
from ipyflops.counting.cuda_clock import CudaClock
from ipyflops.counting.decomposition import (
    ArithmeticDetector,
    decomposed,
    python_kernel,
)
from ipyflops.counting.device_clocks import device_clock
from ipyflops.counting.kernel_launches import KernelLaunch
from ipyflops.counting.known_operators import look_up
from ipyflops.counting.memory import MemoryTracker
from ipyflops.counting.module_shapes import ModuleShapeRecorder
from ipyflops.counting.outside_code import OutsideCode
from ipyflops.counting.progress import Progress, Reader
from ipyflops.counting.recording import Recorder, on_device
from ipyflops.counting.source_code import source_of
from ipyflops.formulas import UNKNOWN, Call, FormulaError, Verdict
from ipyflops.report import Report, Source
from ipyflops.torch_private import (
    TRACING,
    FakeTensor,
    FunctionalTensor,
    mode_of,
)

#: What a tensor class has in the place of a handler of its own.
_NO_DISPATCH = torch.Tensor.__torch_dispatch__
#: Asks a fake tensor for its device, wherever that happens: a question, and no operator.
_DEVICE = torch.ops.prim.device.default
_getframe = sys._getframe


class FlopCounter(CountedBlocks):
    """Counts the floating point operations of everything that runs in its ``with`` block.

    Parameters
    ----------
    convention : {"standard", "contractions", "article"}
        The convention of the report; `Report.under` changes it afterwards.
    device_time : bool
        Whether to measure the time of each operator's kernel.
    source : Source, optional
        The code whose lines the report shows; the file of the ``with`` statement by default.
    follow_methods : bool
        Whether to count by line in the modules' own methods, wherever they are written, and in your
        functions in other cells and files (see `Report.excerpts`). Counting is slower then.
    memory, shapes : bool
        Whether to follow the memory of the tensors (see `Report.memory`), and to record the inputs
        and outputs of each module (see `Node.shapes`). Counting is slower then.

    Raises
    ------
    TypeError
        If you pass what is to be counted, such as a model. Run it in the block instead.
    ValueError
        If there is no such convention.
    FormulaError
        At the end of the block, if a registered formula failed or did not return a number of FLOPs.
        The code in the block has run normally; the report lists the operator as unknown.

    Notes
    -----
    If you enter the same counter again, it adds to its counts. Counters can be nested; each counts
    everything that runs in its own block.

    What is counted where a program does several things at once:

    - another task of asyncio or trio, or another greenlet, is not counted, and may have a counter
      of its own; the report says how many operators were left out. Tasks that the block starts are
      counted, unless they are given a context that was made elsewhere;
    - a thread that starts within the block is counted, so those of a thread pool made there and of
      `torch.nn.DataParallel`, until the thread or the block ends;
    - a thread that was there before the block is not; if it belongs to a pool, or runs code of
      yours, and had work to do, the report says so (on Linux, where this can be seen);
    - a thread that `threading` does not start is not; the report says so (where threads of the
      autograd engine work, only if it still runs at the end);
    - another process is not, as a worker of a `torch.utils.data.DataLoader`: the report says so
      where it was forked.

    Examples
    --------
    >>> model = torch.nn.Linear(4, 3)
    >>> with FlopCounter() as counter:
    ...     result = model(torch.ones(2, 4))
    >>> counter.report.flops, counter.report.macs
    (48, 24)
    """

    def __init__(
        self,
        convention: Convention = "standard",
        *,
        device_time: bool = True,
        source: Source | None = None,
        follow_methods: bool = False,
        memory: bool = False,
        shapes: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(convention, str):
            raise TypeError(
                f"a FlopCounter counts what runs in its block, and was given a "
                f"{type(convention).__name__}: write with FlopCounter() as counter: model(x)"
            )
        self._convention = conventions.check(convention)
        self._source, self._follow_methods = source, follow_methods
        self._clock = clock.now if device_time else clock.stopped
        self._device_clock = device_clock(is_timed=device_time)
        self._on_cuda = isinstance(self._device_clock, CudaClock)
        self._memory = MemoryTracker() if memory else None
        self._shapes = ModuleShapeRecorder() if shapes else None
        #: Whether calls may need more than an entry.
        self._sees_more = memory or self._on_cuda
        self._followers = [one for one in (self._memory, self._shapes) if one is not None]
        self._recorder = Recorder()
        self._beside = BesideDispatch(self._recorder, self._device_clock)
        self._operators: dict[int, tuple[Any, ...]] = {}
        self._locator: Locator
        self._biases = Biases()
        self._entered, self._raises = False, True
        self._reader: Reader | None = None

    # Operators that take functions (cond, scan, flex_attention) come to __torch_dispatch__ too.
    supports_higher_order_operators = True

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """Whether torch's compiler may work in the block: see `ipyflops.counting.compiled`."""
        return True

    # --- the block: see `CountedBlocks` --------------------------------------------------------

    def _begin_count(self, frame: FrameType) -> None:
        if not self._entered:
            source = self._source or source_of(frame)
            self._locator = Locator(
                source.filename, source.name, follow_methods=self._follow_methods
            )
            self._recorder.file_label = source.name
            self._entered = True
        for follower in self._followers:
            follower.begin_block(self._locator)
        self._locator.begin_block(frame)
        if self._device_clock is not None:
            self._device_clock.begin_block()

    def _begin_thread(self) -> None:
        self._locator.begin_thread()
        if self._shapes is not None:
            self._shapes.begin_thread()

    def _end_thread(self, frame: FrameType) -> None:
        if self._entered:
            self._locator.release_thread(frame)

    def _end_count(self, frames: Iterable[FrameType]) -> None:
        if not self._entered:
            return
        if self._device_clock is not None:
            self._device_clock.end_block()
        self._locator.notes.update(dict.fromkeys(self.not_counted.notes()))
        self._locator.release(frames)
        for follower in self._followers:
            follower.end_block()
        self._operators.clear()

    def _take_problem(self) -> FormulaError | None:
        errors = self._recorder.errors
        if not (errors and self._raises):
            return None
        failed = errors[0]
        errors.clear()  # they hold the frames of the calls, and these the tensors
        return failed

    @property
    def report(self) -> Report:
        """What was counted so far; incomplete while the block is open or if it was interrupted."""
        clock = self._device_clock
        if clock is not None:
            clock.resolve()
        return build_report(
            self._locator if self._entered else None,
            self._recorder,
            convention=self._convention,
            complete=not self.blocks and not self._error,
            error=self._error,
            no_times=clock.no_times() if clock is not None else "",
            busy_share=clock.busy_share() if clock is not None else None,
            more_notes=(
                *self._beside.replays.notes(),
                *(clock.notes() if clock is not None else ()),
            ),
            tracker=self._memory,
            shapes=self._shapes,
        )

    def keep_errors(self) -> list[FormulaError]:
        """List what formulas of users fail with, and do not raise it where the block ends."""
        self._raises = False
        return self._recorder.errors

    def progress(self) -> Progress:
        """How far the count is; another thread may call this while the block is open."""
        if not self._entered:
            return Progress(0, 0, "")
        if self._reader is None:
            self._reader = Reader(self._locator.locations, self._convention)
        return self._reader.read()

    # --- one operator --------------------------------------------------------------------------

    def __torch_dispatch__(
        self,
        func: Any,
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if types and not (all(map(_is_plain, types)) and mode_of(TRACING) is None):
            return self._unwrap_tensors(func, types, args, kwargs or {})
        kwargs = kwargs or {}
        if func is _DEVICE or (
            self.count not in COUNTING.get() and not self.counts_unknown_context()
        ):
            return func(*args, **kwargs)
        known = self._operators.get(id(func)) or self._known(func)
        verdict, run, does_nothing, key_of, part, _ = known
        frame = _getframe().f_back
        location = self._locator.locate(frame)
        if does_nothing:
            return run(*args, **kwargs)
        if verdict is UNKNOWN:
            instead = self._instead_of(func, args, kwargs, location)
            if instead is not None:
                return instead()
        device_clock = self._device_clock
        span = None if device_clock is None else device_clock.begin(args, kwargs)
        clock = self._clock
        start = clock()
        out = run(*args, **kwargs) if kwargs else run(*args)
        nanoseconds = clock() - start
        if span is not None:
            device_clock.end(span, func, out)  # type: ignore[union-attr]
        key = key_of(func, args, kwargs, out)
        if part:
            key = self._biases.key(key, part, frame, func, args, kwargs, out, location)
        if self._sees_more and (self._memory is not None or (span is not None and span.captured)):
            key = self._see_more(func, args, kwargs, out, location, key, verdict, span)
            if not key:
                return out
        try:
            entry = location.entries.get(key)
        except TypeError:  # sizes that are symbols cannot be part of a key
            key, entry = (None, id(func), BIAS if key[-1] is BIAS else ""), None
        if entry is not None and self._on_cuda:
            key, entry = on_device("cpu" if span is None else span.device, location, key, entry)
        if entry is None or entry.sees_every_call:
            call = Call(func, args, kwargs, out, adds_bias=key[-1] is BIAS)
            entry = self._recorder.record(location, key, call, verdict)
            if entry.first_nanoseconds < 0 and span is None:
                entry.first_nanoseconds = nanoseconds
        entry.calls += 1
        if span is None:
            entry.nanoseconds += nanoseconds
        else:
            device_clock.keep(span, entry)  # type: ignore[union-attr]
        return out

    def _known(self, func: Any) -> tuple[Any, ...]:
        # A plain tuple is taken apart in half the time of a named one.
        known = self._operators[id(func)] = tuple(look_up(func, self._memory))
        self._recorder.saw_views |= known[2]
        return known

    def around_replay(self, graph: Any, frame: FrameType) -> AbstractContextManager[None]:
        """Count, and time, what a CUDA graph runs in the block; `frame` replays it."""
        return self._beside.replay(graph, self._locator, frame)

    def around_launch(self, launch: KernelLaunch, frame: FrameType) -> AbstractContextManager[None]:
        """Count, and time, a Triton kernel that the program itself launches in `frame`."""
        return self._beside.launch(launch, self._locator, frame)

    def _unwrap_tensors(
        self,
        func: Any,
        types: tuple[type, ...],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Have tensors that wrap others unwrap themselves, to count what they do with those.

        Where a graph is being made of a program, nothing is counted: nothing really runs.
        """
        if FunctionalTensor in types or all(map(_is_plain, types)):
            return func(*args, **kwargs)
        if self._memory is not None:
            self._memory.unwrapped(args)
        user_modes = stack.user_modes()
        if not user_modes:
            return NotImplemented
        # PyTorch would now ask the tensor before the user's modes that lie below this one. Without
        # a count it asks the modes first, so they come first here, too.
        return stack.run_beneath(self, user_modes, lambda: func(*args, **kwargs))

    def _instead_of(
        self, func: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any], location: Location
    ) -> Callable[[], Any] | None:
        """What to run, and count, in the place of an operator that has no formula."""
        decomposition = decomposed(func, args, kwargs, self._counted)
        if decomposition is not None:
            return decomposition
        kernel = python_kernel(func, args, kwargs)
        if kernel is None:
            return None
        return partial(self._run_custom, func, kernel, args, kwargs, location)

    def _see_more(
        self,
        func: Any,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        out: Any,
        location: Location,
        key: Key,
        verdict: Verdict,
        span: Any,
    ) -> Key:
        """Do what few calls need: follow memory, and note what is captured in a CUDA graph.

        Gives the key of a call; none where it became part of a CUDA graph and did not run.
        """
        if self._memory is not None:
            self._memory.note(func, args, kwargs, out, location)
        if self._on_cuda and span is not None and span.captured:
            call = Call(func, args, kwargs, out, adds_bias=key[-1] is BIAS)
            signature = self._recorder.signature_of(location, key, call, verdict)
            self._beside.replays.capture(location, key, signature)
            return ()
        return key

    def _run_custom(
        self,
        func: Any,
        kernel: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        location: Location,
    ) -> Any:
        """Run a custom operator's Python code and count what that runs.

        If it does no arithmetic that can be counted (in NumPy, say), the operator is unknown. If it
        does some, and hands values to other code too, a note says so.
        """
        detector, outside = ArithmeticDetector(), OutsideCode()
        out = stack.run_under(detector, outside.run, self._counted(kernel), *args, **kwargs)
        call = Call(func, args, kwargs, out)
        if self._memory is not None:
            self._memory.note(func, args, kwargs, out, location)
        if detector.saw_arithmetic:
            if outside.got_values:
                self._recorder.partly_outside[call.operator] = None
        else:
            entry = self._recorder.record(location, (None, id(func)), call, UNKNOWN)
            entry.calls += 1
        return out

    def _counted(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that it counts, although an operator calls it."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            return stack.run_under(self, function, *args, **kwargs)

        return counted


def _is_plain(kind: type) -> bool:
    """Whether tensors of a type are counted as they are, and do not wrap others."""
    return kind.__torch_dispatch__ is _NO_DISPATCH or issubclass(kind, FakeTensor)  # type: ignore[attr-defined]
