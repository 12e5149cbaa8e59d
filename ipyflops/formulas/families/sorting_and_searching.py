"""Sorting, selecting, searching and histograms: each comparison is counted.

Which algorithm a kernel takes depends on the device and on the values. These are the counts of the
textbook algorithms:

- a sort of r elements by merging: r·log2(r) comparisons;
- the k greatest of r elements, with a heap of k: r·log2(k + 1);
- the k-th of r elements by partition, each pass half as long as the one before: 2·r;
- the place in a sorted sequence of k by bisection: ⌈log2(k + 1)⌉.

In the expressions n is the number of elements, r the length of a row, m the number of rows.
"""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.registry import formula


def _row(tensor: Tensor, dim: int | None) -> int:
    """The length of a row along `dim`; all elements are one row where there is no dim."""
    if tensor.dim() == 0:
        return 1
    return tensor.numel() if dim is None else tensor.shape[dim]


@formula("aten::sort")
def sort(call: Call) -> Cost:
    """Each row is sorted: n·log2(r) comparisons."""
    tensor = call["self"]
    if tensor.numel() == 0:
        return ZERO_COST
    return Cost.of(other="n·log2(r)", n=tensor.numel(), r=_row(tensor, call["dim"]))


@formula("aten::topk")
def topk(call: Call) -> Cost:
    """Each element is compared with the heap of the k best so far: n·log2(k + 1)."""
    return Cost.of(other="n·log2(k + 1)", n=call["self"].numel(), k=call["k"])


@formula("aten::kthvalue", "aten::median")
def select(call: Call) -> Cost:
    """Selection by partition: 2·n comparisons."""
    return Cost.of(other="2·n", n=call["self"].numel())


@formula("aten::nanmedian")
def nanmedian(call: Call) -> Cost:
    """A test for NaN each, n, and selection by partition, 2·n."""
    return Cost.of(other="3·n", n=call["self"].numel())


