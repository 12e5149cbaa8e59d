"""The product of three tensors that `torch.nn.functional.bilinear` and its gradients are."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import NamedTuple

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.registry import formula


@formula("aten::_trilinear")
def trilinear(call: Call) -> Cost:
    """Σ i1·i2·i3 over some dims, two factors at a time, for each index of one dim.

    ATen (`_trilinear` in native/Linear.cpp) lays the factors out on common dims, walks along
    `unroll_dim`, multiplies i1 and i2, sums over the dims that i3 does not have, multiplies that by
    i3 and sums over the others. A product that is summed is a batched matrix product; one that is
    not is as many multiplications. The results of the walk fill the output or, where the unrolled
    dim is summed over, are added up. So `bilinear` of b rows is, for each of its outputs, a product
    (b, n1) @ (n1, n2) and b dot products of length n2.
    """
    rank = call["i1"].dim() + len(call["expand1"])
    sizes, factors = [1] * rank, []
    for name, expand in (("i1", "expand1"), ("i2", "expand2"), ("i3", "expand3")):
        dims = [dim for dim in range(rank) if dim not in call[expand]]
        for dim, size in zip(dims, call[name].shape, strict=True):
            sizes[dim] = size
        factors.append(set(dims))
    if 0 in sizes:
        return ZERO_COST
    unroll, summed = call["unroll_dim"], set(call["sumdim"])
    step = f"d{unroll}"
    first, second, third = (dims - {unroll} for dims in factors)
    early = (summed - {unroll}) - third
    late = (summed - {unroll}) & third

    pairs = [_pair(first, second, early), _pair((first | second) - early, third, late)]
    outputs = _size(set(range(rank)) - summed - {unroll})
    mac, multiply, add = (8, 6, 2) if call.is_complex else (2, 1, 1)
    return cost(
        {f"d{dim}": size for dim, size in enumerate(sizes)},
        contraction=total(*(times(mac, f"{step}·{pair.macs}") for pair in pairs if pair.macs)),
        other=total(
            *(times(multiply, f"{step}·{pair.products}") for pair in pairs if pair.products),
            *(times(add, f"{step}·{sums}") for pair in pairs for sums in pair.sums),
            times(add, f"({step} − 1)·{outputs}") if unroll in summed else "0",
        ),
        note=f"d0 … d{rank - 1}: the sizes of the dims that the three factors are laid out on",
    )


class _Pair(NamedTuple):
    """Expressions for what the product of two factors costs; empty where there is nothing."""

    macs: str = ""
    products: str = ""
    sums: tuple[str, ...] = ()


def _size(dims: AbstractSet[int]) -> str:
    """Expression for the number of elements along some dims."""
    return "·".join(f"d{dim}" for dim in sorted(dims)) or "1"


def _pair(left: AbstractSet[int], right: AbstractSet[int], summed: AbstractSet[int]) -> _Pair:
    """The product of two factors, by their dims, summed over some of these.

    A dim that is summed over and that only one of the factors has is summed in that one first.
    """
    if not summed:
        return _Pair(products=_size(left | right))
    sums = []
    for dim in sorted(summed - (left & right)):
        if dim in left:
            left = left - {dim}
            sums.append(f"(d{dim} − 1)·{_size(left)}")
        else:
            right = right - {dim}
            sums.append(f"(d{dim} − 1)·{_size(right)}")
    return _Pair(macs=_size(left | right), sums=tuple(sums))
