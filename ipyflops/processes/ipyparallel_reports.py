"""The reports of a ``%%px`` cell, kept by an engine until the notebook fetches and merges them.

Meanwhile the engine shows, saves and compares nothing: the notebook does it once, for all engines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from ipyflops.cells.origin import Origin, Shell
from ipyflops.report.report import Report


@dataclass(frozen=True)
class Kept:
    """A report that waits for the notebook.

    Attributes
    ----------
    line : str
        What stood behind ``%flops`` or ``%%flops``: the notebook honours the same options.
    report : Report
    """

    line: str
    report: Report


@dataclass(frozen=True)
class Collection:
    """What a notebook has asked for.

    Attributes
    ----------
    token : str
        Of the cell that the reports belong to.
    asker : str
        The session of the client that asked.
    label : str
        What the notebook calls the cell, as ``In[5]``.
    above : list of str
        The notebook's lines above what the engine gets.
    kept : list of Kept
    """

    token: str
    asker: str
    label: str
    above: list[str]
    kept: list[Kept] = field(default_factory=list)


_collections: list[Collection] = []


def beginning(token: str, label: str, above: list[str]) -> str:
    """Give the code that has an engine keep the reports of what it runs next.

    Where ipyflops is not loaded it does nothing: it must neither fail nor import PyTorch.
    """
    order = json.dumps({"token": token, "label": label, "above": above})
    return _code(f"begin(get_ipython(), {order!r})")


def ending(token: str) -> str:
    """Give the code that has an engine show its reports again, as before `beginning`."""
    return _code(f"end({token!r})")


def _code(call: str) -> str:
    # It binds no name in the engine.
    loaded = "'ipyflops' in __import__('sys').modules"
    return f"__import__({__name__!r}).{__name__.partition('.')[2]}.{call} if {loaded} else None"


def begin(shell: Shell, order: str) -> None:
    """Keep the reports that come from now on, in the place of an older collection."""
    _collections[:] = [Collection(asker=_asker(shell), **json.loads(order))]


def end(token: str) -> list[Kept]:
    """Stop keeping; gives what was kept under the token."""
    found = [kept for one in _collections if one.token == token for kept in one.kept]
    _collections[:] = [one for one in _collections if one.token != token]
    return found


def asked(shell: Shell) -> Collection | None:
    """Give the collection that a report of the code that runs now belongs to.

    It has to be of the same client: another, or the same one after a restart, would otherwise see
    nothing of its own reports.
    """
    return next((one for one in _collections if one.asker == _asker(shell)), None)


def placed(place: Origin, collection: Collection | None) -> Origin:
    """Move code to its lines in the notebook, which are the same for all engines."""
    if collection is None:
        return place
    return replace(place, above=(*collection.above, *place.above))


def _asker(shell: Shell) -> str:
    parent: dict[str, Any] = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("header", {}).get("session", ""))
