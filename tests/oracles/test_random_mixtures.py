"""Random programs of everything, against a log that knows nothing of places, threads and caches.

``IPYFLOPS_PROGRAMS=2000`` runs so many; without it, a few run. Each runs three times: as it is,
under a mode that logs each operator, and under a counter.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from ipyflops.costs.conventions import flops
from ipyflops.counting import FlopCounter
from ipyflops.formulas import Call, Formula, FreeOperator, lookup
from ipyflops.report import Report
from ipyflops.torch_private import can_decompose, decomposition_of
from tests.missing import compiles_in_threads
from tests.oracles.process_state import left_behind, process_state
from tests.oracles.program_steps import KINDS, RAN, Run, mixtures, run_steps
from tests.pytorch_databases.running import WARNINGS, one_thread, same_bits
from tests.safety.programs import adds_up

pytestmark = [
    pytest.mark.filterwarnings(*WARNINGS),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script"),
]

PROGRAMS = int(os.environ.get("IPYFLOPS_PROGRAMS", "100"))
aten = torch.ops.aten
#: What PyTorch's own counter is right for, where the numbers are real and the tensors dense.
RIGHT = (aten.mm, aten.addmm, aten.bmm, aten.baddbmm, aten.convolution)
#: Additions, of which some are a layer's bias: what is free of them, a log cannot see.
ADDITIONS = {"aten::add", "aten::add_"}


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        yield


class Log(TorchDispatchMode):
    """Every operator that runs, by name, with no place, no phase and nothing remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[str] = Counter()
        self.flops: dict[str, int] = defaultdict(int)
        #: By PyTorch's own counter; None where that is not right.
        self.products: dict[str, int | None] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        verdict = lookup(func)
        if can_decompose(func) and not isinstance(verdict, (Formula, FreeOperator)):
            with self:
                return decomposition_of(func)(*args, **kwargs)
        out = func(*args, **kwargs)
        if isinstance(verdict, FreeOperator) and not verdict.moves_data:
            return out
        name = func._schema.name
        self.calls[name] += 1
        if isinstance(verdict, Formula):
            self.flops[name] += flops(verdict(Call(func, args, kwargs, out)), "standard")
        if func.overloadpacket in RIGHT:
            self._ask_torch(name, func, args, kwargs, out)
        return out

    def _ask_torch(self, name: str, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        given = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        known = self.products.get(name, 0)
        if known is None or not all(
            one.is_floating_point() and one.layout is torch.strided for one in given
        ):
            self.products[name] = None
            return
        self.products[name] = known + flop_registry[func.overloadpacket](
            *args, **kwargs, out_val=out
        )


def outcome(program: tuple[Any, ...], into: Run, mode: Any) -> tuple[Any, Tensor]:
    """The results of a run, and where the random numbers are then."""
    torch.manual_seed(0)
    with contextlib.suppress(KeyboardInterrupt), mode:
        run_steps(program, into)
    return into.results, torch.get_rng_state()


def explained(report: Report) -> tuple[int, int]:
    """What all explanations say together: FLOPs and calls."""
    lines = list(report.explain(""))
    return sum(line.flops for line in lines), sum(line.calls for line in lines)


def check_counts(report: Report, log: Log) -> None:
    assert report.unknown == {}
    adds_up(report)
    assert explained(report) == (report.flops, report.totals.calls)
    counted = {name: total.calls for name, total in report.by_operator.items()}
    assert counted == dict(log.calls)
    for name, total in report.by_operator.items():
        if name in ADDITIONS:
            assert total.flops <= log.flops[name]
        else:
            assert total.flops == log.flops[name], name
    products = report.under("contractions").by_operator
    for name, expected in log.products.items():
        assert expected is None or products[name].flops == expected, name


@compiles_in_threads
@settings(
    max_examples=PROGRAMS,
    phases=[Phase.generate],  # making a failing program smaller takes minutes
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(program=mixtures)
def test_a_mixture_runs_as_it_does_and_counts_what_a_log_does(program: tuple[Any, ...]) -> None:
    outcome(program, Run(), contextlib.nullcontext())  # what is set up once
    before = process_state()
    threads = threading.active_count()
    plain = outcome(program, Run(), contextlib.nullcontext())
    log = Log()
    with torch.compiler.set_stance("force_eager"):
        logged = outcome(program, Run(in_thread=lambda: log), log)
    counter = FlopCounter(device_time=False)
    counted = outcome(program, Run(), counter)
    report = counter.report
    assert left_behind(before) == []
    assert threading.active_count() <= threads
    if not same_bits(plain, counted, strides=False):
        # Only where PyTorch itself takes another path under a mode, and the report says so.
        assert any(note.startswith("under any dispatch mode") for note in report.notes)
        assert same_bits(logged, counted, strides=False)
    check_counts(report, log)


def test_the_programs_are_of_everything() -> None:
    if not RAN:
        pytest.skip("no program ran")
    assert RAN.keys() >= KINDS
    assert RAN["Operator"] > PROGRAMS
