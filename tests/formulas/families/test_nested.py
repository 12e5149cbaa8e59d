"""Nested tensors cost what their parts cost one by one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.formulas.dispatch import total

pytestmark = pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")

PARTS = [torch.randn(2, 6), torch.randn(5, 6), torch.randn(3, 6)]
OTHERS = [torch.randn(6, 4), torch.randn(6, 4), torch.randn(6, 4)]
WEIGHT, BIAS, SCALE = torch.randn(7, 6), torch.randn(7), torch.randn(6)

OPERATIONS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "add": lambda a, b: a + a,
    "tanh": lambda a, b: a.tanh(),
    "gelu": lambda a, b: F.gelu(a),
    "softmax": lambda a, b: torch.softmax(a, -1),
    "layer_norm": lambda a, b: F.layer_norm(a, (6,), SCALE, SCALE),
    "sum": lambda a, b: a.sum(-1, keepdim=True),
    "linear": lambda a, b: F.linear(a, WEIGHT, BIAS),
    "matmul": lambda a, b: a @ b,
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_forward(name: str) -> None:
    operation = OPERATIONS[name]
    nested, others = torch.nested.nested_tensor(PARTS), torch.nested.nested_tensor(OTHERS)
    parts = sum(total(lambda a=a, b=b: operation(a, b)) for a, b in zip(PARTS, OTHERS, strict=True))
    assert total(lambda: operation(nested, others)) == parts > 0


@pytest.mark.parametrize("name", ["add", "gelu", "softmax", "matmul"])
def test_backward(name: str) -> None:
    operation = OPERATIONS[name]

    def backward(a: Tensor, b: Tensor) -> int:
        a, b = a.detach().requires_grad_(), b.detach().requires_grad_()
        out = operation(a, b)
        gradient = torch.ones_like(out)
        wanted = (a, b) if name == "matmul" else (a,)
        return total(lambda: torch.autograd.grad(out, wanted, gradient))

    nested, others = torch.nested.nested_tensor(PARTS), torch.nested.nested_tensor(OTHERS)
    parts = sum(backward(a, b) for a, b in zip(PARTS, OTHERS, strict=True))
    assert backward(nested, others) == parts > 0


def test_attention() -> None:
    parts = [torch.randn(2, 3, 4), torch.randn(2, 5, 4)]
    nested = torch.nested.nested_tensor(parts)
    attention = F.scaled_dot_product_attention
    # The math path of CPUs: two products over the keys of each part.
    products = sum(2 * 2 * 2 * s * s * 4 for s in (3, 5))
    assert total(lambda: attention(nested, nested, nested), "contractions") == products
