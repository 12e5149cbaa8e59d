"""Files of code by the names that a reader knows them by."""

import sys
import sysconfig
from collections.abc import Iterator

import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops.cells.code_files import is_installed, is_the_users, package_of, readable_name
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


@pytest.mark.parametrize(
    ("filename", "users", "installed"),
    [
        (torch.nn.functional.__file__, False, True),
        (ipyflops.units.__file__, False, True),
        (torch.fx.symbolic_trace(torch.nn.ReLU()).forward.__code__.co_filename, False, False),
        (pytest.__file__, True, True),
        (sysconfig.__file__, True, True),
        (__file__, True, False),
        ("<ipython-input-1>", True, False),
    ],
    ids=["torch", "ipyflops", "generated", "package", "stdlib", "own", "cell"],
)
def test_whose_a_file_is(filename: str, users: bool, installed: bool) -> None:
    assert is_the_users(filename) == users
    assert is_installed(filename) == installed


def test_which_package_a_frame_is_of() -> None:
    frames = {
        "torch.nn.modules.linear": "torch",
        "ipyflops": "ipyflops",
        "ipyflops2.x": "ipyflops2",
    }
    for module, package in frames.items():
        namespace = {"__name__": module, "sys": sys}
        assert package_of(eval("sys._getframe()", namespace)) == package
    assert package_of(eval("sys._getframe()", {"sys": sys})) == ""
