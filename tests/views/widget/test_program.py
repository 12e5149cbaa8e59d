"""The widget's program is sent once for all views, and a closed view leaves nothing behind."""

from __future__ import annotations

import gc
import weakref

import ipywidgets
import pytest
from ipywidgets.embed import dependency_state

from ipyflops.report import Report
from ipyflops.views.widget import static_files
from ipyflops.views.widget.program import SHARED_PROGRAM
from ipyflops.views.widget.view import FlopsView
from tests.views import reports

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")


def open_widgets() -> set[str]:
    return set(ipywidgets.Widget.get_manager_state()["state"])


def test_views_share_the_program_and_bring_little_else() -> None:
    first, second = FlopsView(reports.resnet()), FlopsView(reports.transformer())
    assert first._program is second._program
    assert first._program.code == static_files.program()
    assert first._program.style == static_files.style()
    assert first.get_state()["_program"] == f"IPY_MODEL_{SHARED_PROGRAM.get().model_id}"
    texts = [value for value in first.get_state().values() if isinstance(value, str)]
    assert sum(map(len, texts)) < 3500


def test_after_all_widgets_were_closed_the_program_is_sent_again() -> None:
    before = SHARED_PROGRAM.get()
    ipywidgets.Widget.close_all()
    after = FlopsView(reports.resnet())._program
    assert after is not before
    assert after.comm is not None
    SHARED_PROGRAM.reset()
    last = FlopsView(reports.resnet())._program
    assert last is not after
    assert after.comm is not None  # an open view may still need it


def test_a_view_that_is_embedded_in_a_page_brings_the_program() -> None:
    view = FlopsView(reports.resnet())
    state = dependency_state([view])
    assert set(state) == {view.model_id, view.layout.model_id, SHARED_PROGRAM.get().model_id}


def test_a_closed_view_leaves_nothing_behind() -> None:
    def shown(report: Report) -> FlopsView:
        view = FlopsView(report)
        wish = {"of": "inside", "nodes": [0], "convention": "article", "metric": "flops"}
        view._received(None, {"kind": "chart", "key": "k", "width": 400, **wish}, [])
        assert "svg" in view._chart
        return view

    shown(reports.resnet())  # matplotlib and the program are there
    before = open_widgets()
    # At once, by the last reference: a report may take megabytes, and a collection a long time.
    gc.disable()
    try:
        report = Report.from_dict(reports.resnet(True).to_dict())
        view = shown(report)
        kept = weakref.ref(report), weakref.ref(view)
        assert len(open_widgets()) == len(before) + 2
        view.close()
        assert open_widgets() == before
        del report, view
        assert [reference() for reference in kept] == [None, None]
    finally:
        gc.enable()


def test_a_layout_of_the_users_stays_open() -> None:
    layout = ipywidgets.Layout(width="50%")
    view = FlopsView(reports.resnet(), layout=layout)
    view.close()
    view.close()
    assert layout.comm is not None
    assert view.report.flops
