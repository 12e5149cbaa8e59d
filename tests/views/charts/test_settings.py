"""matplotlib's settings are the user's: nothing that is drawn changes them, not for a moment.

A click in the widget draws in another thread, beside the user's code, and the settings belong to
the whole process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from typing import Any

import matplotlib
import pytest
from matplotlib.axes import Axes

from ipyflops.report import Peak, Point, Rate, Sweep, Variable
from ipyflops.views.charts.axes import root_figure
from ipyflops.views.charts.page_canvas import INK
from ipyflops.views.widget.view import FlopsView
from tests.views import reports

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")

PEAK = Peak("CPU", "a machine", (Rate("float32", 352e9),), 20e9)
#: What a click in the widget asks for.
CLICKS: list[dict[str, Any]] = [
    {**wish, "key": "k", "width": 600}
    for wish in (
        {
            "kind": "chart",
            "of": "inside",
            "nodes": [0],
            "convention": "standard",
            "metric": "flops",
        },
        {
            "kind": "chart",
            "of": "inside",
            "nodes": [1],
            "convention": "article",
            "metric": "seconds",
        },
        {"kind": "roofline", "points": "modules", "convention": "standard"},
        {"kind": "roofline", "points": "operators", "convention": "standard"},
    )
]
#: What is drawn by a call.
PLOTS: dict[str, Callable[[], Axes]] = {
    "bar": lambda: reports.resnet().plot(),
    "roofline": lambda: replace(reports.resnet(), peak=PEAK).plot("roofline"),
    "difference": lambda: (reports.resnet(True) - reports.resnet()).plot(),
    "sweep": lambda: Sweep(
        (Variable("size", (1, 8)),),
        tuple(Point((size,), reports.resnet()) for size in (1, 8)),
    ).plot(),
}


def view_of_all() -> FlopsView:
    return FlopsView(replace(reports.resnet(True), peak=PEAK))


def click(view: FlopsView, wish: dict[str, Any]) -> str:
    """Draw what a click asks for; gives the picture."""
    view._received(None, wish, [])
    answer = view._chart if wish["kind"] == "chart" else view._roofline
    return str(answer["svg"])


def picture(ax: Axes) -> None:
    figure = root_figure(ax)
    assert figure is not None
    figure.savefig(BytesIO(), format="png")


@pytest.fixture
def read_only_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(settings: object, key: str, *_: object) -> None:
        raise AssertionError(f"the setting {key} was written")

    for name in ("__setitem__", "__delitem__"):
        monkeypatch.setattr(matplotlib.RcParams, name, refuse)


@pytest.mark.usefixtures("read_only_settings")
@pytest.mark.parametrize("wish", CLICKS, ids=lambda wish: "-".join(map(str, wish.values())))
def test_a_click_writes_no_setting(wish: dict[str, Any]) -> None:
    click(view_of_all(), wish)


@pytest.mark.usefixtures("read_only_settings")
@pytest.mark.parametrize("name", PLOTS)
def test_a_call_writes_no_setting(name: str) -> None:
    picture(PLOTS[name]())


def test_a_plain_loop_sees_the_same_settings_while_charts_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(matplotlib.rcParams, "figure.dpi", 99.0)  # set back afterwards
    view = view_of_all()

    def draw_all() -> None:
        for wish in CLICKS:
            click(view, wish)
        for plot in PLOTS.values():
            picture(plot())

    draw_all()
    drawn = threading.Event()
    errors: list[BaseException] = []

    def loop() -> None:
        try:
            draw_all()
        except BaseException as error:
            errors.append(error)
        drawn.set()

    expected = dict(matplotlib.rcParams.items())
    thread = threading.Thread(target=loop)
    thread.start()
    changed: dict[str, object] = {}
    looks = 0
    while not drawn.is_set():
        now = dict(matplotlib.rcParams.items())
        changed |= {key: value for key, value in now.items() if value != expected[key]}
        looks += 1
        time.sleep(1e-4)  # the other thread draws meanwhile
        if looks == 20:
            matplotlib.rcParams["figure.dpi"] = expected["figure.dpi"] = 300.0
    thread.join()
    assert errors == []
    assert looks > 20
    assert changed == {}
    assert matplotlib.rcParams["figure.dpi"] == 300


def test_what_a_click_draws_has_the_size_of_the_page_whatever_is_set() -> None:
    def drawn(**settings: object) -> list[str]:
        [wish] = [one for one in CLICKS if one.get("metric") == "flops"]
        with matplotlib.rc_context(settings):  # type: ignore[arg-type]
            svg = click(view_of_all(), wish)
        # The page gives this colour its value, so that no theme makes a text invisible.
        assert "currentColor" in svg
        assert INK not in svg
        return svg.split("<")

    settings = {
        "font.size": 30, "text.color": "red", "axes.labelcolor": "red", "axes.edgecolor": "red",
        "xtick.color": "red", "ytick.labelcolor": "red", "axes.facecolor": "red",
        "savefig.facecolor": "red", "figure.facecolor": "red", "legend.frameon": True,
        "legend.labelcolor": "red", "axes.titlecolor": "red", "axes.labelsize": 40,
        "xtick.labelsize": 40, "figure.dpi": 300,
    }  # fmt: skip
    assert drawn(**settings) == drawn()
