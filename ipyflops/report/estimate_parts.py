"""What an estimate adds up: the bytes and FLOPs of an operator, and the time of a part of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from ipyflops.costs import conventions, with_printable_repr
from ipyflops.report.run import Run
from ipyflops.report.tables import Signature

Bound: TypeAlias = Literal["compute", "memory"]


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Part:
    """The time of a part of the work: a module, or an operator.

    Attributes
    ----------
    name : str
        The path of the module, or the name of the operator.
    seconds : float
        At the stated efficiency; the least time where that is 1.
    compute_seconds, memory_seconds : float
        The least time of its FLOPs alone, and of its bytes alone.
    share : float
        Of the time of the whole.
    fits : bool or None
        Whether its peak fits into the memory; None if that is not known.
    """

    name: str
    seconds: float
    compute_seconds: float
    memory_seconds: float
    share: float
    fits: bool | None = None

    @property
    def bound(self) -> Bound:
        """What takes longer: the FLOPs (``compute``) or the bytes (``memory``)."""
        compute = self.compute_seconds
        return "compute" if compute and compute >= self.memory_seconds else "memory"


class TimeSum:
    """Least time, time of the FLOPs, time of the bytes."""

    __slots__ = ("compute", "least", "memory")

    def __init__(self) -> None:
        self.least = self.compute = self.memory = 0.0

    def add(self, compute: float, memory: float, times: int) -> None:
        """Add what so many calls take."""
        self.compute += compute * times
        self.memory += memory * times
        self.least += max(compute, memory) * times

    def add_sum(self, other: TimeSum) -> None:
        """Add another sum."""
        self.compute += other.compute
        self.memory += other.memory
        self.least += other.least


def bytes_moved(signature: Signature) -> float:
    """Bytes that one call has to move: of a table that is looked up, the rows that are read.

    The report counts each tensor whole. So of a table of R rows of W, and n numbers of 8 bytes, it
    has ``s·W·(R + n) + 8·n`` with s bytes for an element.
    """
    if signature.operator != "aten::embedding" or signature.summed:
        return signature.bytes
    shapes = signature.shapes.split(",")
    sizes = [[int(n) for n in one.strip().split("×") if n.isdecimal()] for one in shapes]
    if len(sizes) != 2 or len(sizes[0]) != 2:
        return signature.bytes
    rows, numbers = sizes[0][0], math.prod(sizes[1])
    table = (signature.bytes - 8 * numbers) * rows / (rows + numbers)
    return min(signature.bytes, signature.bytes - table + table * numbers / rows)


def flops_of(signature: Signature, report: Run) -> int:
    """FLOPs of one call; of products in ``int8``, their integer operations."""
    if signature.dtype == "int8":
        return 2 * signature.cost.integer_macs
    return conventions.flops(signature.cost, report.convention)
