"""The table of data sheets, against what the chips' units and clocks give."""

from __future__ import annotations

import pytest

from ipyflops.report import DATA_SHEETS, data_sheet_of

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


#: Multiprocessors, FLOPs of each in a cycle (dense, of 16 bits, added up in float32), and the boost
#: clock in GHz that the makers' white papers compute their rates with.
CHIPS = {
    "V100 16GB SXM": (80, 1024, 1.53),
    "T4": (40, 1024, 1.59),
    "A100 80GB SXM": (108, 2048, 1.41),
    "A30": (56, 2048, 1.44),
    "A40": (84, 1024, 1.74),
    "A10": (72, 1024, 1.695),
    "A10G": (80, 512, 1.71),
    "L4": (58, 1024, 2.04),
    "L40S": (142, 1024, 2.52),
    "H100 SXM": (132, 4096, 1.83),
    "H100 PCIe": (114, 4096, 1.62),
    "H200 SXM": (132, 4096, 1.83),
    "RTX A6000": (84, 1024, 1.8),
    "RTX 3090": (82, 512, 1.695),
    "RTX 4090": (128, 512, 2.52),
    "RTX 5090": (170, 512, 2.407),
    "MI210": (104, 1024, 1.7),
    "MI250X (one half)": (110, 1024, 1.7),
    "MI300X": (304, 2048, 2.1),
    "MI355X": (256, 4096, 2.4),
}


@pytest.mark.parametrize(("name", "chip"), CHIPS.items())
def test_dense_rates_are_what_units_and_clock_give(name: str, chip: tuple[int, int, float]) -> None:
    """So no rate is one "with sparsity", which is twice as high: H100's 1,979 is."""
    (sheet,) = (one for one in DATA_SHEETS if one.name == name)
    units, flops, clock = chip
    assert sheet.rate("float16") == pytest.approx(units * flops * clock * 1e9, rel=0.04)


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
