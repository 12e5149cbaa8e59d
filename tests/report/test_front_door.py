"""What other folders import from ``ipyflops.report`` and ``ipyflops.costs``, and at what price."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import ipyflops

#: Imports a folder without running the package's own ``__init__``, which imports PyTorch.
CODE = """\
import importlib, sys, types
package = types.ModuleType("ipyflops")
package.__path__ = [sys.argv[1]]
sys.modules["ipyflops"] = package
importlib.import_module(sys.argv[2])
heavy = {"torch", "IPython", "numpy", "pandas", "matplotlib", "ipywidgets", "rich"}
print(sorted(heavy & set(sys.modules)))
"""
PACKAGE = Path(ipyflops.__file__).parent
FOLDERS = ("ipyflops.report", "ipyflops.costs")


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_imports_neither_torch_nor_ipython(folder: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(PACKAGE), folder],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_name_is_there_once(folder: str) -> None:
    door = importlib.import_module(folder)
    assert len(set(door.__all__)) == len(door.__all__)
    assert [name for name in door.__all__ if not hasattr(door, name)] == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_other_folders_use_no_file_behind_it(folder: str) -> None:
    inside = PACKAGE / folder.removeprefix("ipyflops.")
    behind = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(inside)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in imported(node)
        if name.startswith(f"{folder}.")
    ]
    assert behind == []


def imported(node: ast.AST) -> list[str]:
    """The modules that a statement imports from."""
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
