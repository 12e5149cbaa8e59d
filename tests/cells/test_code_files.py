"""Files of code by the names that a reader knows them by."""

from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.cells.code_files import readable_name
from tests.shells import fresh_shell, run


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        yield shell


@pytest.mark.parametrize(
    ("filename", "name"),
    [("/home/me/train.py", "train.py"), ("<string>", "<string>"), ("", ""), ("a/", "a/")],
)
def test_a_file_has_its_own_name(filename: str, name: str) -> None:
    assert readable_name(filename) == name


def test_a_cell_has_its_number(shell: InteractiveShell) -> None:
    run(shell, "1")
    filename = run(shell, "(lambda: 0).__code__.co_filename").result
    assert readable_name(filename) == "In[2]"
    assert readable_name("/home/me/train.py") == "train.py"


@pytest.mark.parametrize(
    ("cell", "line"),
    [
        ("report = ipyflops.dry_run(work, 4)", "In[2]:3"),
        ("report = ipyflops.sweep(work, n=[1, 2]).report(n=2)", "In[2]:3"),
        (
            "with ipyflops.FlopCounter() as counter:\n    work(4)\nreport = counter.report",
            "In[3]:2",
        ),
    ],
    ids=["dry_run", "sweep", "counter"],
)
def test_lines_of_a_cell_are_named_by_it(shell: InteractiveShell, cell: str, line: str) -> None:
    run(shell, "import torch, ipyflops")
    run(shell, "# work\ndef work(n):\n    torch.ones(n) + 1")
    done = run(shell, cell)
    assert done.error is None
    assert set(shell.user_ns["report"].by_line) == {line}
