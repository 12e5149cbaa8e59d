"""Matrix products of groups, as the experts of a mixture: each group has a matrix of its own.

Offsets tell where each group ends. Rows behind the last of them belong to no group, and no product
of theirs runs: a program that makes room for the worst case has many. So the offsets are read where
they have values, once for each tensor on a device (see `ipyflops.formulas.offsets`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.families.products import product
from ipyflops.formulas.offsets import offsets_of, sizes
from ipyflops.formulas.registry import formula
from ipyflops.formulas.special_tensors import has_values

#: So many groups are listed one by one.
_LISTED = 16


@formula(
    "aten::_grouped_mm",
    "aten::_scaled_grouped_mm",
    "aten::_scaled_grouped_mm_v2",
    by_offsets=True,
    dtype_from="self",
)
def grouped_mm(call: Call) -> Cost:
    """Products of groups of a matrix's rows (or columns), which `offs` tells apart.

    With both operands matrices, k is cut into g groups: every part is a product of its own. With
    one a matrix and one a batch, each of the m rows (or n columns) belongs to one group. With both
    batches it is a `bmm`. A scaled one has two factors for each output. What lies behind the last
    offset is counted only where the offsets have no values.
    """
    first, second, offs = call["self"], call["mat2"], call["offs"]
    m, k, n = first.shape[-2], first.shape[-1], second.shape[-1]
    scaled = 2 if "scale_a" in call else 0
    if first.dim() == second.dim() == 3:
        g = first.shape[0]
        other = times(scaled, "g·m·n")
        return product(call, outputs="g·m·n", length="k", other=other, g=g, m=m, n=n, k=k)
    if first.dim() == second.dim() == 2:
        k, parts, note = _groups(offs, k, "columns")
        g = sum(map(bool, parts)) if parts else first_output(call).shape[0]
        # g results of m·n, whose lengths add up to k.
        return Cost.of(
            contraction="2·m·n·k",
            other=times(scaled, "g·m·n"),
            article="2·m·n·k − g·m·n" if k >= g else None,
            note=note,
            m=m,
            n=n,
            k=k,
            g=g,
        )
    if first.dim() == 2:
        m, _, note = _groups(offs, m, "tokens")
    else:
        n, _, note = _groups(offs, n, "columns")
    other = times(scaled, "m·n")
    return product(call, outputs="m·n", length="k", other=other, note=note, m=m, n=n, k=k)


def _groups(offs: Tensor | None, whole: int, what: str) -> tuple[int, list[int], str]:
    """How many rows or columns belong to a group, the sizes of the groups, and a note on them."""
    if offs is None:
        return whole, [], ""
    ends = offsets_of(offs) if has_values(offs) else None
    if ends is None:
        return whole, [], f"{what} behind the last offset are counted too: it has no value here"
    parts = sizes(ends, whole)
    used = sum(parts)
    note = f"{what} per group: {_listed(parts)}"
    if used < whole:
        note += f"; {whole - used:,} of {whole:,} behind the last offset, where nothing runs"
    return used, parts, note


def _listed(parts: Sequence[int]) -> str:
    if len(parts) <= _LISTED:
        return ", ".join(f"{part:,}" for part in parts)
    mean = sum(parts) / len(parts)
    return f"{len(parts):,} groups of {min(parts):,} to {max(parts):,}, {mean:,.1f} on average"
