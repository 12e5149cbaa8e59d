"""What a sweep counted, as plain data: the reports of a grid of sizes, and how they grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ipyflops.costs import (
    COUNTED,
    METRICS,
    check_choice,
    conventions,
    printable,
    with_printable_repr,
)
from ipyflops.report.estimates import AnyDevice, SweepEstimate, estimates_of
from ipyflops.report.growth import MAX_DROPPED, Growth, fit
from ipyflops.report.polynomials import Variable
from ipyflops.report.report import Report
from ipyflops.report.tree import Node

# These take long to import, or are not installed everywhere.
if TYPE_CHECKING:
    import matplotlib.axes
    import pandas

PEAK = "peak_bytes"
#: What is counted of memory, where it was asked for.
OF_MEMORY = ("saved_bytes", PEAK)


@with_printable_repr
@dataclass(frozen=True)
class Point:
    """A point of the grid and what was counted there.

    Attributes
    ----------
    values : tuple of int
        One for each variable, in their order.
    report : Report
    """

    values: tuple[int, ...]
    report: Report

    def __getstate__(self) -> dict[str, Any]:
        # The tree can be built again, and one that is deep cannot be pickled.
        return {"values": self.values, "report": self.report}

    @cached_property
    def nodes(self) -> dict[str, Node]:
        """The nodes of the report's tree by their paths; the root's path is empty."""
        nodes: dict[str, Node] = {}
        for node in self.report.walk():
            # A module without a name must not hide the root.
            nodes.setdefault(node.path, node)
        return nodes


@dataclass(frozen=True)
class Sweep:
    """Counts over a grid of sizes, as plain data; `sweep` makes one.

    Attributes
    ----------
    variables : tuple of Variable
        Names and values, in rising order.
    points : tuple of Point
        All points of the grid, the last variable changing fastest.
    checks : tuple of Point
        Points outside the grid that were counted only to find out how the counts grow.
    notes : tuple of str
        What a reader must know.
    """

    variables: tuple[Variable, ...]
    points: tuple[Point, ...]
    checks: tuple[Point, ...] = ()
    notes: tuple[str, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        # What is cached can be computed again.
        names = ("variables", "points", "checks", "notes")
        return {name: getattr(self, name) for name in names}

    @property
    def convention(self) -> conventions.Convention:
        """Under which FLOPs are read."""
        return self.points[0].report.convention

    def under(self, convention: str) -> Sweep:
        """Return the same counts under another convention; errors are those of `Report.under`."""
        return replace(
            self,
            points=tuple(_under(point, convention) for point in self.points),
            checks=tuple(_under(point, convention) for point in self.checks),
        )

    def report(self, **values: int) -> Report:
        """Return the report of one point of the grid.

        Parameters
        ----------
        **values : int
            A value for each variable; variables with only one value may be left out.

        Raises
        ------
        KeyError
            If the grid has no such point.
        """
        wanted = []
        for variable in self.variables:
            only = variable.values[0] if len(variable.values) == 1 else None
            value = values.pop(variable.name, only)
            if value not in variable.values:
                raise KeyError(f"{variable.name} is one of {_listed(variable.values)}, not {value}")
            wanted.append(value)
        if values:
            raise KeyError(
                f"there is no variable {next(iter(values))!r}; there are "
                f"{', '.join(variable.name for variable in self.variables)}"
            )
        return next(point.report for point in self.points if point.values == tuple(wanted))

    def on(
        self, device: AnyDevice | Iterable[AnyDevice], *, efficiency: float | None = None
    ) -> SweepEstimate:
        """Estimate the time of each point on one or several devices; see `Report.on`."""
        return SweepEstimate(
            tuple(variable.name for variable in self.variables),
            tuple(
                (point.values, estimates_of(point.report, device, efficiency))
                for point in self.points
            ),
        )

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The paths of the nodes of all points, in the order of the tree; the root's is empty."""
        largest_first = sorted(self.points, key=lambda point: -point.report.flops)
        return tuple(dict.fromkeys(path for point in largest_first for path in point.nodes))

    def counts(self, path: str = "", metric: str = "flops", *, own: bool = False) -> list[int]:
        """Return what was counted at each point, in the order of `points`.

        Parameters
        ----------
        path : str
            Path of a node, as for `Report.find`; the whole run if it is left out. A node that is
            missing at a point counts zero there.
        metric : {"flops", "macs", "int_ops", "bytes", "saved_bytes", "peak_bytes"}
            The last two are of sweeps with ``memory=True``; see `Node`.
        own : bool
            Whether to leave out what ran in the node's children. Not possible for a peak.

        Raises
        ------
        KeyError
            If no point has such a node.
        ValueError
            If there is no such metric.
        """
        self._check(metric, own=own)
        return counts_of(self.points, [self.resolve(path)], metric, own)

    def growth(self, path: str = "", metric: str = "flops", *, own: bool = False) -> Growth:
        """Return how a count grows with the variables: the polynomial, and the name of the growth.

        Parameters
        ----------
        path, metric, own
            As for `counts`.

        Returns
        -------
        Growth
            Its `name` is as ``linear in batch, quadratic in tokens``, its `expression` the exact
            polynomial; `Growth.at` predicts the count for other sizes. A peak is the largest of
            several moments, each with its own polynomial. If no single moment is the peak at all
            points, the growth is that of the largest sizes, or *irregular*.

        Raises
        ------
        KeyError, ValueError
            As `counts`.
        """
        self._check(metric, own=own)
        _, growth = growth_of(self, [self.resolve(path)], metric, own=own)
        return growth

    def growths(self, metric: str = "flops") -> dict[str, Growth]:
        """Return how a count grows in every node, by path, in the order of the tree.

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        self._check(metric)
        return {path: growth_of(self, [path], metric)[1] for path in self.paths}

    @property
    def has_memory(self) -> bool:
        """Whether the points have memory counts."""
        return all(point.report.memory is not None for point in self.points)

    @property
    def metrics(self) -> tuple[str, ...]:
        """What was counted at each point."""
        return (*COUNTED, *OF_MEMORY) if self.has_memory else COUNTED

    def _check(self, metric: str, *, own: bool = False) -> None:
        check_choice(metric, self.metrics, f"there is no metric {metric!r}")
        if own and metric == PEAK:
            raise ValueError("a peak is one of a place with all that is inside")

    def resolve(self, path: str) -> str:
        """Return the full path of a node. You may leave out the outermost module's name.

        Raises
        ------
        KeyError
            If no point has such a node.
        """
        if path in self.paths:
            return path
        # As Report.find: below the only outermost module that has it.
        inside = [one for one in self.paths if one.partition(".")[2] == path]
        if len(inside) == 1:
            return inside[0]
        largest = max(self.points, key=lambda point: point.report.flops)
        return largest.report.find(path).path

    def to_frame(self) -> pandas.DataFrame:
        """Return a tidy pandas data frame, one row for each point and node of the tree.

        Its columns are the variables, ``path``, ``type`` and ``kind`` of the node (the root, which
        is the whole run, has an empty path), ``calls`` of operators, ``flops``, ``macs``,
        ``int_ops``, ``bytes`` and ``intensity`` (FLOPs per byte), with ``memory=True`` also
        ``saved_bytes`` and ``peak_bytes``. A node includes what is inside.
        Errors are those of `Report.to_frame`.
        """
        from ipyflops.views import to_frame

        frame: pandas.DataFrame = to_frame(self)
        return frame

    def to_markdown(self, *, depth: int = 1, metric: str = "flops") -> str:
        """Return a table in Markdown: the growth of each module.

        Parameters
        ----------
        depth : int
            How many levels are shown inside the whole.
        metric : {"flops", "macs", "int_ops", "bytes", "saved_bytes", "peak_bytes"}

        Raises
        ------
        ValueError
            If there is no such metric, or the depth is less than 1.
        """
        from ipyflops.views import document

        return document(self, "markdown", depth=depth, metric=metric)

    def to_latex(
        self, *, depth: int = 1, metric: str = "flops", caption: str = "", label: str = ""
    ) -> str:
        """Return the table of `to_markdown` in LaTeX.

        `caption`, `label` and errors are as for `Report.to_latex`.
        """
        from ipyflops.views import document

        options = {"depth": depth, "metric": metric}
        return document(self, "latex", caption=caption, label=label, **options)

    def plot(
        self,
        variable: str | None = None,
        ax: matplotlib.axes.Axes | None = None,
        *,
        metric: str = "flops",
        node: str = "",
        lines: str | None = None,
        per: str | None = None,
    ) -> matplotlib.axes.Axes:
        """Draw a count against a variable, on logarithmic axes if the values span decades.

        Parameters
        ----------
        variable : str, optional
            What the horizontal axis shows; by default the variable with the most values.
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure, which pyplot does not know.
        metric : {"flops", "macs", "int_ops", "bytes", "intensity", "saved_bytes", "peak_bytes"}
            ``intensity`` is FLOPs per byte.
        node : str
            Path of a node; the whole run if it is left out.
        lines : str, optional
            ``modules`` draws a line for each module inside the node. The name of another variable
            draws a line for each of its values. By default, the other variable with the most
            values, or else modules. Variables that are not shown have their largest value.
        per : str, optional
            A variable that the count is divided by: ``per="tokens"`` draws FLOPs for each token.

        Raises
        ------
        KeyError
            If there is no such node.
        ValueError
            If there is no such variable or metric.
        """
        from ipyflops.views import plot

        options = {"metric": metric, "node": node, "lines": lines, "per": per}
        axes: matplotlib.axes.Axes = plot(self, variable, ax, **options)
        return axes

    def __str__(self) -> str:
        from ipyflops.views import to_text

        return to_text(self)

    def __repr__(self) -> str:
        shape = " × ".join(f"{len(variable.values)} {variable.name}" for variable in self.variables)
        return printable(f"<Sweep of {shape}: {self.growth()}>")

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from ipyflops.views import mime_bundle

        return mime_bundle(self, view="html")


def growth_of(
    counted: Sweep, paths: Sequence[str], metric: str, *, own: bool = False
) -> tuple[list[int], Growth]:
    """Return the counts of several nodes together at each point, and how they grow."""
    counts = counts_of(counted.points, paths, metric, own)
    further = counts_of(counted.checks, paths, metric, own)
    checks = [(point.values, n) for point, n in zip(counted.checks, further, strict=True)]
    # Of the moments that may be the peak, one wins from some size on, which need not be small.
    most_dropped = len(counts) if metric == PEAK else MAX_DROPPED
    return counts, fit(counted.variables, counts, checks, METRICS[metric].name, most_dropped)


def counts_of(
    points: Sequence[Point], paths: Sequence[str], metric: str, own: bool = False
) -> list[int]:
    """Return the counts of several nodes together at each point; zero where there is none.

    They add up, but for peaks: those are of all memory together, so the largest counts.
    """
    return [_count(point, paths, metric, own) for point in points]


def _count(point: Point, paths: Sequence[str], metric: str, own: bool) -> int:
    nodes = [point.nodes[path] for path in paths if path in point.nodes]
    if metric == PEAK:
        memory = point.report.memory
        # The peak may stand before the first operator, and then it is in no node.
        whole = [memory.peak] if memory is not None and "" in paths else []
        return max([*whole, *(node.peak_bytes for node in nodes)], default=0)
    if metric in OF_MEMORY:
        counts: list[int] = [getattr(node, metric) for node in nodes]
        inside = [getattr(child, metric) for node in nodes for child in node.children]
        return sum(counts) - sum(inside) if own else sum(counts)
    totals = [node.own if own else node.totals for node in nodes]
    return sum(getattr(one, metric) for one in totals)


def _under(point: Point, convention: str) -> Point:
    return Point(point.values, point.report.under(convention))


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values))
