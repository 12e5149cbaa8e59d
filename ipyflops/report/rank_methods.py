"""What a report says of several ranks, and how it is made of theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

    from ipyflops.report.ranks import Measure
    from ipyflops.report.report import Report


class RankMethods:
    """The part of `ipyflops.Report` that is about several processes."""

    @property
    def communicated(self) -> int:
        """Bytes of payload that collectives exchanged (see `by_collective`)."""
        return _report(self).totals.communicated

    @property
    def replicated_flops(self) -> int:
        """Those of the FLOPs that another rank had computed already, on the same values.

        Values are compared by a sample of them. ``flops - replicated_flops`` is the work that was
        not done twice; 0 in the report of one process.
        """
        return _report(self).totals.replicated

    def gather(self, group: ProcessGroup | None = None, *, timeout: float = 60.0) -> Report | None:
        """Bring the reports of all ranks of ``torch.distributed`` together on the first.

        Every rank calls this, with its own report. The first gets one report of them all; the
        others get None, and do not wait. Nothing of it is counted, and no collective is used, so
        it works with every backend and whatever the other ranks are doing.

        Parameters
        ----------
        group : torch.distributed.ProcessGroup, optional
            Whose ranks to gather from; those of the default group where it is left out.
        timeout : float
            Seconds that the first rank waits. Ranks that have not called by then are named in the
            report, which is incomplete.

        Returns
        -------
        Report or None
            On the first rank of the group the merged report.

        Raises
        ------
        RuntimeError
            If ``torch.distributed`` has not been initialized, or this rank is not of the group.
        ValueError
            If the ranks' conventions differ.
        """
        from ipyflops.processes.torchrun_gathering import gather

        return gather(_report(self), group, timeout=timeout)

    def imbalance(self, measure: Measure = "seconds") -> float:
        """Give the largest of the ranks' sums divided by their mean: 1 where they are all the same.

        Parameters
        ----------
        measure : {"seconds", "flops", "macs", "bytes", "communicated"}

        Raises
        ------
        ValueError
            If there is no such measure.
        """
        from ipyflops.report.ranks import imbalance

        return imbalance(_report(self).ranks, measure)


def _report(methods: RankMethods) -> Report:
    """The report that a `RankMethods` is part of."""
    return cast("Report", methods)
