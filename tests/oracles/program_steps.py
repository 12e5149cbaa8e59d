"""The steps of random programs: operators, networks, compiled code, threads, contexts, interrupts.

A program is a list of steps. Running it gives a list of results, and each run of a program gives
the same; what is to be seen in the program's threads is told by the run.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import hypothesis.strategies as st
import torch
from torch import Tensor, nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_map_only

from tests.oracles.test_random_programs import Plan, build, plans, programs, run
from tests.pytorch_databases.running import (
    differentiable_leaves,
    identity,
    make_samples,
    run_backward,
    spread,
    take_gradients,
)
from tests.pytorch_databases.test_op_db import NOT_ON_CPU, UNINITIALISED, has_backward

#: How often each kind of step ran, and each way of running a group of them.
RAN: Counter[str] = Counter()
#: Samples of each entry that programs draw from.
MOST = 8
#: Entries whose samples take seconds to make.
SLOW = {"grid_sampler_3d", "svd_lowrank", "pca_lowrank", "masked.std"}
ENTRIES = {
    identity(op): op for op in op_db if identity(op) not in NOT_ON_CPU | UNINITIALISED | SLOW
}
DTYPES = (torch.float32, torch.complex64, torch.bfloat16, torch.int64)


@dataclass
class Run:
    """One run of a program.

    Attributes
    ----------
    in_thread : callable
        Gives what a thread of the program is to run in.
    before : contextvars.Context
        A context that was copied before the block.
    results : list
        What the steps gave so far.
    """

    in_thread: Callable[[], AbstractContextManager[object]] = nullcontext
    before: contextvars.Context = field(default_factory=contextvars.copy_context)
    results: list[Any] = field(default_factory=list)


@cache
def samples_of(name: str, dtype: torch.dtype, gradients: bool) -> list[Any]:
    return spread(make_samples(ENTRIES[name], dtype, gradients=gradients), MOST)


def fresh(tensor: Tensor) -> Tensor:
    """A tensor of its own for each run."""
    return tensor.detach().clone().requires_grad_(tensor.requires_grad)


@dataclass(frozen=True)
class Operator:
    """A sample of PyTorch's operator database, with its backward pass if it has one."""

    name: str
    dtype: torch.dtype
    number: int
    inference: bool

    def __call__(self, into: Run) -> None:
        op = ENTRIES[self.name]
        supported = op.supported_dtypes("cpu")
        dtype = self.dtype if self.dtype in supported else min(supported, key=str)
        backward = has_backward(op, dtype) and not self.inference
        given = samples_of(self.name, dtype, backward)
        if not given:
            return
        sample = given[self.number % len(given)].transform(
            lambda value: tree_map_only(Tensor, fresh, value)
        )
        with torch.inference_mode(self.inference):
            output = op(sample.input, *sample.args, **sample.kwargs)
            if backward:
                output = sample.output_process_fn_grad(output)
                run_backward(output)
        into.results.append((output, take_gradients(differentiable_leaves(sample))))


@dataclass(frozen=True)
class Network:
    """A module with everything that modules do: sharing, recursion, checkpoints, errors."""

    plan: Plan
    train: bool

    def __call__(self, into: Run) -> None:
        torch.manual_seed(1)
        model = build(self.plan, {})
        into.results.append(run(model, self.train))


def _norm(x: Tensor) -> Tensor:
    return nn.functional.layer_norm(x @ x.mT, (4,)).relu()


def _loss(x: Tensor) -> Tensor:
    return (x.softmax(-1) * x.tanh()).sum()


def _branch(x: Tensor) -> Tensor:
    return x * 2 if x.shape[0] > 3 else x.cumsum(0)


COMPILED = [torch.compile(one, backend="eager") for one in (_norm, _loss, _branch)]


@dataclass(frozen=True)
class Compiled:
    """A compiled function that trains."""

    number: int
    rows: int

    def __call__(self, into: Run) -> None:
        x = torch.linspace(-1, 1, 4 * self.rows).view(self.rows, 4).requires_grad_()
        if self.number == 0:
            x = torch.linspace(-1, 1, 16).view(4, 4).requires_grad_()
        output = COMPILED[self.number](x)
        output.sum().backward()
        into.results.append((output.detach(), x.grad))


@dataclass(frozen=True)
class Interrupt:
    """What a user does with Ctrl-C: nothing after it runs, up to where it is caught."""

    in_hook: bool

    def __call__(self, into: Run) -> None:
        if not self.in_hook:
            raise KeyboardInterrupt
        x = torch.ones(3, requires_grad=True)
        x.register_hook(_interrupt)
        (x * x).sum().backward()


def _interrupt(gradient: Tensor) -> None:
    raise KeyboardInterrupt


@dataclass(frozen=True)
class Group:
    """Steps that run in a thread, in a context or where interrupts are caught."""

    how: str
    steps: tuple[Any, ...]

    def __call__(self, into: Run) -> None:
        WAYS[self.how](lambda: run_steps(self.steps, into), into)


def run_steps(steps: tuple[Any, ...], into: Run) -> None:
    for step in steps:
        RAN[type(step).__name__] += 1
        if isinstance(step, Group):
            RAN[step.how] += 1
        try:
            step(into)
        except Exception as error:  # as a backward pass where there are no gradients
            into.results.append(f"{type(error).__name__}: {error}")


Body = Callable[[], None]


def _caught(body: Body, into: Run) -> None:
    try:
        body()
    except KeyboardInterrupt:
        into.results.append("interrupted")


def _in_thread(body: Body, into: Run) -> Body:
    """What a thread runs; an interrupt ends its work, and not the thread's caller's."""

    def work() -> None:
        with into.in_thread():
            _caught(body, into)

    return work


def _thread(body: Body, into: Run) -> None:
    thread = threading.Thread(target=_in_thread(body, into))
    thread.start()
    thread.join()


def _pool(body: Body, into: Run) -> None:
    with ThreadPoolExecutor(1) as pool:
        pool.submit(_in_thread(body, into)).result()


def _coroutine(body: Body, into: Run) -> None:
    async def wait() -> None:
        await asyncio.sleep(0)
        _caught(body, into)

    if asyncio._get_running_loop() is not None:  # one coroutine runs another's steps itself
        _caught(body, into)
        return
    asyncio.run(wait())


WAYS: dict[str, Callable[[Body, Run], None]] = {
    "caught": _caught,
    "thread": _thread,
    "pool": _pool,
    "coroutine": _coroutine,
    "empty context": lambda body, into: contextvars.Context().run(body),
    "copied context": lambda body, into: contextvars.copy_context().run(body),
    "earlier context": lambda body, into: into.before.copy().run(body),
    "no gradients": lambda body, into: torch.no_grad()(body)(),
}

operators = st.builds(
    Operator,
    st.sampled_from(sorted(ENTRIES)),
    st.sampled_from(DTYPES),
    st.integers(0, MOST - 1),
    st.booleans(),
)
leaves = st.one_of(
    operators,
    operators,
    operators,
    st.builds(Network, plans, st.booleans()),
    st.builds(Network, programs, st.booleans()),
    st.builds(Compiled, st.integers(0, len(COMPILED) - 1), st.integers(2, 5)),
    st.builds(Interrupt, st.booleans()),
)
steps = st.recursive(
    leaves,
    lambda inner: st.builds(
        Group, st.sampled_from(sorted(WAYS)), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=5,
)
mixtures = st.lists(steps, min_size=1, max_size=4).map(tuple)
#: What a hundred programs have at least once.
KINDS = {"Operator", "Network", "Compiled", "Interrupt", "Group", *WAYS}
