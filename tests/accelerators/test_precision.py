"""TF32 and where the ceilings come from, on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ipyflops import FlopCounter

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.get_device_capability()[0] < 8,
    reason="needs a GPU that has TF32",
)


@pytest.fixture
def matmul() -> Iterator[Any]:
    """The switch for TF32 in products, put back afterwards."""
    switch: Any = torch.backends.cuda.matmul
    name = "fp32_precision" if hasattr(switch, "fp32_precision") else "allow_tf32"
    before = getattr(switch, name)
    yield lambda on: setattr(switch, name, on if name == "allow_tf32" else ("ieee", "tf32")[on])
    setattr(switch, name, before)


def test_float32_is_tf32_where_the_gpu_computes_in_it(matmul: Any) -> None:
    """As PyTorch has it at first: convolutions in TF32, products not; the sum is never."""
    image, matrix = torch.randn(2, 3, 8, 8, device="cuda"), torch.randn(64, 64, device="cuda")
    layer = torch.nn.Conv2d(3, 4, 3).cuda()
    product, convolution = 2 * 64**3, 2 * 2 * 4 * 6 * 6 * 3 * 3 * 3
    found = []
    for on in (False, True, False):
        matmul(on)
        with FlopCounter("contractions") as counter, torch.no_grad():
            layer(image)
            matrix @ matrix
        by_dtype = counter.report.by_dtype
        found.append({name: totals.flops for name, totals in by_dtype.items() if totals.flops})
    apart = {"tf32": convolution, "float32": product}
    assert found == [apart, {"tf32": convolution + product}, apart]
