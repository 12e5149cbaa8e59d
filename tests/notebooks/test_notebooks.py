"""The tutorials run as they lie in the repository, and lie there as they should."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from tests.notebooks.execution import execute
from tests.notebooks.tutorials import FIGURES, FOLDER, MEMORY, NAMES, badges, path_of, setup

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


# --- what a reader finds in each -----------------------------------------------------------------


def text_of(name: str) -> str:
    return "\n".join(cell.source for cell in read(name).cells if cell.cell_type == "markdown")


def read_before(name: str) -> list[str]:
    """The tutorials that one names as to be read before it."""
    (line,) = re.findall(r"\*\*Read before\*\*: (.+)\.$", text_of(name), re.M)
    return re.findall(r"\]\((\w+)\.ipynb\)", line)


@each
def test_it_names_its_time_and_what_to_have_read(name: str) -> None:
    first = read(name).cells[0].source
    assert re.search(r"^\*\*Time\*\*: \d+ minutes\. \*\*Read before\*\*: ", first, re.M)
    # What comes later is not needed, and the first tutorial needs nothing.
    assert all(other < name for other in read_before(name))
    assert bool(read_before(name)) == (name != NAMES[0])


#: Words of the field, as they are explained (in bold) and as they are used.
TERMS = {
    "kernel": r"\bkernels?\b",
    "contraction": r"\bcontractions?\b",
    "meta device": r"\bmeta device\b",
    "causal": r"\bcausal\b",
    "GQA": r"\bGQA\b",
    "MFU": r"\bMFU\b",
}


def explained(name: str) -> set[str]:
    """The terms that a tutorial explains, or one that was read before it."""
    own = {term for term in TERMS if f"**{term}**" in text_of(name)}
    return own.union(*map(explained, read_before(name)))


@pytest.mark.parametrize("term", TERMS)
@each
def test_terms_are_explained_before_they_are_used(name: str, term: str) -> None:
    text = re.sub(r"`[^`]*`|```.*?```", "", text_of(name), flags=re.S)
    used = re.search(TERMS[term], text)
    if used is None or any(term in explained(other) for other in read_before(name)):
        return
    bold = text.find(f"**{term}**")
    assert 0 <= bold <= used.start(), text[max(0, used.start() - 80) : used.end() + 80]


def exercises(name: str) -> tuple[list[str], list[str]]:
    """Numbers of exercises, and of answers."""
    before, _, after = text_of(name).partition("<details><summary>Answers</summary>")
    asked = before.rpartition("## Exercises")[2]
    numbers = re.compile(r"^(\d+)\. ", re.M)
    return numbers.findall(asked), numbers.findall(after.partition("</details>")[0])


@each
def test_every_exercise_has_its_answer(name: str) -> None:
    asked, answered = exercises(name)
    assert asked == answered == [str(number + 1) for number in range(len(asked))]
    assert len(asked) >= 3
    assert "**Find the error.**" in text_of(name)


@each
def test_what_the_text_asks_to_imagine_is_drawn(name: str) -> None:
    sources = "\n".join(cell.source for cell in code(read(name)))
    drawn = re.findall(r"^draw_\w+\(.*\);$", sources, re.M)
    charts = re.findall(r"(?:\bplot\(|plt\.subplots\()", sources)
    assert len(drawn) + len(charts) >= FIGURES.get(name, 0)


@pytest.mark.parametrize(
    ("name", "drawings"),
    [
        ("02_flops_by_layer", ["draw_convolutions", "draw_convolutions"]),
        ("03_convolutions", ["draw_convolutions", "draw_roofline"]),
        ("04_transformers", ["draw_attention"]),
    ],
)
def test_these_have_drawings(name: str, drawings: list[str]) -> None:
    sources = "\n".join(cell.source for cell in code(read(name)))
    assert re.findall(r"^(draw_\w+)\(", sources, re.M) == drawings


#: The article whose formulas the convention `article` has.
ARTICLE = "https://princep.github.io/pytorch/flops/odml/2022/09/12/FLOPs-Model.html"


@pytest.mark.parametrize("name", ["01_quickstart", "02_flops_by_layer"])
def test_the_article_is_linked_and_credited_where_it_is_taught(name: str) -> None:
    text = text_of(name)
    assert f"*[Flops Model: Benchmarking Neural Networks]({ARTICLE})*" in text
    assert "Prince" in text


def test_the_page_on_conventions_links_the_article() -> None:
    text = (FOLDER.parent / "ipyflops" / "CONVENTIONS.md").read_text(encoding="utf-8")
    assert f"]({ARTICLE})" in text
    assert "Prince" in text
