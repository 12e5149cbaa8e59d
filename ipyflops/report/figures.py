"""The figures that a report and each node of its tree give of their totals."""

from __future__ import annotations

from typing import Protocol

from ipyflops.costs import Totals


class HasTotals(Protocol):
    """What has sums over rows."""

    @property
    def totals(self) -> Totals:
        """The sums."""


class Figures:
    """The part of `ipyflops.Report` and `ipyflops.Node` that reads figures off their totals."""

    __slots__ = ()

    @property
    def flops(self: HasTotals) -> int:
        """FLOPs under the report's convention."""
        return self.totals.flops

    @property
    def macs(self: HasTotals) -> int:
        """Multiply-accumulates of products, convolutions and attention; those of integers too."""
        return self.totals.macs

    @property
    def int_ops(self: HasTotals) -> int:
        """Integer operations, which are never part of the FLOPs."""
        return self.totals.int_ops

    @property
    def bytes(self: HasTotals) -> int:
        """Bytes of the tensors that operators read and wrote, once each per call."""
        return self.totals.bytes

    @property
    def seconds(self: HasTotals) -> float:
        """Kernel time of the counted run, in seconds."""
        return self.totals.seconds

    @property
    def flops_per_second(self: HasTotals) -> float:
        """FLOPS: FLOPs per second of kernel time."""
        return self.totals.flops_per_second

    @property
    def utilization(self: HasTotals) -> float:
        """All FLOPS as a share of the peak, each dtype by its own; 0 where none is known."""
        return self.totals.utilization

    @property
    def intensity(self: HasTotals) -> float:
        """Arithmetic intensity, FLOPs per byte."""
        return self.totals.intensity
