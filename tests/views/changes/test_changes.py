"""What two reports differ in, as text, HTML, table, frame and chart."""

import re
from collections.abc import Callable

import pytest
from rich.cells import cell_len

from ipyflops.costs import Totals
from ipyflops.report import Difference, Report
from ipyflops.views.changes.html import MAX_ROWS, to_html
from ipyflops.views.changes.rows import ChangeRow, changes
from ipyflops.views.changes.text import change_bar, to_text
from tests.views import reports
from tests.views.documents.test_markdown import read as read_markdown
from tests.views.html.test_report import ATTRIBUTES, TAGS, Element, elements, read

WIDTHS = (20, 30, 40, 60, 80, 100, 120, 200)


def larger() -> Difference:
    return reports.transformer(3) - reports.transformer(2)


def smaller() -> Difference:
    return reports.transformer(2) - reports.transformer(3)


def many(extra: int) -> Report:
    builder = reports.Builder()
    for index in range(100):
        scope = builder.scope(0, f"net{index}", "Net")
        builder.run(scope, "aten::add", reports.Cost.of(other="n", n=1000 + extra * index))
    return builder.report()


# --- rows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [2, 3, 10, 1000])
@pytest.mark.parametrize("after", reports.ALL)
def test_rows_add_up_to_the_one_that_they_are_in(after: str, most: int) -> None:
    difference = reports.ALL[after]() - reports.ALL["transformer"]()
    rows = changes(difference, most, whole_levels=False).rows
    assert len(rows) <= most
    inside: dict[int, list[ChangeRow]] = {}
    for row in reversed(rows):
        below = inside.pop(row.level + 1, [])
        if below:
            assert sum(child.flops for child in below) == row.flops
        inside.setdefault(row.level, []).append(row)
    assert sum(row.flops for row in inside.get(0, [])) == difference.flops


def test_places_that_changed_alike_are_one_row() -> None:
    rows = changes(reports.transformer(2) - reports.transformer(12), 100).rows
    (layers,) = [row for row in rows if row.repeats == 10]
    assert (layers.name, layers.status, layers.places) == ("2 … 11", "removed", 10)
    (linear,) = [row for row in rows if row.type == "Linear"]
    assert (linear.name, linear.repeats, linear.places) == ("0 … 1", 2, 20)


def test_what_is_not_shown_is_counted() -> None:
    difference = larger()
    places = len(difference.changes) - 1
    for depth in (1, 2, 3, 4, 5):
        found = changes(difference, 100, depth=depth)
        shown = sum(row.places for row in found.rows)
        assert shown + found.more + found.unchanged == places


def test_changes_that_cancel_each_other_out_are_shown() -> None:
    def two(first: int, second: int) -> Report:
        builder = reports.Builder()
        model = builder.scope(0, "model", "Net")
        for name, n in (("a", first), ("b", second)):
            builder.run(builder.scope(model, name), "aten::add", reports.Cost.of(other="n", n=n))
        return builder.report()

    text = to_text(two(300, 500) - two(500, 300), width=80)
    assert "(unchanged)" in text
    assert re.search(r"a +500 +300 .* -200 +×0.60", text)
    assert re.search(r"b +300 +500 .* \+200 +×1.67", text)


# --- text ----------------------------------------------------------------------------------------


def test_the_text_says_what_changed() -> None:
    text = to_text(larger(), width=80)
    assert text.startswith("17.1 GFLOPs → 20.8 GFLOPs (+3.62 GFLOPs, ×1.21)")
    assert re.search(r"^encoder Encoder +7.25 G +10.9 G  █{8}▒{4} +\+3.62 G +×1.50$", text, re.M)
    assert re.search(r"^  └ 2 TransformerEnc\S+ +3.62 G  ▒{4} +\+3.62 G +added$", text, re.M)
    assert text.endswith("█ in both ▒ more · 11 unchanged, not shown")
    back = to_text(smaller(), width=80)
    assert re.search(r"^  └ 2 TransformerEnc\S+ +3.62 G +░{4} +-3.62 G +removed$", back, re.M)
    assert "█ in both ░ less" in back


def test_nothing_changed() -> None:
    text = to_text(reports.resnet() - reports.resnet(), width=80)
    assert "(unchanged)" in text
    assert text.endswith("\n\n99 unchanged, not shown")


def test_levels_that_do_not_fit_are_counted() -> None:
    difference = reports.resnet(training=True) - reports.resnet()
    assert to_text(difference, width=80).endswith(
        "█ in both ▒ more · 56 more changed · 21 unchanged, not shown"
    )
    one = to_text(difference, width=80, depth=1)
    assert [line.split()[1] for line in one.split("\n")[5:8]] == ["model", "In[5]:3", "optimizer"]


