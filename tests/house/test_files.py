"""Each file fits in a head, says something once, and keeps no state of the process by the way."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import pytest

from tests.house.source import PACKAGE, code_lines, files, name, tree

MAX_LINES = 400
#: Equal lines that two places may share at most.
MAX_EQUAL = 5
#: Files under 40 lines, and why each is one.
SMALL = {
    "counting/clock.py": "the clock of a CPU, which tests stand in for",
    "formulas/families/dropout.py": "a family of its own, which the article names",
    "views/text/ranks.py": "each section of the text is a file",
}


@pytest.mark.parametrize("path", files(), ids=name)
def test_a_file_fits_in_a_head(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= MAX_LINES
    if path.name not in ("__init__.py", "__main__.py") and name(path) not in SMALL:
        assert lines >= 40, "join it with what it belongs to, or say in SMALL why it stands alone"


def test_a_small_file_has_its_reason_still() -> None:
    small = {name(path) for path in files() if path.read_text(encoding="utf-8").count("\n") < 40}
    assert set(SMALL) <= small


@pytest.mark.parametrize("path", files(), ids=name)
def test_a_file_says_what_it_is_about(path: Path) -> None:
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", files(), ids=name)
def test_no_import_of_ours_hides_from_the_running_program(path: Path) -> None:
    """A circle would show there. Types of heavy libraries may be named without importing them."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            hidden = [one for one in node.body if isinstance(one, (ast.Import, ast.ImportFrom))]
            assert not any("ipyflops" in ast.unparse(one) for one in hidden)


@pytest.mark.parametrize("path", files(), ids=name)
def test_state_lives_in_objects(path: Path) -> None:
    statements = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Global)]
    assert not statements, f"line {statements[0].lineno}" if statements else ""


def test_nothing_is_written_twice() -> None:
    """No two places share six equal lines of code."""
    places: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in files():
        lines = list(code_lines(path))
        for index in range(len(lines) - MAX_EQUAL):
            window = lines[index : index + MAX_EQUAL + 1]
            places[tuple(line for _, line in window)].append(f"{name(path)}:{window[0][0]}")
    assert [found for found in places.values() if len(found) > 1] == []


def test_tests_stand_as_the_package_stands() -> None:
    """A folder of tests is one of the package's, or is named here for what it checks."""
    whole = {
        "accelerators",
        "architectures",
        "benchmarks",
        "browser",
        "colab",
        "data",
        "documentation",
        "house",
        "libraries",
        "javascript",
        "names",
        "notebooks",
        "oracles",
        "pytorch_databases",
        "rehearsal",
        "safety",
    }
    tests = PACKAGE.parent / "tests"
    folders = {path.name for path in tests.iterdir() if path.is_dir() and path.name[0] not in "._"}
    package = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert folders - whole <= package
