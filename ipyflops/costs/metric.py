"""One metric: its name, its unit, how it is taken from totals, and how it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from ipyflops.units import duration, percent, prefix_of, prefix_of_seconds, scaled

#: How a number is written: with a prefix, as a time, or in percent. A rate is never a whole number.
#: A text is no number: it stands as it is.
Format: TypeAlias = Literal["count", "rate", "time", "share", "text"]


#: Calls below this are written with all digits; a smaller intensity is only said to be so.
ALL_DIGITS, LEAST_INTENSITY = 100_000, 0.01


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
    format : {"count", "rate", "time", "share", "text"}
    unit : str
        Such as ``FLOPs`` or ``B``; empty where the title says what the numbers are.
    name : str
        What is counted, in a sentence or beside an axis, such as ``integer ops``.
    quantity : str
        The title where the unit stands in it, too, as in ``traffic (GB)``.
    phrase : str
        What is read after a number with its unit, such as ``in kernels``.
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
        >>> from ipyflops.costs import METRICS
        >>> METRICS["flops"].short(8_180_000_000), METRICS["communicated"].short(1020)
        ('8.18 G', '1.02 kB')
        >>> METRICS["calls"].short(1000), METRICS["intensity"].short(0.004)
        ('1,000', '<0.01')
        """
        return self._written(value, self.unit if self.unit == "B" else "")

    def long(self, value: float) -> str:
        """Write a number with its unit.

        Examples
        --------
        >>> from ipyflops.costs import METRICS
        >>> METRICS["flops"].long(8_180_000_000), METRICS["int_ops"].long(12_300)
        ('8.18 GFLOPs', '12.3 k integer ops')
        """
        text = self._written(value, self.unit)
        if self.format != "count" or self.unit:
            return text
        return f"{text} {self.name.removesuffix('s') if value == 1 else self.name}"

    def full(self, value: float) -> str:
        """Write a number so that it can be read where there is no title.

        Examples
        --------
        >>> from ipyflops.costs import METRICS
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
        if self.is_calls and 1000 <= value < ALL_DIGITS:
            return f"{value:,}"
        if self.key == "intensity" and 0 < value < LEAST_INTENSITY:
            return f"<{LEAST_INTENSITY}"
        if self.format == "share":
            return percent(value)
        return duration(value) if self.format == "time" else scaled(value, unit)

    def axis(self, largest: float) -> tuple[float, str]:
        """What to divide values by so that the largest is a small number, and the unit then.

        Examples
        --------
        >>> from ipyflops.costs import METRICS
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
