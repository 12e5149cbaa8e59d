"""What ``%load_ext ipyflops`` puts into a shell, and ``%unload_ext ipyflops`` takes out again."""

from __future__ import annotations

from ipyflops.cells import Shell
from ipyflops.magics.completion import IDENTIFIER, option_matcher
from ipyflops.magics.flops import FlopsMagics


def load(shell: Shell) -> None:
    """Give a shell the magics and the completion of their options; watch its ``%%px`` cells."""
    unload(shell)
    magics = FlopsMagics(shell)
    shell.register_magics(magics)
    magics.parallel_cells.start()
    shell.Completer.custom_matchers.append(option_matcher(shell))


def unload(shell: Shell) -> None:
    """Take out what `load` put in. Other shells stay as they are."""
    manager = shell.magics_manager
    magics = manager.registry.pop(FlopsMagics.__name__, None)
    if magics is not None:
        magics.parallel_cells.stop()
    for table in manager.magics.values():
        if magics is not None and getattr(table.get("flops"), "__self__", None) is magics:
            del table["flops"]
    shell.configurables[:] = [
        configurable for configurable in shell.configurables if configurable is not magics
    ]
    matchers = shell.Completer.custom_matchers
    matchers[:] = [
        matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != IDENTIFIER
    ]
