"""The table of data sheets, against what the chips' units and clocks give."""

from __future__ import annotations

import pytest

from ipyflops.report import DATA_SHEETS, DataSheet, data_sheet_of

#: PyTorch's names of real devices, and which row each is. None: not in the table, or not whole.
NAMES = {
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "NVIDIA H100 PCIe": "H100 PCIe",
    "NVIDIA H100 NVL": "H100 NVL",
    "NVIDIA H200": "H200 SXM",
    "NVIDIA H200 NVL": "H200 NVL",
    "NVIDIA GH200 480GB": "GH200 96GB",
    "NVIDIA GH200 144G HBM3e": "GH200 144GB",
    "NVIDIA B200": "B200",
    "NVIDIA GB200": "GB200",
    "NVIDIA A100-SXM4-80GB": "A100 80GB SXM",
    "NVIDIA A100-SXM4-40GB": "A100 40GB",
    "A100-SXM4-40GB": "A100 40GB",
    "NVIDIA A100-PCIE-40GB": "A100 40GB",
    "NVIDIA A100 80GB PCIe": "A100 80GB PCIe",
    "NVIDIA A100-SXM4-40GB MIG 1g.5gb": None,
    "NVIDIA A10": "A10",
    "NVIDIA A10G": "A10G",
    "NVIDIA A30": "A30",
    "NVIDIA A40": "A40",
    "NVIDIA L4": "L4",
    "NVIDIA L40": "L40",
    "NVIDIA L40S": "L40S",
    "Tesla T4": "T4",
    "NVIDIA T400 4GB": None,
    "Tesla V100-SXM2-16GB": "V100 16GB SXM",
    "Tesla V100-SXM2-32GB": "V100 32GB SXM",
    "Tesla V100-PCIE-16GB": "V100 16GB PCIe",
    "Tesla V100-PCIE-32GB": "V100 32GB PCIe",
    "Tesla V100S-PCIE-32GB": "V100S PCIe",
    "Tesla P100-PCIE-16GB": "P100 16GB PCIe",
    "Tesla P4": None,
    "NVIDIA GeForce RTX 3090": "RTX 3090",
    "NVIDIA GeForce RTX 3090 Ti": None,
    "NVIDIA GeForce RTX 4090": "RTX 4090",
    "NVIDIA GeForce RTX 4090 D": None,
    "NVIDIA GeForce RTX 4090 Laptop GPU": None,
    "NVIDIA GeForce RTX 5090": "RTX 5090",
    "NVIDIA RTX A6000": "RTX A6000",
    "NVIDIA RTX 6000 Ada Generation": "RTX 6000 Ada",
    "AMD Instinct MI300X": "MI300X",
    "AMD Instinct MI300X VF": "MI300X",
    "AMD Instinct MI325X": "MI325X",
    "AMD Instinct MI355X": "MI355X",
    "AMD Instinct MI350X": "MI350X",
    "AMD Instinct MI250X": "MI250X (one half)",
    "AMD Instinct MI250X / MI250": None,
    "AMD Instinct MI250X OAM": "MI250X",
    "GAUDI3": "Gaudi 3",
    "Apple M1": "M1",
    "Apple M1 Pro": "M1 Pro",
    "Apple M1 Max": "M1 Max",
    "Apple M1 Ultra": None,
    "Apple M2": "M2",
    "Apple M2 Max": None,
    "AMD Instinct MI210": "MI210",
    "Radeon RX 7900 XTX": None,
    "": None,
}


@pytest.mark.parametrize(("name", "row"), NAMES.items())
def test_real_names_find_their_rows(name: str, row: str | None) -> None:
    sheet = data_sheet_of(name)
    assert (sheet.name if sheet else None) == row


def test_every_row_is_found_and_has_a_source() -> None:
    assert {sheet.name for sheet in DATA_SHEETS} == {row for row in NAMES.values() if row}
    assert len({sheet.name for sheet in DATA_SHEETS}) == len(DATA_SHEETS)
    for sheet in DATA_SHEETS:
        assert sheet.source.startswith(("NVIDIA", "AMD", "Intel", "Apple"))
        assert 6e10 <= sheet.bandwidth <= 8e12
        assert 16e9 <= sheet.memory <= 288e9


