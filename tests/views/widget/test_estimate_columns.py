"""The columns of --on in the widget: what `Report.on` says of each place, in the browser too."""

from __future__ import annotations

from array import array

import pytest

from ipyflops.report import Device, Estimate, walk
from ipyflops.views import displays
from ipyflops.views.widget.packing import pack
from ipyflops.views.widget.view import FlopsView
from tests.views import reports
from tests.views.widget.test_browser_side import browser_values

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")

FAST = Device("fast", rates={"float32": 1e12}, bandwidth=1e9)
SLOW = Device("slow", rates={"float32": 1e9}, bandwidth=1e12)


def test_the_browser_has_the_least_time_of_every_place() -> None:
    report = reports.transformer(3)
    values = browser_values(pack(report, devices=[(FAST, 1.0), (SLOW, 0.5)]))
    estimates = [Estimate(report, FAST, 1.0), Estimate(report, SLOW, 0.5)]
    for number, estimate in enumerate(estimates):
        parts = {part.name: part for part in estimate.walk()}
        for node in walk(report.tree):
            if str(node.scope) in values:
                found = values[str(node.scope)]["standard"][f"time_on_{number}"]
                assert found == pytest.approx(parts[node.path].seconds, rel=1e-12)
    # By hand: half of 1 GFLOPS, and a memory that takes next to no time: 2 s for 1 GFLOP.
    assert values["0"]["standard"]["time_on_1"] == pytest.approx(2 * report.flops / 1e9, rel=0.01)


def test_the_bounds_are_texts_of_the_places() -> None:
    report = reports.transformer(3)
    message = pack(report, devices=[(FAST, 1.0), (SLOW, 1.0)])
    names = message["names"]
    for number, bound in enumerate(("memory", "compute")):
        indices = array("i", message["shapes"][f"bound_on_{number}"])
        assert names[indices[0]] == bound
    assert message["columns"]["time_on_0"]["title"] == "on fast"
    assert message["asked"] == ["time_on_0", "bound_on_0", "time_on_1", "bound_on_1"]
    # The menu of columns offers what the table has.
    assert message["tables"]["modules"][-4:] == message["asked"]
    assert "time_on_0" not in message["tables"]["operators"]


def test_without_devices_there_are_none() -> None:
    message = pack(reports.transformer(3))
    assert not [name for name in message["columns"] if "_on_" in name]
    assert not [name for name in message["held"] if "_on_" in name]


def test_they_are_shown_beside_columns_that_were_chosen_before() -> None:
    view = FlopsView(
        reports.resnet(), devices=[(FAST, 1.0)], columns={"modules": ["flops"]}, sort="-time_on_0"
    )
    assert view.columns["modules"] == ["flops", "time_on_0", "bound_on_0"]
    view.close()


def test_other_forms_take_no_devices() -> None:
    bundles = displays(reports.resnet(), view="html", devices=[(FAST, 1.0)])
    assert [*bundles[0]] == ["text/plain", "text/html"]
