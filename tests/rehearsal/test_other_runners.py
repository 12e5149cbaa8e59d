"""Other programs that run notebooks: the counts come out, and an error is an error."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tests.rehearsal.environments import Environment

CELLS = (
    "%load_ext ipyflops\nimport torch\nmodel = torch.nn.Linear(4, 2)",
    "%%flops\nmodel(torch.ones(3, 4))",
    "import ipyflops\nassert ipyflops.last().flops == 2 * 3 * 2 * 4",
)


@pytest.fixture(scope="module")
def prepared(environment: Environment, clone: Path) -> Environment:
    environment.install(str(clone), "ipykernel", "papermill", "nbmake", "nbconvert", "marimo")
    # papermill looks for kernels where they are installed, not for the one it runs in.
    install = [environment.python, "-m", "ipykernel", "install", "--prefix"]
    environment.run([*install, str(environment.folder), "--name", "python3"], clone)
    return environment


def write(path: Path, cells: tuple[str, ...]) -> str:
    notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, path)
    return path.name


RUNNERS = {
    "papermill": ("papermill", "{source}", "{target}"),
    "jupyter execute": ("jupyter", "execute", "{source}", "--output={target}"),
    "nbconvert": (
        *("jupyter", "nbconvert", "--to=notebook", "--execute", "{source}"),
        "--output={target}",
    ),
    "nbmake": ("python", "-m", "pytest", "--nbmake", "--overwrite", "{source}"),
}


@pytest.mark.parametrize("name", RUNNERS)
def test_a_runner_keeps_the_report(name: str, prepared: Environment, tmp_path: Path) -> None:
    source = write(tmp_path / "good.ipynb", CELLS)
    target = source if name == "nbmake" else "done.ipynb"
    command = [part.format(source=source, target=target) for part in RUNNERS[name]]
    prepared.run(command, tmp_path)
    done = nbformat.read(tmp_path / target, as_version=4)
    shown = done.cells[1].outputs[0].data
    assert "48 FLOPs" in shown["text/plain"]
    assert "48" in shown["text/html"]
    # The widget would need the network in a saved notebook; these programs get the HTML.
    assert "application/vnd.jupyter.widget-view+json" not in shown


@pytest.mark.parametrize("name", RUNNERS)
def test_a_failing_cell_fails_the_run(name: str, prepared: Environment, tmp_path: Path) -> None:
    source = write(tmp_path / "bad.ipynb", (*CELLS, "%%flops\nmodel(torch.ones(3, 5))"))
    command = [part.format(source=source, target="done.ipynb") for part in RUNNERS[name]]
    with pytest.raises(AssertionError, match="shapes cannot be multiplied"):
        prepared.run(command, tmp_path)


MARIMO = """\
import marimo

app = marimo.App()


@app.cell
def _():
    import ipyflops
    import torch

    model = torch.nn.Linear(4, 2)
    with ipyflops.FlopCounter() as counter:
        model(torch.ones(3, 4))
    counter.report
    return


if __name__ == "__main__":
    app.run()
"""


def test_marimo_shows_a_report(prepared: Environment, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(MARIMO, encoding="utf-8")
    prepared.run(["marimo", "export", "html", "app.py", "-o", "app.html", "-f"], tmp_path)
    html = (tmp_path / "app.html").read_text(encoding="utf-8")
    assert "48 FLOPs" in html
    assert "f-headline" in html
