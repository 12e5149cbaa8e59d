"""What a count keeps of the calls of operators: how often each distinct one ran, and how long."""

from __future__ import annotations

from ipyflops.costs import CostSum
from ipyflops.report import Signature


class Entry:
    """How often, and how long, a distinct call ran at a location.

    Attributes
    ----------
    device : str
        That the calls run on, such as ``cuda:0``.
    signature : Signature
        Of one call; where `sums` has calls that differ, of the first of them.
    calls, nanoseconds : int
    first_nanoseconds : int
        Of the first call; -1 where they are not known.
    sums : CallSums or None
        For calls that may differ from each other.
    sample : int or None
        A hash of values of some calls (see `sampling`); None once some had none to read.
    sees_every_call : bool
        Whether each call is to be recorded, and not only the first.
    """

    __slots__ = (
        "calls",
        "device",
        "first_nanoseconds",
        "nanoseconds",
        "sample",
        "sees_every_call",
        "signature",
        "sums",
    )

    def __init__(
        self,
        signature: Signature,
        sums: CallSums | None = None,
        sampled: bool = False,
        device: str = "cpu",
    ) -> None:
        self.signature = signature
        self.device = device
        self.calls = 0
        self.nanoseconds = 0
        self.first_nanoseconds = -1
        self.sums = sums
        self.sample: int | None = 0 if sampled else None
        self.sees_every_call = sampled or sums is not None


class CallSums:
    """Costs and bytes of calls that may differ, added up.

    Attributes
    ----------
    cost : CostSum
    bytes, communicated, activations : int
    alike : bool
        Whether all of them were the same, so that each costs what the first did.
    """

    __slots__ = ("_first", "activations", "alike", "bytes", "communicated", "cost")

    def __init__(self, first: Signature) -> None:
        self._first = first
        self.alike = True
        self.cost = CostSum()
        self.bytes = 0
        self.communicated = 0
        self.activations = 0

    def add(self, signature: Signature) -> None:
        """Add one call."""
        self.alike = self.alike and signature == self._first
        self.cost.add(signature.cost)
        self.bytes += signature.bytes
        self.communicated += signature.communicated
        self.activations += signature.activations
