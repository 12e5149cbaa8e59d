"""How a count came about: each operator's formula with its shapes filled in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ipyflops.costs import Convention, conventions, printable, substitute, with_printable_repr
from ipyflops.report.tables import Phase, Row, Signature

#: What is said of an operator that computes nothing.
FREE = "free: computes nothing"


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Explanation:
    """All calls of one operator with the same shapes, in one phase, and how their cost is computed.

    Attributes
    ----------
    operator : str
        Such as ``aten::mm``.
    phase : {"forward", "backward", "recompute", "optimizer"}
    dtype, shapes : str
        Of the arithmetic and of the input tensors.
    expression : str
        The formula in symbols, ``2·m·n·k``.
    symbols : tuple of (str, int)
        The values of the symbols.
    substituted : str
        The formula with the numbers in their places, ``2·128·3072·768``.
    calls : int
    flops_per_call : int
        The value of the formula; where `summed`, of all calls together.
    flops : int
        Of all calls.
    macs, int_ops, bytes : int
        Of all calls.
    seconds : float
        Kernel time of all calls.
    verdict : {"formula", "free", "unknown"}
    summed : bool
        Whether the calls differ and only their sum is known.
    note : str
        What else a reader must know.
    """

    operator: str
    phase: Phase
    dtype: str
    shapes: str
    expression: str
    symbols: tuple[tuple[str, int], ...]
    substituted: str
    calls: int
    flops_per_call: int
    flops: int
    macs: int
    int_ops: int
    bytes: int
    seconds: float
    verdict: str
    summed: bool
    note: str

    def __str__(self) -> str:
        if self.verdict == "unknown":
            count = "no formula is known"
        elif self.verdict == "free":
            count = FREE
        elif self.summed:
            count = f"{self.flops:,}"
        else:
            count = " = ".join(self._steps())
        times = "once" if self.calls == 1 else f"{self.calls:,} times"
        text = f"{self.operator}({self.shapes}) {self.phase}: {count}, called {times}"
        return printable(f"{text} ({self.note})" if self.note else text)

    def _steps(self) -> list[str]:
        """The formula, with its numbers, and what comes out: each once, such as ``n = 24,576``."""
        written = [] if self.expression == self.substituted else [self.expression]
        if self.substituted != str(self.flops_per_call):
            written.append(self.substituted)
        return [*written, f"{self.flops_per_call:,}"]


def explain(
    rows: Iterable[Row], signatures: Sequence[Signature], convention: Convention
) -> tuple[Explanation, ...]:
    """Explain every operator call of some rows, the most FLOPs first.

    Parameters
    ----------
    rows : iterable of Row
    signatures : sequence of Signature
        What the rows' indices refer to.
    convention : {"standard", "contractions", "article"}

    Returns
    -------
    tuple of Explanation
    """
    groups: dict[tuple[int, Phase], _Group] = defaultdict(_Group)
    for row in rows:
        group = groups[row.signature, row.phase]
        group.rows += 1
        group.calls += row.calls
        group.nanoseconds += row.nanoseconds
    explanations = [
        _explanation(signatures[signature], convention, phase, group)
        for (signature, phase), group in groups.items()
    ]
    return tuple(sorted(explanations, key=lambda one: (-one.flops, -one.int_ops, -one.bytes)))


@dataclass(slots=True)
class _Group:
    """The rows that are explained together."""

    rows: int = 0
    calls: int = 0
    nanoseconds: int = 0


def _explanation(
    signature: Signature, convention: Convention, phase: Phase, group: _Group
) -> Explanation:
    cost = signature.cost
    expression = conventions.expression(cost, convention)
    symbols = cost.symbols
    flops = conventions.flops(cost, convention)
    # A cost that is a sum stands for all calls of one row, and several rows may have equal sums.
    times = group.rows if signature.summed else group.calls
    if signature.summed:
        flops *= times
        expression, symbols = str(flops), ()
    return Explanation(
        operator=signature.operator,
        phase=phase,
        dtype=signature.dtype,
        shapes=signature.shapes,
        expression=expression,
        symbols=symbols,
        substituted=substitute(expression, dict(symbols)),
        calls=group.calls,
        flops_per_call=flops,
        flops=flops if signature.summed else flops * times,
        macs=cost.macs * times,
        int_ops=cost.integer.value * times,
        bytes=signature.bytes * times,
        seconds=group.nanoseconds / 1e9,
        verdict=signature.verdict,
        summed=signature.summed,
        note=cost.note,
    )
