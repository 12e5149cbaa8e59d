"""What a report says of a transformer's sizes, and its FLOPs by the terms of the rules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from ipyflops.report.rules import (
    Kind,
    ModelSizes,
    Rule,
    RuleComparison,
    megatron,
    palm,
    six_nd,
)
from ipyflops.report.run import Run
from ipyflops.report.tables import Row, Signature

#: The product of a weight with tokens, and of two activations.
_LINEAR, _BATCHED = {"aten::mm", "aten::addmm", "aten::linear"}, {"aten::bmm", "aten::baddbmm"}
_LOGITS, _ATTENTION = "logits", "attention"


def compare_rule(report: Run, tokens: int, **given: int | None) -> RuleComparison:
    """Set a report against the rules of thumb; see `Report.compare_rule`."""
    if tokens < 1:
        raise ValueError(f"tokens are counted from 1 on, not {tokens}")
    counted = _Counted(report.under("standard"))
    sizes = replace(
        counted.sizes(tokens), **{name: size for name, size in given.items() if size is not None}
    )
    if not sizes.parameters:
        raise ValueError("no parameters were counted, and and every rule needs them: parameters=…")
    rules = [six_nd(sizes, counted.kind), palm(sizes, counted.kind), megatron(sizes, counted.kind)]
    known = tuple(rule for rule in rules if rule is not None)
    notes = []
    if sizes.missing:
        notes.append(
            f"not found in the report: {', '.join(sizes.missing)}; compare_rule(…, "
            f"{sizes.missing[0]}=…) says it"
        )
    terms = counted.terms(sizes)
    steps = counted.steps(sizes, known[0], terms)
    return RuleComparison(sizes, counted.kind, known, terms, steps, tuple(notes))


class _Counted:
    """Reads the tables of a report."""

    def __init__(self, report: Run) -> None:
        self._report = report
        phases = report.by_phase
        self.kind: Kind = "forward"
        if phases["backward"].flops:
            self.kind = "recomputing" if phases["recompute"].macs else "training"
        self._forward = [
            (row, report.signatures[row.signature])
            for row in report.rows
            if row.phase == "forward" and report.signatures[row.signature].cost.contraction
        ]

    # --- sizes -----------------------------------------------------------------------------------

    def sizes(self, tokens: int) -> ModelSizes:
        """The sizes that the tables tell."""
        vocabulary, hidden = self._embedding()
        sizes = ModelSizes(self._parameters(), tokens, hidden=hidden, vocabulary=vocabulary)
        fused = [(row, dict(one.cost.symbols)) for row, one in self._forward if _is_fused(one)]
        shapes = {(one["s_q"], one["h"], one["d"]) for _, one in fused}
        if len(shapes) == 1:
            ((length, heads, size),) = shapes
            seen = sum(row.calls * one.get("b", 1) * length for row, one in fused)
            layers = _whole(seen, tokens)
            return replace(sizes, layers=layers, heads=heads, head_size=size, length=length)
        scores = [(row, dict(one.cost.symbols)) for row, one in self._forward if _is_scores(one)]
        found = {(one["m"], one["k"]) for _, one in scores}
        if not fused and len(found) == 1 and hidden:
            ((length, size),) = found
            heads = hidden // size
            seen = sum(row.calls * one["b"] * length for row, one in scores)
            if length == size:  # the products with the values look the same
                seen //= 2
            layers = _whole(seen, tokens * heads)
            return replace(sizes, layers=layers, heads=heads, head_size=size, length=length)
        return sizes

    def _parameters(self) -> int:
        """Those of the outermost modules."""
        return sum(node.parameters for node in self._report.tree.children if node.kind == "module")

    def _embedding(self) -> tuple[int | None, int | None]:
        """Rows and columns of the table with the most rows."""
        tables = [_shape(one.shapes) for one in self._report.signatures if _is_lookup(one)]
        rows = [shape for shape in tables if len(shape) == 2]
        return max(rows) if rows else (None, None)

    # --- terms -----------------------------------------------------------------------------------

    def terms(self, sizes: ModelSizes) -> dict[str, int]:
        """FLOPs by what they are."""
        logits = {
            row.scope
            for row, one in self._forward
            if one.operator in _LINEAR and dict(one.cost.symbols).get("n") == sizes.vocabulary
        }
        terms: dict[str, int] = defaultdict(int)
        for row in self._report.rows:
            signature = self._report.signatures[row.signature]
            times = 1 if signature.summed else row.calls
            products = signature.cost.contraction.value * times
            rest = signature.cost.other.value * times
            if row.phase == "optimizer":
                terms["optimizer"] += products + rest
            else:
                recomputed = row.phase == "recompute"
                name = "recomputation" if recomputed else _term(row, signature, logits)
                terms[name] += products
                terms["element-wise"] += rest
        order = ("linear layers", _ATTENTION, _LOGITS, "recomputation", "element-wise", "optimizer")
        return {name: terms[name] for name in order if terms[name]}

    def steps(self, sizes: ModelSizes, rule: Rule, terms: dict[str, int]) -> dict[str, int]:
        """What leads from 6ND to the products that were counted."""
        factor, tokens = (2 if self.kind == "forward" else 6), sizes.tokens
        multiplied = self._multiplied()
        idle = max(sizes.parameters - multiplied, 0)
        tables = self._looked_up(idle)
        steps = {
            "embeddings, looked up and not multiplied": -factor * tables * tokens,
            "biases and norms, in no product": -factor * (idle - tables) * tokens,
            "attention": terms.get(_ATTENTION, 0),
            "recomputation": terms.get("recomputation", 0),
        }
        linear = terms.get("linear layers", 0) + terms.get(_LOGITS, 0)
        # Experts that a token does not take, frozen layers, gradients that nobody needs.
        steps["weights that other numbers of tokens or passes use"] = (
            linear - rule.flops + factor * idle * tokens
        )
        return {name: flops for name, flops in steps.items() if flops}

    def _multiplied(self) -> int:
        """Elements of weights in products: k·n of each, once however often its module ran."""
        elements = 0
        for row, signature in self._forward:
            if signature.operator in _LINEAR:
                symbols = dict(signature.cost.symbols)
                size = symbols.get("k", 0) * symbols.get("n", 0)
                calls = self._report.scopes[row.scope].calls or 1
                elements += _whole(size * row.calls, calls) or size
        return elements

    def _looked_up(self, idle: int) -> int:
        """Elements of embeddings that are in no product: not of one that makes the logits too."""
        tables = sorted({(row.scope, shape) for row, shape in self._lookups()}, reverse=True)
        sizes = sorted(shape[0] * shape[1] for _, shape in tables)
        while sizes and sum(sizes) > idle:
            sizes.pop()  # the largest is shared with the output layer
        return sum(sizes)

    def _lookups(self) -> Iterable[tuple[Row, tuple[int, ...]]]:
        for row in self._report.rows:
            signature = self._report.signatures[row.signature]
            shape = _shape(signature.shapes)
            if row.phase == "forward" and _is_lookup(signature) and len(shape) == 2:
                yield row, shape


def _term(row: Row, signature: Signature, logits: set[int]) -> str:
    if signature.operator in _BATCHED or "attention" in signature.operator:
        return _ATTENTION
    return _LOGITS if row.scope in logits else "linear layers"


def _is_fused(signature: Signature) -> bool:
    return {"s_q", "h", "d"} <= dict(signature.cost.symbols).keys()


def _is_scores(signature: Signature) -> bool:
    symbols = dict(signature.cost.symbols)
    return signature.operator in _BATCHED and symbols.get("m", 0) == symbols.get("n", 1)


def _is_lookup(signature: Signature) -> bool:
    return signature.operator == "aten::embedding"


def _shape(shapes: str) -> tuple[int, ...]:
    """The first of some shapes: ``(50257, 768)`` of ``50257×768, 8×128``."""
    first = shapes.partition(",")[0].split("×")
    return tuple(int(size) for size in first if size.isdecimal())


def _whole(divided: int, divisor: int) -> int | None:
    """A quotient that has to be a whole number, from 1 on."""
    quotient, rest = divmod(divided, divisor)
    return quotient if quotient and not rest else None
