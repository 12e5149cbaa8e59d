"""Starts torchrun on this machine and reads what its rank 0 wrote."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ipyflops.report import Report

#: A job that takes so long hangs: seconds.
LIMIT = 300


def torchrun(ranks: int, folder: Path, *programs: str) -> subprocess.CompletedProcess[str]:
    """Run programs of `tests.processes.job` in so many processes, over gloo on loopback."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
    job = ["-m", "tests.processes.job", str(folder), *programs]
    return subprocess.run(
        [sys.executable, *launcher, *job],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def gathered(ranks: int, folder: Path, *programs: str) -> dict[str, Report]:
    """Run programs that all end well, and give what each of them gathered."""
    done = torchrun(ranks, folder, *programs)
    assert done.returncode == 0, done.stderr
    return {name: Report.load(folder / f"{name}.json") for name in programs}