#: Multiprocessors (AMD: compute units), FLOPs of each in a cycle (dense, of 16 bits, added up in
#: float32), and the boost clock in GHz; for Hopper, the clock under load that its rates hold for.
CHIPS = {
    "GB200": (148, 8192, 2.062),
    "B200": (148, 8192, 1.85),
    "H200 NVL": (132, 4096, 1.545),
    "H200 SXM": (132, 4096, 1.83),
    "GH200 96GB": (132, 4096, 1.83),
    "GH200 144GB": (132, 4096, 1.83),
    "H100 NVL": (132, 4096, 1.545),
    "H100 PCIe": (114, 4096, 1.62),
    "H100 SXM": (132, 4096, 1.83),
    "A100 80GB SXM": (108, 2048, 1.41),
    "A100 80GB PCIe": (108, 2048, 1.41),
    "A100 40GB": (108, 2048, 1.41),
    "A30": (56, 2048, 1.44),
    "A40": (84, 1024, 1.74),
    "A10": (72, 1024, 1.695),
    "A10G": (80, 512, 1.71),
    "L4": (58, 1024, 2.04),
    "L40": (142, 512, 2.49),
    "L40S": (142, 1024, 2.52),
    "T4": (40, 1024, 1.59),
    "V100S PCIe": (80, 1024, 1.597),
    "V100 16GB SXM": (80, 1024, 1.53),
    "V100 32GB SXM": (80, 1024, 1.53),
    "V100 16GB PCIe": (80, 1024, 1.38),
    "V100 32GB PCIe": (80, 1024, 1.38),
    "P100 16GB PCIe": (56, 256, 1.303),
    "RTX 6000 Ada": (142, 1024, 2.505),
    "RTX A6000": (84, 1024, 1.8),
    "RTX 3090": (82, 512, 1.695),
    "RTX 4090": (128, 512, 2.52),
    "RTX 5090": (170, 512, 2.407),
    "MI210": (104, 1024, 1.7),
    "MI250X": (220, 1024, 1.7),
    "MI250X (one half)": (110, 1024, 1.7),
    "MI300X": (304, 2048, 2.1),
    "MI325X": (304, 2048, 2.1),
    "MI350X": (256, 4096, 2.2),
    "MI355X": (256, 4096, 2.4),
}
_64_CORES = ("V10", "P10", "A10", "A30", "T4")
#: The same in float32 without tensor cores (AMD: with matrix cores): 2 FLOPs of each core.
FLOAT32 = {
    "GB200": (148, 256, 2.062),
    "B200": (148, 256, 1.965),
    "H200 NVL": (132, 256, 1.785),
    "H200 SXM": (132, 256, 1.98),
    "GH200 96GB": (132, 256, 1.98),
    "GH200 144GB": (132, 256, 1.98),
    "H100 NVL": (132, 256, 1.785),
    "H100 PCIe": (114, 256, 1.755),
    "H100 SXM": (132, 256, 1.98),
    **{name: (CHIPS[name][0], 128, CHIPS[name][2]) for name in CHIPS if name[:3] in _64_CORES},
    **{name: (CHIPS[name][0], 256, CHIPS[name][2]) for name in ("A40", "A10", "A10G", "L4")},
    **{name: (CHIPS[name][0], 256, CHIPS[name][2]) for name in CHIPS if name[:3] in ("RTX", "L40")},
    **{name: (CHIPS[name][0], 256, CHIPS[name][2]) for name in CHIPS if name[:3] == "MI2"},
    **{name: (CHIPS[name][0], 256, CHIPS[name][2]) for name in CHIPS if name[:3] == "MI3"},
    "M1": (8, 256, 1.278),
    "M1 Pro": (16, 256, 1.296),
    "M1 Max": (32, 256, 1.296),
    "M2": (10, 256, 1.398),
}
#: Bits that the memory gives at once, and how often, in billions a second.
MEMORIES = {
    "GB200": (8192, 8),
    "B200": (8192, 7.5),
    "H200 NVL": (6144, 6.25),
    "H200 SXM": (6144, 6.25),
    "GH200 144GB": (6144, 6.4),
    "GH200 96GB": (6144, 5.2),
    "H100 NVL": (6144, 5.1),
    "H100 PCIe": (5120, 3.2),
    "H100 SXM": (5120, 5.23),
    "A100 80GB SXM": (5120, 3.186),
    "A100 80GB PCIe": (5120, 3.024),
    "A100 40GB": (5120, 2.43),
    "A30": (3072, 2.43),
    "A40": (384, 14.5),
    "A10": (384, 12.5),
    "A10G": (384, 12.5),
    "L4": (192, 12.5),
    "L40": (384, 18),
    "L40S": (384, 18),
    "T4": (256, 10),
    "V100S PCIe": (4096, 2.214),
    "V100 16GB SXM": (4096, 1.756),
    "V100 32GB SXM": (4096, 1.756),
    "V100 16GB PCIe": (4096, 1.756),
    "V100 32GB PCIe": (4096, 1.756),
    "P100 16GB PCIe": (4096, 1.43),
    "RTX 6000 Ada": (384, 20),
    "RTX A6000": (384, 16),
    "RTX 3090": (384, 19.5),
    "RTX 4090": (384, 21),
    "RTX 5090": (512, 28),
    "MI210": (4096, 3.2),
    "MI250X": (8192, 3.2),
    "MI250X (one half)": (4096, 3.2),
    "MI300X": (8192, 5.2),
    "MI325X": (8192, 6),
    "MI350X": (8192, 8),
    "MI355X": (8192, 8),
    "Gaudi 3": (8192, 3.6),
    "M1": (128, 4.266),
    "M1 Pro": (256, 6.4),
    "M1 Max": (512, 6.4),
    "M2": (128, 6.4),
}


