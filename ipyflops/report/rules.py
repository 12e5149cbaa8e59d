"""The rules of thumb for the FLOPs of transformers, set against what was counted.

==========  ======================================================================================
``6ND``     6 for each parameter and token in training, 2 in a forward pass (Kaplan et al., 2020)
``PaLM``    ``6ND + 12·L·H·Q·T·D``: attention's products too (Chowdhery et al., 2022, appendix B)
``Megatron``  ``72·D·l·h²·(1 + s/(6·h) + V/(12·l·h))``; with all activations recomputed
              ``96·D·l·h²·(1 + s/(6·h) + V/(16·l·h))`` (Narayanan et al., 2021)
==========  ======================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Literal, TypeAlias

from ipyflops.costs import with_printable_repr
from ipyflops.report.shown_tables import ShownAsTable

#: What ran: a forward pass, a training step, and one that recomputes its forward pass.
Kind: TypeAlias = Literal["forward", "training", "recomputing"]


@with_printable_repr
@dataclass(frozen=True, slots=True)
class ModelSizes:
    """The sizes of a transformer that the rules need; None if one is not known.

    Attributes
    ----------
    parameters : int
        N, all of them.
    tokens : int
        D, in all sequences together.
    layers : int or None
        L or l.
    heads, head_size : int or None
        H and Q: heads of queries in a layer, and the size of one.
    length : int or None
        T or s, tokens of a sequence.
    hidden, vocabulary : int or None
        h and V: the size of a token's vector, and how many tokens there are.
    """

    parameters: int
    tokens: int
    layers: int | None = None
    heads: int | None = None
    head_size: int | None = None
    length: int | None = None
    hidden: int | None = None
    vocabulary: int | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of those that are not known."""
        return tuple(one.name for one in fields(self) if getattr(self, one.name) is None)


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of thumb with the sizes filled in.

    Attributes
    ----------
    name : str
        Such as ``6ND``.
    expression : str
        With its numbers.
    flops : int
    """

    name: str
    expression: str
    flops: int


def six_nd(sizes: ModelSizes, kind: Kind) -> Rule:
    """6 FLOPs for each parameter and token; 2 in a forward pass.

    Examples
    --------
    >>> six_nd(ModelSizes(124_439_808, 1024), "training").flops
    764558180352
    """
    factor = 2 if kind == "forward" else 6
    n, d = sizes.parameters, sizes.tokens
    return Rule(f"{factor}ND", f"{factor}·{n:,}·{d:,}", factor * n * d)


def palm(sizes: ModelSizes, kind: Kind) -> Rule | None:
    """The same and the products of attention; None where a size of it is not known."""
    base = six_nd(sizes, kind)
    known = (sizes.layers, sizes.heads, sizes.head_size, sizes.length)
    if None in known:
        return None
    factor = 4 if kind == "forward" else 12
    attention = factor * sizes.tokens
    for size in known:
        attention *= size or 0
    written = "·".join(f"{size:,}" for size in (*known, sizes.tokens))
    return Rule(
        f"{base.name} + {factor}LHQTD",
        f"{base.expression} + {factor}·{written}",
        base.flops + attention,
    )


def megatron(sizes: ModelSizes, kind: Kind) -> Rule | None:
    """Megatron's formula; None where a size of it is not known."""
    if None in (sizes.layers, sizes.hidden, sizes.length, sizes.vocabulary):
        return None
    layers, h = sizes.layers or 0, sizes.hidden or 0
    s, vocabulary = sizes.length or 0, sizes.vocabulary or 0
    passes = {"forward": 1, "training": 3, "recomputing": 4}[kind]
    # What recomputes the layers does not recompute the logits: 6·D·h·V in either case.
    logits = {"forward": 12, "training": 12, "recomputing": 16}[kind]
    inside = 1 + Fraction(s, 6 * h) + Fraction(vocabulary, logits * layers * h)
    factor = 24 * passes
    return Rule(
        "Megatron",
        f"{factor}·{sizes.tokens:,}·{layers:,}·{h:,}²·(1 + {s:,}/(6·{h:,}) + "
        f"{vocabulary:,}/({logits}·{layers:,}·{h:,}))",
        int(factor * sizes.tokens * layers * h**2 * inside),
    )


@dataclass(frozen=True)
class RuleComparison(ShownAsTable):
    """The rules of thumb and the count, term by term.

    Attributes
    ----------
    sizes : ModelSizes
    kind : {"forward", "training", "recomputing"}
    rules : tuple of Rule
        Those whose sizes are known.
    terms : dict of str to int
        The counted FLOPs by what they are; they add up to `flops`.
    steps : dict of str to int
        The differences between the first rule and the counted products, each with its sign.
    notes : tuple of str
    """

    sizes: ModelSizes
    kind: Kind
    rules: tuple[Rule, ...]
    terms: dict[str, int]
    steps: dict[str, int]
    notes: tuple[str, ...] = field(default=())

    @property
    def flops(self) -> int:
        """All FLOPs that were counted, under the standard convention."""
        return sum(self.terms.values())

    @property
    def products(self) -> int:
        """Those of matrix products and attention, recomputation included."""
        return self.rules[0].flops + sum(self.steps.values())

    def rule(self, name: str) -> Rule:
        """Return a rule by the beginning of its name, such as ``6ND`` or ``Megatron``.

        Raises
        ------
        KeyError
            If there is none, perhaps because it needs a size that is not known.
        """
        for rule in self.rules:
            if rule.name == name:
                return rule
        for rule in self.rules:
            if rule.name.startswith(name):
                return rule
        raise KeyError(f"there is no rule {name!r}; there are {[one.name for one in self.rules]}")

    def __repr__(self) -> str:
        ratios = ", ".join(f"{rule.name} {self.products / rule.flops:.4g}" for rule in self.rules)
        return f"<RuleComparison: products by {ratios}>"
