"""`bilinear` and its gradients, run step by step with plain operators that are counted."""

import math

import pytest
import torch
from torch.nn import functional as F

from tests.formulas.plain import cost_of, formulas_of, plain

aten = torch.ops.aten


def pair(left, right, summed):
    """The product of two factors, summed over dims: as ATen's `sumproduct_pair` does it."""
    if not summed:
        return left * right
    for dim in summed:
        if left.shape[dim] != 1 and right.shape[dim] == 1:
            left = left.sum(dim, keepdim=True)
        elif left.shape[dim] == 1 and right.shape[dim] != 1:
            right = right.sum(dim, keepdim=True)
    sides = list(zip(left.shape, right.shape, strict=True))
    kept = [dim for dim in range(left.dim()) if dim not in summed]
    both = [dim for dim in kept if 1 not in sides[dim]]
    only_left = [dim for dim in kept if sides[dim][0] != 1 and dim not in both]
    only_right = [dim for dim in kept if dim not in both and dim not in only_left]
    groups = both, only_left, list(summed), only_right

    def sizes(factor):
        return [math.prod(factor.shape[dim] for dim in group) for group in groups]

    order = [dim for group in groups for dim in group]
    batch, rows, inner, _ = sizes(left)
    one = left.permute(order).reshape(batch, rows, inner)
    _, _, inner, columns = sizes(right)
    two = right.permute(order).reshape(batch, inner, columns)
    shape = [1 if dim in summed else max(sides[dim]) for dim in order]
    back = sorted(range(len(order)), key=order.__getitem__)
    return torch.bmm(one, two).view(shape).permute(back)


def written_out(i1, i2, i3, expand1, expand2, expand3, sumdim, unroll):
    for dim in expand1:
        i1 = i1.unsqueeze(dim)
    for dim in expand2:
        i2 = i2.unsqueeze(dim)
    for dim in expand3:
        i3 = i3.unsqueeze(dim)
    steps = max(i.shape[unroll] for i in (i1, i2, i3))
    early = [dim for dim in sumdim if dim in expand3 and dim != unroll]
    late = [dim for dim in sumdim if dim not in expand3 and dim != unroll]
    slices = []
    for k in range(steps):
        one, two, three = (i.narrow(unroll, min(k, i.shape[unroll] - 1), 1) for i in (i1, i2, i3))
        slices.append(pair(pair(one, two, early), three, late))
    if unroll in sumdim:
        result = slices[0]
        for part in slices[1:]:
            result = result + part
    else:
        result = torch.cat(slices, dim=unroll)
    return result.squeeze(sorted(sumdim))


b, n1, n2, o = 2, 3, 4, 5
CALLS = {
    "forward": ((b, n1), (o, n1, n2), (b, n2), [1, 3], [0], [1, 2], [2, 3]),
    "gradient of the first": ((b, o), (o, n1, n2), (b, n2), [2, 3], [0], [1, 2], [1, 3]),
    "gradient of the weight": ((b, n1), (b, o), (b, n2), [1, 3], [2, 3], [1, 2], [0]),
    "gradient of the second": ((b, n1), (o, n1, n2), (b, o), [1, 3], [0], [2, 3], [1, 2]),
    "one is summed alone": ((b, n1), (o, n2), (b,), [1, 3], [0, 2], [1, 2, 3], [2, 3]),
}


@pytest.mark.parametrize("name", CALLS)
def test_trilinear_is_the_steps_written_out(name):
    *shapes, expand1, expand2, expand3, sumdim = CALLS[name]
    factors = [torch.randn(*shape, dtype=torch.float64) for shape in shapes]
    arguments = (*factors, expand1, expand2, expand3, sumdim, 1)
    torch.testing.assert_close(written_out(*arguments), aten._trilinear(*arguments))
    expected = plain(lambda: written_out(*arguments))
    cost = cost_of(aten._trilinear.default, *arguments)
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


def test_bilinear_makes_the_calls_above():
    x, y = torch.randn(b, n1, requires_grad=True), torch.randn(b, n2, requires_grad=True)
    w, bias = torch.randn(o, n1, n2, requires_grad=True), torch.randn(o)
    seed = torch.ones(b, o)
    run = formulas_of(lambda: torch.autograd.grad(F.bilinear(x, y, w, bias), (x, w, y), seed))
    assert run.operators.count("aten::_trilinear") == 4
    forward = run.costs[0][1]
    # For each output: (b, n1) @ (n1, n2), then b dot products of length n2.
    assert forward.contraction.value == 2 * o * (b * n1 * n2 + b * n2)


def test_complex_and_empty():
    arguments = CALLS["forward"]
    *shapes, expand1, expand2, expand3, sumdim = arguments
    real = cost_of(
        aten._trilinear.default, *map(torch.randn, shapes), expand1, expand2, expand3, sumdim
    )
    factors = [torch.randn(*shape, dtype=torch.complex64) for shape in shapes]
    cost = cost_of(aten._trilinear.default, *factors, expand1, expand2, expand3, sumdim)
    assert cost.contraction.value == 4 * real.contraction.value
    shapes[0] = (0, n1)
    shapes[2] = (0, n2)
    factors = [torch.randn(*shape) for shape in shapes]
    cost = cost_of(aten._trilinear.default, *factors, expand1, expand2, expand3, sumdim)
    assert cost.contraction.value == cost.other.value == 0


def test_complex_factors_by_hand():
    a, b, c = (torch.randn(2, 3, dtype=torch.complex64) for _ in range(3))
    operands = (a, b, c, [], [], [])
    # 6 elements, two complex products of 6 each.
    cost = cost_of(torch.ops.aten._trilinear.default, *operands, [])
    assert (cost.contraction.value, cost.other.value) == (0, 6 * 2 * 6)
    # The 3 elements of each of 2 rows are added up besides: 2·2 complex sums of 2.
    cost = cost_of(torch.ops.aten._trilinear.default, *operands, [1])
    assert (cost.contraction.value, cost.other.value) == (0, 6 * 2 * 6 + 4 * 2)
    # `bilinear` of 2 rows of 3 and of 4 numbers, 5 outputs: for each of these a product
    # (2, 3) @ (3, 4) of 24 multiply-accumulates and 2 dot products of length 4, 8 FLOPs each.
    x, y, w = (torch.randn(*s, dtype=torch.complex64) for s in ((2, 3), (2, 4), (5, 3, 4)))
    bilinear = ([1, 3], [0], [1, 2], [2, 3])
    cost = cost_of(torch.ops.aten._trilinear.default, x, w, y, *bilinear)
    assert (cost.contraction.value, cost.other.value) == (5 * 8 * (24 + 2 * 4), 0)
