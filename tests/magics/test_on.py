"""`--on`: the estimate below the report, and what is said of devices that are not known."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipyflops import views
from tests.shells import fresh_shell, run

#: 2·8·8·8 FLOPs in a product; a product of 8×8 moves 768 bytes.
SETUP = """\
import torch, ipyflops
x = torch.ones(8, 8)
mine = ipyflops.Device("mine", {"float32": 1024e3}, bandwidth=1e12, memory=1e9)
"""


@pytest.fixture(scope="module")
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as fresh:
        run(fresh, SETUP)
        yield fresh


def test_the_estimate_stands_below_the_report(shell: InteractiveShell) -> None:
    out = run(shell, "%flops --view text --on mine x @ x;").out
    assert "1.02 kFLOPs" in out
    # 1024 FLOPs at 1,024,000 a second.
    assert "at least 1.00 ms on mine · compute-bound" in out


def test_an_efficiency_items_and_several_devices(shell: InteractiveShell) -> None:
    out = run(shell, "%flops --view text --on mine@0.5 --per 8:token --fake x @ x").out
    assert "2.00 ms on mine at 50.0 % of its peak · compute-bound · 4.00 k tokens/s" in out
    out = run(shell, '%flops --view text --on "mine@0.5, H100 SXM" x @ x;').out
    assert "on 2 devices" in out
    assert "H100 SXM" in out


def test_the_last_report_can_be_asked_again(shell: InteractiveShell) -> None:
    run(shell, "%flops -q x @ x")
    out = run(shell, "%flops --view text --on mine").out
    assert "at least 1.00 ms on mine" in out


def test_the_widget_says_it_in_its_notes_and_columns(
    shell: InteractiveShell, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    taken: dict[str, Any] = {}
    whole = views.displays
    monkeypatch.setattr(
        views,
        "displays",
        lambda report, **options: (
            shown.append(report) or taken.update(options) or whole(report, **options)
        ),
    )
    done = run(shell, "%flops --view widget --on mine@0.5,T4 -v counted x @ x")
    assert done.error is None
    view = views.to_widget(shown[0], devices=taken["devices"])
    titles = view._data["columns"]
    assert [titles[name]["title"] for name in view._data["asked"]] == [
        *("on mine", "bound on mine", "on T4", "bound on T4"),
    ]
    said = view._data["headlines"]["standard"]["notes"]
    view.close()
    assert "2.00 ms on mine at 50.0 % of its peak · compute-bound" in said
    assert any(note.startswith("at least") and "on T4" in note for note in said)
    # The report that the user has is what was counted.
    assert "on T4" not in str(shell.user_ns["counted"].notes)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("H10", "--on: there is no data sheet of 'H10'; did you mean H100"),
        ("mine@2", "--on: an efficiency is a share of the peak, more than 0 and at most 1"),
        ("H100@fast", "not fast"),
    ],
)
def test_nothing_runs_where_the_device_is_wrong(
    shell: InteractiveShell, device: str, message: str
) -> None:
    done = run(shell, f"%flops --on {device} (ran := True)")
    assert isinstance(done.error, UsageError)
    assert message in str(done.error)
    assert "ran" not in shell.user_ns
