"""A test is skipped for what PyTorch lacks only where the test itself has asked for it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ipyflops.torch_private import operator_of
from tests import missing

ASKED = {
    "aten.no_such_operator": lambda: torch.ops.aten.no_such_operator,
    "aten.mm.no_such_overload": lambda: torch.ops.aten.mm.no_such_overload,
    "torch.nn.functional.no_such_function": lambda: torch.nn.functional.no_such_function,  # type: ignore[attr-defined]
}


def error_of(ask: Callable[[], object]) -> AttributeError:
    with pytest.raises(AttributeError) as caught:
        ask()
    return caught.value


@pytest.mark.parametrize("name", ASKED)
def test_a_test_that_asks_is_told_what_is_not_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = error_of(ASKED[name])
    monkeypatch.setattr(missing, "IS_OTHER", True)
    assert missing.lacks(error) == name
    monkeypatch.setattr(missing, "IS_OTHER", False)
    assert missing.lacks(error) == ""


def test_where_the_package_asks_the_test_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "IS_OTHER", True)
    code = compile(
        "value = torch.ops.aten.no_such_operator", operator_of.__code__.co_filename, "exec"
    )
    assert missing.lacks(error_of(lambda: exec(code, {"torch": torch}))) == ""


def test_another_error_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(missing, "IS_OTHER", True)
    assert missing.lacks(error_of(lambda: object().attribute)) == ""  # type: ignore[attr-defined]
