"""What a count makes of work that no dispatch mode sees: replays of CUDA graphs, Triton kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import torch

from ipyflops.attribution import Locator
from ipyflops.counting import clock
from ipyflops.counting.call_keys import key_function
from ipyflops.counting.cuda_clock import CudaClock
from ipyflops.counting.device_clocks import DeviceClock
from ipyflops.counting.kernel_launches import KernelLaunch
from ipyflops.counting.recording import Recorder, device_of
from ipyflops.counting.replays import Replays
from ipyflops.formulas import Call, kernel_name, kernel_verdict


class BesideDispatch:
    """Counts and times such work for one counter.

    Parameters
    ----------
    recorder : Recorder
    device_clock : DeviceClock or None
    """

    def __init__(self, recorder: Recorder, device_clock: DeviceClock | None) -> None:
        self._recorder = recorder
        self._device_clock = device_clock
        self.replays = Replays(recorder)

    @contextmanager
    def replay(self, graph: object, locator: Locator, frame: FrameType) -> Iterator[None]:
        """Count what a CUDA graph runs in the block; `frame` replays it."""
        device_clock = self._device_clock
        assert isinstance(device_clock, CudaClock)
        span = device_clock.begin_on(torch.cuda.current_device())
        yield
        device_clock.end(span)
        if span.captured:
            return  # the replay becomes part of another graph
        location = locator.locate(frame)
        entry = self.replays.replay(graph, location, span.device, locator.locations.in_phase)
        device_clock.keep(span, entry)

    @contextmanager
    def launch(self, launch: KernelLaunch, locator: Locator, frame: FrameType) -> Iterator[None]:
        """Count a Triton kernel that the program launches in the block; `frame` launches it."""
        device_clock = self._device_clock
        span = None if device_clock is None else device_clock.begin(launch.tensors(), {})
        start = clock.now()
        yield
        nanoseconds = clock.now() - start
        if device_clock is not None and span is not None:
            device_clock.end(span, launch.kernel)
        name = kernel_name(launch.kernel)
        verdict = kernel_verdict(name)
        arguments = launch.arguments()
        call = Call(launch.kernel, (), arguments, None, name=name)
        location = locator.locate(frame)
        key = key_function(launch.kernel, verdict)(launch.kernel, (), arguments, None)
        signature = self._recorder.signature_of(location, key, call, verdict)
        if getattr(span, "captured", False):
            self.replays.capture(location, (signature,), signature)
            return
        entry = self._recorder.add(location, (signature,), signature, device_of(call), 1)
        if device_clock is None or span is None:
            entry.nanoseconds += nanoseconds
        else:
            device_clock.keep(span, entry)
