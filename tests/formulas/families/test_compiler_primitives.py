"""Primitives that exist once torch's compiler back end has been loaded."""

import pytest
import torch

from ipyflops.formulas.catalogue import catalogue
from tests.formulas.dispatch import total


@pytest.fixture(autouse=True)
def _compiler() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own use of what torch has deprecated
        import torch._inductor.inductor_prims  # noqa: F401


def test_all_of_them_have_a_verdict() -> None:
    entries = [entry for entry in catalogue() if entry.operator.startswith("prims::inductor")]
    assert len(entries) >= 5  # as many as PyTorch 2.6 has
    assert [entry.operator for entry in entries if entry.verdict == "unknown"] == []


def test_a_fused_multiply_add_is_a_product_and_a_sum() -> None:
    a, b, c = torch.randn(3, 5, 7)
    assert total(lambda: torch.ops.prims.fma(a, b, c)) == total(lambda: a * b + c) == 2 * 35


def test_a_softmax_in_two_steps_costs_what_the_softmax_costs() -> None:
    x = torch.randn(5, 7)

    def in_two_steps() -> torch.Tensor:
        _, sums = torch.ops.prims.prepare_softmax_online(x, 1)
        return sums

    # What is left is a division for each element.
    assert total(in_two_steps) + x.numel() == total(lambda: torch.softmax(x, 1))


def test_a_max_pool_costs_what_it_costs_elsewhere() -> None:
    x = torch.randn(2, 3, 8, 8)

    def lowered() -> object:
        return torch.ops.prims._low_memory_max_pool_with_offsets(
            x, [2, 2], [2, 2], [0, 0], [1, 1], False
        )

    assert total(lowered) == total(lambda: torch.nn.functional.max_pool2d(x, 2)) == 2 * 3 * 16
