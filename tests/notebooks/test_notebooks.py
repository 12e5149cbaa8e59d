"""The tutorials run as they lie in the repository, and lie there as they should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from tests.notebooks.execution import execute
from tests.notebooks.tutorials import FOLDER, MEMORY, NAMES, badges, path_of, setup

each = pytest.mark.parametrize("name", NAMES)


def read(name: str) -> Any:
    return nbformat.read(path_of(name), as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_these_are_all() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@each
def test_it_runs_in_the_memory_of_a_binder_session(name: str, tmp_path: Path) -> None:
    done = execute(path_of(name), tmp_path / "executed.ipynb")
    done.is_as_a_reader_wants_it()
    if torch.version.cuda is None:  # Binder's build is; CUDA's libraries take room of their own
        assert done.peak_bytes < MEMORY


@each
def test_its_counts_are_checked(name: str) -> None:
    sources = [cell.source for cell in code(read(name))]
    assert sum(source.count("assert ") for source in sources) >= 5


@each
def test_it_is_stripped(name: str) -> None:
    notebook = read(name)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.metadata.language_info == {"name": "python"}
    for cell in code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None
    assert all(cell.metadata == {} for cell in notebook.cells)
    assert path_of(name).read_text(encoding="utf-8") == nbformat.writes(notebook, indent=1) + "\n"


@each
def test_its_badges_open_it(name: str) -> None:
    first = read(name).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.split("\n")[0] == badges(name)


@each
def test_its_first_code_is_for_where_ipyflops_is_missing(name: str) -> None:
    assert code(read(name))[0].source == setup()


@each
def test_it_downloads_nothing(name: str) -> None:
    sources = "\n".join(cell.source for cell in code(read(name))[1:])
    assert not re.search(r"https?://|\bpip install\b|urllib|requests|from_pretrained", sources)


@each
def test_its_links_lead_somewhere(name: str) -> None:
    text = "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")
    text = re.sub(r"`[^`]*`", "", text)
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
        assert (FOLDER / target).exists(), target
