"""The driver of ``make demo``: cells run one by one, and a failure reaches the exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import demo
import IPython
import pytest


def run(*cells: str) -> subprocess.CompletedProcess[str]:
    """Run cells in a process of their own: the shell is one to a process."""
    return subprocess.run(
        [sys.executable, "-c", f"import sys, demo; sys.exit(demo.run({cells!r}))"],
        cwd=Path(demo.__file__).parent,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_cells_share_a_shell_and_are_shown_as_in_a_session() -> None:
    done = run("x = 20", "%%time\nx += 1\n2 * x")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "In [1]: x = 20\n\nIn [2]: %%time\n   ...: x += 1\n   ...: 2 * x\n"
    )
    assert "Out[2]: 42" in done.stdout


@pytest.mark.parametrize(
    "cell",
    [
        "1 / 0",
        "x = (",
        "%%no_such_magic\npass",
        "%no_such_magic",
        "%load_ext no_such_extension",
        "raise SystemExit(0)",
        "raise KeyboardInterrupt",
        pytest.param(
            "%%time\n1 / 0",
            marks=pytest.mark.skipif(
                IPython.version_info[0] < 9, reason="IPython 8's %%time swallows its cell's error"
            ),
        ),
    ],
)
def test_a_failed_cell_ends_the_demo(cell: str) -> None:
    done = run(cell, "print('went', 'on')")
    assert done.returncode == 1
    assert "went on" not in done.stdout


def test_nothing_is_left_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("IPYTHONDIR", raising=False)
    assert run("1").returncode == 0
    assert list(tmp_path.iterdir()) == []
