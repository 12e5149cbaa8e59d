"""The headline of a report: its figures in one line, each with its definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ipyflops.costs.conventions import Convention
from ipyflops.units import duration, percent, scaled
from ipyflops.views.rows.bounds import bound_notes
from ipyflops.views.rows.headline_item import Figure
from ipyflops.views.rows.ranks import rank_figures
from ipyflops.views.rows.rates import clean_figures, peak_figures, timing_notes, timing_warnings
from ipyflops.views.rows.visible import shortened, visible

if TYPE_CHECKING:
    from ipyflops.report.report import Report

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


@dataclass(frozen=True, slots=True)
class Headline:
    """What a report says first.

    Attributes
    ----------
    figures : tuple of Figure
        An error first, then the counts and rates, then warnings.
    convention : Figure
        As ``[standard]``.
    notes : tuple of str
        The report's notes.
    """

    figures: tuple[Figure, ...]
    convention: Figure
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All figures and the convention in one line."""
        return f"{' · '.join(figure.text for figure in self.figures)}   {self.convention.text}"

    def toned(self, tone: Literal["plain", "warning", "error"]) -> tuple[Figure, ...]:
        """The figures of one tone."""
        return tuple(figure for figure in self.figures if figure.tone == tone)


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
    figures = _incomplete(report)
    if report.totals.calls:
        figures += [*_counts(report), *_rates(report), *clean_figures(report)]
        figures += [*peak_figures(report), *rank_figures(report)]
        if per is not None:
            figures.append(_per_item(report, *per))
        figures += timing_warnings(report)
        figures += _unknown(report)
    else:
        figures.append(
            Figure("no operator ran, nothing to count", "No PyTorch operator ran in this block.")
        )
    return Headline(
        figures=tuple(figures),
        convention=Figure(f"[{report.convention}]", CONVENTIONS[report.convention]),
        notes=tuple(visible(note) for note in _notes(report)),
    )


def _notes(report: Report) -> tuple[str, ...]:
    return (*report.notes, *timing_notes(report), *bound_notes(report))


def _incomplete(report: Report) -> list[Figure]:
    if report.complete:
        return []
    if not report.error:
        return [
            Figure("incomplete: not finished", "Counted so far; there is more to come.", "error")
        ]
    cause = shortened(visible(report.error), ERROR_LENGTH)
    return [Figure(f"incomplete: {cause}", "Counted is what ran before the error.", "error")]


def _counts(report: Report) -> list[Figure]:
    figures = [
        Figure(
            scaled(report.flops, "FLOPs"),
            f"{report.flops:,} floating point operations. {CONVENTIONS[report.convention]}",
        ),
        Figure(
            scaled(report.macs, "MACs"),
            f"{report.macs:,} multiply-accumulates of matrix products, convolutions and "
            "attention. 1 MAC = 2 FLOPs.",
        ),
    ]
    if report.int_ops:
        figures.append(
            Figure(
                f"{scaled(report.int_ops)} integer ops",
                f"{report.int_ops:,} integer operations, which are not part of the FLOPs.",
            )
        )
    return figures


def _rates(report: Report) -> list[Figure]:
    if not report.seconds:
        return []
    figures = [
        Figure(
            f"{duration(report.seconds)} in kernels",
            "Kernel time, one run: the time inside the operators of the counted run, "
            "without Python and without the counting.",
        )
    ]
    if report.flops:
        figures.append(
            Figure(
                scaled(report.flops_per_second, "FLOPS"),
                "FLOPs per second of kernel time, in the one counted run.",
            )
        )
    return figures


def _per_item(report: Report, items: int, unit: str) -> Figure:
    unit = visible(unit) or "item"
    # A whole quotient is written without decimals.
    value = report.flops // items if report.flops % items == 0 else report.flops / items
    return Figure(
        f"{scaled(value, 'FLOPs')} per {unit}", f"The FLOPs divided by {items:,}, one {unit} each."
    )


def _unknown(report: Report) -> list[Figure]:
    unknown = report.unknown
    if not unknown:
        return []
    named = [
        f"{shortened(visible(name), NAME_LENGTH)} ×{calls:,}" for name, calls in unknown.items()
    ]
    listed = ", ".join(named[:NAMED_OPERATORS])
    if len(named) > NAMED_OPERATORS:
        listed += f" and {len(named) - NAMED_OPERATORS} more"
    count = "1 unknown operator" if len(named) == 1 else f"{len(named)} unknown operators"
    return [
        Figure(
            f"{percent(report.share_known)} of operator calls known",
            "The share of operator calls that have a formula, or are known to compute nothing.",
            "warning",
        ),
        Figure(
            f"{count}: {listed}",
            "No formula is known for these, so they count as 0 FLOPs; "
            "ipyflops.register_formula can give them one.",
            "warning",
        ),
    ]
