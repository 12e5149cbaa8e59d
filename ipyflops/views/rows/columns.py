"""Which columns a table has, and what is in their cells: plain data that each form then writes.

A form (text, HTML, the browser) has room for other columns than another, so each has a `Layout` for
each of its tables. Whether a column says anything about a report is the metric's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ipyflops.costs import METRICS, Metric, Totals, check_choice
from ipyflops.report import Report


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one table in one form.

    Attributes
    ----------
    keys : tuple of str
        Of metrics, in their order.
    stays : tuple of str
        Needs of metrics that are taken for granted: such a column stays where it is empty.
    integers : int
        Integer operations have a column where there is one or more to so many FLOPs; where it is 0,
        wherever there are any.
    zeros : tuple of str
        Metrics whose zero is written; that of any other says nothing.
    """

    keys: tuple[str, ...]
    stays: tuple[str, ...] = ()
    integers: int = 0
    zeros: tuple[str, ...] = ("flops", "share", "calls", "seconds")


_FLOPS = ("flops", "share", "int_ops")
_RATES = ("seconds", "flops_per_second", "mfu", "hfu")
_SUMS = ("flops", "share", "macs", "int_ops", "calls", *_RATES, "bytes", "intensity")
_MEMORY = ("saved_bytes", "peak_bytes")
_RANKS = ("replicated_share", "communicated")
_LIST_ZEROS = ("flops", "share", "calls")
#: In text, which has little room, integer operations matter from this share of the FLOPs on.
_TEXT_INTEGERS = 100

TEXT: dict[str, Layout] = {
    "modules": Layout(
        (
            *(*_FLOPS, *_RANKS, "module_calls", "flops_per_call", "parameters"),
            *(*_MEMORY, *_RATES),
        ),
        integers=_TEXT_INTEGERS,
    ),
    "operators": Layout((*_FLOPS, "calls", *_RATES), integers=_TEXT_INTEGERS),
    "lines": Layout((*_FLOPS, *_RATES), integers=_TEXT_INTEGERS),
    "ranks": Layout((*_FLOPS, *_RATES, "communicated"), integers=_TEXT_INTEGERS),
}
HTML: dict[str, Layout] = {
    "modules": Layout(
        (
            *("flops", "share", *_RANKS, "module_calls", "flops_per_call", "parameters"),
            *("parameter_bytes", *_MEMORY, *_RATES, "intensity"),
        )
    ),
    "operators": Layout(
        (*_FLOPS, "calls", *_RATES, "intensity"), stays=("flops", "seconds"), zeros=_LIST_ZEROS
    ),
    "lines": Layout(
        ("flops", "share", "calls", "seconds", "flops_per_second"),
        stays=("flops", "seconds"),
        zeros=_LIST_ZEROS,
    ),
    "ranks": Layout(
        ("flops", "share", "seconds", "flops_per_second", "communicated"),
        stays=("flops", "seconds", "communicated"),
        zeros=_LIST_ZEROS,
    ),
    "collectives": Layout(("calls", "communicated"), stays=("communicated",)),
}
BROWSER: dict[str, Layout] = {
    "modules": Layout(
        (
            *("flops", "share", "macs", "module_calls", "flops_per_call", "parameters"),
            *("parameter_bytes", *_MEMORY, *_RATES, "bytes", "intensity", "int_ops", *_RANKS),
        )
    ),
    "operators": Layout((*_SUMS, *_RANKS)),
    "lines": Layout((*_SUMS, *_RANKS)),
}
#: The columns that a table has only where they are asked for.
OPTIONAL: tuple[str, ...] = tuple(key for key, metric in METRICS.items() if metric.optional)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers.

    Attributes
    ----------
    metric : Metric
    values : tuple of float or None
        None where a row has no numbers.
    texts : tuple of str
        Empty where there is nothing to say.
    """

    metric: Metric
    values: tuple[float | None, ...]
    texts: tuple[str, ...]


def columns(
    report: Report,
    layout: Layout,
    totals: Sequence[Totals | None],
    *,
    places: Mapping[str, Sequence[int]] | None = None,
    extra: Sequence[str] = (),
) -> list[Column]:
    """Give the columns of a table that say something about a report.

    Parameters
    ----------
    report : Report
    layout : Layout
    totals : sequence of Totals or None
        Of each row; None where it has no numbers.
    places : mapping of str to sequence of int, optional
        The numbers of each row that are not sums, by their metric's key.
    extra : sequence of str
        Keys of metrics to be shown besides.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    places = places or {}
    keys = list(layout.keys)
    for key in extra:
        check_choice(key, _offered(places), f"there is no column {key!r}")
        if key not in keys:
            keys.append(key)
    return [
        _column(report, layout, metric, totals, places)
        for metric in that_matter(report, keys, layout, places)
    ]


def _offered(places: Mapping[str, object]) -> list[str]:
    return [key for key, metric in METRICS.items() if not metric.of_place or key in places]


def _column(
    report: Report,
    layout: Layout,
    metric: Metric,
    totals: Sequence[Totals | None],
    places: Mapping[str, Sequence[int]],
) -> Column:
    values: list[float | None] = (
        list(places[metric.key])
        if metric.of_place
        else [None if one is None else metric.value(one, report.totals) for one in totals]
    )
    has_zeros = metric.key in layout.zeros
    texts = [
        "" if value is None or not (value or has_zeros) else metric.short(value) for value in values
    ]
    return Column(metric, tuple(values), tuple(texts))


def that_matter(
    report: Report,
    keys: Sequence[str],
    layout: Layout | None = None,
    places: Mapping[str, Sequence[int]] | None = None,
) -> list[Metric]:
    """Give the metrics of some keys that say something about a report."""

    def known(name: str) -> object:
        if layout is not None and name in layout.stays:
            return True
        if name == "repeated_calls":
            return any(scope.calls > 1 for scope in report.scopes)
        if name in ("peak", "memory"):
            return getattr(report, name)
        if name == "recomputed_seconds":
            return report.totals.hfu_seconds - report.totals.mfu_seconds
        if name == "parameters":
            if places is None:
                return any(scope.parameters for scope in report.scopes)
            return any(places.get(name, ()))
        if name == "int_ops" and layout is not None and layout.integers:
            return report.int_ops * layout.integers > report.flops
        return getattr(report.totals, name)

    return [METRICS[key] for key in keys if METRICS[key].matters(known)]
