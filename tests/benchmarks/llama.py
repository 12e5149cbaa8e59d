"""What it takes to count Llama 3 on fake tensors: each run is a process of its own.

python -m tests.benchmarks.llama SIZE forward|step TOKENS [LAYERS]   one run, as JSON
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

from ipyflops.units import duration, scaled

NAME = "llama"
SIZES = ("8b", "70b", "405b")
TOKENS = 8192
#: Of the largest: how time and memory grow.
LAYERS = (16, 32, 63, 126)
LENGTHS = (512, 2048, 8192, 32_768)


@dataclass(frozen=True)
class Measured:
    """One run.

    Attributes
    ----------
    size, what : str
    tokens, layers : int
    flops : int
    seconds : float
        Of making the model and counting it, without the imports.
    peak, base : int
        Bytes of memory that the process had at most, and after the imports.
    """

    size: str
    what: str
    tokens: int
    layers: int
    flops: int
    seconds: float
    peak: int
    base: int


def measure(size: str, what: str, tokens: int = TOKENS, layers: int | None = None) -> Measured:
    """Count in a fresh process."""
    words = [size, what, str(tokens), *([str(layers)] if layers else [])]
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.llama", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Measured(**json.loads(done.stdout.splitlines()[-1]))


def show() -> None:
    """Measure all, and print each as it comes."""
    print("\nLlama 3 on fake tensors, one sequence; the model is made in the run\n")
    titles = ("size", "what", "layers", "tokens", "FLOPs", "time", "peak memory", "of it imports")
    widths = (4, 7, 6, 6, 11, 8, 11, 13)
    print("  ".join(title.rjust(width) for title, width in zip(titles, widths, strict=True)))

    def row(one: Measured) -> None:
        cells = (
            one.size,
            one.what,
            f"{one.layers:,}",
            f"{one.tokens:,}",
            scaled(one.flops, "FLOPs"),
            duration(one.seconds),
            f"{one.peak / 2**20:,.0f} MiB",
            f"{one.base / 2**20:,.0f} MiB",
        )
        print("  ".join(c.rjust(w) for c, w in zip(cells, widths, strict=True)), flush=True)

    for size in SIZES:
        for what in ("forward", "step"):
            row(measure(size, what))
    print("\nwith its layers")
    _growth(row, [(layers, {"layers": layers}) for layers in LAYERS], "layers")
    print("\nwith its tokens")
    _growth(row, [(tokens, {"tokens": tokens}) for tokens in LENGTHS], "tokens")


def _growth(
    row: Callable[[Measured], None], settings: list[tuple[int, dict[str, int]]], noun: str
) -> None:
    """Measure a step of the largest under some settings, and say what growing costs."""
    found = []
    for number, setting in settings:
        found.append((number, measure(SIZES[-1], "step", **setting)))
        row(found[-1][1])
    (least, first), (most, last) = found[0], found[-1]
    print(
        f"{most / least:.1f} times the {noun}: {last.seconds / first.seconds:.1f} times the time, "
        f"{(last.peak - last.base) / max(first.peak - first.base, 1):.1f} times the memory"
    )


def _run(size: str, what: str, tokens: int, layers: int | None) -> Measured:
    import torch
    import torch.nn.functional as F
    from models import llama

    from ipyflops import dry_run

    config = getattr(llama, f"LLAMA_{size.upper()}")
    config = replace(config, layers=layers) if layers else config

    def forward() -> None:
        model = llama.Llama(config)
        with torch.no_grad():
            model(torch.randint(config.vocabulary, (1, tokens)))

    def step() -> None:
        model = llama.Llama(config)
        optimizer: Any = torch.optim.AdamW(model.parameters())
        text = torch.randint(config.vocabulary, (1, tokens + 1))
        scores = model(text[:, :-1])
        F.cross_entropy(scores.flatten(0, 1), text[:, 1:].flatten()).backward()
        optimizer.step()

    base = _peak()
    start = perf_counter()
    report = dry_run({"forward": forward, "step": step}[what])
    seconds = perf_counter() - start
    return Measured(size, what, tokens, config.layers, report.flops, seconds, _peak(), base)


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        # What `getrusage` has on Linux begins with the memory of the process that started this one.
        line = next(one for one in status.read_text().splitlines() if one.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    size, what, tokens, *more = sys.argv[1:]
    found = _run(size, what, int(tokens), int(more[0]) if more else None)
    print(json.dumps(vars(found)))


if __name__ == "__main__":
    main()
