"""The forms a front end may choose from, and what it takes to have them."""

import io
import subprocess
import sys

import pytest

from ipyflops.views import mime_bundle
from tests.views import reports


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def piped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.StringIO())


@pytest.mark.parametrize("view", ["auto", "html"])
def test_text_and_html_come_together(view: str) -> None:
    bundle = mime_bundle(reports.resnet(), view=view, by="operators", per=(2, "image"))
    assert set(bundle) == {"text/plain", "text/html"}
    for text in bundle.values():
        assert "3.87 GFLOPs per image" in text
        assert "aten::convolution" in text


def test_text_alone() -> None:
    assert set(mime_bundle(reports.resnet(), view="text")) == {"text/plain"}


def test_a_depth_is_kept_to() -> None:
    bundle = mime_bundle(reports.resnet(), depth=1)
    assert "layer1" not in bundle["text/plain"]
    assert "<li><details open>" not in bundle["text/html"]


def test_a_report_shows_itself() -> None:
    report = reports.resnet()
    assert report._repr_mimebundle_() == mime_bundle(report)
    difference = reports.resnet(training=True) - report
    assert difference._repr_mimebundle_() == mime_bundle(difference)
    assert set(mime_bundle(difference)) == {"text/plain", "text/html"}


@pytest.mark.parametrize("options", [{"view": "picture"}, {"by": "colour"}])
def test_a_wrong_option_is_named(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="choose one of"):
        mime_bundle(reports.resnet(), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("environment", "colored"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": ""}, False),
    ],
)
def test_only_a_terminal_that_wants_them_gets_colours(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], colored: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert "\x1b[" not in mime_bundle(reports.resnet())["text/plain"]
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert ("\x1b[" in mime_bundle(reports.resnet())["text/plain"]) == colored


def test_heavy_libraries_are_imported_when_they_are_needed() -> None:
    code = """
import sys
import ipyflops.report.report, ipyflops.report.sweep, ipyflops.views
import ipyflops.views.rows.headline, ipyflops.views.rows.roofline, ipyflops.views.html.report
import ipyflops.views.documents.report_table, ipyflops.views.documents.chrome_trace
import ipyflops.views.changes.html, ipyflops.views.sweep.html, ipyflops.views.widget.view
print([name for name in ("matplotlib", "pandas", "rich") if name in sys.modules])
from tests.views import reports
reports.resnet().to_dict(), repr(reports.resnet())
print([name for name in ("matplotlib", "pandas", "rich") if name in sys.modules])
str(reports.resnet()), reports.resnet()._repr_mimebundle_()
print([name for name in ("matplotlib", "pandas", "rich") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]", "[]", "['rich']"]
