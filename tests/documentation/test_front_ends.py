"""The page on compatibility says of each front end how that is known, and names real tests."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.notebooks.tutorials import ROOT

PAGE = (ROOT / "ipyflops" / "COMPATIBILITY.md").read_text(encoding="utf-8")
#: The first table: the front end, what it shows, and how that is known.
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in PAGE.partition("\n\n`%%flops` works")[0].splitlines()
    if line.startswith("| ") and not line.startswith(("| | ", "| --- "))
]
NAMES = [row[0] for row in ROWS]
each = pytest.mark.parametrize("row", ROWS, ids=NAMES)


def test_the_table_is_read() -> None:
    assert {len(row) for row in ROWS} == {3}
    assert {"VS Code", "Colab", "marimo", "Voila", "scripts, pytest"} <= set(NAMES)


@each
def test_a_row_says_how_it_is_known(row: list[str]) -> None:
    """Whoever tests it says where; everything else is by documentation, and says so."""
    known = row[2].lower()
    assert known.startswith(("tested", "by documentation"))
    if known.startswith("tested"):
        assert "`tests/" in known


@each
def test_the_tests_that_a_row_names_are_there(row: list[str]) -> None:
    for name in re.findall(r"`(tests/[\w/.]+)`", row[2]):
        path = Path(ROOT, name)
        found = [path] if name.endswith(".py") else list(path.glob("test_*.py"))
        assert found, name
        assert all("def test_" in one.read_text(encoding="utf-8") for one in found), name


def test_all_tests_of_hosts_are_named() -> None:
    for path in (ROOT / "tests" / "browser" / "hosts").glob("test_*.py"):
        assert f"`tests/browser/hosts/{path.name}`" in PAGE