@formula("aten::mode")
def mode(call: Call) -> Cost:
    """Each row is sorted, neighbours are compared, and so are the lengths of the runs."""
    tensor = call["self"]
    n = tensor.numel()
    if n == 0:
        return ZERO_COST
    r = _row(tensor, call["dim"])
    return Cost.of(other="n·log2(r) + 2·(n − m)", n=n, m=n // r, r=r)


@formula("aten::_unique", "aten::_unique2")
def unique(call: Call) -> Cost:
    """All elements are sorted and neighbours compared: n·log2(n) + n − 1."""
    n = call["self"].numel()
    return Cost.of(other="n·log2(n) + n − 1", n=n) if n else ZERO_COST


@formula("aten::unique_dim")
def unique_dim(call: Call) -> Cost:
    """As `unique`, of r slices along `dim`; two slices of m elements take up to m comparisons."""
    return _slices(call, "(r·log2(r) + r − 1)·m")


@formula("aten::unique_consecutive", "aten::unique_dim_consecutive")
def unique_consecutive(call: Call) -> Cost:
    """Neighbours are compared: r − 1 pairs of elements, or of slices of m elements."""
    return _slices(call, "(r − 1)·m")


def _slices(call: Call, comparisons: str) -> Cost:
    """Cost of comparing r slices of m elements along `dim`; without a dim r elements."""
    tensor = call["self"]
    if tensor.numel() == 0:
        return ZERO_COST
    r = _row(tensor, call["dim"])
    return Cost.of(other=comparisons, m=tensor.numel() // r, r=r)


def _bisect(values: int, boundaries: int) -> Cost:
    return Cost.of(other="n·ceil(log2(k + 1))", n=values, k=boundaries)


@formula("aten::searchsorted")
def searchsorted(call: Call) -> Cost:
    """Bisection for each of n values in a sequence of k: ⌈log2(k + 1)⌉ comparisons."""
    values = call["self"]
    sequence = call["sorted_sequence"]
    return _bisect(
        values.numel() if isinstance(values, Tensor) else 1,
        sequence.shape[-1] if sequence.dim() else 1,
    )


@formula("aten::bucketize")
def bucketize(call: Call) -> Cost:
    """Bisection for each of n values in k boundaries: ⌈log2(k + 1)⌉ comparisons."""
    values = call["self"]
    return _bisect(values.numel() if isinstance(values, Tensor) else 1, call["boundaries"].numel())


@formula("aten::isin")
def isin(call: Call) -> Cost:
    """Every element against every test element, or both sorted together if there are many.

    The kernel compares all pairs while there are fewer than 10·n^0.145 test elements. Else it
    makes both unique, sorts them together and compares neighbours; how many are left of n and k is
    not known before, and they are counted as if all were.
    """
    elements, tests = (
        value.numel() if isinstance(value, Tensor) else 1
        for value in (
            call.get("elements", call.get("element")),
            call.get("test_elements", call.get("test_element")),
        )
    )
    if elements == 0 or tests == 0:
        return ZERO_COST
    if tests < 10 * elements**0.145:
        return Cost.of(other="n·k", n=elements, k=tests)
    both = "(n + k)·log2(n + k) + n + k − 1"
    if call["assume_unique"]:
        return Cost.of(other=both, n=elements, k=tests)
    return Cost.of(other=f"n·log2(n) + n − 1 + k·log2(k) + k − 1 + {both}", n=elements, k=tests)


@formula("aten::bincount")
def bincount(call: Call) -> Cost:
    """One is added to a bin, or a weight, for each element; the bins are whole numbers without."""
    return Cost.of(other="n", n=call["self"].numel())


@formula("aten::histc")
def histc(call: Call) -> Cost:
    """Bins of one width: inside the range (2), (x − min)·bins/(max − min) (3), one more in it (1).

    Where no range is given the least and the greatest element are found first: 2·(n − 1).
    """
    n = call["self"].numel()
    if n == 0:
        return ZERO_COST
    search = " + 2·(n − 1)" if call["min"] == call["max"] else ""
    return Cost.of(other="6·n" + search, n=n)


def _histogram(call: Call, bins: list[int], *, uniform: bool, rows: int) -> Cost:
    """Cost of a histogram of `rows` points with a bin count for each of their coordinates.

    A coordinate is put in a bin by 2 comparisons and (x − min)·bins/(max − min) (3), or by
    bisection in the edges if they are given as a tensor. One is added to a bin, or a weight. A
    density is divided by the total (cells − 1 sums) and by the volume of its cell.
    """
    if rows == 0:
        return ZERO_COST
    cells = math.prod(bins)
    symbols: dict[str, Any] = {"n": rows, "cells": cells}
    if uniform:
        find = "5·n" if len(bins) == 1 else "5·n·d"
        symbols |= {"d": len(bins)} if len(bins) > 1 else {}
        if call["range"] is None:
            find += " + 2·(n − 1)" if len(bins) == 1 else " + 2·(n − 1)·d"
    else:
        edges = [f"e{index}" for index in range(len(bins))]
        find = " + ".join(f"n·ceil(log2({edge} + 1))" for edge in edges)
        symbols |= {edge: count + 1 for edge, count in zip(edges, bins, strict=True)}
    density = " + cells − 1 + 2·cells" if call["density"] and cells else ""
    return Cost.of(other=f"{find} + n{density}", **symbols)


@formula("aten::histogram.bin_ct", "aten::histogram.bin_ct_out", "aten::_histogramdd_from_bin_cts")
def histogram_uniform(call: Call) -> Cost:
    """Bins of one width, given by their number: see `_histogram`."""
    points, bins = call["self"], call["bins"]
    if isinstance(bins, int):
        return _histogram(call, [bins], uniform=True, rows=points.numel())
    return _histogram(call, list(bins), uniform=True, rows=points.shape[:-1].numel())


@formula("aten::histogram", "aten::_histogramdd_from_bin_tensors")
def histogram_edges(call: Call) -> Cost:
    """Bins given by their edges: see `_histogram`."""
    points, edges = call["self"], call["bins"]
    if isinstance(edges, Tensor):
        return _histogram(call, [edges.numel() - 1], uniform=False, rows=points.numel())
    counts = [edge.numel() - 1 for edge in edges]
    return _histogram(call, counts, uniform=False, rows=points.shape[:-1].numel())


@formula("aten::_histogramdd_bin_edges")
def histogram_bin_edges(call: Call) -> Cost:
    """The edges of bins of one width, min + i·step: 2 each; the range is searched if not given."""
    points = call["self"]
    edges = sum(out.numel() for out in call.outputs())
    rows, dims = points.shape[:-1].numel(), points.shape[-1]
    if call["range"] is not None or rows == 0:
        return Cost.of(other="2·edges", edges=edges)
    return Cost.of(other="2·edges + 2·(n − 1)·d", edges=edges, n=rows, d=dims)
