"""What a device can do at most, as plain data; `ipyflops.peak` measures it."""

from __future__ import annotations

from dataclasses import dataclass

from ipyflops.costs import printable, with_printable_repr

#: A complex product is made of real ones; its FLOPs are counted as real ones too.
_PARTS = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}


def real_dtype(dtype: str) -> str:
    """The dtype whose products a report's dtype is held to, by name.

    Examples
    --------
    >>> real_dtype("complex64"), real_dtype("tf32")
    ('float32', 'tf32')
    """
    return _PARTS.get(dtype, dtype)


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Rate:
    """The largest FLOPS that a device reaches with matrix products of one dtype.

    Attributes
    ----------
    dtype : str
        Such as ``float32``; ``tf32`` for products of float32 in TF32.
    flops_per_second : float
        Measured.
    data_sheet : float or None
        What the maker says, where that is known.
    mode : str
        How products of this dtype are computed, such as ``tf32``; empty for the usual way.
    """

    dtype: str
    flops_per_second: float
    data_sheet: float | None = None
    mode: str = ""


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Peak:
    """What a device can do at most: FLOPS and memory bandwidth.

    Attributes
    ----------
    kind : str
        ``CPU``, ``GPU`` or what else torch calls it.
    name : str
        Such as ``AMD EPYC, 2 threads``.
    rates : tuple of Rate
        Not empty; by dtype.
    bytes_per_second : float
        Memory bandwidth, measured; 0 where it was not.
    data_sheet_bytes_per_second : float or None
        What the maker says, where that is known.
    cache_bytes : int
        What its caches hold; 0 where that is not known.
    """

    kind: str
    name: str
    rates: tuple[Rate, ...]
    bytes_per_second: float = 0.0
    data_sheet_bytes_per_second: float | None = None
    cache_bytes: int = 0

    @property
    def flops_per_second(self) -> float:
        """FLOPS of the first dtype, which is the requested one."""
        return self.rates[0].flops_per_second

    def rate(self, dtype: str) -> Rate | None:
        """The rate of a dtype, a complex one by its parts; None where it was not measured."""
        wanted = real_dtype(dtype)
        return next((rate for rate in self.rates if rate.dtype == wanted), None)

    @property
    def ridge(self) -> float:
        """FLOPs per byte below which memory is the limit, for the first dtype."""
        return self.flops_per_second / self.bytes_per_second if self.bytes_per_second else 0.0

    def __str__(self) -> str:
        from ipyflops.units import scaled

        parts = []
        for rate in self.rates:
            mode = f" ({rate.mode})" if rate.mode else ""
            sheet = f", data sheet {scaled(rate.data_sheet, 'FLOPS')}" if rate.data_sheet else ""
            parts.append(f"{rate.dtype}{mode} {scaled(rate.flops_per_second, 'FLOPS')}{sheet}")
        if self.bytes_per_second:
            bandwidth = f"memory {scaled(self.bytes_per_second, 'B')}/s"
            if self.data_sheet_bytes_per_second:
                bandwidth += f", data sheet {scaled(self.data_sheet_bytes_per_second, 'B')}/s"
            parts.append(bandwidth)
        return printable(f"{self.kind} {self.name}: {'; '.join(parts)}")
