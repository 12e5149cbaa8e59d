"""What ``-t`` and ``--peak`` add to a report: clean repeats, and the ceilings of the device."""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from IPython.utils.capture import capture_output

from ipyflops.cells import running
from ipyflops.cells.origin import Shell
from ipyflops.magics.options import Options
from ipyflops.report.ceilings import Peak
from ipyflops.report.report import Report


def with_timing(
    report: Report,
    shell: Shell,
    code: running.CompiledCell,
    options: Options,
    local: MutableMapping[str, Any] | None,
) -> Report:
    """Run the code again, cleanly; what it prints and shows then is dropped."""
    from ipyflops.measuring.clean_repeats import time_again
    from ipyflops.measuring.restoring import variables_of

    def run(block: AbstractContextManager[object]) -> object:
        return running.run(shell, code, block, local)

    namespace = shell.user_ns if local is None else local
    with capture_output():
        timing = time_again(
            run,
            report,
            loops=options.loops,
            repeats=options.repeats,
            variables=variables_of(code.parts, {**shell.user_ns, **namespace}),
            restore=options.restore,
            namespace=namespace,
        )
    return replace(report, timing=timing)


def with_peak(report: Report, *, quiet: bool = False) -> Report:
    """Measure the ceilings of the device that the report's kernels ran on.

    A dtype whose products cannot be measured stays without a peak, and a note says so.
    """
    from ipyflops.measuring.peaks import peak

    say = _silent if quiet else _progress
    wanted = [name for name, totals in report.by_dtype.items() if totals.flops]
    rates = {}
    found: Peak | None = None
    notes = list(report.notes)
    for name in wanted or ["float32"]:
        dtype = getattr(torch, {"complex32": "float16"}.get(name, name), torch.float32)
        dtype = dtype.to_real() if dtype.is_complex else dtype
        try:
            one = peak(report.device, dtype, progress=say)
        except ValueError as error:
            note = f"no peak for {name}, whose FLOPs are left out of the utilisation: {error}"
            if note not in notes:
                notes.append(note)
            continue
        found = found or one
        rates[one.rates[0].dtype] = one.rates[0]
    if found is None:
        return replace(report, notes=tuple(notes))
    found = replace(found, rates=tuple(rates.values()))
    return replace(report, peak=found, notes=tuple(notes))


def _progress(text: str) -> None:
    print(f"ipyflops: {text} …", file=sys.stderr, flush=True)


def _silent(_: str) -> None:
    pass
