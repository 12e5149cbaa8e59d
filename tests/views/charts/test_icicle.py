"""The icicle: widths add up, what is inside stands below, and small parts stand together."""

from __future__ import annotations

from itertools import pairwise

import pytest

from ipyflops.costs import METRICS
from ipyflops.views.charts.axes import root_figure
from ipyflops.views.rows.icicle import Part, parts_of
from tests.views import reports

# What DejaVu Sans cannot draw is the reader's choice of font, not a mistake.
pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from :UserWarning")

FLOPS = METRICS["flops"]


def tree() -> reports.Report:
    """A model of 100 FLOPs: 60 in a block of two layers, 30 in a head, 10 of its own."""
    builder = reports.Builder()
    model = builder.scope(0, "model", "Net")
    block = builder.scope(model, "block", "Block")
    head = builder.scope(model, "head", "Linear")
    for name, flops in (("a", 20), ("b", 40)):
        layer = builder.scope(block, name, "Linear")
        builder.run(layer, "aten::mm", reports.Cost.of(other=str(flops)), microseconds=1)
    builder.run(head, "aten::mm", reports.Cost.of(other="30"), phase="backward", microseconds=4)
    builder.run(model, "aten::add", reports.Cost.of(other="10"), microseconds=2)
    return builder.report()


def test_widths_are_shares_and_what_is_inside_stands_below() -> None:
    parts = parts_of(tree().tree, FLOPS, levels=8, least=0.01)
    assert [(one.level, one.label, one.phase) for one in parts] == [
        (0, "(all)", "forward"), (1, "model", "forward"), (2, "block", "forward"),
        (2, "head", "backward"), (3, "a", "forward"), (3, "b", "forward"),
    ]  # fmt: skip
    places = [(one.start, one.width) for one in parts]
    expected = [(0, 1), (0, 1), (0, 0.6), (0.6, 0.3), (0, 0.2), (0.2, 0.4)]
    assert places == [pytest.approx(one) for one in expected]


def test_any_metric_and_any_node() -> None:
    report = tree()
    # 1 + 1 µs in the block, 4 in the head, 2 of the model's own.
    parts = parts_of(report.tree, METRICS["seconds"], levels=8, least=0.01)
    widths = {one.label: one.width for one in parts}
    assert widths["block"] == pytest.approx(2 / 8)
    assert widths["head"] == pytest.approx(4 / 8)
    block = parts_of(report.find("block"), FLOPS, levels=8, least=0.01)
    assert [(one.label, one.width) for one in block] == [
        ("block", 1), ("a", pytest.approx(1 / 3)), ("b", pytest.approx(2 / 3)),
    ]  # fmt: skip
    assert max(one.level for one in parts_of(report.tree, FLOPS, levels=2, least=0.01)) == 1
    assert parts_of(report.tree, METRICS["macs"], levels=8, least=0.01) == []


def test_narrow_siblings_stand_together() -> None:
    parts = parts_of(tree().tree, FLOPS, levels=8, least=0.45)
    assert Part(2, pytest.approx(0.6), pytest.approx(0.3), "head", None) in parts
    assert Part(3, 0.0, pytest.approx(0.6), "2 more", None) in parts


@pytest.mark.parametrize("name", ["resnet", "training", "wide", "hostile", "deep", "empty"])
def test_rows_never_overlap_and_labels_stay_inside(name: str) -> None:
    report = reports.ALL[name]()
    parts = parts_of(report.tree, FLOPS, levels=8, least=0.004)
    for one, other in pairwise(parts):
        if one.level == other.level:
            assert one.start + one.width <= other.start + 1e-9
    ax = report.plot("icicle")
    figure = root_figure(ax)
    assert figure is not None
    figure.draw_without_rendering()
    whole = ax.get_window_extent().width
    widths = sorted((one.width * whole for one in parts), reverse=True)
    texts = [text.get_window_extent().width for text in ax.texts] if parts else []
    assert all(taken <= widths[0] for taken in texts)
    # A name of which nothing is left is none.
    assert "…" not in [text.get_text() for text in ax.texts]


def test_the_title_says_what_it_is_of() -> None:
    report = tree()
    assert report.plot("icicle").get_title(loc="left") == "100 FLOPs [standard]"
    ax = report.plot("icicle", node="block", metric="seconds")
    assert ax.get_title(loc="left") == "model.block · 2.00 µs"
    assert [text.get_text() for text in report.plot("icicle", metric="macs").texts] == ["no MACs"]
    with pytest.raises(ValueError, match="at least 1 level"):
        report.plot("icicle", levels=0)
    with pytest.raises(ValueError, match="no metric 'beauty'"):
        report.plot("icicle", metric="beauty")
