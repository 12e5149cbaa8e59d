"""The notebook stays as it was in an old kernel, too: ipykernel 6.17, which has no subshells.

Colab has that kernel. IPython is the oldest one that the package supports.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernels import Kernel, kernel
from tests.rehearsal.environments import Environment
from tests.safety import notebook_watch
from tests.safety.notebook_watch import Beside, check
from tests.safety.test_notebook import is_refused, lines

OLD = ("ipykernel==6.17.1", "ipython==8.27.0")
# Of tornado and zmq, which the client talks to the kernel with.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.fixture(scope="module")
def notebook(environment: Environment, clone: Path) -> Iterator[Kernel]:
    environment.install(str(clone), *OLD)
    with kernel(environment.python, environment.variables) as one:
        notebook_watch.prepare(one)
        yield one


@pytest.fixture(scope="module")
def beside(notebook: Kernel) -> Beside:
    """Messages wait there until the cell has ended."""
    return Beside(notebook, None)


def test_the_kernel_is_the_old_one(notebook: Kernel) -> None:
    versions = "(__import__('ipykernel').__version__, __import__('IPython').__version__)"
    assert notebook.value(versions) == tuple(one.partition("==")[2] for one in OLD)


@pytest.mark.parametrize("options", ["", *lines()])
def test_a_cell_changes_nothing_but_what_it_says(
    notebook: Kernel, beside: Beside, options: str
) -> None:
    cell = check(beside, notebook, f"%%flops {options}\nwork(x)", fake="--fake" in options)
    assert bool(cell.error) == is_refused(options), cell.reply


def test_repeats_show_nothing_and_what_they_make_lives(notebook: Kernel) -> None:
    notebook_watch.check_repeats(notebook)


def test_the_report_takes_the_place_of_the_progress_line(notebook: Kernel) -> None:
    notebook_watch.check_progress(notebook)
