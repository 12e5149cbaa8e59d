"""The tables that a report is made of, and sums over them: plain data, no behaviour.

The tables refer to each other by index, so they stay small however large the model is, and they
are written to JSON as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from ipyflops.costs.cost import Cost

Phase: TypeAlias = Literal["forward", "backward", "recompute", "optimizer"]
PHASES: tuple[Phase, ...] = get_args(Phase)
ScopeKind: TypeAlias = Literal["root", "module", "code", "optimizer"]
#: Attoseconds in a second.
ATTO = 10**18
VerdictName: TypeAlias = Literal["formula", "free", "unknown"]


@dataclass(frozen=True, slots=True)
class Scope:
    """A place of the module tree.

    Attributes
    ----------
    parent : int
        Index of the scope that holds it, always smaller than its own; -1 for the root.
    name : str
        Its own name: ``attn``, ``0``, or the variable of an outermost module.
    type : str
        Class of the module or optimizer; empty for the root and for code.
    kind : {"root", "module", "code", "optimizer"}
        ``code`` is a source line outside any module.
    calls : int
        How often it was called; 0 for a container whose children were called.
    parameters : int
        Elements of the module's parameters, children's included, each counted once.
    """

    parent: int
    name: str
    type: str = ""
    kind: ScopeKind = "module"
    calls: int = 0
    parameters: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """A source line.

    Attributes
    ----------
    file : str
        ``In[5]`` for a cell, else the name of the file.
    number : int
        Counted from 1.
    text : str
        The line itself, empty where it cannot be had.
    """

    file: str
    number: int
    text: str = ""

    @property
    def name(self) -> str:
        """As ``In[5]:3``."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True, slots=True)
class Signature:
    """A distinct operator call and what it costs.

    Attributes
    ----------
    operator : str
        Without the overload, as ``aten::mm``.
    dtype : str
        Of the arithmetic, as ``float32``.
    shapes : str
        Of the input tensors, as ``128×768, 768×3072``.
    verdict : {"formula", "free", "unknown"}
        What is known about the operator.
    cost : Cost
        Of one call, or, where `summed`, of all calls of the row together.
    bytes : int
        Of the tensors read and written once each, likewise.
    summed : bool
        Whether cost and bytes are sums over calls that differ.
    communicated : int
        Bytes of payload that a collective exchanges with other processes, likewise: what this one
        hands in or what it gets, whichever is more. 0 for all else.
    """

    operator: str
    dtype: str
    shapes: str
    verdict: VerdictName
    cost: Cost
    bytes: int
    summed: bool = False
    communicated: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """How often a signature ran at a place, and how long; the indices are into the report's tables.

    Attributes
    ----------
    scope, line, signature : int
        Indices; `line` is -1 where no source line is known.
    phase : {"forward", "backward", "recompute", "optimizer"}
    calls : int
    nanoseconds : int
        Time inside the kernels.
    sample : int
        A hash of some of the values that went in and came out, where other processes may have
        computed the same (see `ipyflops.counting.sampling`); 0 where there is none.
    replicated : int
        In a report of several ranks, how many of the calls another rank had made already, on the
        same values.
    """

    scope: int
    line: int
    phase: Phase
    signature: int
    calls: int
    nanoseconds: int
    sample: int = 0
    replicated: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over some of a report's rows, under its convention.

    Attributes
    ----------
    calls : int
        Operator calls; views, which do nothing, are not among them.
    flops, macs, int_ops, bytes : int
    seconds : float
        Time inside the kernels, in the one counted run.
    peak_seconds : float
        Time that the FLOPs would take at the report's peak, each dtype's by its own.
    communicated : int
        Bytes of payload of the collectives, as the ranks hand them in or get them; not what goes
        over the wire, which depends on the algorithm.
    replicated : int
        Those of the FLOPs that another rank had computed already, on the same values.
    """

    calls: int = 0
    flops: int = 0
    macs: int = 0
    int_ops: int = 0
    bytes: int = 0
    seconds: float = 0.0
    peak_seconds: float = 0.0
    communicated: int = 0
    replicated: int = 0

    @property
    def utilization(self) -> float:
        """FLOPS as a share of the peak (MFU), in kernel time; 0 where no peak is known."""
        return self.peak_seconds / self.seconds if self.seconds else 0.0

    @property
    def flops_per_second(self) -> float:
        """FLOPs per second of kernel time; 0 where no time was taken."""
        return self.flops / self.seconds if self.seconds else 0.0

    @property
    def intensity(self) -> float:
        """Arithmetic intensity, FLOPs per byte; 0 where no byte moved."""
        return self.flops / self.bytes if self.bytes else 0.0


class TotalsSum:
    """Adds rows up; times stay whole so that parts add up to the same total in any order."""

    __slots__ = (
        "bytes",
        "calls",
        "communicated",
        "flops",
        "int_ops",
        "macs",
        "nanoseconds",
        "peak_time",
        "replicated",
    )

    def __init__(self) -> None:
        self.calls = self.flops = self.macs = self.int_ops = self.bytes = 0
        self.nanoseconds = self.peak_time = self.communicated = self.replicated = 0

    def add(self, other: TotalsSum) -> None:
        """Add another sum."""
        self.calls += other.calls
        self.flops += other.flops
        self.macs += other.macs
        self.int_ops += other.int_ops
        self.bytes += other.bytes
        self.nanoseconds += other.nanoseconds
        self.peak_time += other.peak_time
        self.communicated += other.communicated
        self.replicated += other.replicated

    def add_row(self, row: Row, signature: Signature, flops: int, peak_time: int = 0) -> None:
        """Add a row.

        `flops`, and `peak_time` in attoseconds, are those of one call, or of all where the
        signature is summed.
        """
        times = 1 if signature.summed else row.calls
        self.calls += row.calls
        self.flops += flops * times
        self.macs += signature.cost.macs * times
        self.int_ops += signature.cost.integer.value * times
        self.bytes += signature.bytes * times
        self.nanoseconds += row.nanoseconds
        self.peak_time += peak_time * times
        self.communicated += signature.communicated * times
        if row.replicated:
            self.replicated += flops * (1 if signature.summed else row.replicated)

    def totals(self) -> Totals:
        """Give the sum as plain data."""
        return Totals(
            self.calls,
            self.flops,
            self.macs,
            self.int_ops,
            self.bytes,
            self.nanoseconds / 1e9,
            self.peak_time / ATTO,
            self.communicated,
            self.replicated,
        )
