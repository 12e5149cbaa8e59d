"""An interrupt at any moment of a dry run: nothing of it is left behind, and the process lives."""

from __future__ import annotations

import subprocess
import sys

from tests.thoroughness import ALL_SAMPLES


def test_an_interrupt_at_any_moment_leaves_nothing_behind() -> None:
    times = 1_000 if ALL_SAMPLES else 24
    command = [sys.executable, "-m", "tests.dry_runs.interrupted", str(times)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "nothing is left behind\n"
