"""Loading and unloading the extension, and what importing the package costs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from tests.shells import IS_OLD, fresh_shell, run


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell() as shell:
        yield shell


def traces(shell: InteractiveShell) -> dict[str, object]:
    """Everything that the extension may leave in a shell."""
    manager = shell.magics_manager
    return {
        "line": sorted(manager.magics["line"]),
        "cell": sorted(manager.magics["cell"]),
        "registry": sorted(manager.registry),
        "configurables": sorted(type(one).__name__ for one in shell.configurables),
        "matchers": list(shell.Completer.custom_matchers),
        "transformers": list(shell.ast_transformers),
        "printers": set(shell.display_formatter.ipython_display_formatter.type_printers),
        "callbacks": {name: len(found) for name, found in shell.events.callbacks.items()},
    }


def of_ours(shell: InteractiveShell) -> list[object]:
    return [one for one in shell.configurables if type(one).__name__ == "FlopsMagics"]


def test_loading_brings_the_magics_once(shell: InteractiveShell) -> None:
    for _ in range(3):
        ipyflops.load_ipython_extension(shell)
    assert shell.find_line_magic("flops").__self__ is shell.find_cell_magic("flops").__self__
    assert of_ours(shell) == [shell.find_line_magic("flops").__self__]
    assert len(shell.Completer.custom_matchers) == (0 if IS_OLD else 1)


def test_unloading_leaves_nothing(shell: InteractiveShell) -> None:
    run(shell, "%unload_ext ipyflops")  # IPython loads the magic for it only now
    before = traces(shell)
    for _ in range(2):
        assert run(shell, "%load_ext ipyflops").error is None
        assert traces(shell) != before
        assert run(shell, "%unload_ext ipyflops").error is None
        assert traces(shell) == before
    assert "not found" in str(run(shell, "%flops 1").error)
    assert "not found" in str(run(shell, "%%flops\n1").error)


def test_unloading_what_was_not_loaded_is_harmless(shell: InteractiveShell) -> None:
    before = traces(shell)
    ipyflops.unload_ipython_extension(shell)
    assert traces(shell) == before
    assert "not loaded" in run(shell, "%unload_ext ipyflops").out


def test_unloading_leaves_what_others_have_put_in(shell: InteractiveShell) -> None:
    def matcher(text: str) -> list[str]:
        return []

    ipyflops.load_ipython_extension(shell)
    shell.Completer.custom_matchers.append(matcher)
    shell.register_magic_function(lambda line: "another", "line", "flops")
    ipyflops.unload_ipython_extension(shell)
    assert shell.Completer.custom_matchers == [matcher]
    assert run(shell, "%flops").result == "another"


def test_reloading_keeps_the_last_report_and_the_configuration(shell: InteractiveShell) -> None:
    run(shell, "%load_ext ipyflops\nimport torch")
    run(shell, "%config FlopsMagics.convention = 'article'")
    report = run(shell, "%flops -q -o torch.ones(2) + 1").result
    assert report is not None
    assert run(shell, "%reload_ext ipyflops").error is None
    assert ipyflops.last() is report
    assert len(of_ours(shell)) == 1
    assert len(shell.Completer.custom_matchers) == (0 if IS_OLD else 1)
    assert run(shell, "%config FlopsMagics.convention").result == "article"
    again = run(shell, "%flops -q -o torch.ones(2) + 1").result
    assert again.convention == "article"
    assert isinstance(again, ipyflops.Report)


def test_importing_the_package_brings_nothing_heavy_but_torch() -> None:
    heavy = ["IPython", "matplotlib", "ipywidgets", "anywidget", "pandas", "rich", "traitlets"]
    code = (
        "import sys, torch; before = set(sys.modules); import ipyflops\n"
        "with ipyflops.FlopCounter() as counter: torch.ones(2) + 1\n"
        "assert counter.report.flops == 2 and ipyflops.last() is None\n"
        f"print([name for name in {heavy} if name in set(sys.modules) - before])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout == "[]\n", done.stderr


# --- settings that are wrong ---------------------------------------------------------------------


@pytest.mark.parametrize("again", ["%reload_ext ipyflops", "%load_ext ipyflops", "load(shell)"])
def test_a_wrong_setting_takes_no_magic_away(shell: InteractiveShell, again: str) -> None:
    run(shell, "%load_ext ipyflops\nimport torch\nfrom ipyflops.magics import load")
    shell.user_ns["shell"] = shell
    run(shell, "%config FlopsMagics.depth = 3")
    run(shell, "%config FlopsMagics.by = 'linez'")  # IPython logs that this is wrong
    done = run(shell, again)
    assert done.error is None
    if again != "%load_ext ipyflops":  # which does nothing where it is loaded
        assert "linez" in done.err
        assert "['modules', 'operators', 'lines']" in done.err
    assert run(shell, "%flops -q -o torch.ones(2) + 1").result.flops == 2
    assert len(of_ours(shell)) == 1
    assert run(shell, "%config FlopsMagics.by").result == "modules"
    assert run(shell, "%config FlopsMagics.depth").result == 3
    run(shell, "%config FlopsMagics.by = 'lines'")
    done = run(shell, again)
    assert done.err == ""
    assert run(shell, "%config FlopsMagics.by").result == "lines"


def test_magics_that_cannot_be_made_take_none_away(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    ipyflops.load_ipython_extension(shell)
    before = traces(shell)

    def fail(shell: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("ipyflops.magics.extension.option_matchers", fail)
    with pytest.raises(RuntimeError):
        ipyflops.load_ipython_extension(shell)
    assert traces(shell) == before
    assert run(shell, "%flops -q 1").error is None


# --- aliases -------------------------------------------------------------------------------------


def test_aliases_go_with_the_magic_and_come_back_with_it(shell: InteractiveShell) -> None:
    run(shell, "import torch\n%unload_ext ipyflops\n%alias_magic t time")
    before = traces(shell)
    run(shell, "%load_ext ipyflops\n%alias_magic count flops -p '-q -o'\n%alias_magic c count")
    assert run(shell, "%c torch.ones(2) + 1").result.flops == 2
    run(shell, "%unload_ext ipyflops")
    assert traces(shell) == before
    for name in ("count", "c"):
        assert "not found" in str(run(shell, f"%{name} 1").error)
    shell.register_magic_function(lambda line: "another", "line", "count")
    run(shell, "%load_ext ipyflops")
    assert run(shell, "%count 1").result == "another"
    assert run(shell, "%%c\ntorch.ones(2) + 1").result.flops == 2
    run(shell, "%reload_ext ipyflops")
    assert run(shell, "%%c\ntorch.ones(2) + 1").result.flops == 2
