"""Losses that compare an input with a target, element by element, and their backward.

A loss costs its formula for each of n elements and then its reduction: nothing for ``none``, n for
``mean`` (n − 1 sums, one division), n − 1 for ``sum``. Where a kernel chooses one of two branches
for each element, both are counted, as they are written out with plain operators. Losses that
compare classes with each other are in `families.margin_losses`, CTC in
`families.ctc_loss`.
"""

from __future__ import annotations

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call, broadcast_numel
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.registry import formula

#: The values of ATen's ``reduction`` argument.
NONE, MEAN, SUM = 0, 1, 2


def reduced(each: int, reduction: int) -> str:
    """Expression for n losses of `each` operations, then their reduction.

    Examples
    --------
    >>> reduced(2, NONE), reduced(2, MEAN), reduced(2, SUM)
    ('2·n', '3·n', '2·n + n − 1')
    """
    if reduction == MEAN:
        return times(each + 1)
    return times(each) + (" + n − 1" if reduction == SUM else "")


def _elementwise(call: Call, each: int) -> Cost:
    n = broadcast_numel(call["self"].shape, call["target"].shape)
    if n == 0:
        return ZERO_COST
    return Cost.of(other=reduced(each, call["reduction"]), n=n)


def _gradient(call: Call, each: int) -> Cost:
    """So many operations for the gradient of each element."""
    return Cost.of(other=times(each), n=broadcast_numel(call["self"].shape, call["target"].shape))


@formula("aten::mse_loss")
def mse_loss(call: Call) -> Cost:
    """(x − y)²: a difference and a square."""
    return _elementwise(call, 2)


@formula("aten::mse_loss_backward")
def mse_loss_backward(call: Call) -> Cost:
    """Gradient 2/n·(x − y)·g, 2/n is one number: a difference and 2 products."""
    return _gradient(call, 3)


@formula("aten::smooth_l1_loss")
def smooth_l1_loss(call: Call) -> Cost:
    """With z = |x − y| (2): ½·z²/β where z < β (1 + 3), else z − ½·β (1); β = 0 leaves z."""
    return _elementwise(call, 7 if call["beta"] != 0 else 2)


@formula("aten::smooth_l1_loss_backward")
def smooth_l1_loss_backward(call: Call) -> Cost:
    """With z = x − y: ±k·g where |z| ≥ β, else k·g·z/β; k is one number.

    z, 2 comparisons, k·g, its sign, ·z, /β: 7.
    """
    return _gradient(call, 7)


@formula("aten::huber_loss")
def huber_loss(call: Call) -> Cost:
    """With z = |x − y| (2): ½·z² where z ≤ δ (1 + 2), else δ·(z − ½·δ) (2)."""
    return _elementwise(call, 7)


@formula("aten::huber_loss_backward")
def huber_loss_backward(call: Call) -> Cost:
    """With z = x − y: ±k·g·δ where |z| > δ, else k·g·z; k is one number.

    z, 2 comparisons, k·g, ·δ, its sign, ·z: 7.
    """
    return _gradient(call, 7)


@formula("aten::soft_margin_loss")
def soft_margin_loss(call: Call) -> Cost:
    """log1p(exp(−y·x)): a sign, a product, exp, log1p."""
    return _elementwise(call, 4)


@formula("aten::soft_margin_loss_backward")
def soft_margin_loss_backward(call: Call) -> Cost:
    """With z = exp(−y·x) (3): y·z·k/(1 + z)·g; k is one number: 3 products, a sum, a division."""
    return _gradient(call, 8)


def _weighted(call: Call) -> int:
    return int(call["weight"] is not None)


@formula("aten::binary_cross_entropy")
def binary_cross_entropy(call: Call) -> Cost:
    """(y − 1)·max(log1p(−x), −100) − y·max(log(x), −100), and one product for a weight.

    y − 1, −x, log1p, a maximum, a product; log, a maximum, a product; a difference: 9.
    """
    return _elementwise(call, 9 + _weighted(call))


@formula("aten::binary_cross_entropy_backward")
def binary_cross_entropy_backward(call: Call) -> Cost:
    """Gradient g·(x − y)/max((1 − x)·x, eps): 6, a product for a weight, a division for a mean."""
    return _gradient(call, 6 + _weighted(call) + (call["reduction"] == MEAN))


@formula("aten::binary_cross_entropy_with_logits")
def binary_cross_entropy_with_logits(call: Call) -> Cost:
    """(1 − y)·x − log_sigmoid(x): log_sigmoid 6, 2 differences, a product: 9.

    A pos_weight multiplies the log_sigmoid by (p − 1)·y + 1: p − 1 for each of its own elements,
    then 2 products and a sum. A weight is one product.
    """
    n = broadcast_numel(call["self"].shape, call["target"].shape)
    if n == 0:
        return ZERO_COST
    pos_weight = call["pos_weight"]
    each = 9 + (3 if pos_weight is not None else 0) + _weighted(call)
    expression = reduced(each, call["reduction"])
    if pos_weight is None:
        return Cost.of(other=expression, n=n)
    return Cost.of(other=f"p + {expression}", n=n, p=pos_weight.numel())


@formula("aten::nll_loss_forward", "aten::nll_loss2d_forward")
def nll_loss(call: Call) -> Cost:
    """−x[target]·weight for each of n samples, whose value is only fetched.

    A sign, and a product for a weight. A sum is n − 1; a mean has a division too, and by the sum of
    the weights where there are some: n − 1 more (that sum is made for ``sum`` too). Samples that
    are ignored are not known before and are counted.
    """
    n = call["target"].numel()
    if n == 0:
        return ZERO_COST
    weighted = _weighted(call)
    reduction = call["reduction"]
    expression = reduced(1 + weighted, reduction)
    if weighted and reduction != NONE:
        expression += " + n − 1"
    return Cost.of(other=expression, n=n)


@formula("aten::nll_loss_backward", "aten::nll_loss2d_backward")
def nll_loss_backward(call: Call) -> Cost:
    """−g·weight at each target: a sign, a product for a weight, a division for a mean."""
    each = 1 + _weighted(call) + (call["reduction"] == MEAN)
    return Cost.of(other=times(each), n=call["target"].numel())
