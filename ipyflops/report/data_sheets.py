"""What makers say of their devices: dense rates of matrix products, bandwidth and memory.

``NVIDIA H100 80GB HBM3`` is the name by which PyTorch knows an H100 SXM. A row is found by a part
of that name. Rates are those that products of dense matrices can reach: where a data sheet prints
rates "with sparsity", half of them stands here. Where a device multiplies a dtype both with and
without its tensor (matrix) cores, the faster way stands here, since that is what libraries take;
products of float32 take plain float32 units, and those in TF32 are a rate of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DataSheet:
    """A device as its manufacturer describes it.

    Attributes
    ----------
    name : str
        The usual name: ``H100 SXM``.
    pattern : str
        A regular expression that finds the device in PyTorch's name for it.
    rates : mapping of str to float
        FLOPS of products of dense matrices, by dtype: ``float64``, ``float32``, ``tf32``,
        ``float16``, ``bfloat16``, ``float8`` (all formats of 8 bits), ``float4``; ``int8`` in
        integer operations a second.
    bandwidth : float
        Bytes a second from and to the device's memory.
    memory : float
        Bytes.
    source : str
        The maker's document.
    """

    name: str
    pattern: str
    rates: Mapping[str, float]
    bandwidth: float
    memory: float
    source: str

    def rate(self, dtype: str) -> float | None:
        """The rate of a dtype by PyTorch's name; None where the maker gives none."""
        return self.rates.get("float8" if dtype.startswith("float8") else dtype)


def _sheet(
    name: str, pattern: str, bandwidth: float, memory: float, source: str, **tera: float
) -> DataSheet:
    """Make a row of TFLOPS, GB/s and GB."""
    half = tera.pop("half", None)
    if half is not None:  # both formats of 16 bits
        tera |= {"float16": half, "bfloat16": half}
    rates = {dtype: round(rate * 1e12) for dtype, rate in tera.items()}
    return DataSheet(name, pattern, rates, bandwidth * 1e9, memory * 1e9, source)


_V100 = "NVIDIA V100 data sheet (January 2020)"
_A100 = "NVIDIA A100 data sheet (June 2021)"
_H100 = "NVIDIA H100 data sheet (2023): half of the rates with sparsity"
_H200 = "NVIDIA H200 data sheet (2024): half of the rates with sparsity"
_BLACKWELL = "NVIDIA Blackwell data sheet (2025): half of the rates with sparsity"
_GA102 = "NVIDIA GA102 architecture white paper, appendix A; products that add up in float32"
_ADA = "NVIDIA Ada architecture white paper, appendix A; products that add up in float32"
_RTX_50 = "NVIDIA RTX Blackwell architecture white paper; products that add up in float32"
_MI200 = "AMD Instinct MI200 series data sheet, for one of the two halves that are a device each"
_MI300X = "AMD Instinct MI300X data sheet"
_MI325X = "AMD Instinct MI325X data sheet"
_MI350 = "AMD Instinct MI350 series data sheets"

_VOLTA_SXM = {"float64": 7.8, "float32": 15.7, "float16": 125}
_VOLTA_PCIE = {"float64": 7, "float32": 14, "float16": 112}
_VOLTA_PLUS = {"float64": 8.2, "float32": 16.4, "float16": 130}
_HOPPER_SXM = {"float64": 67, "float32": 67, "tf32": 494.5, "half": 989.5, "float8": 1979}
_HOPPER_SXM |= {"int8": 1979}
_HOPPER_NVL = {"float64": 60, "float32": 60, "tf32": 417.5, "half": 835.5, "float8": 1670.5}
_HOPPER_NVL |= {"int8": 1670.5}
_AMPERE = {"float64": 19.5, "float32": 19.5, "tf32": 156, "half": 312, "int8": 624}
_B200 = {"float64": 37, "float32": 75, "tf32": 1100, "half": 2250, "float8": 4500, "int8": 4500}
_B200 |= {"float4": 9000}
_GB200 = {"float64": 40, "float32": 80, "tf32": 1250, "half": 2500, "float8": 5000, "int8": 5000}
_GB200 |= {"float4": 10000}
_CDNA3 = {"float64": 163.4, "float32": 163.4, "tf32": 653.7, "half": 1307.4, "float8": 2614.9}
_CDNA3 |= {"int8": 2614.9}
_GAUDI3 = "Intel Gaudi 3 AI accelerator white paper (2024), HL-325L"
_APPLE = "Apple, events of 2020 (M1), 2021 (M1 Pro, M1 Max), 2022 (M2); none of later chips"

