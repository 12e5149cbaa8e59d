"""The notebook stays as it was while a magic runs: streams, settings, hooks and variables.

In a real kernel, with a thread that prints and logs, a subshell that answers messages, a slider
that is moved and an older report that is clicked in. `tests/rehearsal/test_old_kernel.py` does the
same in an old kernel.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ipyflops.magics.options import OPTIONS, RULES, Option
from tests.kernels import Kernel, kernel
from tests.safety import notebook_watch
from tests.safety.notebook_watch import Beside, check

# Of tornado and zmq, which the client talks to the kernel with.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
    # One kernel serves all tests of this file.
    pytest.mark.xdist_group("notebook"),
]


@pytest.fixture(scope="module")
def notebook() -> Iterator[Kernel]:
    with kernel() as one:
        notebook_watch.prepare(one)
        yield one


@pytest.fixture(scope="module")
def beside(notebook: Kernel) -> Beside:
    return Beside(notebook, notebook.subshell())


def values(option: Option) -> list[str]:
    """Values that an option can have, one for each way it can go."""
    if option.choices:
        return [*option.choices, *([""] if option.kind == "device" else [])]
    return {
        "columns": ["shapes,params"],
        "switch": [""],
        "number": ["2"],
        "positive number": ["2"],
        "seconds": ["60"],
        "items": ["4:token"],
        "devices": ["H100@0.5,T4"],
        "variable": ["kept"],
        "report": ["base"],
        "file": ["{folder}/report.json"],
    }[option.kind]


def lines() -> list[str]:
    """A line for each option and value, with the options that it needs."""
    flags = {option.name: option.flags[0] for option in OPTIONS}
    needed = {
        name: flags[rule.other] for rule in RULES if rule.relation == "needs" for name in rule.names
    }
    return [
        " ".join(filter(None, (needed.get(option.name), option.flags[-1], value)))
        for option in OPTIONS
        for value in values(option)
    ]


def is_refused(options: str) -> bool:
    """Whether there is nothing that the line could run on: no engines."""
    return "--ranks" in options


@pytest.mark.parametrize("options", ["", *lines()])
def test_a_cell_changes_nothing_but_what_it_says(
    notebook: Kernel, beside: Beside, options: str
) -> None:
    cell = check(beside, notebook, f"%%flops {options}\nwork(x)", fake="--fake" in options)
    assert bool(cell.error) == is_refused(options), cell.reply


@pytest.mark.parametrize(
    "code",
    [
        "%flops work(x)",
        "def f(y):\n    %flops -t -n1 -r2 (lambda: work(y))()\nf(x)",
        "%%flops -t\nwork(x); time.sleep(0.3)",
        "%%flops -t -n1 -r3 --restore\nwork(x)",
        "%flops",
        "r = %flops -o work(x)",
        "%flops -c nonsense work(x)",
        "%reload_ext ipyflops",
    ],
)
def test_other_cells_neither(notebook: Kernel, beside: Beside, code: str) -> None:
    cell = check(beside, notebook, code)
    assert bool(cell.error) == ("nonsense" in code), cell.reply


@pytest.mark.parametrize("options", ["", "-t -n1 -r2", "--fake"])
def test_a_cell_that_fails_neither(notebook: Kernel, beside: Beside, options: str) -> None:
    cell = check(beside, notebook, f"%%flops {options}\nwork(x)\n1/0", fake="fake" in options)
    assert "ZeroDivisionError" in cell.error


# --- what a cell shows ---------------------------------------------------------------------------


def test_repeats_show_nothing_and_what_they_make_lives(notebook: Kernel) -> None:
    notebook_watch.check_repeats(notebook)


def test_the_report_takes_the_place_of_the_progress_line(notebook: Kernel) -> None:
    notebook_watch.check_progress(notebook)
