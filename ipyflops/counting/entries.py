"""What a count keeps of the calls of operators: how often each distinct one ran, and how long."""

from __future__ import annotations

from ipyflops.costs import CostSum
from ipyflops.report import Signature


class Entry:
    """How often, and how long, a distinct call ran at a location.

    Attributes
    ----------
    signature : Signature
        Of one call; where `sums` is given, only its operator and verdict mean something.
    calls, nanoseconds : int
    first_nanoseconds : int
        Of the first call; -1 where they are not known.
    sums : CallSums or None
        For calls that differ from each other.
    sample : int or None
        A hash of values of some calls (see `sampling`); None once some had none to read.
    sees_every_call : bool
        Whether each call is to be recorded, and not only the first.
    """

    __slots__ = (
        "calls",
        "first_nanoseconds",
        "nanoseconds",
        "sample",
        "sees_every_call",
        "signature",
        "sums",
    )

    def __init__(
        self, signature: Signature, sums: CallSums | None = None, *, sampled: bool = False
    ) -> None:
        self.signature = signature
        self.calls = 0
        self.nanoseconds = 0
        self.first_nanoseconds = -1
        self.sums = sums
        self.sample: int | None = 0 if sampled else None
        self.sees_every_call = sampled or sums is not None


class CallSums:
    """Costs and bytes of calls that differ, added up."""

    __slots__ = ("bytes", "communicated", "cost")

    def __init__(self) -> None:
        self.cost = CostSum()
        self.bytes = 0
        self.communicated = 0

    def add(self, signature: Signature) -> None:
        """Add one call."""
        self.cost.add(signature.cost)
        self.bytes += signature.bytes
        self.communicated += signature.communicated
