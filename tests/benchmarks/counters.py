"""The ways to count: each runs a workload once, or its model, and says what it found."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ipyflops import FlopCounter
from tests.benchmarks.workloads import Workload

# What these tools lack is said in the table, not by them.
logging.getLogger("fvcore").setLevel(logging.CRITICAL)


class Positional(nn.Module):
    """Takes its inputs by one name, for ptflops knows no others."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: tuple[Any, ...]) -> Any:
        return self.model(*inputs)


class NoOp(TorchDispatchMode):
    """The floor of every count by interception: it passes every operator on, and no more."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True)
class Found:
    """A number of FLOPs or MACs, as the tool calls them; made when it is asked for."""

    make: Callable[[], int]
    unit: str


@dataclass(frozen=True)
class Way:
    """A way to count.

    Attributes
    ----------
    name : str
    count : callable
        Counts a workload as often as it is told and says what one run has.
    module_only : bool
        Whether it can count one call of a module, and nothing else.
    """

    name: str
    count: Callable[[Workload, int], Found | None]
    module_only: bool = False


def plain(work: Workload, times: int) -> None:
    for _ in range(times):
        work.run()


def no_op(work: Workload, times: int) -> None:
    with NoOp():
        plain(work, times)


def ipyflops(work: Workload, times: int) -> Found:
    with FlopCounter() as counter:
        plain(work, times)
    # Not yet read: a report is made once, however long the run.
    return Found(lambda: counter.report.flops // times, "FLOPs")


def flop_counter_mode(work: Workload, times: int) -> Found:
    mode = FlopCounterMode(display=False)
    with mode:
        plain(work, times)
    return Found(lambda: mode.get_total_flops() // times, "FLOPs")


def _module_only(count: Callable[[Workload], Found]) -> Callable[[Workload, int], Found]:
    def counted(work: Workload, times: int) -> Found:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for _ in range(times):
                found = count(work)
        return found

    return counted


def fvcore(work: Workload) -> Found:
    from fvcore.nn import FlopCountAnalysis

    analysis = FlopCountAnalysis(work.model, work.inputs)
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    return Found(partial(int, analysis.total()), "MACs")


def ptflops(work: Workload) -> Found:
    from ptflops import get_model_complexity_info

    macs, _ = get_model_complexity_info(
        Positional(work.model),
        (1,),
        input_constructor=lambda _: {"inputs": work.inputs},
        as_strings=False,
        print_per_layer_stat=False,
        verbose=False,
        backend="aten",
    )
    return Found(partial(int, macs), "MACs")


def thop(work: Workload) -> Found:
    from thop import profile

    macs, _ = profile(work.model, inputs=work.inputs, verbose=False)
    return Found(partial(int, macs), "MACs")


def torchinfo(work: Workload) -> Found:
    from torchinfo import summary

    found = summary(work.model, input_data=work.inputs, verbose=0)
    return Found(partial(int, found.total_mult_adds), "MACs")


def torch_flops(work: Workload) -> Found:
    from torch_flops import TorchFLOPsByFX

    with redirect_stdout(io.StringIO()):
        counter = TorchFLOPsByFX(work.model)
        counter.propagate(*work.inputs)
        total = counter.print_total_flops(show=False)
    return Found(partial(int, total), "FLOPs")


WAYS = (
    Way("plain", plain),
    Way("no-op mode", no_op),
    Way("ipyflops", ipyflops),
    Way("FlopCounterMode", flop_counter_mode),
    Way("fvcore", _module_only(fvcore), module_only=True),
    Way("ptflops", _module_only(ptflops), module_only=True),
    Way("thop", _module_only(thop), module_only=True),
    Way("torchinfo", _module_only(torchinfo), module_only=True),
    Way("torch-flops", _module_only(torch_flops), module_only=True),
)
