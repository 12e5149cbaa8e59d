"""The sentence for a paper has all that is needed to check the number."""

from __future__ import annotations

from importlib.metadata import version

import pytest
import torch

import ipyflops
from tests.views import reports


def counted(*, backward: bool = False) -> ipyflops.Report:
    model, x = torch.nn.Linear(100, 30), torch.zeros(16, 100)
    with ipyflops.FlopCounter() as counter:
        out = model(x)
        if backward:
            out.sum().backward()
    return counter.report


def test_it_says_the_number_the_convention_the_input_the_dtype_and_the_versions() -> None:
    # 16·30 outputs, each a dot product of 100: 48,000 MACs.
    assert counted().cite(input="16 vectors of 100 numbers") == (
        "Linear with 16 vectors of 100 numbers takes 96.0 kFLOPs (96,000 FLOPs, 48.0 kMACs; "
        "1 MAC = 2 FLOPs) in float32 for the forward pass, "
        'under the convention "standard" (all floating-point operations), '
        f"counted by ipyflops {version('ipyflops')} with PyTorch {version('torch')}."
    )


def test_it_follows_the_convention_and_the_phases() -> None:
    sentence = counted(backward=True).under("contractions").cite(of="One step")
    # The gradient of the weights is as large a product; that of the input is not asked for.
    assert sentence.startswith("One step takes 192 kFLOPs (192,000 FLOPs, 96.0 kMACs;")
    assert "for the forward pass and backward pass" in sentence
    assert '"contractions" (matrix products, convolutions and attention only)' in sentence


def test_it_says_what_is_missing() -> None:
    for report in reports.ALL.values():
        sentence = report().cite()
        assert ("without a formula" in sentence) == bool(report().unknown)
        assert ("cut short" in sentence) == (not report().complete)
        assert "\n" not in sentence


@pytest.mark.parametrize("convention", ["standard", "contractions", "article"])
def test_every_convention_is_explained(convention: str) -> None:
    assert f'"{convention}" (' in counted().under(convention).cite()
