"""What ``-t`` and ``--peak`` add to a report: clean repeats, and the peak of the device."""

from __future__ import annotations

import sys
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
from ipyflops.measuring import peak, variables_of
from ipyflops.report import Peak, Report


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
    # Only here: torch's benchmark takes long to import.
    from ipyflops.measuring.clean_repeats import time_again

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
    return replace(report, timing=timing)


def with_peak(report: Report, *, quiet: bool = False) -> Report:
    """Measure the peak of the device that the report's kernels ran on.

    A dtype whose products cannot be measured has no peak, and a note says so.
    """
    progress = _silent if quiet else _print_progress
    dtypes = [name for name, totals in report.by_dtype.items() if totals.flops]
    rates = {}
    device_peak: Peak | None = None
    notes = list(report.notes)
    for name in dtypes or ["float32"]:
        dtype = getattr(torch, {"complex32": "float16"}.get(name, name), torch.float32)
        dtype = dtype.to_real() if dtype.is_complex else dtype
        try:
            dtype_peak = peak(report.device, dtype, progress=progress)
        except ValueError as error:
            note = f"no peak for {name}, whose FLOPs are left out of the utilisation: {error}"
            if note not in notes:
                notes.append(note)
            continue
        device_peak = device_peak or dtype_peak
        rates[dtype_peak.rates[0].dtype] = dtype_peak.rates[0]
    if device_peak is None:
        return replace(report, notes=tuple(notes))
    device_peak = replace(device_peak, rates=tuple(rates.values()))
    return replace(report, peak=device_peak, notes=tuple(notes))


def _print_progress(text: str) -> None:
    print(f"ipyflops: {text} …", file=sys.stderr, flush=True)


def _silent(_: str) -> None:
    pass
