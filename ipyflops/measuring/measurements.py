"""Times matrix products and passes over memory on a device.

Operands are random numbers: a GPU multiplies constant ones faster, since it takes less power.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ipyflops.counting import wait_for
from ipyflops.measuring.devices import cache_bytes
from ipyflops.torch_private import scaled_product

#: Sides of the square products. Larger ones are left out once a product takes too long.
SIDES = (512, 1024, 2048, 4096, 8192, 16384)
#: Seconds that each size is measured for.
SECONDS_PER_SIZE = 0.25
#: Products that would take longer than so many seconds are not tried.
MAX_PRODUCT_SECONDS = 0.5
#: Sizes of each of the two tensors that memory bandwidth is measured with: more than the caches of
#: most CPUs hold, and more than those of a GPU that PyTorch does not tell (256 MB in an MI300X).
TENSOR_BYTES, ACCELERATOR_TENSOR_BYTES = 128 * 1024**2, 1024**3
#: A pass over so many times the last cache is one over memory, at least nearly.
CACHES, LEAST_CACHES = 8, 2
#: Passes over less are not worth measuring.
LEAST_TENSOR_BYTES = 16 * 1024**2
MAX_RUNS = 1000
#: Formats of 8 bits whose products go with scales.
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)


@dataclass(frozen=True, slots=True)
class Measured:
    """A rate, and whether too little memory was free to measure it as it should be."""

    value: float
    short_of_memory: bool = False


def clock(device: torch.device) -> float:
    """Wait until the device has finished, and give the time in seconds."""
    wait_for(device)
    return time.perf_counter()


def product_rate(device: torch.device, dtype: torch.dtype) -> Measured:
    """The FLOPS of the fastest square product.

    Raises
    ------
    torch.OutOfMemoryError
        If there is no memory for the smallest one.
    """
    best = 0.0
    flops_per_mac = 8 if dtype.is_complex else 2
    for side in SIDES:
        try:
            seconds = _product_seconds(side, device, dtype)
        except torch.OutOfMemoryError:
            if not best:
                raise
            return Measured(best, short_of_memory=True)
        best = max(best, flops_per_mac * side**3 / seconds)
        if 8 * seconds > MAX_PRODUCT_SECONDS:
            break
    return Measured(best)


def _product_seconds(side: int, device: torch.device, dtype: torch.dtype) -> float:
    # A generator of its own leaves the user's random numbers as they are.
    numbers = torch.Generator(device).manual_seed(0)

    def matrix() -> Tensor:
        made = dtype if dtype not in FLOAT8 else torch.bfloat16
        return torch.randn(side, side, dtype=made, device=device, generator=numbers)

    if dtype in FLOAT8:
        return _min_seconds(scaled_product(matrix().to(dtype), matrix()), device)
    left, right = matrix(), matrix()
    out = torch.empty_like(left)
    return _min_seconds(lambda: torch.mm(left, right, out=out), device)


def bandwidth(device: torch.device) -> Measured:
    """Bytes per second, read and written, of a plain copy or of a pass over every element.

    Where too little memory is free, shorter tensors are taken; 0 where no longer ones fit than
    the device's caches hold.
    """
    cache = cache_bytes(device)
    wanted = TENSOR_BYTES if device.type == "cpu" else ACCELERATOR_TENSOR_BYTES
    wanted = max(wanted, CACHES * cache)
    size = wanted
    while size >= max(LEAST_TENSOR_BYTES, LEAST_CACHES * cache):
        try:
            return Measured(_passes(size, device), short_of_memory=size < wanted)
        except torch.OutOfMemoryError:
            size //= 2
    return Measured(0.0, short_of_memory=True)


def _passes(size: int, device: torch.device) -> float:
    numbers = torch.Generator(device).manual_seed(0)
    source = torch.rand(size // 4, device=device, generator=numbers)
    target = torch.empty_like(source)
    passes: tuple[Callable[[], object], ...] = (
        lambda: target.copy_(source),
        lambda: torch.mul(source, 2.0, out=target),
    )
    return max(2 * size / _min_seconds(one, device) for one in passes)


def _min_seconds(run: Callable[[], object], device: torch.device) -> float:
    """The shortest time of a run; runs that are too short for the clock are timed in batches."""
    run()
    start = clock(device)
    run()
    once = max(clock(device) - start, 1e-9)
    batch_size = max(1, min(MAX_RUNS, int(0.002 / once)))
    return min(_batches(run, batch_size, device))


def _batches(run: Callable[[], object], batch_size: int, device: torch.device) -> Iterator[float]:
    spent = 0.0
    for _ in range(MAX_RUNS):
        start = clock(device)
        for _ in range(batch_size):
            run()
        seconds = max(clock(device) - start, 1e-9)
        yield seconds / batch_size
        spent += seconds
        if spent >= SECONDS_PER_SIZE:
            return
