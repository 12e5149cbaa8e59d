"""The widgets of a cell close when it runs again; those of other cells and of the user do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
from IPython.core.displaypub import CapturingDisplayPublisher

from ipyflops.views import WIDGET_VIEW, mime_bundle, to_widget
from ipyflops.views.shown_views import MAX_VIEWS, SHOWN_VIEWS
from tests.shells import fresh_shell
from tests.views import reports

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")


class FrontEnd:
    """A shell whose kernel is asked to run cells; ``show()`` in a cell shows a widget."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.message: dict[str, Any] = {}
        self._runs = 0
        shell.kernel = self
        shell.user_ns["show"] = self.show

    def get_parent(self, channel: str) -> dict[str, Any]:
        assert channel == "shell"
        return self.message

    def run(self, cell: str | None, code: str = "show()") -> list[str]:
        """Run a cell; gives the names of the widgets that it showed."""
        self._runs += 1
        self.shown: list[str] = []
        metadata = {} if cell is None else {"cellId": cell}
        self.message = {"metadata": metadata, "header": {"msg_id": str(self._runs)}}
        self.shell.run_cell(code).raise_error()
        return self.shown

    def show(self) -> None:
        view = mime_bundle(reports.resnet(), view="widget")[WIDGET_VIEW]
        self.shown.append(view["model_id"])

    @property
    def hooks(self) -> list[Any]:
        return [*self.shell.events.callbacks["pre_run_cell"]]


@pytest.fixture
def front_end() -> Iterator[FrontEnd]:
    SHOWN_VIEWS.reset()
    with fresh_shell() as shell:
        yield FrontEnd(shell)
        SHOWN_VIEWS.reset()


def are_open(names: list[str]) -> list[bool]:
    state = ipywidgets.Widget.get_manager_state()["state"]
    return [name in state for name in names]


def test_a_cell_that_runs_again_closes_its_own_widgets(front_end: FrontEnd) -> None:
    first = front_end.run("a", "show(), show()")  # two of one report
    other = front_end.run("b")
    assert are_open([*first, *other]) == [True] * 3
    again = front_end.run("a")
    assert are_open([*first, *other, *again]) == [False, False, True, True]


def test_they_close_before_the_cell_runs_and_where_it_shows_none(front_end: FrontEnd) -> None:
    first = front_end.run("a")
    front_end.shell.user_ns.update(are_open=are_open, first=first)
    front_end.run("a", "seen = are_open(first)")
    assert front_end.shell.user_ns["seen"] == [False]


def test_code_that_a_cell_runs_by_itself_is_part_of_it(front_end: FrontEnd) -> None:
    shown = front_end.run("a", "show(); get_ipython().run_cell('show()'); show()")
    assert are_open(shown) == [True] * 3


@pytest.mark.parametrize("cell", ["a", None])
def test_a_loop_and_a_program_that_names_no_cells_have_a_limit(
    front_end: FrontEnd, cell: str | None
) -> None:
    many = MAX_VIEWS + 5
    if cell is None:  # as nbclient does
        shown = [name for _ in range(many) for name in front_end.run(None)]
    else:
        shown = front_end.run(cell, f"for _ in range({many}): show()")
    assert are_open(shown) == [False] * 5 + [True] * MAX_VIEWS


def test_a_widget_that_the_user_made_is_the_users(front_end: FrontEnd) -> None:
    front_end.shell.user_ns.update(to_widget=to_widget, report=reports.resnet())
    front_end.run("a", "view = to_widget(report)")
    view = front_end.shell.user_ns["view"]
    front_end.run("a", "pass")
    assert view.comm is not None


def test_a_shell_is_left_as_it_was_when_no_widget_is_left(front_end: FrontEnd) -> None:
    before = front_end.hooks
    front_end.run("a")
    assert len(front_end.hooks) == len(before) + 1
    front_end.run("b")
    assert len(front_end.hooks) == len(before) + 1
    front_end.run("a", "pass")
    front_end.run("b", "pass")
    assert front_end.hooks == before
    shown = front_end.run("c")
    SHOWN_VIEWS.reset()
    assert front_end.hooks == before
    assert are_open(shown) == [False]


def test_widgets_that_somebody_else_has_closed_do_no_harm(front_end: FrontEnd) -> None:
    front_end.run("a")
    ipywidgets.Widget.close_all()
    front_end.shell.events.callbacks["pre_run_cell"].clear()
    second = front_end.run("a")
    third = front_end.run("a")
    assert are_open([*second, *third]) == [False, True]


def test_an_output_with_a_name_is_replaced_by_another(front_end: FrontEnd) -> None:
    """A widget would come with an output of HTML beside it, and each update with two more."""
    front_end.shell.user_ns["report"] = reports.resnet()
    captured = front_end.shell.display_pub = CapturingDisplayPublisher()
    front_end.run("a", "handle = display(report, display_id=True)")
    front_end.run("a", "handle.update(report)")
    front_end.run("b", "display(report)")
    named = [one for one in captured.outputs if one["transient"]]
    assert [one["update"] for one in named] == [False, True]
    assert named[0]["transient"] == named[1]["transient"]
    assert all("ResNet" in one["data"]["text/html"] for one in named)
    assert not any(WIDGET_VIEW in one["data"] for one in named)
    others = [one["data"] for one in captured.outputs if not one["transient"]]
    assert [WIDGET_VIEW in data for data in others] == [True, False]
