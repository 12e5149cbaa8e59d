"""The configuration of the magics, and what `%flops?` says."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.magics.options import OPTIONS
from tests.counted import Shown, last, model_shell, recorded_views
from tests.shells import run


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    with model_shell(monkeypatch) as shell:
        yield shell


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return recorded_views(monkeypatch)


def test_defaults_are_configured(shell: InteractiveShell, shown: Shown) -> None:
    run(
        shell,
        "%config FlopsMagics.convention = 'article'\n"
        "%config FlopsMagics.by = 'lines'\n"
        "%config FlopsMagics.view = 'text'\n"
        "%config FlopsMagics.depth = 4\n"
        "%config FlopsMagics.device_time = False",
    )
    run(shell, "%flops model(x)")
    run(shell, "%flops -c standard --by modules --view html -d 0 model(x)")
    assert [options for _, options in shown] == [
        {"view": "text", "by": "lines", "depth": 4, "per": None, "columns": ()},
        {"view": "html", "by": "modules", "depth": 0, "per": None, "columns": ()},
    ]
    assert [report.convention for report, _ in shown] == ["article", "standard"]
    assert last().seconds == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("convention", "bogus"), ("by", "module"), ("view", "table"), ("depth", -1)],
)
def test_a_wrong_default_is_refused(
    shell: InteractiveShell, name: str, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    before = run(shell, f"%config FlopsMagics.{name}").result
    run(shell, f"%config FlopsMagics.{name} = {value!r}")
    assert f"'{name}' trait" in caplog.text
    assert run(shell, f"%config FlopsMagics.{name}").result == before


def test_the_configuration_explains_itself(shell: InteractiveShell) -> None:
    out = run(shell, "%config FlopsMagics").out
    for name in ("convention", "by", "view", "depth", "device_time"):
        assert f"FlopsMagics.{name}=" in out


@pytest.mark.parametrize("question", ["%flops?", "%%flops?", "?%flops"])
def test_help_explains_everything(
    shell: InteractiveShell, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("IPython.core.page.page", lambda text, **_: print(text["text/plain"]))
    out = run(shell, question).out
    for option in OPTIONS:
        for flag in option.flags:
            assert re.search(rf"(?<![\w-]){flag}(?![\w-])", out), flag
    for word in ("standard", "contractions", "article", "%config FlopsMagics", "ipyflops.last()"):
        assert word in out
    assert max(map(len, out.splitlines())) <= 100


def test_the_examples_of_the_help_work(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run(shell, "smaller, tokens, huge = model[0], x, model\ndef step(): model(x).sum().backward()")
    magic = shell.find_line_magic("flops")
    assert magic is not None
    text = inspect.cleandoc(magic.__doc__ or "").partition("Examples\n--------\n::\n")[2]
    text = text.partition("In Python:")[0]
    cells = [re.sub(r" {3,}\w.*", "", block) for block in inspect.cleandoc(text).split("\n\n")]
    ran = 0
    for block in cells:
        for cell in [block] if block.startswith("%%") else block.splitlines():
            done = run(shell, cell)
            assert done.error is None, cell
            ran += 1
    assert ran == 15
    assert os.listdir(tmp_path) == ["base.json"]