def named(name: str) -> DataSheet:
    (sheet,) = (one for one in DATA_SHEETS if one.name == name)
    return sheet


@pytest.mark.parametrize(
    ("dtype", "name", "chip"),
    [
        *(("float16", name, chip) for name, chip in CHIPS.items()),
        *(("float32", name, chip) for name, chip in FLOAT32.items()),
    ],
)
def test_dense_rates_are_what_units_and_clock_give(
    dtype: str, name: str, chip: tuple[int, int, float]
) -> None:
    """So no rate is one "with sparsity", which is twice as high: H100's 1,979 is."""
    units, flops, clock = chip
    assert named(name).rate(dtype) == pytest.approx(units * flops * clock * 1e9, rel=0.04)


@pytest.mark.parametrize(("name", "memory"), MEMORIES.items())
def test_bandwidth_is_what_the_memorys_width_and_pace_give(
    name: str, memory: tuple[int, float]
) -> None:
    bits, pace = memory
    assert named(name).bandwidth == pytest.approx(bits / 8 * pace * 1e9, rel=0.03)


def test_gaudis_rate_is_what_its_units_and_clock_give() -> None:
    """Eight engines of 256 × 256 multiply-accumulates at 1.75 GHz, dense, for both formats."""
    rate = 8 * 2 * 256 * 256 * 1.75e9
    assert named("Gaudi 3").rate("bfloat16") == pytest.approx(rate, rel=0.001)
    assert named("Gaudi 3").rate("float8_e4m3fn") == pytest.approx(rate, rel=0.001)


#: What makers print "with sparsity" in bfloat16, in TFLOPS: twice what a dense product reaches.
WITH_SPARSITY = {
    "H100 SXM": 1979,
    "H100 PCIe": 1513,
    "H100 NVL": 1671,
    "H200 SXM": 1979,
    "H200 NVL": 1671,
    "L4": 242,
    "L40": 362,
    "L40S": 733,
    "A100 80GB SXM": 624,
    "A10": 250,
    "A30": 330,
    "A40": 299.4,
    "B200": 4500,
    "RTX 4090": 330.4,
    "RTX 5090": 419,
    "MI300X": 2614.9,
}


@pytest.mark.parametrize(("name", "sparse"), WITH_SPARSITY.items())
def test_no_rate_is_one_with_sparsity(name: str, sparse: float) -> None:
    rate = named(name).rate("bfloat16")
    assert rate == pytest.approx(sparse * 1e12 / 2, rel=0.02)


def test_every_row_is_checked() -> None:
    every = {sheet.name for sheet in DATA_SHEETS}
    assert set(MEMORIES) == every
    # Gaudi has bfloat16 alone (see above), and Apple says nothing of 16 bits.
    assert every - set(CHIPS) == {"Gaudi 3", "M1", "M1 Pro", "M1 Max", "M2"}
    assert every - set(FLOAT32) == {"Gaudi 3"}


@pytest.mark.parametrize("sheet", DATA_SHEETS, ids=lambda sheet: sheet.name)
def test_a_narrower_dtype_is_twice_as_fast(sheet: object) -> None:
    """Where it has units of its own: TF32 half of 16 bits, those half of 8, and these of 4."""
    rate = sheet.rate  # type: ignore[attr-defined]
    half = rate("float16")
    if half is None:  # Gaudi has bfloat16 alone, and Apple says nothing of 16 bits
        return
    assert rate("bfloat16") in (half, None)
    if rate("tf32"):
        # The MI300X has a little less in TF32 than a half, and A-series cards a little more.
        assert rate("tf32") == pytest.approx(half / 2, rel=0.03)
    if rate("float8") and sheet.name != "Gaudi 3":  # type: ignore[attr-defined]
        assert rate("float8_e4m3fn") == rate("float8_e5m2") == pytest.approx(2 * half, rel=0.03)
    if rate("float4"):
        assert rate("float4") == pytest.approx(2 * rate("float8"), rel=0.01)
    if rate("float64"):
        assert rate("float64") <= rate("float32") <= half


def test_pytorchs_l4_is_not_ours() -> None:
    """PyTorch 2.13 gives an L4 242 TFLOPS (with sparsity) and 3,350 GB/s."""
    sheet = data_sheet_of("NVIDIA L4")
    assert sheet is not None
    assert sheet.rate("bfloat16") == 121e12
    assert sheet.bandwidth == 300e9
