"""The headline of a report: its items in one line, each with its definition."""

from __future__ import annotations

from ipyflops.costs import Convention
from ipyflops.report import VIEWS_ONLY, Report
from ipyflops.units import duration, percent, scaled
from ipyflops.views.rows.headline_item import Headline, HeadlineItem
from ipyflops.views.rows.memory import memory_items
from ipyflops.views.rows.ranks import rank_items
from ipyflops.views.rows.rates import (
    busy_items,
    clean_items,
    peak_items,
    peak_warnings,
    timing_notes,
    timing_warnings,
)
from ipyflops.views.rows.roofline import bound_notes
from ipyflops.views.rows.visible import listed_names, shortened, visible

#: So many unknown operators are named, and so much of a name and of an error is repeated.
NAMED_OPERATORS = 5
NAME_LENGTH = 60
ERROR_LENGTH = 300

CONVENTIONS: dict[Convention, str] = {
    "standard": "Convention: every floating point operation that ran; matrix products, "
    "convolutions and attention at 2 FLOPs per multiply-accumulate.",
    "contractions": "Convention: only matrix products, convolutions and attention, at 2 FLOPs "
    "per multiply-accumulate.",
    "article": "Convention: the layer formulas of the article “Flops Model”; what it does not "
    "name is counted as under the standard convention.",
}


def headline(report: Report, *, per: tuple[int, str] | None = None) -> Headline:
    """Say what a report comes to.

    Parameters
    ----------
    report : Report
    per : (int, str), optional
        A number of items and what one is called: ``(128, "token")`` adds the FLOPs per token.

    Returns
    -------
    Headline
    """
    items = _incomplete(report)
    if report.totals.calls:
        items += [*_counts(report), *_stand_in(report), *_rates(report), *clean_items(report)]
        items += [*busy_items(report), *memory_items(report), *peak_items(report)]
        items += rank_items(report)
        if per is not None:
            items.append(_per_item(report, *per))
        items += [*timing_warnings(report), *peak_warnings(report)]
        items += _unknown(report)
    else:
        items.append(
            HeadlineItem(
                "views only, nothing to count", "PyTorch made views alone, which computes nothing."
            )
            if VIEWS_ONLY in report.notes
            else HeadlineItem(
                "no operator ran, nothing to count",
                "No PyTorch operator ran in this block.",
            )
        )
    return Headline(
        items=tuple(items),
        convention=HeadlineItem(f"[{report.convention}]", CONVENTIONS[report.convention]),
        notes=tuple(visible(note) for note in _notes(report)),
    )


def _notes(report: Report) -> tuple[str, ...]:
    notes = [note for note in report.notes if note != VIEWS_ONLY]  # the headline says it
    return (*notes, *timing_notes(report), *bound_notes(report))


def _incomplete(report: Report) -> list[HeadlineItem]:
    if report.complete:
        return []
    if not report.error:
        return [
            HeadlineItem(
                "incomplete: not finished", "Counted so far; there is more to come.", "error"
            )
        ]
    cause = shortened(visible(report.error), ERROR_LENGTH)
    return [HeadlineItem(f"incomplete: {cause}", "Counted is what ran before the error.", "error")]


def _counts(report: Report) -> list[HeadlineItem]:
    of_integers = "; of integers, 2 integer operations" if report.int_ops else ""
    items = [
        HeadlineItem(
            scaled(report.flops, "FLOPs"),
            f"{report.flops:,} floating point operations. {CONVENTIONS[report.convention]}",
        ),
        HeadlineItem(
            scaled(report.macs, "MACs"),
            f"{report.macs:,} multiply-accumulates of matrix products, convolutions and "
            f"attention. 1 MAC = 2 FLOPs{of_integers}.",
        ),
    ]
    if report.int_ops:
        items.append(
            HeadlineItem(
                f"{scaled(report.int_ops)} integer ops",
                f"{report.int_ops:,} integer operations, which are not part of the FLOPs.",
            )
        )
    return items


def _stand_in(report: Report) -> list[HeadlineItem]:
    """Say that a dry run was for another device than those that are there: it has no number."""
    if report.device == "cpu" or ":" in report.device:
        return []
    return [
        HeadlineItem(
            f"dry run for a {visible(report.device)} device that is not there",
            "Nothing was computed; the operators are those that PyTorch would run on one.",
            "warning",
        )
    ]


def _rates(report: Report) -> list[HeadlineItem]:
    if not report.seconds:
        return []
    items = [
        HeadlineItem(
            f"{duration(report.seconds)} in kernels",
            "Kernel time, one run: the time inside the operators of the counted run, "
            "without Python and without the counting.",
        )
    ]
    if report.flops:
        items.append(
            HeadlineItem(
                scaled(report.flops_per_second, "FLOPS"),
                "FLOPs per second of kernel time, in the one counted run.",
            )
        )
    return items


def _per_item(report: Report, items: int, unit: str) -> HeadlineItem:
    unit = visible(unit) or "item"
    # A whole quotient is written without decimals.
    value = report.flops // items if report.flops % items == 0 else report.flops / items
    return HeadlineItem(
        f"{scaled(value, 'FLOPs')} per {unit}", f"The FLOPs divided by {items:,}, one {unit} each."
    )


def _unknown(report: Report) -> list[HeadlineItem]:
    unknown = report.unknown
    if not unknown:
        return []
    named = [
        f"{shortened(visible(name), NAME_LENGTH)} ×{calls:,}" for name, calls in unknown.items()
    ]
    listed = listed_names(named, NAMED_OPERATORS)
    count = "1 unknown operator" if len(named) == 1 else f"{len(named)} unknown operators"
    return [
        HeadlineItem(
            f"{percent(report.share_known)} of operator calls known",
            "The share of operator calls that have a formula, or are known to compute nothing.",
            "warning",
        ),
        HeadlineItem(
            f"{count}: {listed}",
            "No formula is known for these, so they count as 0 FLOPs; "
            "ipyflops.register_formula can give them one.",
            "warning",
        ),
    ]
