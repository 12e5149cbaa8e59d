"""Dry runs that are interrupted: a program of its own, because an interrupt may end a process.

Run as ``python -m tests.dry_runs.interrupted``. It ends with an error if anything is left behind.
"""

from __future__ import annotations

import _thread
import math
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch import nn

from ipyflops.dry_runs.calls import count_call
from ipyflops.dry_runs.mode import DEVICE_OPERATOR
from ipyflops.torch_private import FOREACH_TYPES, FakeTensor, mode_stack
from tests.pictures import Picture
from tests.safety.process_state import process_state

MODEL = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5))
OPTIMIZER = torch.optim.SGD(MODEL.parameters(), lr=0.1, momentum=0.9)
LARGER = nn.Sequential(*(nn.Linear(3, 3) for _ in range(4)), nn.Dropout(0.5))
LOSSES: list[float] = []
X = torch.ones(2, 3)
#: Events at which Python looks for signals: where a function begins, and where one of C's ends.
LOOKS_FOR_SIGNALS = ("call", "c_return")

#: The function in which PyTorch tells its dispatcher to take the kernels of the meta device.
IN_KERNEL = "in_kernel_invocation_manager"
QUESTION = "a question for a device"


def step() -> None:
    OPTIMIZER.zero_grad()
    loss = MODEL.double()(X.double()).sum()
    loss.backward()
    OPTIMIZER.step()
    LOSSES.append(float(loss))
    MODEL.extra = random.random()


def run(function: Callable[[], object] = step) -> int:
    # Without looking for leaks, which takes ten times as long as all the rest.
    return count_call(function, (), {}, sys._getframe(), look_for_leaks=False).flops


class Moments:
    """Finds the moments at which Python looks for signals, one of each line and its caller's line.

    Attributes
    ----------
    found : dict
        The names of their functions, by their numbers.
    """

    def __init__(self) -> None:
        self.found: dict[int, str] = {}
        self._number = 0
        self._seen: set[object] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in LOOKS_FOR_SIGNALS:
            self._number += 1
            caller = frame.f_back
            line = (frame.f_code, frame.f_lineno, event, caller and caller.f_lineno)
            at_question = _is_at_question(frame)
            if line not in self._seen or at_question:
                self._seen.add(line)
                name = frame.f_code.co_name
                self.found[self._number] = QUESTION if at_question else name


def _is_at_question(frame: FrameType | None) -> bool:
    """Whether PyTorch's C++ code asks for a tensor's device, mostly where nothing may be raised."""
    while frame is not None:
        if frame.f_code.co_name == "__torch_dispatch__":
            return frame.f_locals.get("func") is DEVICE_OPERATOR
        frame = frame.f_back
    return False


class At:
    """Interrupts a program at one of these moments.

    Attributes
    ----------
    came : bool
        Whether the program has reached it: what is remembered makes a later run shorter.
    """

    def __init__(self, moment: int) -> None:
        self._left = moment
        self.came = False

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event in LOOKS_FOR_SIGNALS:
            self._left -= 1
            if self._left == 0:
                handler = signal.getsignal(signal.SIGINT)
                assert callable(handler)
                self.came = True
                handler(signal.SIGINT, frame)


def profiled(tracer: Callable[[FrameType, str, Any], None]) -> None:
    sys.setprofile(tracer)
    try:
        run()
    finally:
        sys.setprofile(None)


def settings() -> tuple[object, ...]:
    """What a dry run replaces for the process."""
    return (
        nn.Module._apply,
        torch.save,
        torch.Tensor.__deepcopy__,
        math.exp,
        "item" in vars(FakeTensor),
        [FakeTensor in kinds for kinds in FOREACH_TYPES],
        "float" in globals(),
        signal.getsignal(signal.SIGINT),
        len(mode_stack()),
        process_state(),
    )


def at_any_moment(times: int) -> None:
    """Interrupt a training step at many moments; afterwards all is as it was."""
    expected = run()
    moments = Moments()
    profiled(moments)
    chosen: list[int] = []
    for select in (QUESTION.__eq__, IN_KERNEL.__eq__, lambda _: True):
        several = [at for at, name in moments.found.items() if select(name)]
        chosen += random.Random(0).sample(several, min(times, len(several)))
    before, clean = Picture(step, MODEL, OPTIMIZER, LOSSES, X), settings()
    interrupted = came = 0
    for moment in chosen:
        at = At(moment)
        try:
            profiled(at)
        except KeyboardInterrupt:
            interrupted += 1
        came += at.came
        before.assert_same(Picture(step, MODEL, OPTIMIZER, LOSSES, X))
        assert settings() == clean, f"after an interrupt in {moments.found[moment]}"
    # An interrupt is never lost.
    assert interrupted == came, (interrupted, came)
    assert came > 0.8 * len(chosen), (came, len(chosen))
    assert run() == expected


def steps() -> None:
    optimizer = torch.optim.AdamW(LARGER.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        LARGER(X).sum().backward()
        optimizer.step()


def by_signals(times: int) -> None:
    """Interrupt training wherever it is when a timer ends, as a user does."""
    moments = random.Random(1)
    expected = run(steps)
    start = time.process_time()
    run(steps)
    longest = time.process_time() - start
    clean = settings()

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)
        assert callable(handler)
        handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGVTALRM, interrupt)
    interrupted = 0
    for _ in range(times):
        try:
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, moments.uniform(1e-4, longest))
                run(steps)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except KeyboardInterrupt:
            interrupted += 1
        assert settings() == clean
    signal.signal(signal.SIGVTALRM, before)
    assert interrupted > times // 3
    assert run(steps) == expected


def endless_operators() -> None:
    while True:
        MODEL(X)


def endless_python() -> None:
    while True:
        pass


def in_time(function: Callable[[], object]) -> None:
    """Interrupt a dry run that would never end."""
    sent: list[float] = []

    def interrupt() -> None:
        time.sleep(0.3)
        sent.append(time.perf_counter())
        _thread.interrupt_main()

    clean = settings()
    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        run(function)
    except KeyboardInterrupt:
        took = time.perf_counter() - sent[0]
    thread.join(10)
    assert took < 5, took
    assert settings() == clean


def own_handlers() -> None:
    """The handler of the user's is asked, and one that the code sets stays."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    def interrupted() -> None:
        _thread.interrupt_main()
        MODEL(X)

    def with_its_own() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        MODEL(X)

    before = signal.signal(signal.SIGINT, note)
    try:
        assert run(interrupted) == run(lambda: MODEL(X)) > 0
        assert seen == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is note
        run(with_its_own)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


if __name__ == "__main__":
    at_any_moment(int(sys.argv[1]))
    if hasattr(signal, "setitimer"):
        by_signals(2 * int(sys.argv[1]))
    for endless in (endless_operators, endless_python):
        in_time(endless)
    own_handlers()
    sys.stdout.write("nothing is left behind\n")
