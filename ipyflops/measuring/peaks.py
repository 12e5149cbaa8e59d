"""What a device can do at most: matrix products and memory traffic, measured.

No program reaches the figures of a data sheet. The rate of the fastest matrix product on this
machine, with this torch and this number of threads, is a ceiling that programs can come close to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from ipyflops.measuring.ceiling_cache import CACHE
from ipyflops.measuring.devices import Device, data_sheet_bandwidth, data_sheet_flops, mode_of
from ipyflops.report import Peak, Rate

#: Called with a line of text before each measurement.
Progress = Callable[[str], object]

#: Sides of the square products. Larger ones are left out once a product takes too long.
SIDES = (512, 1024, 2048, 4096, 8192, 16384)
#: Seconds that each size is measured for.
SECONDS_PER_SIZE = 0.25
#: Products that would take longer than so many seconds are not tried.
MAX_PRODUCT_SECONDS = 0.5
#: Size of each of the two tensors that memory bandwidth is measured with: more than caches hold.
TENSOR_BYTES = 128 * 1024**2
MAX_RUNS = 1000
#: Formats of 8 bits whose products go with scales.
FLOAT8 = (torch.float8_e4m3fn, torch.float8_e5m2)


def clock() -> float:
    """Wait until the accelerator has finished, and give the time in seconds."""
    from torch.utils.benchmark import timer  # takes long to import

    return timer()


def peak(
    device: torch.device | str | None = None,
    dtype: torch.dtype = torch.float32,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Peak:
    """Measure what a device can do at most.

    The first time takes a few seconds. What was measured is remembered, in the process and in the
    platform's cache folder, for the same device, driver, threads and version of torch.

    Parameters
    ----------
    device : torch.device or str, optional
        A GPU if there is one, else the CPU.
    dtype : torch.dtype
        Of the matrix products.
    fresh : bool
        Whether to measure again: on a busy machine the first measurement is too low.
    progress : callable, optional
        Called with a line of text before each measurement.

    Returns
    -------
    Peak
        With `flops_per_second`, `bytes_per_second` and, where torch knows them, the values of
        the data sheet beside them.

    Raises
    ------
    ValueError
        If the device cannot multiply matrices of that dtype.

    Examples
    --------
    >>> peak = ipyflops.peak()                                          # doctest: +SKIP
    >>> print(peak)                                                     # doctest: +SKIP
    CPU AMD EPYC, 2 threads: float32 112 GFLOPS; memory 18.3 GB/s
    """
    torch_device = _device(device)
    described = Device.of(torch_device)
    progress = progress or _silent
    mode = mode_of(torch_device, dtype)
    name = str(dtype).removeprefix("torch.")
    if not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(f"{name} has no floating point operations to measure")

    def flops() -> float:
        try:
            return _product_rate(torch_device, dtype)
        except (RuntimeError, NotImplementedError) as error:
            first = str(error).partition("\n")[0]
            raise ValueError(
                f"{described.name} cannot multiply matrices of {name}: {first}"
            ) from error

    with torch.no_grad():
        flops_per_second = _cached(
            _key(described, f"{name} {mode}"), flops, fresh, progress, f"{name} products"
        )
        bytes_per_second = _cached(
            _key(described, "bytes"),
            lambda: _bandwidth(torch_device),
            fresh,
            progress,
            "memory bandwidth",
        )
    return Peak(
        kind=described.kind,
        name=described.name,
        rates=(Rate(name, flops_per_second, data_sheet_flops(torch_device, dtype), mode),),
        bytes_per_second=bytes_per_second,
        data_sheet_bytes_per_second=data_sheet_bandwidth(torch_device),
    )


def _silent(_: str) -> None:
    pass


def _device(device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _key(device: Device, what: str) -> str:
    parts = (device.kind, device.name, device.driver, f"torch {torch.__version__}", what)
    return " | ".join(part.strip() for part in parts if part.strip())


def _cached(
    key: str, measure: Callable[[], float], fresh: bool, progress: Progress, what: str
) -> float:
    value = None if fresh else CACHE.recall(key)
    if value is None:
        progress(f"measuring {what}")
        value = measure()
        CACHE.remember(key, value)
    return value


# --- measuring -----------------------------------------------------------------------------------


def _product_rate(device: torch.device, dtype: torch.dtype) -> float:
    """The FLOPS of the fastest square product."""
    best = 0.0
    flops_per_mac = 8 if dtype.is_complex else 2
    for side in SIDES:
        try:
            seconds = _product_seconds(side, device, dtype)
        except torch.OutOfMemoryError:
            if not best:
                raise
            break
        best = max(best, flops_per_mac * side**3 / seconds)
        if 8 * seconds > MAX_PRODUCT_SECONDS:
            break
    return best


def _product_seconds(side: int, device: torch.device, dtype: torch.dtype) -> float:
    if dtype in FLOAT8:
        return _min_seconds(_scaled_product(side, device, dtype))
    left, right, out = (torch.ones(side, side, dtype=dtype, device=device) for _ in range(3))
    return _min_seconds(lambda: torch.mm(left, right, out=out))


def _scaled_product(side: int, device: torch.device, dtype: torch.dtype) -> Callable[[], object]:
    """A product in float8, which `torch.mm` does not take: each operand has a scale."""
    from torch.nn.functional import ScalingType, scaled_mm

    left = torch.ones(side, side, device=device).to(dtype)
    # Devices multiply the wider of the two float8 formats only by the other one.
    right = torch.ones(side, side, device=device).to(torch.float8_e4m3fn).t()
    scale, by_tensor = torch.ones((), device=device), ScalingType.TensorWise
    return lambda: scaled_mm(
        left, right, scale, by_tensor, scale, by_tensor, output_dtype=torch.bfloat16
    )


def _bandwidth(device: torch.device) -> float:
    """Bytes per second, read and written, of a plain copy or of a pass over every element."""
    source = torch.ones(TENSOR_BYTES // 4, dtype=torch.float32, device=device)
    target = torch.empty_like(source)
    passes: tuple[Callable[[], object], ...] = (
        lambda: target.copy_(source),
        lambda: torch.mul(source, 2.0, out=target),
    )
    return max(2 * TENSOR_BYTES / _min_seconds(one) for one in passes)


def _min_seconds(run: Callable[[], object]) -> float:
    """The shortest time of a run; runs that are too short for the clock are timed in batches."""
    run()
    start = clock()
    run()
    once = max(clock() - start, 1e-9)
    batch_size = max(1, min(MAX_RUNS, int(0.002 / once)))
    return min(_batches(run, batch_size))


def _batches(run: Callable[[], object], batch_size: int) -> Iterator[float]:
    spent = 0.0
    for _ in range(MAX_RUNS):
        start = clock()
        for _ in range(batch_size):
            run()
        seconds = max(clock() - start, 1e-9)
        yield seconds / batch_size
        spent += seconds
        if spent >= SECONDS_PER_SIZE:
            return
