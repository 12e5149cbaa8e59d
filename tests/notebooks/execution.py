"""Runs a notebook in a process of its own and watches how much memory it takes."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil

from tests.notebooks.tutorials import FIGURES

RUNNER = Path(__file__).with_name("runner.py")
#: Seconds between two looks at the memory.
INTERVAL = 0.25


@dataclass(frozen=True)
class Execution:
    """What came of running a notebook.

    Attributes
    ----------
    notebook : nbformat.NotebookNode
        With its outputs.
    error : str
        What the runner printed if a cell failed; empty otherwise.
    peak_bytes : int
        The most memory that the kernel and its children held: at once, as far as it was looked at,
        and at any time for the largest of them.
    name : str
    """

    notebook: Any
    error: str
    peak_bytes: int
    name: str = ""

    @property
    def pictures(self) -> int:
        """How many pictures a reader sees beside those in reports."""
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        outputs = [output for cell in cells for output in cell.outputs]
        return sum("image/png" in one.get("data", {}) for one in outputs)

    def is_as_a_reader_wants_it(self) -> None:
        """Assert that no cell failed or warned, and that reports and pictures are shown."""
        assert self.error == ""
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        outputs = [output for cell in cells for output in cell.outputs]
        # A reader is not shown warnings that the text does not speak of.
        warnings = [one.text for one in outputs if one.get("name") == "stderr"]
        # This one is about a machine that has CUDA's tools, and no GPU.
        assert [text for text in warnings if "No CUDA runtime is found" not in text] == []
        assert self.pictures >= FIGURES.get(self.name, 0)
        shown = [one.data["text/html"] for one in outputs if "text/html" in one.get("data", {})]
        assert any("ipyflops" in html for html in shown)


def execute(
    source: Path,
    target: Path,
    *,
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
) -> Execution:
    """Run a notebook as it lies in the repository, by the Python of some environment."""
    process = subprocess.Popen(
        [python, str(RUNNER), str(source), str(target)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=None if environment is None else dict(environment),
    )
    with _watched(process.pid) as most:
        printed, _ = process.communicate()
    if not target.exists():
        raise RuntimeError(f"{source.name} was not executed:\n{printed}")
    notebook = nbformat.read(target, as_version=4)
    largest = notebook.metadata.pop("peak_kilobytes") * (1024 if sys.platform == "linux" else 1)
    error = printed if process.returncode else ""
    return Execution(notebook, error, max(largest, most()), source.stem)


@contextmanager
def _watched(pid: int) -> Iterator[Any]:
    """Look at the memory of a process's descendants until the block ends."""
    over = threading.Event()
    most = 0

    def watch() -> None:
        nonlocal most
        while not over.wait(INTERVAL):
            try:
                found = psutil.Process(pid).children(recursive=True)
            except psutil.NoSuchProcess:
                return
            most = max(most, sum(map(_memory, found)))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield lambda: most
    finally:
        over.set()
        thread.join()


def _memory(process: psutil.Process) -> int:
    """Bytes that a process holds; what several share counts once among them, where Linux tells."""
    try:
        with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
