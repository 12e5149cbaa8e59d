"""What ``%load_ext ipyflops`` puts into a shell, and ``%unload_ext ipyflops`` takes out again.

Nothing is taken out before its successor stands: a shell that cannot have new magics keeps those
that it has.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from IPython.core.magic import MagicAlias
from traitlets import TraitError
from traitlets.config import Config

from ipyflops.cells import Shell
from ipyflops.magics.completion import IDENTIFIER, option_matchers
from ipyflops.magics.flops import FlopsMagics
from ipyflops.report import Report

NAME = "flops"


class Aliases:
    """Aliases of the magic (``%alias_magic``) that were taken out of shells with it."""

    def __init__(self) -> None:
        self._of_shells: WeakKeyDictionary[Any, list[tuple[str, str, MagicAlias]]] = (
            WeakKeyDictionary()
        )

    def take_out(self, shell: Shell) -> None:
        """Take out the aliases of the magic, and those of its aliases."""
        taken = self._of_shells.setdefault(shell, [])
        for kind, table in shell.magics_manager.magics.items():
            names = {NAME}
            while True:
                found = [
                    name
                    for name, function in table.items()
                    if isinstance(function, MagicAlias) and function.magic_name in names
                ]
                if not found:
                    break
                taken += [(kind, name, table.pop(name)) for name in found]
                names |= set(found)

    def put_back(self, shell: Shell) -> None:
        """Put back what was taken out, where nobody has put something else."""
        for kind, name, alias in self._of_shells.pop(shell, []):
            shell.magics_manager.magics[kind].setdefault(name, alias)


ALIASES = Aliases()


def load(shell: Shell) -> None:
    """Give a shell the magics and the completion of their options; watch its ``%%px`` cells."""
    with _as_before_if_it_fails(shell.configurables):
        magics = _magics(shell)
        matchers = option_matchers(shell)
        magics.parallel_cells.start()
    unload(shell)
    shell.register_magics(magics)
    ALIASES.put_back(shell)
    shell.Completer.custom_matchers += matchers
    shell.display_formatter.ipython_display_formatter.for_type(Report, magics.display)


def unload(shell: Shell) -> None:
    """Take out what `load` put in. Other shells stay as they are."""
    manager = shell.magics_manager
    magics = manager.registry.pop(FlopsMagics.__name__, None)
    if magics is None:
        return
    magics.parallel_cells.stop()
    ours = [
        table
        for table in manager.magics.values()
        if getattr(table.get(NAME), "__self__", None) is magics
    ]
    for table in ours:
        del table[NAME]
    if ours:
        ALIASES.take_out(shell)
    shell.configurables[:] = [
        configurable for configurable in shell.configurables if configurable is not magics
    ]
    matchers = shell.Completer.custom_matchers
    matchers[:] = [
        matcher for matcher in matchers if getattr(matcher, "matcher_identifier", "") != IDENTIFIER
    ]
    shell.display_formatter.ipython_display_formatter.type_printers.pop(Report, None)


def _magics(shell: Shell) -> FlopsMagics:
    """Make the magics; a setting that they cannot have is named, and its default used."""
    try:
        with _as_before_if_it_fails(shell.configurables):
            return FlopsMagics(shell)
    except TraitError:
        good = Config(shell.config)
        good[FlopsMagics.__name__] = Config(
            {
                name: value
                for name, value in shell.config[FlopsMagics.__name__].items()
                if _is_valid(shell, name, value)
            }
        )
        return FlopsMagics(shell, config=good)


def _is_valid(shell: Shell, name: str, value: object) -> bool:
    """Whether the magics can have a setting; says so if not."""
    noted = list(shell.configurables)
    try:
        FlopsMagics(shell, config=Config({FlopsMagics.__name__: {name: value}}))
    except TraitError as error:
        print(f"ipyflops: {error} The default is used.", file=sys.stderr)
        return False
    finally:
        shell.configurables[:] = noted
    return True


@contextmanager
def _as_before_if_it_fails(configurables: list[Any]) -> Iterator[None]:
    """Take out of a list what was put in; IPython notes all magics there, also half made ones."""
    noted = list(configurables)
    try:
        yield
    except BaseException:
        configurables[:] = noted
        raise
