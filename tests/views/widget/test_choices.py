"""What somebody chooses in a widget is what the next widgets begin with."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import traitlets

from ipyflops.views.widget.choices import CHOICES
from ipyflops.views.widget.view import FlopsView
from tests.views import reports


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    CHOICES.reset()
    yield
    CHOICES.reset()


def test_the_next_view_begins_with_what_the_browser_sent() -> None:
    first = FlopsView(reports.resnet())
    first.set_state({"by": "operators", "height": 500, "columns": {"lines": ["flops"]}})
    following = FlopsView(reports.transformer())
    assert (following.by, following.height) == ("operators", 500)
    assert following.columns == {"lines": ["flops"]}
    # What code asks for comes first.
    assert FlopsView(reports.transformer(), by="lines").by == "lines"


def test_what_code_sets_and_where_one_is_are_no_choices() -> None:
    first = FlopsView(reports.resnet())
    first.height = 700
    first.by = "lines"
    first.set_state({"selected": "model.layer1", "sort": "-flops"})
    following = FlopsView(reports.resnet())
    assert (following.by, following.height) == ("modules", None)
    assert (following.selected, following.sort) == ("", "")


def test_no_browser_gives_a_height_or_a_table_that_there_is_not() -> None:
    view = FlopsView(reports.resnet())
    for wrong in ({"height": 3}, {"columns": {"nothing": ["flops"]}}):
        with pytest.raises(traitlets.TraitError):
            view.set_state(wrong)
    assert FlopsView(reports.resnet()).height is None
