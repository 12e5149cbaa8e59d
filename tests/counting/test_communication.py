"""The payload of operators, on calls made by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed  # the operators come with it

from ipyflops.counting.communication import payload
from ipyflops.formulas import UNKNOWN, Call, lookup
from ipyflops.report import COLLECTIVE_OF, COLLECTIVES

A, B, C = torch.randn(4, 6, 5), torch.randn(5, 3), torch.randn(5, 2)
SIX = torch.ones(6)
TWICE = torch.ones(12)


def sent(name: str, *arguments: Any, out: Any = None) -> int:
    namespace, _, operator = name.partition("::")
    func = getattr(getattr(torch.ops, namespace), operator).default
    return payload(Call(func, arguments, {}, out))


@pytest.mark.parametrize(
    ("name", "arguments", "out", "expected"),
    [
        ("_c10d_functional::all_reduce", (SIX, "sum", "0"), SIX, 24),
        ("_c10d_functional::all_gather_into_tensor", (SIX, 2, "0"), TWICE, 48),
        ("_c10d_functional::reduce_scatter_tensor", (TWICE, "sum", 2, "0"), SIX, 48),
        ("_c10d_functional::all_to_all_single", (SIX, [1, 5], [3, 3], "0"), SIX, 24),
        ("_c10d_functional::broadcast", (SIX, 0, "0"), SIX, 24),
        ("_c10d_functional::all_reduce_coalesced", ([SIX, TWICE], "sum", "0"), [SIX, TWICE], 72),
        ("_c10d_functional::wait_tensor", (SIX,), SIX, 0),
        ("aten::relu", (SIX,), SIX, 0),
    ],
)
def test_the_payload_is_the_larger_side(
    name: str, arguments: tuple[Any, ...], out: Any, expected: int
) -> None:
    assert sent(name, *arguments, out=out) == expected


def test_fused_products_gather_the_factor_and_scatter_the_product() -> None:
    pytest.importorskip("torch.distributed._symmetric_memory")
    whole = torch.cat([A, A])
    gathered = (whole, [whole @ B, whole @ C])
    assert sent("symm_mem::fused_all_gather_matmul", A, [B, C], 0, "0", out=gathered) == (
        4 * whole.numel()
    )
    product = A @ B
    assert sent("symm_mem::fused_matmul_reduce_scatter", A, B, "sum", 0, "0", out=product[:2]) == (
        4 * product.numel()
    )


def test_every_collective_is_an_operator_with_a_verdict() -> None:
    pytest.importorskip("torch.distributed._symmetric_memory")
    assert set(COLLECTIVE_OF.values()) == set(COLLECTIVES)
    for name in COLLECTIVE_OF:
        namespace, _, operator = name.partition("::")
        packet = getattr(getattr(torch.ops, namespace), operator, None)
        if packet is not None:  # of another release
            assert lookup(packet.default) is not UNKNOWN, name
