"""A kernel in which cells run again and again, and the notebooks that are saved of it."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.kernels import Cell, Kernel, kernel
from tests.thoroughness import ALL_SAMPLES

# Of tornado and zmq, which the client talks to the kernel with.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")

MEGABYTE = 1 << 20
STATE = "application/vnd.jupyter.widget-state+json"
SETUP = """\
%load_ext ipyflops
import gc, ipywidgets, torch
from ipyflops import Report
model = torch.nn.Sequential(*[torch.nn.Linear(2, 2) for _ in range(30)]).requires_grad_(False)
x = torch.ones(1, 2)

def models():
    return len(ipywidgets.Widget.get_manager_state()["state"])

def reports():
    gc.collect()
    return sum(isinstance(one, Report) for one in gc.get_objects())

def resident():
    gc.collect()
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096
"""
COUNTED = "%%flops -v report\nmodel(x)\nNone"


def run(front_end: Kernel, code: str, cell: str | None) -> Cell:
    """Run a cell as a program does that names its cells, or as one that does not."""
    content = {
        "code": code, "silent": False, "store_history": False, "user_expressions": {},
        "allow_stdin": False, "stop_on_error": False,
    }  # fmt: skip
    metadata = {} if cell is None else {"cellId": cell}
    return front_end.end(front_end.send("execute_request", content, None, metadata))


def opened(cell: Cell) -> list[int]:
    """How long the messages are that open a cell's widgets."""
    return [len(json.dumps(content)) for kind, content in cell.messages if kind == "comm_open"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
@pytest.mark.parametrize(
    ("cell", "times"),
    [("again", 1000 if ALL_SAMPLES else 300), (None, 250)],
    ids=["named", "unnamed"],
)
def test_a_cell_that_runs_again_and_again_takes_no_more_memory(
    cell: str | None, times: int
) -> None:
    code = COUNTED if cell else COUNTED.replace("-v", "--view widget -v")
    with kernel() as front_end:
        assert not front_end.run(SETUP).error
        first = run(front_end, code, cell)
        assert len(opened(first)) == 3  # the program, the layout, the view
        models, reports = [], []
        # A leak grows in each part; another library may well take some in one of them.
        resident = []
        for _ in range(10):
            for _ in range(times // 10):
                last = run(front_end, code, cell)
            models.append(front_end.value("models()"))
            reports.append(front_end.value("reports()"))
            resident.append(front_end.value("resident()"))
    # Where cells have no names, the last 20 views stay.
    views = 1 if cell else 20
    assert models == [1 + 2 * views] * 10
    assert reports == [views] * 10
    assert resident[-1] - resident[1] < 3 * MEGABYTE, resident
    assert len(opened(last)) == 2
    assert sum(opened(last)) < sum(opened(first)) - 80_000
    assert sum(opened(last)) < 16_000


def test_what_a_cell_shows_is_closed_when_it_runs_again(tmp_path: Path) -> None:
    """Several lines in a cell, an `Output` widget, displays with a name, and one report twice."""
    with kernel() as front_end:
        front_end.run(f"{SETUP}\nfrom IPython.display import clear_output, display\ncount = models")
        before = front_end.value("count()")

        def views(code: str, cell: str) -> int:
            done = run(front_end, code, cell)
            assert not done.error, done.error
            return int(front_end.value("count()")) - before - 1

        assert views("%flops -v r model(x);\n%flops model(x);", "a") == 4
        assert views("%flops model(x);\n%flops model(x);", "a") == 4
        assert views("r", "b") == 6
        assert views("display(r, r)", "b") == 8
        assert views("display(r, display_id='one')", "b") == 4  # HTML alone: see test_shown_views
        assert views("r", "b") == 6
        assert views("out = ipywidgets.Output()\nwith out:\n    %flops model(x)", "c") == 6 + 4
        # The output stays the user's, and so does the one before: each is a model and a layout.
        assert views("out = ipywidgets.Output()\nwith out:\n    %flops model(x)", "c") == 6 + 6
        assert (
            views("for _ in range(3):\n    %flops model(x);\n    clear_output()", "c") == 6 + 4 + 6
        )
        # A cell that counts nothing any more has no views.
        assert views("pass", "c") == 6 + 4
        assert views("pass", "b") == 4 + 4
        assert views("pass", "a") == 4


def saved(path: Path, *cells: str, **options: Any) -> nbformat.NotebookNode:
    """Run a notebook as nbconvert and papermill do, and write it."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=240, kernel_name="python3", **options).execute()
    nbformat.write(notebook, path)
    return notebook


@pytest.mark.parametrize("store", [True, False])
def test_a_saved_notebook_has_each_report_once_and_the_program_once(
    tmp_path: Path, store: bool
) -> None:
    path = tmp_path / "saved.ipynb"
    cells = [COUNTED.replace("-v", "--view widget -v")] * 5
    few = saved(path, SETUP, cells[0], store_widget_state=store)
    size = path.stat().st_size
    many = saved(path, SETUP, *cells, store_widget_state=store)
    more = (path.stat().st_size - size) / 4
    assert more < 60_000  # bytes for one report more, with its widget or without
    if not store:
        assert STATE not in many.metadata.get("widgets", {})
        return
    names = [
        [one["model_name"] for one in notebook.metadata.widgets[STATE]["state"].values()]
        for notebook in (few, many)
    ]
    assert [(one.count("WidgetModel"), one.count("AnyModel"), len(one)) for one in names] == [
        (1, 1, 3), (1, 5, 11),
    ]  # fmt: skip


def test_a_notebook_of_a_large_model_is_small(tmp_path: Path) -> None:
    build = (
        "import random\nrandom.seed(0)\n"
        "def part():\n"
        "    wide = random.randint(3, 300)\n"
        "    return torch.nn.Sequential(torch.nn.Linear(2, wide), torch.nn.Linear(wide, 2))\n"
        "large = torch.nn.Sequential(*[torch.nn.Sequential(*[part() for _ in range(50)])"
        " for _ in range(100)]).requires_grad_(False)\n"
        "None"
    )
    counted = [f"%%flops --by {by}\nlarge(x)\nNone" for by in ("modules", "operators", "lines")]
    path = tmp_path / "large.ipynb"
    notebook = saved(path, SETUP, build, *counted)
    sizes = [path.stat().st_size]
    for cell in notebook.cells[2:]:
        [shown] = cell.outputs
        assert "places are not shown here" in shown["data"]["text/html"]
        cell.outputs = []
        nbformat.write(notebook, path)
        sizes.append(path.stat().st_size)
    modules, *others = [before - after for before, after in itertools.pairwise(sizes)]
    assert modules < 200_000
    assert max(others) < 60_000
