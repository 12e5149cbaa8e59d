"""On an engine: keeps the reports of a ``%%px`` cell until the notebook fetches and merges them.

Meanwhile the engine shows, saves and compares nothing. The notebook does that once, for all
engines.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

from ipyflops.cells import Origin, Shell
from ipyflops.report import Report


@dataclass(frozen=True)
class CollectedReport:
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
    """What a notebook has asked an engine to collect.

    Attributes
    ----------
    token : str
        Identifies the cell that the reports belong to.
    session : str
        The session of the notebook's client.
    label : str
        What the notebook calls the cell, as ``In[5]``.
    above : list of str
        The notebook's lines above what the engine gets.
    reports : list of CollectedReport
    """

    token: str
    session: str
    label: str
    above: list[str]
    reports: list[CollectedReport] = field(default_factory=list)

    def in_notebook(self, place: Origin) -> Origin:
        """Move code to its lines in the notebook, which are the same for all engines."""
        return replace(place, above=(*self.above, *place.above))


class CollectionState:
    """The collection that this engine makes at present, or none."""

    def __init__(self) -> None:
        self._collection: Collection | None = None

    def begin(self, collection: Collection) -> None:
        """Collect from now on, in the place of an older collection."""
        self._collection = collection

    def end(self, token: str) -> list[CollectedReport]:
        """Stop collecting for a cell, and give its reports; none if another cell collects."""
        collection = self._collection
        if collection is None or collection.token != token:
            return []
        self.reset()
        return collection.reports

    def of_session(self, session: str) -> Collection | None:
        """Give the collection if this session has asked for it."""
        collection = self._collection
        return collection if collection is not None and collection.session == session else None

    def reset(self) -> None:
        """Collect nothing, as in a new process."""
        self._collection = None


#: Of this process, which is an engine.
STATE = CollectionState()


def begin_code(token: str, label: str, above: list[str]) -> str:
    """Give the code that has an engine collect the reports of what it runs next.

    Where ipyflops is not loaded the code does nothing: it must neither fail nor import PyTorch.
    """
    order = json.dumps({"token": token, "label": label, "above": above})
    return _code(f"begin(get_ipython(), {order!r})")


def end_code(token: str) -> str:
    """Give the code that has an engine show its reports again."""
    return _code(f"STATE.end({token!r})")


def _code(call: str) -> str:
    # An expression, so that no name is bound in the engine.
    loaded = "'ipyflops' in __import__('sys').modules"
    return f"__import__({__name__!r}, fromlist=['STATE']).{call} if {loaded} else None"


def begin(shell: Shell, order: str) -> None:
    """Carry out the code of `begin_code`."""
    STATE.begin(Collection(session=_session(shell), **json.loads(order)))


def current_collection(shell: Shell) -> Collection | None:
    """Give the collection that a report of the running code belongs to.

    The code must come from the session that began the collection. Otherwise another client, or the
    same one after a restart, would not see its own reports.
    """
    return STATE.of_session(_session(shell))


def _session(shell: Shell) -> str:
    """The session of the client that sent the running code; empty in a terminal."""
    parent: dict[str, Any] = shell.get_parent() if hasattr(shell, "get_parent") else {}
    return str(parent.get("header", {}).get("session", ""))
