"""The package's README shows its folders as they are, and each import goes where it says."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, ROOT, files, module, name, tree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

README = (PACKAGE / "README.md").read_text(encoding="utf-8")
#: Folders that hold what a person runs or reads, and no module.
NO_FLOOR = {"__pycache__", "static"}


def table(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of the package's README."""
    below = README.split(f"## {heading}\n", 1)[1]
    rows = re.search(r"(?:^\|.*\n)+", below, re.M)
    assert rows is not None
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows[0].splitlines()]
    return cells[2:]


def layers() -> list[set[str]]:
    """The floors of import-linter's contract, the highest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (contract,) = (
        one
        for one in project["tool"]["importlinter"]["contracts"]
        if one["name"] == "imports run down"
    )
    return [set(re.split(r"\s*[|:]\s*", layer)) for layer in contract["layers"]]


def named(cell: str) -> str:
    """The folder or file that a cell names, as ``[`magics/`](magics)``."""
    found = re.match(r"\[`([\w/.]+?)/?`\]", cell)
    assert found is not None, cell
    return found[1].removesuffix(".py")


def test_the_table_is_the_contract() -> None:
    floors: dict[int, set[str]] = {}
    for floor, folder, *_ in table("The floors"):
        floors.setdefault(int(floor), set()).add(named(folder))
    ordered = [floors[floor] for floor in sorted(floors, reverse=True)]
    assert ordered[0] == {"__init__"}
    in_table = [one for floor in ordered[1:] for one in floor]
    in_contract = [one for layer in layers() for one in layer]
    assert sorted(in_table) == sorted(in_contract)
    level = {one: floor for floor, names in floors.items() for one in names}
    heights = [{level[one] for one in layer} for layer in layers()]
    flat = [next(iter(height)) for height in heights if len(height) == 1]
    assert len(flat) == len(heights), "a layer of the contract is on one floor of the table"
    assert flat == sorted(flat, reverse=True)


def test_every_folder_and_file_has_its_floor() -> None:
    top = {
        path.stem
        for path in PACKAGE.iterdir()
        if (path.is_dir() or path.suffix == ".py") and path.name not in NO_FLOOR
    }
    assert top == {named(folder) for _, folder, *_ in table("The floors")}


def test_a_folder_asks_the_question_of_the_table() -> None:
    for _, folder, question, *_ in table("The floors"):
        path = PACKAGE / named(folder)
        if path.is_dir():
            docstring = ast.get_docstring(tree(path / "__init__.py"))
            assert docstring is not None
            assert docstring.splitlines()[0] == question


def test_features_lead_to_files() -> None:
    for feature, cell in table("Where a feature is"):
        targets = re.findall(r"\]\(([^)]+)\)", cell)
        assert targets, feature
        for target in targets:
            assert (PACKAGE / target).exists(), f"{feature}: {target}"


def test_imports_run_down_and_not_in_circles() -> None:
    """`make lint` says it as well; here a failure names the import, too."""
    program = Path(sys.executable).with_name("lint-imports")
    if not program.exists():
        pytest.skip("import-linter is not installed")
    done = subprocess.run([program, "--no-logo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


#: Files that a folder does not hand on, because of what they import: it takes long.
HEAVY = {
    "ipyflops.measuring.clean_repeats",  # torch.utils.benchmark
    "ipyflops.processes.ipyparallel_cells",  # IPython
    "ipyflops.processes.ipyparallel_collection",  # IPython
}


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports from, anywhere in it."""
    nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
    return {node.module for node in nodes if node.module and node.module.startswith("ipyflops")}


@pytest.mark.parametrize("path", files(), ids=name)
def test_a_folder_is_entered_by_its_door(path: Path) -> None:
    """Other folders import what a folder hands on, and name no file behind it."""
    own = module(path).split(".")[1:2]
    for target in imported(path):
        parts = target.split(".")
        if len(parts) > 2 and parts[1:2] != own and target not in HEAVY:
            pytest.fail(f"imports from {target}; let ipyflops.{parts[1]} hand it on")
