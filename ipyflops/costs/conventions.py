"""How a `Cost` becomes FLOPs: the three conventions, side by side.

==============  ==============================================================================
``standard``    every floating point operation that ran; contractions at 2 FLOPs per MAC
``contractions``  matrix products, convolutions and attention only, at 2 FLOPs per MAC
``article``     the layer formulas of the article "Flops Model" to the letter; what it does
                not name costs what ``standard`` says
==============  ==============================================================================

A convention only reads a finished cost, so it can be chosen after the run.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias, get_args

from ipyflops.costs.choices import check_choice
from ipyflops.costs.cost import Cost, Count

Convention: TypeAlias = Literal["standard", "contractions", "article"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)


def check(name: str) -> Convention:
    """Give `name` back if it is a convention.

    Raises
    ------
    ValueError
        If it is not; the message lists those that are.
    """
    return check_choice(name, CONVENTIONS, f"there is no convention {name!r}")


def flops(cost: Cost, convention: Convention) -> int:
    """FLOPs of one call under a convention."""
    if convention == "contractions":
        return cost.contraction.value
    if convention == "article" and cost.article is not None:
        return cost.article.value
    return cost.contraction.value + cost.other.value


def expression(cost: Cost, convention: Convention) -> str:
    """The expression whose value is `flops`, in the cost's symbols.

    Examples
    --------
    >>> expression(Cost.of(contraction="2·m·n", other="n", m=2, n=3), "standard")
    '2·m·n + n'
    """
    if convention == "contractions":
        return cost.contraction.expression
    if convention == "article" and cost.article is not None:
        return cost.article.expression
    parts = [part.expression for part in (cost.contraction, cost.other) if part]
    return " + ".join(parts) or "0"


def within_layer(cost: Cost, layer: str | None) -> Cost:
    """Return the cost of an operator that runs inside a layer which a convention treats as a whole.

    A dropout of the article reaches the dispatcher as several plain operators (``bernoulli_``,
    ``div_`` and ``mul`` on CPU), which only the scope tells from a user's own. The article counts
    it as zero.

    Parameters
    ----------
    cost : Cost
        What the operator costs by itself.
    layer : {"dropout", "linear"} or None
        The layer that the operator runs in.
    """
    if layer == "dropout" and (cost.other or cost.article):
        return replace(cost, article=Count())
    return cost