def test_of_many_the_largest_are_shown() -> None:
    text = to_text(many(2) - many(1), width=80)
    assert "net99 " in text
    assert "net59 " not in text
    # One of them did not change.
    assert "61 more " in text
    assert "61 more changed · 1 unchanged, not shown" in text


def test_what_is_wrong_with_either_is_said_of_it() -> None:
    text = to_text(reports.unknown() - reports.failed(), width=80)
    assert text.startswith("!! before: incomplete: RuntimeError")
    assert "! after: 8 unknown operators" in text


@pytest.mark.parametrize("other", ["empty", "hostile", "wide", "deep", "integers"])
def test_any_two_reports_can_be_compared_at_any_width(other: str) -> None:
    for difference in (
        reports.ALL[other]() - reports.resnet(),
        reports.resnet() - reports.ALL[other](),
    ):
        for width in WIDTHS:
            lines = to_text(difference, width=width).split("\n")
            assert max(map(cell_len, lines)) <= width
            assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("length", [1, 2, 12, 24])
@pytest.mark.parametrize(("before", "after"), [(0, 5), (5, 0), (3, 9), (9, 3), (1, 1000), (7, 7)])
def test_a_bar_has_its_length_and_shows_what_changed(before: int, after: int, length: int) -> None:
    row = ChangeRow(0, "module", "a", "", "a", "changed", Totals(flops=before), Totals(flops=after))
    bar = change_bar(row, 1000, length)
    assert len(bar) == length
    assert ("▒" in bar) == (after > before)
    assert ("░" in bar) == (after < before)


# --- HTML ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", reports.ALL)
@pytest.mark.parametrize("before", ["empty", "resnet", "hostile"])
def test_the_html_is_well_formed_and_harmless(before: str, after: str) -> None:
    html = to_html(reports.ALL[after]() - reports.ALL[before]())
    root = read(html)
    tags = re.findall(r"<([a-zA-Z]+)", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))
    assert set(tags) <= TAGS
    for element in elements(root):
        assert set(element.attributes) <= {*ATTRIBUTES, "y"}
    assert not re.search(r"https?:|url\(|@import|<script|javascript:", html)
    assert "→" in root.whole_text
    assert html.count("<li>") <= MAX_ROWS


def rows_of(difference: Difference) -> list[list[str]]:
    """The visible cells of each row."""
    found = []
    for item in read(to_html(difference)).all("li"):
        row = item.children[0]
        cells = (row.children[0] if row.tag == "details" else row).children
        found.append([shown(cell) for cell in cells])
    return found


def shown(cell: Element) -> str:
    hidden = {"f-unit", "f-type"}
    kept = [child for child in cell.children if child.attributes.get("class") not in hidden]
    return (cell.text + "".join(child.whole_text for child in kept)).strip()


def test_the_html_names_what_is_new_and_what_is_gone() -> None:
    assert ["encoder", "", "7.25 G", "10.9 G", "+3.62 G", "×1.50"] in rows_of(larger())
    assert ["2", "", "", "3.62 G", "+3.62 G", "added"] in rows_of(larger())
    assert ["2", "", "3.62 G", "", "-3.62 G", "removed"] in rows_of(smaller())


def bars(difference: Difference) -> list[dict[str, float]]:
    spans = read(to_html(difference)).all("span")
    found = []
    for span in spans:
        if span.attributes.get("class") == "f-bar":
            widths = {}
            for piece in span.children:
                match = re.fullmatch(r"width:([\d.]+)%", piece.attributes["style"] or "")
                assert match is not None
                widths[piece.attributes["class"] or ""] = float(match[1])
            found.append(widths)
    return found


@pytest.mark.parametrize(("which", "end"), [(larger, "f-more"), (smaller, "f-less")])
def test_bars_are_before_and_after_on_one_scale(which: Callable[[], Difference], end: str) -> None:
    first, *others = bars(which())
    # Two layers of three are in both.
    assert first == pytest.approx({"f-kept": 200 / 3, end: 100 / 3}, abs=0.01)
    assert all(sum(bar.values()) <= 100.01 for bar in others)
    assert {"f-kept"} not in [set(bar) for bar in others]


