"""The result of a counted run, as plain data, and the difference of two results.

A `Report` knows nothing of torch, IPython or any view. It holds four flat tables (see
`ipyflops.report.tables`) and computes from them whatever is asked for, under its convention:

- *scopes*: the places of the module tree (a module, a line of code outside modules, …);
- *lines*: the source lines that ran operators;
- *signatures*: each distinct operator call, an operator with its shapes and dtype, and its cost;
- *rows*: how often each signature ran in which scope, on which line, in which phase, and how long.

What only reads the tables is in `ipyflops.report.run`. This file stands on top of its folder. A
`Difference` is of two reports, and one report minus another is a difference, so both are here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ipyflops.report.difference import Change, match
from ipyflops.report.exports import Exports
from ipyflops.report.merging import merge
from ipyflops.report.ranks import Measure, imbalance
from ipyflops.report.run import Rank, Run
from ipyflops.report.serialization import reports as serialization
from ipyflops.report.tree import walk
from ipyflops.report.yardsticks import Yardsticks

# These take long to import, or are not installed everywhere.
if TYPE_CHECKING:
    import anywidget
    import matplotlib.axes
    import pandas
    from torch.distributed import ProcessGroup


@dataclass(frozen=True)
class Report(Run, Exports, Yardsticks):
    """What a counted run did, as plain data; see the module's docstring for the tables.

    Attributes
    ----------
    scopes, lines, signatures, rows : tuple
        The tables; scope 0 is the root.
    convention : {"standard", "contractions", "article"}
        The convention of the FLOPs; `under` returns the same run under another.
    complete : bool
        False if the run was interrupted or is still going on.
    error : str
        What interrupted it, such as ``ValueError: …``; empty otherwise.
    notes : tuple of str
        What a reader must know about this run.
    device : str
        Where its kernels ran, such as ``cuda:0``. ``cuda`` alone means a dry run as on a device
        that does not exist.
    timing : Timing or None
        The time of clean repeats, if there were any.
    peak : Peak or None
        The peak of the device, if requested.
    ranks : tuple of Rank
        The processes that this report is the sum of, by their number; empty for a single one.
    excerpts : tuple of Excerpt
        The source of the counted code and, with ``FlopCounter(follow_methods=True)``, of the
        modules' methods, with the counts of each line.
    memory : Memory or None
        With ``memory=True``, what used memory and when it was the most: ``.peak`` in bytes,
        ``.at_peak`` (kind to bytes), ``.by_device`` (name to the same two), ``.curve``.
    busy_share : float or None
        Kernel time on the busiest GPU, as a share of the block's time there, with counting; None if
        there was no GPU or it is not known.
    """

    ranks: tuple[Rank[Report], ...] = ()

    # --- other reports -----------------------------------------------------------------------

    def __sub__(self, other: Report) -> Difference:
        """Return what this run did more than the other."""
        return Difference.between(before=other, after=self)

    @staticmethod
    def merge(reports: Iterable[Report]) -> Report:
        """Merge the reports of several ranks: equal paths become one place, counts are summed.

        Each report becomes a rank of the result, by its position (see `ranks`).

        Raises
        ------
        ValueError
            If there is no report, or if their conventions differ.
        """
        return merge(list(reports))

    # --- several processes -------------------------------------------------------------------

    def gather(self, group: ProcessGroup | None = None, *, timeout: float = 60.0) -> Report | None:
        """Merge the reports of all ranks of ``torch.distributed`` on the first rank.

        Every rank calls this with its own report. The first rank gets one merged report; the others
        get None and do not wait. This is not counted, and uses no collective, so it works with
        every backend and whatever the other ranks are doing.

        Parameters
        ----------
        group : torch.distributed.ProcessGroup, optional
            The group whose ranks are gathered; the default group if it is left out.
        timeout : float
            Seconds that the first rank waits. The report lists ranks that have not called by then,
            and is incomplete.

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
        from ipyflops.processes import gather

        return gather(self, group, timeout=timeout)

    def imbalance(self, measure: Measure = "seconds") -> float:
        """Return the largest of the ranks' sums divided by their mean: 1 if all are the same.

        Parameters
        ----------
        measure : {"seconds", "flops", "macs", "bytes", "communicated"}

        Raises
        ------
        ValueError
            If there is no such measure.
        """
        return imbalance(self.ranks, measure)

    # --- in and out --------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the report as data that JSON can hold; `from_dict` reads it."""
        return serialization.to_dict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Report:
        """Read what `to_dict` gave.

        Raises
        ------
        ReportFormatError
            If it is something else, damaged, or of a version that cannot be read.
        """
        return serialization.from_dict(data, Report)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON; an existing file is replaced only when everything is written.

        The file keeps its permissions. If the path is a link, its target is written.

        Raises
        ------
        OSError
            If it cannot be written, or if the path is a device or a pipe.
        ReportFormatError
            If a number in it, for example from your own formula, has more than 100 digits.
        """
        serialization.save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Report:
        """Read a file that `save` wrote.

        Raises
        ------
        ReportFormatError
            As `from_dict`.
        OSError
            If the file cannot be read, or is no regular file.
        """
        return serialization.load(path, Report)

    # --- shown -------------------------------------------------------------------------------

    def __str__(self) -> str:
        from ipyflops.views import to_text

        return to_text(self)

    def __repr__(self) -> str:
        from ipyflops.views import one_line

        return f"<Report {one_line(self)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from ipyflops.views import mime_bundle, preferred_view

        return mime_bundle(self, view=preferred_view())

    def _ipython_display_(self) -> None:
        from ipyflops.views import show

        if not show(self):
            raise NotImplementedError  # one bundle is enough: IPython asks for it


@dataclass(frozen=True)
class Difference:
    """The difference between two runs: ``after - before``.

    Attributes
    ----------
    before, after : Report
        Both under the convention of `after`.
    """

    before: Report
    after: Report

    @classmethod
    def between(cls, before: Report, after: Report) -> Difference:
        """Compare two reports, both under the convention of `after`."""
        return cls(before.under(after.convention), after)

    def __getstate__(self) -> dict[str, Any]:
        # What is cached can be computed again, and a deep tree cannot be pickled.
        return {"before": self.before, "after": self.after}

    @cached_property
    def tree(self) -> Change:
        """The places of both trees, matched.

        Modules are matched by their paths. If each run has only one outermost module, the two
        match, whatever their names. Code outside modules is matched by the text of the lines,
        because their numbers may differ.
        """
        return match(self.before, self.after)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """Every place of either tree, parents before what is inside them."""
        return tuple(walk(self.tree))

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return self.after.flops - self.before.flops

    @property
    def macs(self) -> int:
        """Multiply-accumulates after, less those before."""
        return self.after.macs - self.before.macs

    @property
    def bytes(self) -> int:
        """Bytes after, less those before."""
        return self.after.bytes - self.before.bytes

    @property
    def int_ops(self) -> int:
        """Integer operations after, less those before."""
        return self.after.int_ops - self.before.int_ops

    @property
    def seconds(self) -> float:
        """Kernel seconds after, less those before."""
        return self.after.seconds - self.before.seconds

    @property
    def ratio(self) -> float | None:
        """FLOPs after divided by FLOPs before; None where there were none before."""
        return self.after.flops / self.before.flops if self.before.flops else None

    def to_frame(self) -> pandas.DataFrame:
        """Return a pandas data frame, one row for each place of either tree.

        Its columns are ``path``, ``type``, ``kind``, ``status``, and for each of ``flops``,
        ``macs``, ``int_ops``, ``bytes`` and ``seconds`` the number ``…_before``, ``…_after``,
        ``…_difference`` and ``…_ratio`` (not a number where it was zero before). A place includes
        what is inside it; one that did not exist has zeros.

        Raises
        ------
        ImportError
            If pandas is not installed; the message says how to install it.
        """
        from ipyflops.views import to_frame

        frame: pandas.DataFrame = to_frame(self)
        return frame

    def to_markdown(self, *, depth: int = 1, prefix: str = "column") -> str:
        """Return a table in Markdown: before, after, difference and ratio, the total last.

        Parameters
        ----------
        depth : int
            How many levels are shown inside the whole.
        prefix : {"column", "cell"}
            Whether a column has one SI prefix, in its title, or each number has its own.

        Raises
        ------
        ValueError
            If there is no such prefix, or the depth is less than 1.
        """
        from ipyflops.views import document

        return document(self, "markdown", depth=depth, prefix=prefix)

    def to_latex(
        self, *, depth: int = 1, prefix: str = "column", caption: str = "", label: str = ""
    ) -> str:
        """Return the same table in LaTeX; `caption` and `label` are as for `Report.to_latex`.

        Raises
        ------
        ValueError
            As `to_markdown` and `Report.to_latex`.
        """
        from ipyflops.views import document

        options = {"depth": depth, "prefix": prefix}
        return document(self, "latex", caption=caption, label=label, **options)

    def plot(
        self, ax: matplotlib.axes.Axes | None = None, *, metric: str = "flops", most: int = 12
    ) -> matplotlib.axes.Axes:
        """Draw before and after side by side, for what changed most.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure, which pyplot does not know.
        metric : {"flops", "macs", "int_ops", "bytes", "seconds"}
        most : int
            How many places to draw.

        Raises
        ------
        ValueError
            If there is no such metric, or `most` is less than 1.
        """
        from ipyflops.views import plot

        axes: matplotlib.axes.Axes = plot(self, ax, metric=metric, most=most)
        return axes

    def widget(self, **options: Any) -> anywidget.AnyWidget:
        """Give the widget that a notebook shows: what has changed, and the report after.

        Parameters
        ----------
        **options
            As for `Report.widget`; ``by`` is ``change`` where it is left out.
        """
        from ipyflops.views import to_widget

        view: anywidget.AnyWidget = to_widget(self, **options)
        return view

    def __str__(self) -> str:
        from ipyflops.views import to_text

        return to_text(self)

    def __repr__(self) -> str:
        from ipyflops.views import one_line

        return f"<Difference {one_line(self)}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from ipyflops.views import mime_bundle, preferred_view

        return mime_bundle(self, view=preferred_view())

    def _ipython_display_(self) -> None:
        from ipyflops.views import show

        if not show(self):
            raise NotImplementedError  # one bundle is enough: IPython asks for it
