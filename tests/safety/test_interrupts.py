"""Interrupts at any moment: nothing is left behind, and what is counted next is right."""

from __future__ import annotations

import ctypes
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dis import opname
from inspect import CO_GENERATOR
from types import FrameType
from typing import Any

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops.counting import FlopCounter, blocks
from tests.safety.process_state import process_state
from tests.shells import fresh_shell
from tests.thoroughness import ALL_SAMPLES

A = torch.ones(2, 2)
MM = 2 * 2 * 2 * 2
PACKAGE = ipyflops.__file__.rpartition("__init__")[0]

#: A file that was just opened is closed by Python itself, which warns of it.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:pytest.PytestUnraisableExceptionWarning", "ignore:unclosed file:ResourceWarning"
)

needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs an interval timer")


class Interrupt(BaseException):
    """What is raised wherever the program happens to be."""


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = process_state()
    yield
    assert process_state() == before


#: Counters, and what they have to find. Only the clean runs look: a report takes its time.
Found = list[tuple[FlopCounter, int]]


def count_one_product() -> Found:
    with FlopCounter() as counter:
        A @ A
    return [(counter, MM)]


def count_nested() -> Found:
    with FlopCounter() as outer:
        A @ A
        with FlopCounter() as inner:
            A @ A
        with outer:
            A @ A
    return [(outer, 3 * MM), (inner, MM)]


def count_in_a_stack() -> Found:
    with ExitStack() as stack, FlopCounter() as counter:
        stack.callback(int)
        A @ A
    return [(counter, MM)]


def count_through_a_kernel_in_python() -> Found:
    with FlopCounter() as counter:
        torch.ops.ipyflops_interrupts.product(A)
        torch.ops.ipyflops_interrupts.product(A)
    return [(counter, 2 * MM)]


def check(program: Callable[[], Found]) -> None:
    """Run a program without an interrupt, and look at what it has found."""
    for counter, flops in program():
        assert (counter.report.flops, counter.report.complete) == (flops, True)


@pytest.fixture(scope="module", autouse=True)
def _kernel() -> Iterator[None]:
    with torch.library._scoped_library("ipyflops_interrupts", "DEF"):

        @torch.library.custom_op("ipyflops_interrupts::product", mutates_args=())
        def product(x: torch.Tensor) -> torch.Tensor:
            return torch.mm(x, x)

        yield


PROGRAMS: list[Callable[[], Found]] = [
    count_one_product,
    count_nested,
    count_in_a_stack,
    count_through_a_kernel_in_python,
]


# --- at each step of a block ---------------------------------------------------------------------


#: Where a block begins, ends, and is followed.
FILES = {
    f"{PACKAGE}counting/{name}.py"
    for name in ("blocks", "compiled", "held_exit", "process", "stack", "tasks", "threads")
}


#: After these Python looks whether there was a signal, and only after these. In particular not
#: between the last step inside a `with` statement and the call of its `__exit__`.
CHECKED = ("CALL", "JUMP_ABSOLUTE", "JUMP_BACKWARD", "RESUME")
NOT_CHECKED = ("CALL_INTRINSIC",)


class AtStep:
    """Interrupts a program at one step of the code in `FILES`, where Python looks for signals.

    Attributes
    ----------
    left : int
        How many steps are left until then.
    """

    def __init__(self, step: int) -> None:
        self.left = step
        self._last = ""  # the opcode that ran before this one, if it is of the same frame

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        # An error that is raised where Python closes a generator expression is not passed on.
        if frame.f_code.co_filename not in FILES or frame.f_code.co_flags & CO_GENERATOR:
            return None
        frame.f_trace_opcodes = True
        if event == "call" or (event == "opcode" and self._is_checked()):
            self.left -= 1
            if self.left == 0:
                raise Interrupt
        if event == "exception":
            self._last = ""  # what handles it comes next, with no look for signals before
        elif event == "opcode":
            self._last = opname[frame.f_code.co_code[frame.f_lasti]]
        return self

    def _is_checked(self) -> bool:
        return self._last.startswith(CHECKED) and not self._last.startswith(NOT_CHECKED)


@contextmanager
def traced(tracer: Any) -> Iterator[None]:
    before = sys.gettrace()
    # Python 3.12 tells of opcodes only if a frame asks for them before the tracer is set.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(tracer)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_an_interrupt_at_any_step(program: Callable[[], Found]) -> None:
    check(program)
    clean = process_state()
    whole = AtStep(1 << 30)
    with traced(whole):
        program()
    steps = (1 << 30) - whole.left
    assert steps > 100
    for step in random.Random(0).sample(range(1, steps), min(steps - 1, 350)):
        with pytest.raises(Interrupt), traced(AtStep(step)):
            program()
        assert process_state() == clean, f"after an interrupt at step {step}"
    check(program)