#: The first row whose pattern is found in a name holds.
DATA_SHEETS: tuple[DataSheet, ...] = (
    _sheet("GB200", r"GB200", 8000, 186, _BLACKWELL, **_GB200),
    _sheet("B200", r"B200", 7700, 180, _BLACKWELL, **_B200),
    _sheet("H200 NVL", r"H200 NVL", 4800, 141, _H200, **_HOPPER_NVL),
    _sheet("GH200 144GB", r"GH200 144G", 4900, 144, "NVIDIA GH200 data sheet", **_HOPPER_SXM),
    _sheet("GH200 96GB", r"GH200 480GB", 4000, 96, "NVIDIA GH200 data sheet", **_HOPPER_SXM),
    _sheet("H200 SXM", r"H200", 4800, 141, _H200, **_HOPPER_SXM),
    _sheet("H100 NVL", r"H100 NVL", 3900, 94, _H100, **_HOPPER_NVL),
    _sheet(
        "H100 PCIe",
        r"H100 PCIE",
        2000,
        80,
        "NVIDIA H100 data sheet (2022): half of the rates with sparsity",
        float64=51,
        float32=51,
        tf32=378,
        half=756.5,
        float8=1513,
        int8=1513,
    ),
    _sheet("H100 SXM", r"H100 80GB HBM3|H100 SXM5?", 3350, 80, _H100, **_HOPPER_SXM),
    _sheet("A100 80GB SXM", r"A100 SXM4 80GB|A100 SXM 80GB", 2039, 80, _A100, **_AMPERE),
    _sheet("A100 80GB PCIe", r"A100 80GB PCIE", 1935, 80, _A100, **_AMPERE),
    _sheet("A100 40GB", r"A100 SXM4 40GB|A100 PCIE 40GB", 1555, 40, _A100, **_AMPERE),
    _sheet(
        "A30",
        r"A30",
        933,
        24,
        "NVIDIA A30 data sheet",
        float64=10.3,
        float32=10.3,
        tf32=82,
        half=165,
        int8=330,
    ),
    _sheet(
        "A40",
        r"A40",
        696,
        48,
        "NVIDIA A40 data sheet",
        float32=37.4,
        tf32=74.8,
        half=149.7,
        int8=299.3,
    ),
    _sheet(
        "A10G",
        r"A10G",
        600,
        24,
        "NVIDIA A10G data sheet",
        float32=35,
        tf32=35,
        half=70,
        int8=140,
    ),
    _sheet(
        "A10",
        r"A10",
        600,
        24,
        "NVIDIA A10 data sheet",
        float32=31.2,
        tf32=62.5,
        half=125,
        int8=250,
    ),
    _sheet(
        "L40S",
        r"L40S",
        864,
        48,
        "NVIDIA L40S data sheet: half of the rates with sparsity",
        float32=91.6,
        tf32=183,
        half=362.05,
        float8=733,
        int8=733,
    ),
    _sheet(
        "L40",
        r"L40",
        864,
        48,
        "NVIDIA L40 data sheet: half of the rates with sparsity",
        float32=90.5,
        tf32=90.5,
        half=181.05,
        float8=362,
        int8=362,
    ),
    _sheet(
        "L4",
        r"L4",
        300,
        24,
        "NVIDIA L4 data sheet: half of the rates with sparsity",
        float32=30.3,
        tf32=60,
        half=121,
        float8=242.5,
        int8=242.5,
    ),
    _sheet("T4", r"T4", 320, 16, "NVIDIA T4 data sheet", float32=8.1, float16=65, int8=130),
    _sheet("V100S PCIe", r"V100S PCIE.*", 1134, 32, _V100, **_VOLTA_PLUS),
    _sheet(
        "V100 32GB SXM", r"V100 SXM\d 32GB", 900, 32, _V100, float64=7.8, float32=15.7, float16=125
    ),
    _sheet(
        "V100 16GB SXM", r"V100 SXM\d 16GB", 900, 16, _V100, float64=7.8, float32=15.7, float16=125
    ),
    _sheet("V100 32GB PCIe", r"V100 PCIE 32GB", 900, 32, _V100, **_VOLTA_PCIE),
    _sheet("V100 16GB PCIe", r"V100 PCIE 16GB", 900, 16, _V100, **_VOLTA_PCIE),
    _sheet(
        "P100 16GB PCIe",
        r"P100 PCIE 16GB",
        732,
        16,
        "NVIDIA P100 PCIe data sheet (2016)",
        float64=4.7,
        float32=9.3,
        float16=18.7,
    ),
    _sheet(
        "RTX 6000 Ada",
        r"RTX 6000 ADA GENERATION",
        960,
        48,
        "NVIDIA RTX 6000 Ada data sheet: half of the rates with sparsity",
        float32=91.1,
        tf32=182.1,
        half=364.25,
        float8=728.5,
        int8=728.5,
    ),
    _sheet(
        "RTX A6000",
        r"RTX A6000",
        768,
        48,
        _GA102,
        float32=38.7,
        tf32=77.4,
        half=154.8,
        int8=309.7,
    ),
    _sheet(
        "RTX 5090",
        r"RTX 5090",
        1792,
        32,
        _RTX_50,
        float32=104.8,
        tf32=104.8,
        half=209.5,
        float8=419,
        int8=838,
    ),
    _sheet(
        "RTX 4090",
        r"RTX 4090",
        1008,
        24,
        _ADA,
        float32=82.6,
        tf32=82.6,
        half=165.2,
        float8=330.3,
        int8=660.6,
    ),
    _sheet(
        "RTX 3090",
        r"RTX 3090",
        936,
        24,
        _GA102,
        float32=35.6,
        tf32=35.6,
        half=71,
        int8=284,
    ),
    _sheet(
        "MI355X",
        r"MI355X",
        8000,
        288,
        _MI350,
        float64=78.6,
        float32=157.3,
        half=2516.6,
        float8=5033.2,
        int8=5033.2,
    ),
    _sheet(
        "MI350X",
        r"MI350X",
        8000,
        288,
        _MI350,
        float64=72.1,
        float32=144.2,
        half=2306.9,
        float8=4613.7,
        int8=4613.7,
    ),
    _sheet("MI325X", r"MI325X", 6000, 256, _MI325X, **_CDNA3),
    _sheet("MI300X", r"MI300X", 5300, 192, _MI300X, **_CDNA3),
    _sheet(
        "MI250X",
        r"MI250X OAM",
        3276.8,
        128,
        "AMD Instinct MI200 series data sheet: both halves, which PyTorch takes for two devices",
        float64=95.7,
        float32=95.7,
        half=383,
        int8=383,
    ),
    _sheet(
        "MI250X (one half)",
        r"MI250X",
        1638.4,
        64,
        _MI200,
        float64=47.85,
        float32=47.85,
        half=191.5,
        int8=191.5,
    ),
    _sheet(
        "MI210",
        r"MI210",
        1638.4,
        64,
        "AMD Instinct MI210 data sheet",
        float64=45.3,
        float32=45.3,
        half=181,
        int8=181,
    ),
    # Its 8 bit formats are no faster than those of 16.
    _sheet("Gaudi 3", r"GAUDI ?3", 3700, 128, _GAUDI3, bfloat16=1835, float8=1835),
    _sheet("M1 Pro", r"M1 PRO", 200, 32, _APPLE, float32=5.2),
    _sheet("M1 Max", r"M1 MAX", 400, 64, _APPLE, float32=10.4),
    _sheet("M1", r"M1(?! ULTRA)", 68.25, 16, _APPLE, float32=2.6),
    _sheet("M2", r"M2(?! (PRO|MAX|ULTRA))", 100, 24, _APPLE, float32=3.6),
)

#: Parts of names that tell a slice of a device, one of nearly the same name, or two of them.
_OTHERS = re.compile(r"\b(MIG|LAPTOP|MAX Q|MOBILE|TI|SUPER|D|VIRTUAL|GRID)\b|/")


def data_sheet_of(device: str) -> DataSheet | None:
    """Find the data sheet of a device by PyTorch's name of it; None for one that is not known.

    Examples
    --------
    >>> data_sheet_of("NVIDIA H100 80GB HBM3").name
    'H100 SXM'
    >>> data_sheet_of("NVIDIA A100-SXM4-40GB MIG 1g.5gb") is None  # a seventh of one
    True
    """
    name = " ".join(re.split(r"[\s_-]+", device.upper()))
    if _OTHERS.search(name):
        return None
    for sheet in DATA_SHEETS:
        if re.search(rf"\b(?:{sheet.pattern})(?!\S)", name):
            return sheet
    return None
