"""Count, time and measure code on the CPU, and note who asks for an accelerator meanwhile.

``torch.cuda.is_available()`` is enough to forbid CUDA to processes that are forked later. This file
is run as a script, because the questions are noted from the import on. It prints them as JSON.
"""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch

#: What sets up a device, or asks the driver so that none can be set up after a fork.
QUESTIONS: dict[ModuleType, tuple[str, ...]] = {
    torch.cuda: (
        "_lazy_init",
        "init",
        "is_available",
        "device_count",
        "current_device",
        "current_stream",
        "get_device_name",
        "get_device_properties",
        "get_device_capability",
        "is_bf16_supported",
        "is_current_stream_capturing",
        "synchronize",
        "get_rng_state_all",
        "mem_get_info",
        "Event",
    ),
    torch.xpu: ("_lazy_init", "is_available", "device_count", "synchronize", "Event"),
    torch.accelerator: ("is_available", "device_count", "synchronize", "current_device_index"),
}
asked: list[str] = []
TORCH = os.path.dirname(torch.__file__)


def noting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*args: Any, **kwargs: Any) -> Any:
        frames = traceback.extract_stack()[-12:-1]
        # PyTorch of older releases asks itself, as its optimizers do, when the cell calls it.
        others = [frame for frame in frames if not frame.filename.startswith((TORCH, __file__))]
        if others and others[-1].filename.startswith("<ipython-input"):
            return function(*args, **kwargs)
        where = " < ".join(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(frames))
        asked.append(f"{name} at {where}")
        return function(*args, **kwargs)

    return ask


if __name__ == "__main__":  # not where doctests are looked for, which imports all files
    for module, names in QUESTIONS.items():
        for name in names:
            if hasattr(module, name):
                setattr(module, name, noting(f"{module.__name__}.{name}", getattr(module, name)))

from IPython.core.interactiveshell import InteractiveShell  # noqa: E402

import ipyflops  # noqa: E402
from ipyflops.measuring import measurements  # noqa: E402

SETUP = """
import torch
model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Dropout(), torch.nn.ReLU())
optimizer = torch.optim.Adam(model.parameters())
x = torch.ones(2, 4)
"""
STEP = "optimizer.zero_grad(); model(x).sum().backward(); optimizer.step()"
CELLS = (
    f"%%flops\n{STEP}",
    f"%%flops -t -n 1 -r 2 --restore\n{STEP}",
    f"%%flops -t --peak\n{STEP}",
    f"%%flops --fake\n{STEP}",
    f"%%flops --by lines --view html\n{STEP}",
)

if __name__ == "__main__":
    measurements.SIDES = (64,)
    measurements.SECONDS_PER_SIZE = 0.01
    with ipyflops.FlopCounter() as counter:
        torch.ones(4, 4) @ torch.ones(4, 4)
    ipyflops.peak("cpu", fresh=True)
    offsets = torch.tensor([0, 2, 4], dtype=torch.int32)
    with ipyflops.FlopCounter() as counter:  # formulas that read values
        torch.nn.EmbeddingBag(5, 3)(torch.arange(4), offsets[:2])
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "ipyflops")
    for cell in (SETUP, *CELLS):
        result = shell.run_cell(cell)
        if not result.success:
            asked.append(f"{cell}: {result.error_in_exec or result.error_before_exec!r}")
    print("\n" + json.dumps(asked))