def test_the_html_has_a_chart_of_pairs() -> None:
    difference = reports.resnet(training=True) - reports.resnet()
    (chart,) = [
        one for one in read(to_html(difference)).all("div")
        if one.attributes.get("class") == "f-chart"
    ]  # fmt: skip
    shown_rows = [[shown(cell) for cell in row.children] for row in chart.children]
    assert ["model.conv1", "", "236 M → 708 MFLOPs ×3.00"] in shown_rows
    assert ["optimizer", "", "51.1 MFLOPs added"] in shown_rows
    bars = [row.all("rect") for row in chart.children]
    widths = [float(bar.attributes["width"] or 0) for pair in bars for bar in pair]
    assert max(widths) == 1000
    # What is new has no bar before.
    assert [len(pair) for pair in bars] == [2] * 9 + [1, 1]
    assert "f-chart" not in re.sub(
        r"<style>.*?</style>", "", to_html(reports.resnet() - reports.resnet()),
        flags=re.DOTALL,
    )  # fmt: skip


# --- tables, frames, charts ----------------------------------------------------------------------


def test_the_table_in_markdown() -> None:
    rows = read_markdown(larger().to_markdown(depth=2))
    assert rows == [
        ["module", "type", "GFLOPs before", "after", "difference", "ratio"],
        ["encoder", "Encoder", "7.25", "10.9", "+3.62", "×1.50"],
        ["layers", "ModuleList", "7.25", "10.9", "+3.62", "×1.50"],
        ["2", "TransformerEncoderLayer", "", "3.62", "+3.62", "added"],
        ["total", "", "17.1", "20.8", "+3.62", "×1.21"],
    ]
    cells = read_markdown(larger().to_markdown(depth=1, prefix="cell"))
    assert cells[1][2:] == ["7.25 G", "10.9 G", "+3.62 G", "×1.50"]


@pytest.mark.parametrize("after", [name for name in reports.ALL if name != "deep"])
def test_any_difference_is_a_table(after: str) -> None:
    difference = reports.ALL[after]() - reports.resnet()
    rows = read_markdown(difference.to_markdown(depth=3))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert difference.to_latex(label="tab:a").isascii()


@pytest.mark.parametrize(("depth", "prefix"), [(0, "column"), (1, "row")])
def test_options_of_the_table_are_checked(depth: int, prefix: str) -> None:
    with pytest.raises(ValueError, match=r"depth of 1 or more|choose one of column, cell"):
        larger().to_markdown(depth=depth, prefix=prefix)


def test_the_frame_has_a_row_for_each_place() -> None:
    frame = larger().to_frame().set_index("path")
    assert len(frame) == len(larger().changes)
    layer = frame.loc["encoder.layers.2"]
    assert layer["status"] == "added"
    assert layer["flops_before"] == 0
    assert layer["flops_difference"] == layer["flops_after"] > 0
    assert frame.loc["head", "flops_ratio"] == 1
    assert frame["flops_ratio"].isna().sum() == (frame["status"] == "added").sum()
    assert smaller().to_frame().set_index("path").loc["encoder.layers.2", "flops_after"] == 0


def test_the_chart_has_a_pair_of_bars_for_each_place() -> None:
    difference = reports.resnet(training=True) - reports.resnet()
    ax = difference.plot()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "model.conv1"
    assert labels[-2:] == ["In[5]:3", "optimizer"]
    before, after = ax.containers
    changed = [sum(bar.get_width() for bar in side) for side in (before, after)]
    assert changed[1] - changed[0] == pytest.approx(difference.flops / 1e9)
    assert ax.get_title(loc="left") == "7.73 GFLOPs → 23.2 GFLOPs  ×3.00  [standard]"
    assert ax.get_xlabel() == "GFLOPs"


@pytest.mark.parametrize("most", [1, 2, 5, 100])
def test_what_does_not_fit_the_chart_is_one_pair(most: int) -> None:
    difference = many(2) - many(1)
    before, after = difference.plot(most=most).containers
    assert len(before) == min(most, 99)
    widths = [sum(bar.get_width() for bar in side) for side in (before, after)]
    scale = 1e3
    assert (widths[1] - widths[0]) * scale == pytest.approx(difference.flops)


@pytest.mark.parametrize("metric", ["flops", "macs", "int_ops", "bytes", "seconds"])
@pytest.mark.parametrize("after", ["empty", "integers", "resnet", "unknown"])
def test_any_metric_can_be_drawn(after: str, metric: str) -> None:
    ax = (reports.ALL[after]() - reports.transformer(2)).plot(metric=metric)
    assert "→" in ax.get_title(loc="left")
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]


def test_a_chart_of_nothing_says_so() -> None:
    ax = (reports.resnet() - reports.resnet()).plot()
    assert [text.get_text() for text in ax.texts] == ["nothing changed"]


def test_the_chart_is_drawn_where_asked() -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert larger().plot(ax) is ax


@pytest.mark.parametrize("options", [{"metric": "flop"}, {"most": 0}])
def test_options_of_the_chart_are_checked(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"choose one of flops|at least 1 place"):
        larger().plot(**options)  # type: ignore[arg-type]
