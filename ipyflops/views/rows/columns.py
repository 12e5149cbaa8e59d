"""Which columns a table has, and what is in their cells: plain data that each form then writes.

A form (text, HTML, the browser) has room for other columns than another, so each has a `Layout` for
each of its tables. Whether a column says anything about a report is the metric's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ipyflops.costs import METRICS, Metric, Totals, check_choice
from ipyflops.report import Report, Scope


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
        (*_FLOPS, "calls", *_RATES, "intensity"), stays=("flops",), zeros=_LIST_ZEROS
    ),
    "lines": Layout(
        ("flops", "share", "calls", "seconds", "flops_per_second"),
        stays=("flops",),
        zeros=_LIST_ZEROS,
    ),
    "ranks": Layout(
        ("flops", "share", "seconds", "flops_per_second", "communicated"),
        stays=("flops", "communicated"),
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
#: Names of several columns at once.
GROUPS: dict[str, tuple[str, ...]] = {
    "shapes": ("input", "output", "kernel"),
    "params": ("parameters", "trainable", "frozen"),
}
#: What a count records only where it is asked for: `FlopCounter` has ``shapes=True`` for it.
RECORDED = frozenset((*GROUPS["shapes"], "trainable", "frozen"))
#: The columns that a table has only where they are asked for.
OPTIONAL: tuple[str, ...] = tuple(key for key, metric in METRICS.items() if metric.optional)


#: Whether a scope has any of what the columns of shapes need.
_OF_SHAPES: dict[str, Callable[[Scope], object]] = {
    "shapes": lambda scope: scope.shapes.input or scope.shapes.output,
    "kernel": lambda scope: scope.shapes.kernel,
    "trainable": lambda scope: scope.shapes.trainable >= 0,
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of numbers.

    Attributes
    ----------
    metric : Metric
    values : tuple of float, str or None
        None where a row has no numbers; texts of a metric that is no number.
    texts : tuple of str
        Empty where there is nothing to say.
    """

    metric: Metric
    values: tuple[float | str | None, ...]
    texts: tuple[str, ...]


def columns(
    report: Report,
    layout: Layout,
    totals: Sequence[Totals | None],
    *,
    places: Mapping[str, Sequence[float | str | None]] | None = None,
    extra: Sequence[str] = (),
) -> list[Column]:
    """Give the columns of a table that say something about a report.

    Parameters
    ----------
    report : Report
    layout : Layout
    totals : sequence of Totals or None
        Of each row; None where it has no numbers.
    places : mapping of str to sequence, optional
        What each row has that is no sum, by its metric's key; only a tree of modules has that.
    extra : sequence of str
        Keys of metrics, or names of `GROUPS`, to be shown besides, as far as the table has them.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    asked = chosen(extra)
    keys = [key for key in (*layout.keys, *asked) if places or not METRICS[key].of_place]
    places = places or {}
    return [
        _column(report, layout, metric, totals, places)
        for metric in that_matter(report, dict.fromkeys(keys), layout, places)
    ]


def chosen(names: Sequence[str]) -> tuple[str, ...]:
    """Give the keys of metrics that names of columns and of groups of them stand for.

    Raises
    ------
    ValueError
        If there is no such column.

    Examples
    --------
    >>> chosen(("macs", "params"))
    ('macs', 'parameters', 'trainable', 'frozen')
    """
    keys: dict[str, None] = {}
    for name in names:
        check_choice(name, (*GROUPS, *METRICS), f"there is no column {name!r}")
        keys |= dict.fromkeys(GROUPS.get(name, (name,)))
    return tuple(keys)


def _column(
    report: Report,
    layout: Layout,
    metric: Metric,
    totals: Sequence[Totals | None],
    places: Mapping[str, Sequence[float | str | None]],
) -> Column:
    values: list[float | str | None] = (
        list(places[metric.key])
        if metric.of_place
        else [None if one is None else metric.value(one, report.totals) for one in totals]
    )
    has_zeros = metric.key in layout.zeros
    texts = [
        value
        if isinstance(value, str)
        else ("" if value is None or not (value or has_zeros) else metric.short(value))
        for value in values
    ]
    return Column(metric, tuple(values), tuple(texts))


def that_matter(
    report: Report,
    keys: Iterable[str],
    layout: Layout | None = None,
    places: Mapping[str, Sequence[float | str | None]] | None = None,
) -> list[Metric]:
    """Give the metrics of some keys that say something about a report."""

    def known(name: str) -> object:
        if layout is not None and name in layout.stays:
            return True
        if name == "repeated_calls":
            return any(scope.calls > 1 for scope in report.scopes)
        if name in _OF_SHAPES:
            return any(map(_OF_SHAPES[name], report.scopes))
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
