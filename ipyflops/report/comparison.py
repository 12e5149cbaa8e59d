"""Several models side by side: a row for each, a chart of any two of their numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ipyflops.costs import check_choice, with_printable_repr
from ipyflops.report.report import Report
from ipyflops.report.shown_tables import ShownAsTable
from ipyflops.report.tables import Signature
from ipyflops.units import duration, scaled

if TYPE_CHECKING:
    import matplotlib.axes

#: Operators whose outputs are what papers call activations, and how many elements these have.
_CONVOLUTIONS = ("aten::convolution", "aten::_convolution", "aten::cudnn_convolution")


def activations(report: Report) -> int:
    """Elements that convolutions and matrix products of the forward pass give, as papers count.

    Batches are included. Fused attention gives b·h·s_q·d_v of them.
    """
    total = 0
    for row in report.rows:
        signature = report.signatures[row.signature]
        if row.phase == "forward" and signature.cost.contraction and not signature.summed:
            total += row.calls * _outputs(signature)
    return total


def _outputs(signature: Signature) -> int:
    symbols = dict(signature.cost.symbols)
    if "convolution" in signature.operator:
        sides = (size for name, size in symbols.items() if name in ("oD", "oH", "oW", "oL"))
        return symbols.get("N", 1) * symbols.get("out", 0) * math.prod(sides)
    if "s_q" in symbols:
        wide = symbols.get("d_v", symbols.get("d", 0))
        return symbols.get("b", 1) * symbols.get("h", 1) * symbols["s_q"] * wide
    return symbols.get("b", 1) * symbols.get("m", 0) * symbols.get("n", 0)


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a model that a comparison shows.

    Attributes
    ----------
    title, unit : str
    value : callable
        Takes it from a report; None where there is none.
    """

    title: str
    unit: str
    value: Callable[[Report], float | None]

    def text(self, value: float | None) -> str:
        """Write it with a prefix."""
        if value is None:
            return ""
        return duration(value) if self.unit == "s" else scaled(value, self.unit)


def _peak_memory(report: Report) -> float | None:
    return None if report.memory is None else report.memory.peak


MEASURES: dict[str, Measure] = {
    "flops": Measure("FLOPs", "FLOPs", lambda report: report.flops),
    "macs": Measure("MACs", "MACs", lambda report: report.macs),
    "parameters": Measure("params", "", lambda report: _parameters(report) or None),
    "activations": Measure("acts", "", lambda report: activations(report) or None),
    "bytes": Measure("bytes", "B", lambda report: report.bytes),
    "peak_memory": Measure("peak memory", "B", _peak_memory),
    "seconds": Measure("time", "s", lambda report: report.step_seconds or None),
    "flops_per_second": Measure(
        "rate",
        "FLOPS",
        lambda report: report.flops / report.step_seconds if report.step_seconds else None,
    ),
}


def _parameters(report: Report) -> int:
    return sum(node.parameters for node in report.tree.children if node.kind == "module")


@dataclass(frozen=True)
class Comparison(ShownAsTable):
    """Reports side by side; `compare` makes one.

    Attributes
    ----------
    reports : dict of str to Report
    """

    reports: Mapping[str, Report]

    def values(self, measure: str) -> dict[str, float | None]:
        """Return a number of each model, by name.

        Parameters
        ----------
        measure : {"flops", "macs", "parameters", "activations", "bytes", "peak_memory", \
"seconds", "flops_per_second"}
            ``activations`` are the output elements of convolutions and products in the forward
            pass; ``seconds`` are those of clean repeats if there were any, else in kernels.

        Raises
        ------
        ValueError
            If there is no such measure.
        """
        one = MEASURES[check_choice(measure, MEASURES, f"there is no measure {measure!r}")]
        return {name: one.value(report) for name, report in self.reports.items()}

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures that at least one model has."""
        return tuple(
            name for name in MEASURES if any(v is not None for v in self.values(name).values())
        )

    def plot(
        self,
        kind: Literal["bar", "scatter"] = "bar",
        ax: matplotlib.axes.Axes | None = None,
        *,
        x: str = "flops",
        y: str = "seconds",
    ) -> matplotlib.axes.Axes:
        """Draw bars of one number, or a scatter plot of two with a named point for each model.

        Parameters
        ----------
        kind : {"bar", "scatter"}
        ax : matplotlib.axes.Axes, optional
            Where to draw; by default a new figure, which pyplot does not know.
        x, y : str
            Measures, as for `values`; bars are of `x`.

        Raises
        ------
        ValueError
            If there is no such kind or measure, or no model has both numbers.
        """
        from ipyflops.views import plot

        axes: matplotlib.axes.Axes = plot(self, kind, ax, x=x, y=y)
        return axes

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.reports)}>"


def compare(reports: Mapping[str, Report]) -> Comparison:
    """Compare several models side by side.

    Parameters
    ----------
    reports : mapping of str to Report
        Reports by name; the table and the charts show these names. All are read under the
        convention of the first.

    Returns
    -------
    Comparison
        It shows itself as a table; ``to_markdown()``, ``to_latex()``, ``to_frame()`` and
        ``plot("bar")`` or ``plot("scatter", x="flops", y="seconds")`` are the other forms.

    Raises
    ------
    ValueError
        If there is no report.
    TypeError
        If a value is not a report.

    Examples
    --------
    >>> ipyflops.compare({"resnet50": r1, "mobilenet": r2})           # doctest: +SKIP
    """
    if not reports:
        raise ValueError("compare needs at least one report, as {'resnet50': report}")
    for name, report in reports.items():
        if not isinstance(report, Report):
            raise TypeError(f"compare takes reports; {name!r} is of type {type(report).__name__}")
    convention = next(iter(reports.values())).convention
    return Comparison({str(name): one.under(convention) for name, one in reports.items()})
