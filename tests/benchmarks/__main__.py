"""`make bench`: what counting costs, and what each tool finds.

python -m tests.benchmarks [--rounds N] [--threads N] [workload ...]
"""

from __future__ import annotations

import argparse
import os
import platform
import traceback
from datetime import date
from statistics import median

import torch

from ipyflops.measuring import cpu_name
from ipyflops.units import duration
from tests.benchmarks import bench_display, llama, workloads
from tests.benchmarks.counters import WAYS
from tests.benchmarks.kernel_time import kernel_ratio
from tests.benchmarks.rounds import Result, added, measure, ratio

TITLES = ("", "time", "× plain", "added, × no-op", "found")


def main() -> None:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=None, help="of torch")
    names = [*(make.__name__ for make in workloads.ALL), llama.NAME, "display"]
    parser.add_argument("workload", nargs="*", help=f"of {', '.join(names)}")
    options = parser.parse_args()
    unknown = set(options.workload) - set(names)
    if unknown:
        parser.error(f"there is no workload {', '.join(sorted(unknown))}")
    if options.threads:
        torch.set_num_threads(options.threads)
    print(
        f"{date.today()}, {cpu_name()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"load {os.getloadavg()[0]:.1f}; medians of {options.rounds} interleaved rounds"
    )
    # Some tools print what went wrong themselves, beside raising it.
    traceback.print_exc = lambda *_, **__: None  # type: ignore[assignment]
    counted = [name for name in options.workload if name not in (llama.NAME, "display")]
    for work in workloads.each(counted) if counted or not options.workload else ():
        print(f"\n{work.name}\n", flush=True)
        _show(measure(work, WAYS, options.rounds))
        if work.inner == 1:
            share = kernel_ratio(work, options.rounds)
            print(f"\nkernel time is {share:.3f} of a clean run's wall time", flush=True)
    if not options.workload or llama.NAME in options.workload:
        llama.show()
    if not options.workload or "display" in options.workload:
        print("\ndisplay in JupyterLab\n", flush=True)
        bench_display.main()


def _show(results: list[Result]) -> None:
    plain, floor = results[0], results[1]
    rows = [TITLES]
    for result in results:
        if result.skipped:
            rows.append((result.way.name, "—", "—", "—", result.skipped))
            continue
        rows.append(
            (
                result.way.name,
                duration(median(result.seconds)),
                f"{ratio(result, plain):.2f}",
                _added(result, floor, plain),
                result.found,
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, *numbers, found in rows:
        cells = [text.rjust(width) for text, width in zip(numbers, widths[1:], strict=False)]
        print("  ".join([name.ljust(widths[0]), *cells, found]))


def _added(result: Result, floor: Result, plain: Result) -> str:
    share = None if result is plain else added(result, floor, plain)
    return "" if share is None else f"{share:.2f}"


if __name__ == "__main__":
    main()
