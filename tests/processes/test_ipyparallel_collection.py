"""What an engine collects, without a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from ipyflops.cells.origin import Origin
from ipyflops.processes.ipyparallel_collection import (
    STATE,
    CollectedReport,
    begin_code,
    current_collection,
    end_code,
)


@pytest.fixture(autouse=True)
def collects_nothing() -> Iterator[None]:
    STATE.reset()
    yield
    STATE.reset()


def shell(session: str) -> Any:
    """A shell that runs code of a client's session."""
    return SimpleNamespace(get_parent=lambda: {"header": {"session": session}})


def execute(code: str, session: str = "mine") -> Any:
    """What an engine does with an order."""
    return eval(code, {"get_ipython": lambda: shell(session)})


def test_only_the_session_that_began_collects() -> None:
    assert current_collection(shell("mine")) is None
    execute(begin_code("token", "In[5]", ["above"]))
    collection = current_collection(shell("mine"))
    assert collection is not None
    assert (collection.label, collection.reports) == ("In[5]", [])
    assert current_collection(shell("other")) is None
    assert collection.in_notebook(Origin(1, ("own",), "")).above == ("above", "own")


def test_the_end_gives_the_reports_of_its_own_token() -> None:
    execute(begin_code("token", "In[5]", []))
    collection = current_collection(shell("mine"))
    assert collection is not None
    report: Any = object()
    collection.reports.append(CollectedReport("-q", report))
    assert execute(end_code("another")) == []
    assert current_collection(shell("mine")) is collection
    assert [one.line for one in execute(end_code("token"))] == ["-q"]
    assert current_collection(shell("mine")) is None
    assert execute(end_code("token")) == []


def test_a_new_collection_replaces_an_older_one() -> None:
    execute(begin_code("old", "In[1]", []))
    execute(begin_code("new", "In[2]", []))
    assert execute(end_code("old")) == []
    collection = current_collection(shell("mine"))
    assert collection is not None
    assert collection.token == "new"


def test_an_engine_without_ipyflops_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ipyflops")
    for code in (begin_code("token", "In[1]", []), end_code("token")):
        assert execute(code) is None
    assert STATE.end("token") == []
