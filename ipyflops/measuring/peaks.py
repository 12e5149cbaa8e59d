"""What a device can do at most: matrix products and memory traffic, measured.

No program reaches the figures of a data sheet. The rate of the fastest matrix product on this
machine, with this torch and this number of threads, is a ceiling that programs can come close to.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch

from ipyflops.counting import accelerator_built_for
from ipyflops.measuring.ceiling_cache import CACHE
from ipyflops.measuring.devices import Device, caches_of, data_sheet
from ipyflops.measuring.measurements import Measured, bandwidth, product_rate
from ipyflops.measuring.precision import TF32, mode_of, products_in
from ipyflops.report import Peak, Rate

#: Called with a line of text before each measurement.
Progress = Callable[[str], object]


def peak(
    device: torch.device | str | None = None,
    dtype: torch.dtype | str = torch.float32,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Peak:
    """Measure what a device can do at most.

    The first measurement takes a few seconds. The result is kept in the process and in the
    platform's cache folder, for the same device, driver, threads and version of torch.

    Parameters
    ----------
    device : torch.device or str, optional
        By default the accelerator if there is one, else the CPU.
    dtype : torch.dtype or str
        Dtype of the matrix products. ``"tf32"`` means float32 products in TF32.
    fresh : bool
        Whether to measure again: on a busy machine the first measurement is too low.
    progress : callable, optional
        Called with a line of text before each measurement.

    Returns
    -------
    Peak
        With `flops_per_second`, `bytes_per_second` and, where they are known, the values of the
        maker's data sheet beside them.

    Raises
    ------
    ValueError
        If the device cannot multiply matrices of that dtype, or has no free memory.

    Examples
    --------
    >>> peak = ipyflops.peak()                                          # doctest: +SKIP
    >>> print(peak)                                                     # doctest: +SKIP
    CPU AMD EPYC, 2 threads: float32 112 GFLOPS; memory 18.3 GB/s
    """
    ceilings = Ceilings(_device(device), fresh=fresh, progress=progress)
    if dtype == TF32:
        rate = ceilings.rate(TF32)
    else:
        real = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
        if not isinstance(real, torch.dtype):
            raise ValueError(f"{dtype!r} is no dtype of PyTorch, and not 'tf32'")
        rate = ceilings.rate(str(real).removeprefix("torch."), mode_of(ceilings.device, real))
    return ceilings.peak((rate,))


class Ceilings:
    """Measures the ceilings of a device, or recalls them.

    Parameters
    ----------
    device : torch.device
    fresh, progress
        See `peak`.

    Attributes
    ----------
    short_of_memory : bool
        Whether something was measured with less memory than it takes: too low, perhaps.
    """

    def __init__(
        self, device: torch.device, *, fresh: bool = False, progress: Progress | None = None
    ) -> None:
        self.device = device
        self.short_of_memory = False
        self._described = Device.of(device)
        self._sheet = data_sheet(device)
        self._fresh = fresh
        self._progress = progress or _silent

    def rate(self, name: str, mode: str = "") -> Rate:
        """The largest rate of products of a dtype by name, ``tf32`` included.

        Parameters
        ----------
        name : str
            Such as ``bfloat16``.
        mode : str
            What the user has set for products of float32: see `precision.mode_of`.

        Raises
        ------
        ValueError
            See `peak`.
        """
        if name == TF32 and self.device.type != "cuda":
            raise ValueError(f"{self._described.name} has no TF32 to measure")
        dtype: torch.dtype = torch.float32 if name == TF32 else getattr(torch, name)
        if not (dtype.is_floating_point or dtype.is_complex):
            raise ValueError(f"{name} has no floating point operations to measure")
        precision: AbstractContextManager[None] = nullcontext()
        if dtype is torch.float32:
            in_tf32 = TF32 in (name, mode)
            precision = products_in(self.device, "tf32" if in_tf32 else "ieee")
        # Plain TF32 and float32 that is set to TF32 are one measurement.
        what = "float32 tf32" if name == TF32 else f"{name} {mode}"
        with precision:
            flops = self._recalled(what, f"{name} products", lambda: self._products(name, dtype))
        tf32 = TF32 in (name, mode)
        sheet = None if self._sheet is None else self._sheet.rate(TF32 if tf32 else name)
        return Rate(name, flops, sheet, "" if name == TF32 else mode)

    def peak(self, rates: tuple[Rate, ...]) -> Peak:
        """Put rates and the memory's bandwidth together; that is 0 where it cannot be measured."""
        sheet = self._sheet
        return Peak(
            kind=self._described.kind,
            name=self._described.name,
            rates=rates,
            bytes_per_second=self._recalled(
                "bytes", "memory bandwidth", lambda: bandwidth(self.device)
            ),
            data_sheet_bytes_per_second=sheet.bandwidth if sheet else None,
            cache_bytes=caches_of(self.device),
        )

    def _products(self, name: str, dtype: torch.dtype) -> Measured:
        try:
            return product_rate(self.device, dtype)
        except torch.OutOfMemoryError as error:
            raise ValueError(
                f"{self._described.name} has no memory free to multiply matrices"
            ) from error
        except (RuntimeError, NotImplementedError, TypeError) as error:
            first = str(error).partition("\n")[0]
            raise ValueError(
                f"{self._described.name} cannot multiply matrices of {name}: {first}"
            ) from error

    def _recalled(self, what: str, title: str, measure: Callable[[], Measured]) -> float:
        described = self._described
        parts = (described.kind, described.name, described.driver, f"torch {torch.__version__}")
        key = " | ".join(part.strip() for part in (*parts, what) if part.strip())
        value = None if self._fresh else CACHE.recall(key)
        if value is not None:
            return value
        self._progress(f"measuring {title}")
        with torch.no_grad():
            measured = measure()
        if measured.short_of_memory:  # another time it may be more
            self.short_of_memory = True
        else:
            CACHE.remember(key, measured.value)
        return measured.value


def _silent(_: str) -> None:
    pass


def _device(device: torch.device | str | None) -> torch.device:
    if device is not None:
        return torch.device(device)
    kind = accelerator_built_for()
    # Who asks for "the" device wants the accelerator, so that it may be set up.
    available = kind is not None and torch.accelerator.is_available()
    return torch.device(kind if kind is not None and available else "cpu")
