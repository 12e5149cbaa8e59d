"""What ``-t`` and ``--peak`` add to a report: clean repeats, and the peak of the device."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch

from ipyflops.cells import Shell, running
from ipyflops.magics.leftovers import Figures, Widgets
from ipyflops.magics.muting import Muted
from ipyflops.magics.options import Options
from ipyflops.magics.progress_line import ProgressLine
from ipyflops.measuring import Ceilings, mode_of, time_again, variables_of
from ipyflops.report import Peak, Rate, Report, Timing, real_dtype
from ipyflops.units import duration


def with_timing(
    report: Report,
    shell: Shell,
    code: running.CompiledCell,
    options: Options,
    local: MutableMapping[str, Any] | None,
    figures: Figures,
) -> Report:
    """Time the code again with nothing intercepted; what it prints and shows then is dropped.

    Parameters
    ----------
    report : Report
        Of the counted run.
    shell : IPython.core.interactiveshell.InteractiveShell
    code : CompiledCell
    options : Options
    local : mapping or None
        The variables of the function that a line magic stands in.
    figures : Figures
        Those of pyplot that were open before the counted run.
    """
    namespace = shell.user_ns if local is None else local
    widgets = Widgets()
    with Muted(shell) as muted, figures.repeated() as close_figures:

        def run(block: AbstractContextManager[object]) -> object:
            muted.renew()
            close_figures()
            return running.run(shell, code, block, local)

        timing = time_again(
            run,
            report,
            loops=options.loops,
            repeats=options.repeats,
            variables=variables_of(code.parts, ChainMap(namespace, shell.user_ns)),
            restore=options.restore,
            namespace=namespace,
        )
    widgets.close_new(muted.widgets, namespace, shell.user_ns)
    return replace(report, timing=timing, notes=_with_clean_time(report, timing))


def _with_clean_time(report: Report, timing: Timing) -> tuple[str, ...]:
    """The notes of a report, with what the clean repeats tell of its kernel time on a device.

    On a CPU they tell nothing: there the counted run is slower, as it is the first.
    """
    if report.device == "cpu" or not timing.seconds or not report.seconds:
        return report.notes
    kernels, clean = report.seconds, min(timing.seconds)
    if kernels <= clean:
        return report.notes
    note = (
        f"kernel time ({duration(kernels)}) is more than a whole clean run takes "
        f"({duration(clean)}): there are gaps in it, or kernels ran side by side"
    )
    return (note, *report.notes)


def with_peak(report: Report, line: ProgressLine | None) -> Report:
    """Measure the peak of the device that the report's kernels ran on, and say so on a line.

    The cell has run, and whatever goes wrong here is only a note: a dtype whose products cannot be
    measured, a device that is full or gone.
    """
    dtypes = [name for name, totals in report.by_dtype.items() if totals.flops]
    notes = list(report.notes)
    rates: dict[str, Rate] = {}
    peak: Peak | None = None
    try:
        ceilings = Ceilings(
            torch.device(report.device), progress=_silent if line is None else line.say
        )
        for name in dtypes or ["float32"]:
            note = _add_rate(ceilings, name, rates)
            if note and note not in notes:
                notes.append(note)
        if rates:
            peak = ceilings.peak(tuple(rates.values()))
        if ceilings.short_of_memory:
            notes.append(
                f"little memory is free on {report.device}: the peak was measured with smaller "
                "tensors, and is too low, perhaps"
            )
    except Exception as error:
        first = str(error).partition("\n")[0]
        notes.append(f"no peak: {type(error).__name__}: {first}".rstrip(": "))
    return replace(report, peak=peak, notes=tuple(notes))


def _add_rate(ceilings: Ceilings, name: str, rates: dict[str, Rate]) -> str:
    """Add the rate of what a report calls a dtype; if there is none, give a note that says why."""
    real = real_dtype(name)
    if real != "tf32" and not isinstance(getattr(torch, real, None), torch.dtype):
        real = "float32"  # an operator without tensors
    if real in rates:
        return ""
    try:
        # A GPU's report calls products in TF32 by that name: its float32 is plain.
        mode = "" if ceilings.device.type == "cuda" else mode_of(ceilings.device, torch.float32)
        rates[real] = ceilings.rate(real, mode if real == "float32" else "")
    except ValueError as error:
        return f"no peak for {name}, whose FLOPs are left out of the utilisation: {error}"
    return ""


def _silent(_: str) -> None:
    pass
