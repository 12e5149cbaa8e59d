"""Counting and showing do not need a whole shell: `get_ipython()` may give anything, or nothing."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import IPython
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops.cells import part_of, running_shell
from ipyflops.views.shown_views import SHOWN_VIEWS
from tests.house.source import files, name, tree
from tests.shells import fresh_shell

#: These are given a shell by IPython, which has loaded the extension or runs a cell there.
GIVEN = ("magics/", "processes/", "cells/running.py", "cells/origin.py", "cells/old_ipython.py")


def parts_named() -> set[str]:
    """What the package asks a shell for: the names in each path that `part_of` is called with."""
    return {
        part
        for path in files()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "part_of"
        if isinstance(node.args[1], ast.Constant)
        for part in str(node.args[1].value).split(".")
    }


#: And others that something that is called might need.
PARTS = sorted(
    {*parts_named(), "execution_count", "user_ns", "input_transformer_manager", "displayhook"}
)


class Thin:
    """A shell that lacks some attributes, or has them and fails; its parts lack them, too."""

    def __init__(self, whole: Any, lacking: set[str], error: type[Exception]) -> None:
        self._given = (whole, lacking, error)

    def __getattr__(self, attribute: str) -> Any:
        whole, lacking, error = self.__dict__["_given"]
        if attribute in lacking:
            raise error(attribute)
        part = getattr(whole, attribute)
        is_part = attribute in PARTS and not callable(part) and not isinstance(part, (dict, list))
        return Thin(part, lacking, error) if is_part or attribute == "compile" else part


def use(monkeypatch: pytest.MonkeyPatch, shell: Any) -> None:
    """Let this be what `get_ipython()` gives."""
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)


@pytest.fixture
def whole() -> Iterator[InteractiveShell]:
    with fresh_shell() as shell:
        yield shell
    SHOWN_VIEWS.reset()


def count_and_show() -> None:
    """Count in a cell and in a method, and show the report in every way it has."""
    code = "y = layer(torch.ones(4, 3))\nwith torch.no_grad():\n    layer(y[:, :3])"
    layer = torch.nn.Linear(3, 3)
    with ipyflops.FlopCounter() as counter:
        exec(compile(code, "<ipython-input-7-abc>", "exec"), {"layer": layer, "torch": torch})
    report = counter.report
    assert report.flops == 2 * 2 * 4 * 3 * 3
    assert report.by_line
    assert "FLOPs" in str(report)
    for view in ("text", "html", "widget"):
        assert "text/plain" in ipyflops.views.mime_bundle(report, view=view, by="lines")
    assert report._repr_mimebundle_()["text/html"]
    with suppress(NotImplementedError):  # IPython asks for the bundle then
        report._ipython_display_()
    report.widget().close()


def test_what_is_asked_of_a_shell_is_known() -> None:
    assert parts_named() >= {"compile", "display_pub", "kernel", "events", "history_manager"}


def test_nothing_else_takes_a_shell_apart() -> None:
    """`running_shell().x`, `get_ipython().x` fail where there is no whole shell."""
    found = [
        f"{name(path)}:{node.lineno}"
        for path in files()
        if not name(path).startswith(GIVEN)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in {"shell", "self._shell", "running_shell()", "get_ipython()"}
    ]
    assert found == []


@pytest.mark.parametrize("error", [AttributeError, RuntimeError])
@pytest.mark.parametrize("lacking", PARTS)
def test_a_shell_that_lacks(
    lacking: str, error: type[Exception], whole: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Thin(whole, {lacking}, error))
    assert part_of(running_shell(), lacking) is None
    count_and_show()


@pytest.mark.parametrize("shell", [None, object(), 1], ids=["nothing", "an object", "a number"])
def test_a_shell_that_is(shell: object, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, shell)
    count_and_show()


def test_a_shell_that_has_nothing_but_its_parts(
    whole: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, Thin(whole, {*PARTS, *dir(InteractiveShell)}, AttributeError))
    count_and_show()


def test_get_ipython_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("not here")

    monkeypatch.setattr(IPython, "get_ipython", fail)
    assert running_shell() is None
    count_and_show()


EMBEDDED = """\
import torch
from IPython.terminal.embed import InteractiveShellEmbed
from traitlets.config import Config

layer = torch.nn.Linear(3, 5)

def inside():
    rows = torch.ones(4, 3)
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShellEmbed.simple_prompt = True
    shell = InteractiveShellEmbed.instance(config=config)
    shell.interact = lambda: [shell.run_cell(cell) for cell in CELLS]  # as if they were typed
    shell()

CELLS = ["%load_ext ipyflops", "%flops layer(rows)", "%%flops\\nz = layer(rows)\\nz.sum()"]
inside()
import ipyflops
print("last", ipyflops.last().flops)
"""


def test_the_magics_in_an_embedded_shell() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EMBEDDED], capture_output=True, encoding="utf-8", timeout=120
    )
    # 2·4·3·5 of the layer, and 19 additions of its 20 outputs.
    assert "last 139" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert "120 FLOPs" in done.stdout
