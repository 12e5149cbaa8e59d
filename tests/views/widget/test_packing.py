"""What the widget is sent, and its Python side, without a browser."""

from __future__ import annotations

import re
from array import array
from typing import Any

import pytest
import traitlets

from ipyflops.views import WIDGET_VIEW, displays, frontend, mime_bundle
from ipyflops.views.documents.speedscope import SCHEMA
from ipyflops.views.widget import static_files
from ipyflops.views.widget.packing import pack
from ipyflops.views.widget.view import FlopsView
from tests.views import reports

# ipywidgets before 8.1.4 asks newer traitlets as it asked the older ones.
pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")


def test_sums_of_what_is_sent_are_those_of_the_report() -> None:
    report = reports.resnet(True)
    packed = pack(report)
    rows, signatures = packed["rows"], packed["signatures"]
    calls = array("d", rows["calls"])
    used = array("i", rows["signature"])
    for convention in ("standard", "contractions", "article"):
        costs = signatures["costs"]
        flops = array("d", costs.get(convention, costs["standard"]))
        total = sum(flops[index] * times for index, times in zip(used, calls, strict=True))
        assert total == report.under(convention).flops


def test_every_text_that_is_sent_can_be_encoded() -> None:
    def texts(value: Any) -> Any:
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for one in value.values():
                yield from texts(one)
        elif isinstance(value, list):
            for one in value:
                yield from texts(one)

    for text in texts(pack(reports.hostile())):
        assert text.isprintable()
        text.encode()


def test_paths_of_every_form_become_the_whole_path() -> None:
    view = FlopsView(reports.resnet())
    view.selected = "layer1.0"
    assert view.selected == "model.layer1.0"
    with pytest.raises(traitlets.TraitError, match="no module has the path"):
        view.selected = "nothing"
    with pytest.raises(traitlets.TraitError, match="cannot be sorted"):
        view.sort = "beauty"
    view.expanded = ["layer2"]
    assert view.expanded == ["model.layer2"]


@pytest.mark.parametrize("program", [static_files.program(), static_files.loader()])
def test_a_program_is_one_module_without_imports(program: str) -> None:
    assert "\nimport " not in program
    assert program.count("export default") == 1
    assert "innerHTML" not in program
    # A schema is named by its address, and nobody asks there.
    named = program.replace("http://www.w3.org", "").replace(SCHEMA, "")
    assert "http" not in named


def test_the_program_has_every_file_and_no_comments_of_their_own_lines() -> None:
    program = static_files.program()
    for file in static_files.STATIC.glob("*.js"):
        assert (f"const {file.stem}_js = " in program) == (file.stem != "loader")
    lines = [line.strip() for line in (program + static_files.loader()).splitlines()]
    assert not [line for line in lines if line.startswith(("//", "/*", "*"))]
    assert {file.name for file in static_files.STATIC.glob("*.css")} == set(static_files.STYLES)


def test_the_widget_is_offered_only_to_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    report = reports.resnet()
    assert WIDGET_VIEW not in mime_bundle(report)
    assert WIDGET_VIEW in mime_bundle(report, view="widget")
    assert len(displays(report, view="html")) == 1
    widget, stand_in = displays(report, view="widget")
    assert list(widget) == [WIDGET_VIEW, "text/html"]
    assert re.sub("<[^>]*>", "", widget["text/html"]) == ""
    assert widget[WIDGET_VIEW]["model_id"] in stand_in["text/html"]

    class Kernel:
        def __init__(self, metadata: object) -> None:
            self.metadata = metadata

        def get_parent(self, channel: str) -> dict[str, object]:
            return {"metadata": self.metadata, "header": {"msg_id": "2"}}

    class Shell:
        def __init__(self, metadata: object) -> None:
            self.kernel = Kernel(metadata)

    assert frontend.shows_widgets(Shell({"cellId": "1"}))
    assert not frontend.shows_widgets(Shell({}))
    assert not frontend.shows_widgets(object())
