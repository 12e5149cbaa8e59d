"""A device that one may not have: by the name of its data sheet, or described by its numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from ipyflops.costs import with_printable_repr
from ipyflops.report.ceilings import Peak, Rate, real_dtype
from ipyflops.report.data_sheets import DATA_SHEETS, DataSheet, data_sheet_of

#: What people mean by a name that several data sheets share.
_USUAL = {
    "A100": "A100 80GB SXM",
    "A100 80GB": "A100 80GB SXM",
    "A100 SXM": "A100 80GB SXM",
    "A100 PCIE": "A100 80GB PCIe",
    "GH200": "GH200 96GB",
    "H100": "H100 SXM",
    "H200": "H200 SXM",
    "P100": "P100 16GB PCIe",
    "V100": "V100 16GB SXM",
    "V100 16GB": "V100 16GB SXM",
    "V100 32GB": "V100 32GB SXM",
}
_SUGGESTED = 4


@with_printable_repr
@dataclass(frozen=True)
class Device:
    """What a device can do at most, for `Report.on`.

    Parameters
    ----------
    name : str
    rates : mapping of str to float
        FLOPS of products of dense matrices, by dtype: ``{"bfloat16": 989.4e12}``. ``float8`` stands
        for all formats of 8 bits; ``int8`` is in integer operations a second.
    bandwidth : float
        Bytes a second from and to its memory.
    memory : float, optional
        Bytes. If it is left out, estimates do not say whether a run fits.
    source : str
        Where the numbers are from.
    cache : float
        Bytes that may stay on the device between two operators; 0 by default.

    Raises
    ------
    ValueError
        If a number is not positive and finite.

    Examples
    --------
    >>> Device("H100 SXM", rates={"bfloat16": 989.4e12}, bandwidth=3.35e12, memory=80e9).name
    'H100 SXM'
    """

    name: str
    rates: Mapping[str, float]
    bandwidth: float
    memory: float | None = None
    source: str = field(default="", compare=False)
    cache: float = 0.0

    def __post_init__(self) -> None:
        numbers: dict[str, Any] = {
            f"the rate of {dtype}": rate for dtype, rate in self.rates.items()
        }
        numbers["the bandwidth"] = self.bandwidth
        if self.memory is not None:
            numbers["the memory"] = self.memory
        if self.cache:
            numbers["the cache"] = self.cache
        for what, number in numbers.items():
            positive = isinstance(number, int | float) and 0 < number < math.inf
            if not positive:
                raise ValueError(f"{what} of {self.name} has to be a positive number: {number!r}")

    @classmethod
    def named(cls, name: str) -> Device:
        """Return the device of a data sheet, by its name or by PyTorch's name for it.

        Raises
        ------
        ValueError
            If there is none; the message names close ones.
        """
        sheet = _sheet_named(name) or data_sheet_of(name)
        if sheet is None:
            raise ValueError(_unknown(name))
        return cls.of_sheet(sheet)

    @classmethod
    def of_sheet(cls, sheet: DataSheet) -> Device:
        """Return the device that a data sheet describes."""
        return cls(sheet.name, sheet.rates, sheet.bandwidth, sheet.memory, sheet.source)

    @classmethod
    def of_peak(cls, peak: Peak, memory: float | None = None) -> Device:
        """Return the device whose ceilings were measured (see `ipyflops.peak`).

        Raises
        ------
        ValueError
            If its bandwidth was not measured.
        """
        rates = {rate.dtype: rate.flops_per_second for rate in peak.rates}
        cache = float(peak.cache_bytes)
        return cls(peak.name, rates, peak.bytes_per_second, memory, "measured", cache)

    def rate(self, dtype: str) -> float | None:
        """FLOPS for a dtype; for a complex dtype, FLOPS of its parts; None if unknown."""
        wanted = real_dtype(dtype)
        if wanted.startswith("float8"):
            wanted = "float8"
        if wanted == "tf32" and "tf32" not in self.rates:
            wanted = "float32"  # no unit of its own
        return self.rates.get(wanted)

    @property
    def peak(self) -> Peak | None:
        """The same as the ceilings of a report; None where no rate is known."""
        rates = tuple(Rate(dtype, rate, rate) for dtype, rate in self.rates.items())
        if not rates:
            return None
        return Peak("device", self.name, rates, self.bandwidth, self.bandwidth)


def read_device(text: str, *, own: object = None) -> tuple[Device, float]:
    """Read a name, with or without an efficiency behind it: ``H100 SXM@0.4``.

    Parameters
    ----------
    text : str
    own : object
        What the name stands for, if that is a `Device`, instead of a data sheet.

    Returns
    -------
    (Device, float)

    Raises
    ------
    ValueError
        If there is no such device, or that is no efficiency.
    """
    name, at, efficiency = text.partition("@")
    device = own if isinstance(own, Device) else Device.named(name)
    if not at:
        return device, 1.0
    try:
        number = float(efficiency)
    except ValueError:
        number = math.nan
    return device, check_efficiency(number, efficiency.strip())


def check_efficiency(number: float, written: str = "") -> float:
    """Return the efficiency, if it is one.

    Raises
    ------
    ValueError
        If it is not more than 0 and at most 1.
    """
    if 0 < number <= 1:
        return number
    raise ValueError(
        "an efficiency is a share of the peak, more than 0 and at most 1, as in H100@0.4; "
        f"not {written or number}"
    )


def _normal(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name.strip().upper()))


def _sheet_named(name: str) -> DataSheet | None:
    wanted = _normal(name)
    wanted = _normal(_USUAL.get(wanted, wanted))
    return next((sheet for sheet in DATA_SHEETS if _normal(sheet.name) == wanted), None)


def _unknown(name: str) -> str:
    names = {_normal(sheet.name): sheet.name for sheet in DATA_SHEETS}
    wanted = _normal(name)
    close = [known for known in names if wanted and (wanted in known or known in wanted)]
    close += [one for one in get_close_matches(wanted, [*names, *_USUAL], 3) if one not in close]
    shown = [names.get(one, one) for one in close[:_SUGGESTED]]
    hint = f"did you mean {', '.join(shown)}? " if shown else ""
    return (
        f"there is no data sheet of {name.strip()!r}; {hint}"
        "ipyflops.Device(name, rates={…}, bandwidth=…, memory=…) describes any other device"
    )
