"""Code on the CPU sets up no accelerator, however it is counted, timed and measured."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import ipyflops

HERE = Path(__file__).parent
PACKAGE = Path(ipyflops.__file__).parent


def test_no_question_on_the_cpu_forbids_cuda_to_forked_processes(tmp_path: Path) -> None:
    """Nor in a library that is asked: PyTorch's benchmark and its fake tensors ask, too."""
    done = subprocess.run(
        [sys.executable, str(HERE / "device_questions.py")],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path), "MPLBACKEND": "agg"},
        cwd=HERE.parents[1],
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout.splitlines()[-1]) == []


#: Names of `torch.cuda` and its like that set up no device.
HARMLESS = {"is_initialized", "current_accelerator", "_is_in_bad_fork"}
#: Functions that are called with something that lies on the device, which is set up then; and the
#: one that is asked for whatever device there is.
WITH_A_DEVICE = {
    ("counting/beside_dispatch.py", "replay"),  # of a CUDA graph
    ("counting/cuda_clock.py", "_device_of"),  # only where the process uses CUDA
    ("counting/cuda_clock.py", "_gate"),  # of a span, whose call has a tensor there
    ("counting/cuda_clock.py", "_end_block"),
    ("counting/cuda_devices.py", "__init__"),
    ("counting/cuda_devices.py", "new_event"),
    ("counting/graphs.py", "set"),  # looks up the class of graphs, and asks nothing
    ("counting/graphs.py", "set_back"),
    ("dry_runs/cuda/device.py", "__init__"),  # only where the user names CUDA
    ("formulas/special_tensors.py", "can_be_read"),
    ("formulas/arithmetic_dtype.py", "_in_tf32"),
    ("measuring/devices.py", "of"),
    ("measuring/meter.py", "_end"),  # only where the counted step ran on one, or the user says so
    ("measuring/meter.py", "_learn"),
    ("measuring/devices.py", "data_sheet"),
    ("measuring/peaks.py", "_device"),
}
MODULES = ("cuda", "xpu", "mps", "accelerator")


def uses() -> Iterator[tuple[str, str, str]]:
    """Every use of `torch.cuda` and its like: the file, the function, and the name that is used.

    A module that is bound to a name is followed: ``cuda: Any = torch.cuda``.
    """
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            names = {
                node.targets[0].id if isinstance(node, ast.Assign) else node.target.id  # type: ignore[attr-defined, union-attr]
                for node in ast.walk(function)
                if isinstance(node, (ast.Assign, ast.AnnAssign)) and _is_module(node.value)
            }
            for node in ast.walk(function):
                if isinstance(node, ast.Attribute) and (
                    _is_module(node.value)
                    or (isinstance(node.value, ast.Name) and node.value.id in names)
                ):
                    yield str(path.relative_to(PACKAGE)), function.name, node.attr


def _is_module(node: ast.AST | None) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr in MODULES
        and isinstance(node.value, ast.Name)
        and node.value.id == "torch"
    )


def test_every_question_to_a_device_is_known() -> None:
    """A new one belongs into the list above, with the reason why the device is set up by then."""
    found = {(file, function) for file, function, name in uses() if name not in HARMLESS}
    assert found - WITH_A_DEVICE == _after_is_initialized(found - WITH_A_DEVICE)


def _after_is_initialized(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those functions that ask `is_initialized` first."""
    asks = {(file, function) for file, function, name in uses() if name == "is_initialized"}
    return found & asks