# --- at random moments ---------------------------------------------------------------------------


def interrupted_by_signals(program: Callable[[], object], times: int, longest: float) -> int:
    """Run a program again and again, and interrupt it at random moments; how often it was."""
    moments = random.Random(1)
    clean = process_state()
    interrupted = 0

    def handler(number: int, frame: FrameType | None) -> None:
        raise Interrupt

    before = signal.signal(signal.SIGALRM, handler)
    try:
        for _ in range(times):
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, moments.uniform(1e-6, longest))
                    program()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except Interrupt:
                interrupted += 1
            assert process_state() == clean
    finally:
        signal.signal(signal.SIGALRM, before)
    return interrupted


@needs_timer
@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_a_signal_at_any_moment(program: Callable[[], Found]) -> None:
    check(program)
    times = 2_000 if ALL_SAMPLES else 300
    assert interrupted_by_signals(program, times=times, longest=1.5e-3) > 0.15 * times
    check(program)


@needs_timer
def test_an_interrupted_block_does_not_keep_functions_from_being_compiled() -> None:
    torch._dynamo.reset()
    graphs: list[Any] = []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)
        return graph

    function = torch.compile(lambda x: x @ x, backend=backend)

    def program() -> Found:
        with FlopCounter() as counter:
            function(A)
        return [(counter, MM)]

    check(program)
    assert interrupted_by_signals(program, times=300, longest=2e-3) > 30
    assert graphs == []
    function(A)
    assert len(graphs) == 1
    torch._dynamo.reset()


def test_an_exception_that_another_thread_raises_here() -> None:
    clean = process_state()
    set_exception = ctypes.pythonapi.PyThreadState_SetAsyncExc
    target = ctypes.c_ulong(threading.get_ident())
    go, done = threading.Event(), threading.Event()
    moments = random.Random(2)

    def interrupt() -> None:
        while True:
            go.wait()
            go.clear()
            if done.is_set():
                return
            for _ in range(moments.randint(0, 4_000)):
                pass
            set_exception(target, ctypes.py_object(Interrupt))

    thread = threading.Thread(target=interrupt)
    thread.start()
    interrupted = 0
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for _ in range(300):
            try:
                go.set()
                # Until the exception has arrived; what Python calls back may have swallowed it.
                while True:
                    latest = time.monotonic() + 5
                    while time.monotonic() < latest:
                        count_one_product()
                    go.set()
            except Interrupt:
                interrupted += 1
            assert process_state() == clean
    finally:
        sys.setswitchinterval(before)
        done.set()
        go.set()
        thread.join()
    assert interrupted == 300


def test_an_interrupt_before_the_first_step_of_exit() -> None:
    """That is where most come that arrive while an operator runs at the end of a block."""
    clean = process_state()
    function = blocks.CountedBlocks.__exit__
    code = function.__code__

    def tracer(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code is code:
            raise Interrupt

    def program() -> None:
        with FlopCounter() as counter:
            A @ A
            sys.settrace(tracer)
        raise AssertionError(counter)

    before = sys.gettrace()
    try:
        with pytest.raises(Interrupt) as caught:
            program()
    finally:
        sys.settrace(before)
    # The traceback, and so the frame of `__exit__`, is still there.
    assert caught.value.__traceback__ is not None
    assert process_state() == clean


# --- in a shell ----------------------------------------------------------------------------------


#: None shows a tensor: PyTorch prints it under a guard, which an interrupt leaves in a frame.
CELLS = {
    "a cell": "%%flops -q\nlayer(x).sum().backward()",
    "lines": "%%flops --by lines --view text\nfor _ in range(2):\n    layer(x)",
    "a line": "%flops layer(x);",
    "repeats": "%%flops -t -n 1 -r 1 -q\nlayer(x);",
}


@pytest.fixture(name="shell", scope="module")
def _shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        yield shell


@needs_timer
@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_an_interrupt_in_a_shell(
    cell: str, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    layer = torch.nn.Linear(2, 2)
    weight = layer.weight
    shell.user_ns.update(layer=layer, x=A)
    assert shell.run_cell(cell).success
    threads = threading.active_count()

    def program() -> None:
        result = shell.run_cell(cell)
        if not result.success:
            # IPython has shown it as the cell's error, wherever it has come.
            error = result.error_before_exec or result.error_in_exec
            assert isinstance(error, Interrupt)
            raise Interrupt

    start = time.perf_counter()
    program()
    longest = 1.5 * (time.perf_counter() - start)
    assert interrupted_by_signals(program, times=100, longest=longest) > 20
    capsys.readouterr()
    assert shell.user_ns["layer"] is layer
    assert layer.weight is weight
    assert threading.active_count() == threads
    shell.run_cell("%%flops -v report -q\nx @ x")
    assert shell.user_ns["report"].flops == MM
