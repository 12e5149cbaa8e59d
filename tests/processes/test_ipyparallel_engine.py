"""How an order reaches an engine, without a cluster."""

from __future__ import annotations

import pytest

from ipyflops.processes import ipyparallel_engine
from ipyflops.processes.ipyparallel_engine import CALL, ORDERS, order_code


def test_an_order_is_received_and_taken_once() -> None:
    order = {"cell": "'\"\n\\ü", "above": ["# {x}"], "timeout": None}
    names: dict[str, object] = {}
    eval(order_code(order), names)
    assert set(names) == {"__builtins__"}
    assert ORDERS.take() == order
    with pytest.raises(LookupError, match="no order"):
        ORDERS.take()


def test_an_order_can_be_forgotten() -> None:
    ORDERS.receive('{"cell": null}')
    ORDERS.reset()
    with pytest.raises(LookupError):
        ORDERS.take()


def test_the_call_in_tracebacks_is_short_and_runs_the_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ipyparallel_engine, "run", lambda: "the order's value")
    names: dict[str, object] = {}
    assert eval(CALL, names) == "the order's value"
    assert set(names) == {"__builtins__"}
    assert len(CALL) < 80
