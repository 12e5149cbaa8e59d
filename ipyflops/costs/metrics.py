"""What is measured: each metric once, with its name, its unit and how it is taken from totals.

Reports, views and the browser read it from here, so a new metric, or a new column of the tables, is
one entry of `METRICS`. `ipyflops.costs.totals` has the numbers that are added up, and every other
metric is a ratio of two of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from ipyflops.costs.cost import Cost
from ipyflops.units import duration, percent, prefix_of, prefix_of_seconds, scaled

#: How a number is written: with a prefix, as a time, or in percent. A rate is never a whole number.
Format: TypeAlias = Literal["count", "rate", "time", "share"]


class Call(Protocol):
    """What is known of one call of an operator, as `ipyflops.report.tables.Signature` has it."""

    @property
    def cost(self) -> Cost:
        """What it computes."""

    @property
    def bytes(self) -> int:
        """Bytes read and written."""

    @property
    def communicated(self) -> int:
        """Bytes of a collective's payload."""


#: What one call adds to totals; what is not here depends on the convention, the peak or the clock.
OF_CALL: dict[str, Callable[[Call], int]] = {
    "macs": lambda call: call.cost.macs,
    "int_ops": lambda call: call.cost.integer.value,
    "bytes": lambda call: call.bytes,
    "communicated": lambda call: call.communicated,
}


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that is measured, or a ratio of two.

    Attributes
    ----------
    key : str
        As in `Totals`, in frames and in ``columns=``.
    title : str
        Of a column.
    tip, explanation : str
        A few words for a tooltip, and all there is to say.
    format : {"count", "rate", "time", "share"}
    unit : str
        As ``FLOPs`` or ``B``; empty where the title says what the numbers are.
    name : str
        What is counted, in a sentence or beside an axis, as ``integer ops``.
    quantity : str
        The title where the unit stands in it, too, as in ``traffic (GB)``.
    phrase : str
        What is read after a number with its unit, as ``in kernels``.
    needs : tuple of str
        It says something where none of these numbers of the whole run is zero; ``peak`` is whether
        the report knows the device's peak.
    adds_up : bool
        Whether the parts of a run add up to the whole.
    ratio : tuple of (str, str) or None
        The keys of what is divided and by what.
    of_whole : bool
        Whether it is divided by the number of the whole run.
    of_place : bool
        Whether it is a number of a place of the tree and not of its totals.
    of_ranks : bool
        Whether only several processes together have any.
    optional : bool
        Whether tables have it only where it is asked for.
    column : str
        What the browser knows it by, where that is not `key`.
    """

    key: str
    title: str
    tip: str
    explanation: str = ""
    format: Format = "count"
    unit: str = ""
    name: str = ""
    quantity: str = ""
    phrase: str = ""
    needs: tuple[str, ...] = ()
    adds_up: bool = True
    ratio: tuple[str, str] | None = None
    of_whole: bool = False
    of_place: bool = False
    of_ranks: bool = False
    optional: bool = False
    column: str = ""

    def value(self, totals: object, whole: object = None) -> float:
        """Take the number from totals; 0 where there is nothing to divide by.

        Parameters
        ----------
        totals : Totals
            Or anything else that has the numbers, as a report has.
        whole : Totals, optional
            Those of the whole run, which a share of it needs.
        """
        if self.ratio is None:
            number: float = getattr(totals, self.key)
            return number
        divided, divisor = self.ratio
        below = getattr(whole if self.of_whole else totals, divisor)
        return getattr(totals, divided) / below if below else 0.0

    def short(self, value: float) -> str:
        """Write a number as it stands in a column, without the unit that the title has.

        Examples
        --------
        >>> METRICS["flops"].short(8_180_000_000), METRICS["communicated"].short(1020)
        ('8.18 G', '1.02 kB')
        """
        return self._written(value, self.unit if self.unit == "B" else "")

    def long(self, value: float) -> str:
        """Write a number with its unit.

        Examples
        --------
        >>> METRICS["flops"].long(8_180_000_000), METRICS["int_ops"].long(12_300)
        ('8.18 GFLOPs', '12.3 k integer ops')
        """
        text = self._written(value, self.unit)
        return f"{text} {self.name}" if self.format == "count" and not self.unit else text

    def full(self, value: float) -> str:
        """Write a number so that it can be read where there is no title.

        Examples
        --------
        >>> METRICS["seconds"].full(0.0381), METRICS["module_calls"].full(1)
        ('38.1 ms in kernels', '1 call')
        """
        phrase = self.phrase.removesuffix("s") if self.is_calls and value == 1 else self.phrase
        return f"{self._written(value, self.unit)} {phrase}".rstrip()

    @property
    def is_calls(self) -> bool:
        """Whether it counts calls, of which there may be one."""
        return self.phrase == "calls"

    def _written(self, value: float, unit: str) -> str:
        if self.format == "share":
            return percent(value)
        return duration(value) if self.format == "time" else scaled(value, unit)

    def axis(self, largest: float) -> tuple[float, str]:
        """What to divide values by so that the largest is a small number, and the unit then.

        Examples
        --------
        >>> METRICS["flops"].axis(8_180_000_000), METRICS["seconds"].axis(0.0381)
        ((1000000000, 'GFLOPs'), (0.001, 'ms'))
        """
        divisor, prefix = (
            prefix_of_seconds(largest) if self.format == "time" else prefix_of(largest)
        )
        return divisor, f"{prefix}{self.unit}" if self.unit else f"{prefix} {self.name}".strip()

    def matters(self, known: Callable[[str], Any]) -> bool:
        """Say whether a column of it says anything about a run.

        Parameters
        ----------
        known : callable
            Gives the whole run's number for each of `needs`.
        """
        return all(known(name) for name in self.needs)


#: Every metric by its key, in the order in which frames and the browser have them.
METRICS: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric(
            "flops",
            "FLOPs",
            "Floating point operations",
            "Floating point operations, under the convention",
            unit="FLOPs",
            name="FLOPs",
        ),
        Metric(
            "share",
            "share",
            "Share of the FLOPs of the run, in the colour of the phase",
            "Share of the whole run, in the colours of the phases",
            format="share",
            phrase="of all",
            needs=("flops",),
            ratio=("flops", "flops"),
            of_whole=True,
        ),
        Metric(
            "macs",
            "MACs",
            "Multiply-accumulates of matrix products, convolutions and attention; 1 MAC = 2 FLOPs",
            unit="MACs",
            name="MACs",
            needs=("macs",),
        ),
        Metric(
            "int_ops",
            "int ops",
            "Integer operations, which are never part of the FLOPs",
            name="integer ops",
            phrase="integer operations",
            needs=("int_ops",),
            column="integer",
        ),
        Metric(
            "replicated",
            "replicated",
            "FLOPs that another rank had computed already",
            unit="FLOPs",
            name="replicated FLOPs",
            needs=("replicated",),
            of_ranks=True,
            column="replicated_flops",
        ),
        Metric(
            "replicated_share",
            "replicated",
            "Share of its FLOPs that another rank had computed already",
            "Share of its FLOPs that another rank had computed already, on the same values",
            format="share",
            phrase="replicated",
            needs=("replicated",),
            adds_up=False,
            ratio=("replicated", "flops"),
            of_ranks=True,
            column="replicated",
        ),
        Metric(
            "communicated",
            "communicated",
            "Payload of the collectives",
            "Payload of the collectives: what a rank hands in or gets, whichever is more",
            unit="B",
            name="bytes communicated",
            phrase="communicated",
            needs=("communicated",),
            of_ranks=True,
        ),
        Metric(
            "module_calls",
            "calls",
            "How often the module was called",
            name="calls",
            phrase="calls",
            adds_up=False,
            of_place=True,
            column="calls",
        ),
        Metric(
            "flops_per_call",
            "FLOPs/call",
            "FLOPs of one call of the module: those of all its calls by their number",
            unit="FLOPs",
            name="FLOPs per call",
            phrase="per call",
            needs=("repeated_calls",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "calls",
            "calls",
            "Operator calls: views, which do nothing, are not among them",
            name="operator calls",
            phrase="calls",
            column="operators",
        ),
        Metric(
            "parameters",
            "params",
            "Elements of the parameters, those of its children included",
            "Elements of the parameters, those of the modules inside included",
            name="parameters",
            phrase="parameters",
            needs=("parameters",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "parameter_bytes",
            "param bytes",
            "Bytes of the parameters, those of its children included",
            unit="B",
            name="bytes of parameters",
            needs=("memory",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "saved_bytes",
            "saved",
            "Bytes that its forward leaves for the backward",
            unit="B",
            name="bytes saved",
            phrase="saved for the backward",
            needs=("memory",),
            of_place=True,
        ),
        Metric(
            "peak_bytes",
            "live peak",
            "The most bytes of tensors that were live while it ran",
            "The most bytes of the run's tensors that were live while it, or a module inside, ran",
            unit="B",
            name="live bytes",
            phrase="live at once",
            needs=("memory",),
            adds_up=False,
            of_place=True,
        ),
        Metric(
            "seconds",
            "time",
            "Kernel time, one run",
            "Kernel time, one run: the time inside the operators, without Python",
            format="time",
            unit="s",
            name="kernel time",
            phrase="in kernels",
            needs=("seconds",),
        ),
        Metric(
            "time_share",
            "time share",
            "Share of the kernel time of the run",
            format="share",
            phrase="of the kernel time",
            needs=("seconds",),
            ratio=("seconds", "seconds"),
            of_whole=True,
            optional=True,
        ),
        Metric(
            "flops_per_second",
            "FLOPS",
            "FLOPs per second of kernel time",
            format="rate",
            unit="FLOPS",
            name="FLOPS",
            quantity="rate",
            needs=("seconds",),
            adds_up=False,
            ratio=("flops", "seconds"),
            column="rate",
        ),
        Metric(
            "utilization",
            "of peak",
            "Share of the peak, by all FLOPs",
            "All FLOPS as a share of the measured peak, each dtype by its own, in kernel time; "
            "what is recomputed and what is no product counts too",
            format="share",
            phrase="of peak",
            needs=("seconds", "peak"),
            adds_up=False,
            ratio=("peak_seconds", "seconds"),
            optional=True,
        ),
        Metric(
            "mfu",
            "MFU",
            "Model FLOPs utilisation: share of the peak, by products, without recomputation",
            "Model FLOPs utilisation: products of the forward and backward pass, without "
            "recomputation, as a share of the measured peak, each dtype by its own",
            format="share",
            phrase="MFU",
            needs=("seconds", "mfu_seconds"),
            adds_up=False,
            ratio=("mfu_seconds", "seconds"),
        ),
        Metric(
            "hfu",
            "HFU",
            "Hardware FLOPs utilisation: share of the peak, by products, with recomputation",
            "Hardware FLOPs utilisation: as MFU, with what is recomputed",
            format="share",
            phrase="HFU",
            needs=("seconds", "recomputed_seconds"),
            adds_up=False,
            ratio=("hfu_seconds", "seconds"),
        ),
        Metric(
            "bytes",
            "bytes",
            "Bytes of the tensors read and written, once each for every operator call",
            unit="B",
            name="bytes",
            quantity="traffic",
        ),
        Metric(
            "intensity",
            "FLOPs/B",
            "Arithmetic intensity: FLOPs per byte read or written",
            format="rate",
            name="FLOPs per byte",
            phrase="FLOPs per byte",
            adds_up=False,
            ratio=("flops", "bytes"),
        ),
    )
}
