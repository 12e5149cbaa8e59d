"""Count a training step on a device whose backward pass runs in a thread of the autograd engine.

So it is on every accelerator. This one is a back end in Python that computes with NumPy; it can be
set up only once in a process, so this file is run as a script. It prints what was found, as JSON.
"""

from __future__ import annotations

import _thread
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)
from torch.utils.checkpoint import checkpoint

from ipyflops import FlopCounter


class Backend(_DummyBackendModule):
    """What checkpoints want to know of a device."""

    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.float32]


_setup_privateuseone_for_python_backend("numpy_device", Backend())
kernels = torch.library.Library("aten", "IMPL")
kernel_threads: set[int] = set()


class DeviceTensor(torch.Tensor):
    """A tensor whose values are a NumPy array."""

    array: Any


def on_device(array: Any) -> DeviceTensor:
    array = np.asarray(array, dtype=np.float32)
    made = torch._C._acc.create_empty_tensor(torch.Size(array.shape), torch.float32)  # type: ignore[attr-defined]
    made.__class__ = DeviceTensor
    made.array = array
    return made  # type: ignore[no-any-return]


def kernel(name: str) -> Callable[[Any], Any]:
    def enter(compute: Callable[..., Any]) -> Any:
        def run(*args: Any, **kwargs: Any) -> DeviceTensor:
            kernel_threads.add(threading.get_ident())
            return on_device(compute(*(getattr(one, "array", one) for one in args)))

        kernels.impl(name, run, "PrivateUse1")
        return compute

    return enter


kernel("mm")(lambda a, b: a @ b)
kernel("t")(lambda a: a.T)
kernel("transpose.int")(np.swapaxes)
kernel("sin")(np.sin)
kernel("cos")(np.cos)
kernel("mul.Tensor")(np.multiply)
kernel("sum")(np.sum)
kernel("detach")(lambda a: a)
kernel("expand")(np.broadcast_to)
kernel("ones_like")(lambda a, *_: np.ones_like(a))


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(on_device(np.random.randn(width, width)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sin(torch.mm(x, self.weight))


class Model(nn.Module):
    def __init__(self, reentrant: bool | None) -> None:
        super().__init__()
        self.first, self.second = Layer(4), Layer(4)
        self.reentrant = reentrant

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        if self.reentrant is None:
            return self.second(x)  # type: ignore[no-any-return]
        return checkpoint(self.second, x, use_reentrant=self.reentrant, preserve_rng_state=False)  # type: ignore[no-any-return]


def count(reentrant: bool | None) -> dict[str, Any]:
    """Count a step, without a checkpoint or with one of either form."""
    model = Model(reentrant)
    x = on_device(np.random.randn(2, 4))
    with FlopCounter("contractions", device_time=False) as counter:
        loss = model(x).sum()
        loss.backward()
    report = counter.report
    return {
        "phases": {name: totals.flops for name, totals in report.by_phase.items()},
        "modules": {name: report.find(f"model.{name}").flops for name in ("first", "second")},
        "lines": {name.rpartition(":")[2]: t.flops for name, t in report.by_line.items()},
        "backward_line": count.__code__.co_firstlineno + 6,
        "notes": list(report.notes),
    }


def count_after_short_threads(traced: bool) -> dict[str, Any]:
    """Count a step for which the engine starts its thread with the identifier of an ended one.

    Under a tracer, frames are remembered beside them, by thread.
    """
    model = Model(None)
    x = on_device(np.random.randn(2, 4))
    ended: set[int] = set()

    def work() -> None:
        ended.add(threading.get_ident())
        torch.ones(2, 2) @ torch.ones(2, 2)

    def trace(frame: Any, event: str, argument: Any) -> Any:
        return trace

    if traced:
        threading.settrace(trace)
        sys.settrace(trace)
    with FlopCounter("contractions", device_time=False) as counter:
        for _ in range(3):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        model(x).sum().backward()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]
    report = counter.report
    return {
        "modules": {name: report.find(f"model.{name}").flops for name in ("first", "second")},
        "phases": {name: totals.flops for name, totals in report.by_phase.items()},
        "notes": list(report.notes),
        "recycled": bool(ended & kernel_threads),
    }


def time_a_product() -> dict[str, Any]:
    """Count with a clock, of which there is none for this device."""
    x = on_device(np.random.randn(4, 4))
    with FlopCounter(follow_methods=True) as counter:
        Layer(4)(x)
        torch.ones(4, 4) @ torch.ones(4, 4)
    report = counter.report
    seconds = [report.seconds, *(line.seconds for line in report.by_line.values())]
    return {"seconds": seconds, "device": report.device, "notes": list(report.notes)}


def count_on_the_cpu() -> list[str]:
    """Count the first backward pass of the process, for which the engine's threads begin.

    They have nothing to do. Beside them a thread begins that nobody can count.
    """
    weight = torch.ones(4, 4, requires_grad=True)
    with FlopCounter() as counter:
        (weight @ weight).sum().backward()
        ended = _thread.allocate_lock()
        ended.acquire()
        _thread.start_new_thread(ended.release, ())
        ended.acquire()
    return list(counter.report.notes)


if __name__ == "__main__":
    if "cpu" in sys.argv:
        print(json.dumps(count_on_the_cpu()), flush=True)
        os._exit(0)
    # First: the engine starts its thread for the first backward pass of the process.
    after_threads = count_after_short_threads(traced="traced" in sys.argv)
    found = {"plain": count(None), "reentrant": count(True), "not reentrant": count(False)}
    other_threads = len(kernel_threads - {threading.get_ident()})
    found |= {
        "timed": time_a_product(),
        "after threads": after_threads,
        "other_threads": other_threads,
    }
    print(json.dumps(found), flush=True)
    # The engine's thread would still be there when C++ takes down what it needs.
    os._exit(0)
