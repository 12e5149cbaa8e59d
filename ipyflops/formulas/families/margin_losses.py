"""Losses that compare the score of the right class with those of the others, and their backward."""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.families.losses import MEAN, SUM
from ipyflops.formulas.registry import formula
from ipyflops.formulas.special_tensors import has_values

_REDUCTION = {MEAN: " + n", SUM: " + n − 1"}


def _samples(call: Call) -> tuple[int, int]:
    """How many samples, and of how many classes each."""
    tensor = call["self"]
    classes = tensor.shape[-1] if tensor.dim() else 1
    return (tensor.numel() // classes if classes else 0), classes


@formula("aten::multi_margin_loss")
def multi_margin_loss(call: Call) -> Cost:
    """Σ max(0, margin − x[target] + x[j])^p·weight/C over the C − 1 other classes j of a sample.

    For each of them 2 sums, a comparison, a square if p is 2, a product for a weight. Adding them
    up (C − 2 sums) and the division make one more for each. Then the reduction over n samples.
    """
    n, classes = _samples(call)
    if n == 0:
        return ZERO_COST
    each = 4 + (call["p"] == 2) + (call["weight"] is not None)
    reduction = _REDUCTION.get(call["reduction"], "")
    return Cost.of(other=f"n·(C − 1)·{each}{reduction}", n=n, C=classes)


@formula("aten::multi_margin_loss_backward")
def multi_margin_loss_backward(call: Call) -> Cost:
    """The gradient h of each other class, which is also taken from the target's; then times g.

    For each of C − 1 classes the 2 sums and the comparison, h = 2·z·k if p is 2 (2 products; else
    h = k, one number), a product for a weight, the sum at the target; at last C products.
    """
    n, classes = _samples(call)
    if n == 0:
        return ZERO_COST
    each = 4 + 2 * (call["p"] == 2) + (call["weight"] is not None)
    return Cost.of(other=f"n·((C − 1)·{each} + C)", n=n, C=classes)


def _pairs(target: Tensor, is_target: Tensor) -> tuple[int, str]:
    """Pairs of a label and a class that is no label, and a remark where they are only bounded.

    The labels of a sample are the entries of its row up to the first negative one; one that is
    there twice counts twice.
    """
    classes = target.shape[-1] if target.dim() else 1
    rows = target.reshape(-1, classes)
    if not (has_values(target) and has_values(is_target)):
        # At most every entry of a row names the same label, against all other classes.
        return rows.numel() * (classes - 1), "pairs: at most"
    labels = (rows >= 0).cumprod(1).sum(1)
    others = classes - is_target.reshape(rows.shape).sum(1)
    return int((labels * others).sum()), ""


@formula("aten::multilabel_margin_loss_forward", by_value=True)
def multilabel_margin_loss(call: Call) -> Cost:
    """Σ max(0, 1 − (x[label] − x[j]))/C over the pairs of a label and a class j that is none.

    For each pair 2 sums, a comparison and a sum (one less for each sample, which the division
    makes up for). Then the reduction over n samples.
    """
    n, _ = _samples(call)
    if n == 0:
        return ZERO_COST
    pairs, note = _pairs(call["target"], call.out[1])
    reduction = _REDUCTION.get(call["reduction"], "")
    return Cost.of(other=f"4·pairs{reduction}", note=note, pairs=pairs, n=n)


@formula("aten::multilabel_margin_loss_backward", by_value=True)
def multilabel_margin_loss_backward(call: Call) -> Cost:
    """For each pair 2 sums, a comparison, and a sum at either class; then n·C products with g."""
    n, classes = _samples(call)
    if n == 0:
        return ZERO_COST
    pairs, note = _pairs(call["target"], call["is_target"])
    return Cost.of(other="5·pairs + n·C", note=note, pairs=pairs, n=n, C=classes)
