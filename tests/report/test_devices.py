"""Devices by name, by their own numbers, and what is said where there is none."""

from __future__ import annotations

import re

import pytest

from ipyflops import Device
from ipyflops.report import DATA_SHEETS, Peak, Rate, read_device

#: What people write, and the data sheet that they mean.
NAMES = {
    "H100": "H100 SXM",
    "h100 sxm": "H100 SXM",
    "H100-PCIe": "H100 PCIe",
    "NVIDIA H100 80GB HBM3": "H100 SXM",
    "A100": "A100 80GB SXM",
    "A100 40GB": "A100 40GB",
    "V100": "V100 16GB SXM",
    "T4": "T4",
    "A10": "A10",
    "L4": "L4",
    "L40S": "L40S",
    "RTX 4090": "RTX 4090",
    "RTX 5090": "RTX 5090",
    "H200": "H200 SXM",
    "B200": "B200",
    "MI250X": "MI250X",
    "MI300X": "MI300X",
    "Gaudi 3": "Gaudi 3",
    "gaudi3": "Gaudi 3",
    "M1 Max": "M1 Max",
}


@pytest.mark.parametrize(("written", "name"), NAMES.items())
def test_a_device_is_found_by_what_people_call_it(written: str, name: str) -> None:
    device = Device.named(written)
    assert device.name == name
    assert device.source


def test_no_sparse_rate_is_taken_for_a_dense_one() -> None:
    """The sheets print 1,979 (H100), 1,513 (PCIe), 733 (L40S), 242 (L4) with sparsity."""
    dense = {"H100": 989.5e12, "H100 PCIe": 756.5e12, "L40S": 362.05e12, "L4": 121e12}
    for name, rate in dense.items():
        assert Device.named(name).rate("bfloat16") == rate
    assert Device.named("H200").rate("bfloat16") == 989.5e12
    assert Device.named("MI250X").rate("bfloat16") == 383e12
    assert Device.named("MI300X").rate("bfloat16") == 1307.4e12
    assert Device.named("B200").rate("bfloat16") == 2250e12


def test_two_halves_of_an_mi250x_are_the_whole() -> None:
    whole, half = Device.named("MI250X"), Device.named("MI250X (one half)")
    assert whole.rates == {dtype: 2 * rate for dtype, rate in half.rates.items()}
    assert (whole.bandwidth, whole.memory) == (2 * half.bandwidth, 2 * 64e9)


def test_every_data_sheet_is_a_device() -> None:
    for sheet in DATA_SHEETS:
        assert Device.named(sheet.name) == Device.of_sheet(sheet)


def test_rates_of_other_dtypes() -> None:
    mine = Device("mine", rates={"float32": 1e12, "float8": 4e12}, bandwidth=1e9)
    assert mine.rate("complex64") == mine.rate("tf32") == 1e12
    assert mine.rate("float8_e4m3fn") == 4e12
    assert mine.rate("bfloat16") is None


def test_a_measured_peak_is_a_device() -> None:
    peak = Peak("CPU", "AMD EPYC", (Rate("float32", 1e11),), 2e10)
    assert Device.of_peak(peak) == Device("AMD EPYC", {"float32": 1e11}, 2e10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("H10", "there is no data sheet of 'H10'; did you mean H100 NVL, H100 PCIe, H100 SXM"),
        ("RTX 4080", "did you mean RTX 4090"),
        ("toaster", "ipyflops.Device(name, rates={…}, bandwidth=…, memory=…) describes"),
        ("", "there is no data sheet of ''; ipyflops.Device"),
        ("H100@2", "more than 0 and at most 1, as in H100@0.4; not 2"),
        ("H100@fast", "more than 0 and at most 1, as in H100@0.4; not fast"),
        ("H100@", "more than 0 and at most 1"),
        ("H100@nan", "not nan"),
        ("H100@-0.5", "not -0.5"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        read_device(text)


def test_numbers_have_to_be_positive() -> None:
    with pytest.raises(ValueError, match="the bandwidth of mine has to be a positive number: 0"):
        Device("mine", {}, 0)
    with pytest.raises(ValueError, match="the rate of float32 of mine has to be a positive number"):
        Device("mine", {"float32": float("inf")}, 1)
    with pytest.raises(ValueError, match="the memory of mine has to be a positive number: -1"):
        Device("mine", {}, 1, memory=-1)
