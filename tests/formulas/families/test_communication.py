"""Products that are fused with communication, against the plain product that they contain."""

import pytest
import torch

pytest.importorskip("torch.distributed._symmetric_memory")

from ipyflops.formulas import Call, lookup
from tests.formulas.dispatch import total

A, B, C = torch.randn(4, 6, 5), torch.randn(5, 3), torch.randn(5, 2)
one, rows = torch.ones(1), torch.ones(24, 1)


def cost_of(name, arguments, out):
    operator = getattr(torch.ops.symm_mem, name).default
    cost = lookup(operator)(Call(operator, arguments, {}, out))
    return cost.contraction.value, cost.other.value


def test_a_product_that_waits_for_its_rows():
    a = A.reshape(24, 5)
    plain = total(lambda: a @ B)
    assert cost_of("_async_input_mm", (a, B, one, 0), a @ B) == (plain, 0)


@pytest.mark.parametrize(
    ("scales", "factors"), [((), 0), ((one, one), 24 * 3), ((rows, torch.ones(1, 3)), 2 * 24 * 3)]
)
def test_a_product_that_is_scattered_is_computed_whole(scales, factors):
    plain = total(lambda: A.reshape(24, 5) @ B)
    name = "fused_scaled_matmul_reduce_scatter" if scales else "fused_matmul_reduce_scatter"
    rest = ("sum", 0, 0, "group") if scales else ("sum", 0, "group")
    # Two ranks: each keeps half of the rows.
    assert cost_of(name, (A, B, *scales, *rest), (A @ B)[:2]) == (plain, factors)


def test_a_product_of_gathered_rows():
    whole = torch.cat([A, A])
    products = [whole @ B, whole @ C]
    plain = sum(total(lambda m=m: whole.reshape(48, 5) @ m) for m in (B, C))
    arguments = (A, [B, C], 0, "group")
    assert cost_of("fused_all_gather_matmul", arguments, (whole, products)) == (plain, 0)
    arguments = (A, [B, C], one, [one, one], 0, "group", [], [], [], [])
    assert cost_of("fused_all_gather_scaled_matmul", arguments, (whole, products)) == (
        plain,
        48 * 5,
    )
