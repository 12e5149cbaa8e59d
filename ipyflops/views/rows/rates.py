"""The headline's items of clean repeats and of the peak, and what has to be said of them."""

from __future__ import annotations

from ipyflops.report import Report
from ipyflops.units import duration, number, percent, scaled
from ipyflops.views.rows.headline_item import HeadlineItem
from ipyflops.views.rows.visible import shortened, visible

#: So much is repeated of why repeats say nothing.
REASON_LENGTH = 300
#: The headline says how busy a GPU was if it was at work for less than that share of the time.
BUSY = 0.5


def clean_items(report: Report) -> list[HeadlineItem]:
    """Time and rate of the clean repeats."""
    timing = report.timing
    if timing is None or not timing.seconds:
        return []
    items = [
        HeadlineItem(
            f"{duration(timing.median)} clean",
            f"Wall time of one run with nothing intercepted: the median of {timing.repeats:,} "
            f"repeats of {timing.loops:,} each, interquartile range {duration(timing.iqr)}, "
            f"{number(timing.threads, 'thread')}.",
        )
    ]
    rate = timing.flops_per_second(report.flops)
    if rate:
        items.append(
            HeadlineItem(
                f"{scaled(rate, 'FLOPS')} clean",
                "The counted FLOPs per second of a clean run's wall time.",
            )
        )
    return items


def busy_items(report: Report) -> list[HeadlineItem]:
    """Say that a GPU waited for the CPU most of the time, which faster kernels would not change."""
    if not report.device.startswith(("cuda", "xpu")) or not report.seconds:
        return []
    times = report.timing.seconds if report.timing is not None else ()
    share = report.seconds / min(times) if times else report.busy_share
    if share is None or share >= BUSY:
        return []
    whole = "a clean run" if times else "the block, counting included"
    return [
        HeadlineItem(
            f"{visible(report.device)} busy {percent(share)}",
            f"Kernel time as a share of {whole}: the rest of the time the device waited for the "
            "CPU, which launches kernels too slowly to keep it busy.",
            "warning",
        )
    ]


def peak_items(report: Report) -> list[HeadlineItem]:
    """MFU, and HFU where something is recomputed; of a run without products the share of all."""
    mfu, hfu = report.mfu, report.hfu
    if report.peak is None or mfu is None or hfu is None:
        return []
    clean = report.timing is not None and report.timing.flops_per_second(report.flops)
    time = "a clean run" if clean else "the kernel time"
    measured = f"Measured: {visible(str(report.peak))}."
    whole = _whole(report)
    if not hfu:
        share = report.totals.peak_seconds / report.step_seconds
        if not share:
            return []
        definition = f"All FLOPs at their peak, as a share of {time}. {_busy(share)}{measured}"
        return [HeadlineItem(f"{percent(share)} of {whole}", definition)]
    definition = (
        "Model FLOPs utilisation (PaLM, appendix B): the time that the products of the forward and "
        "backward pass would take at the rate of large ones, each dtype at its own, without "
        f"recomputation, as a share of {time}. {_busy(mfu)}{measured}"
    )
    items = [HeadlineItem(f"MFU {percent(mfu)} of {whole}", definition)]
    if hfu > mfu:
        definition = f"Hardware FLOPs utilisation: as MFU, with what is recomputed. {_busy(hfu)}"
        items.append(HeadlineItem(f"HFU {percent(hfu)}", definition.rstrip()))
    return items


def _whole(report: Report) -> str:
    """What the share is of: the rates of the dtypes that matter."""
    assert report.peak is not None
    # A dtype that does next to nothing needs no mention.
    rates = {
        name: rate
        for name, totals in report.by_dtype.items()
        if totals.flops * 100 > report.flops and (rate := report.peak.rate(name)) is not None
    }
    kind = visible(report.peak.kind)
    if len(rates) == 1:
        (rate,) = rates.values()
        mode = f" ({visible(rate.mode)})" if rate.mode else ""
        return f"this {kind}'s {scaled(rate.flops_per_second, 'FLOPS')}{mode}"
    listed = ", ".join(
        f"{name} {scaled(rate.flops_per_second, 'FLOPS')}" for name, rate in rates.items()
    )
    return f"this {kind}'s peak ({visible(listed)})"


def _busy(share: float) -> str:
    if share <= 1:
        return ""
    return (
        "More than all means that the peak was measured on a busy machine. "
        "ipyflops.peak(fresh=True) measures it again. "
    )


def peak_warnings(report: Report) -> list[HeadlineItem]:
    """The dtypes whose operators ran faster than the peak of that dtype, which cannot be."""
    return [
        HeadlineItem(
            f"suspicious: {percent(totals.utilization)} of the peak in {visible(dtype)}",
            f"What counts as {visible(dtype)} took less kernel time than it can: the peak was "
            "measured on a busy machine (ipyflops.peak(fresh=True) measures it again), the "
            "products run in another precision, or the count is too high.",
            "warning",
        )
        for dtype, totals in report.by_dtype.items()
        if totals.utilization > 1
    ]


def timing_warnings(report: Report) -> list[HeadlineItem]:
    """What speaks against the clean time."""
    timing = report.timing
    if timing is None:
        return []
    items = []
    if timing.refusal:
        reason = shortened(visible(timing.refusal), REASON_LENGTH)
        items.append(
            HeadlineItem(
                f"no clean FLOPS: {reason}",
                "Repeats tell the rate of the counted FLOPs only if they do the same FLOPs.",
                "warning",
            )
        )
    if not timing.steady:
        items.append(
            HeadlineItem(
                f"the clean times vary: interquartile range {percent(timing.spread)} "
                "of their median",
                "Something else may have kept the machine busy.",
                "warning",
            )
        )
    return items


def timing_notes(report: Report) -> tuple[str, ...]:
    """How often the code ran, and what that left behind."""
    timing = report.timing
    if timing is None:
        return ()
    times = "twice" if timing.runs == 2 else f"{timing.runs:,} times"
    said = f"the code ran {times} in all, counted once"
    if timing.seconds:
        each = f" of {timing.loops:,} runs each" if timing.loops > 1 else ""
        said += f"; clean time is the median of {timing.repeats:,} repeats{each}"
        said += f", IQR {duration(timing.iqr)}"
    notes = [said]
    moved = ", ".join(timing.moved)
    if timing.restored:
        notes.append(
            "modules, optimizers, tensors, variables and random numbers that it names were put back"
        )
        if moved:
            notes.append(f"not put back, because it does not take its own state: {moved}")
    elif moved:
        notes.append(f"the repeats moved {moved} on; --restore puts them back")
    if timing.remark:
        notes.append(timing.remark)
    return tuple(notes)
