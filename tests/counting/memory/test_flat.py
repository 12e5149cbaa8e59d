"""The counter's own memory does not grow with the length of a run that it follows."""

from __future__ import annotations

import gc
import tracemalloc

import torch
from torch import nn

from ipyflops import FlopCounter
from tests.thoroughness import ALL_SAMPLES

#: Operators after which the counter's own memory is read; the last is the end of the run.
READ_AT = (100_000, 500_000, 1_000_000) if ALL_SAMPLES else (4_000, 8_000, 12_000)
#: Of a step, seen by the curve.
OPERATORS = 55
#: Bytes that may come and go between two readings: the bounded curve, and what Python keeps. Up to
#: 80,000 were seen. One object kept for each operator would be 400,000 at the least.
NOISE = 150_000


def test_the_memory_of_the_counter_stays_flat() -> None:
    """Each training step makes new tensors: what is followed comes and goes."""
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)
    x = torch.zeros(4, 16)
    held = []
    tracemalloc.start()
    try:
        with FlopCounter(memory=True, device_time=False) as counter:
            steps = 0
            for wanted in READ_AT:
                for _ in range(steps, wanted // OPERATORS):
                    optimizer.zero_grad()
                    model(x).sum().backward()
                    optimizer.step()
                steps = wanted // OPERATORS
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    memory = counter.report.memory
    assert memory is not None
    assert memory.curve[-1].operator >= 0.9 * READ_AT[-1]
    first, *later = held
    print(f"bytes of Python objects after {READ_AT} operators: {held}")
    assert all(one - first < NOISE for one in later), held
