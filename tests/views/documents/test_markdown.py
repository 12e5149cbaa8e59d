"""Tables in Markdown, read back with a reader of Markdown that the project did not write."""

import re

import pytest
from markdown_it import MarkdownIt

from ipyflops.views.documents.markdown import escaped
from ipyflops.views.rows.visible import visible
from tests.views import reports

MARKUP = (
    *reports.HOSTILE,
    "a|b",
    "\\|",
    "*strong* _soft_ `code` ~~gone~~",
    "[link](javascript:alert(1))",
    "![picture](x)",
    "https://example.org www.example.org mail@example.org",
    "$x^2$ $$y$$",
    "<script>alert(1)</script>",
    "&lt; &#60; &nbsp;",
    "# heading",
    "{{ template }} {% tag %}",
)


def read(text: str) -> list[list[str]]:
    """The cells of the one table in a document of nothing else, and no markup in them."""
    reader = MarkdownIt("commonmark", {"linkify": False}).enable(["table", "strikethrough"])
    tokens = reader.parse(text)
    assert [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        if token.type == "inline":
            kinds = {child.type for child in token.children or ()}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close"}
            rows[-1].append("".join(child.content for child in token.children or ()))
    return rows


@pytest.mark.parametrize("by", ["modules", "operators"])
@pytest.mark.parametrize("name", [name for name in reports.ALL if name != "deep"])
def test_a_reader_finds_a_table_and_nothing_else(name: str, by: str) -> None:
    rows = read(reports.ALL[name]().to_markdown(by=by, depth=4, caption=""))
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("name", MARKUP, ids=range(len(MARKUP)))
def test_any_name_is_read_as_it_is(name: str) -> None:
    builder = reports.Builder()
    model = builder.scope(0, "model", "Net")
    builder.run(builder.scope(model, name, name[:60]), "aten::add", reports.Cost.of(other="7"))
    (_, row, total) = read(builder.report().to_markdown(caption=""))
    whole = visible(name) or "(no name)"
    assert row[0] == (whole if len(whole) <= 60 else f"{whole[:29]}…{whole[-30:]}")
    assert total[0] == "total"
    assert "www." not in escaped(name)
    assert "https:" not in escaped(name)


def test_the_total_is_last_and_the_parts_add_up() -> None:
    text = reports.resnet().to_markdown(
        columns=["flops", "calls", "share"], prefix="cell", caption=""
    )
    rows = read(text)
    assert rows[0] == ["module", "type", "FLOPs", "calls", "share (%)"]
    assert rows[-1] == ["total", "ResNet", "7.73 G", "1", "100"]
    assert rows[5][:3] == ["layer1", "Sequential", "1.34 G"]
    assert len(rows) == 1 + len(reports.resnet().find("model").children) + 1


def test_a_column_has_one_prefix_in_its_title() -> None:
    rows = read(reports.resnet().to_markdown(columns=["flops", "seconds", "bytes"], caption=""))
    assert rows[0][2:] == ["GFLOPs", "time (ms)", "traffic (MB)"]
    moved = 4 * (3 * 112**2 + 64 * 112**2 + 3 * 64 * 7**2)
    assert rows[1] == ["conv1", "Conv2d", "0.236", "1.31", f"{moved / 1e6:.2f}"]
    assert rows[3][2] == "<0.001"


def test_columns_that_say_nothing_are_left_out() -> None:
    assert read(reports.ALL["integers"]().to_markdown(caption=""))[0] == [
        "module", "type", "FLOPs", "int ops (k)"
    ]  # fmt: skip
    assert read(reports.ALL["empty"]().to_markdown(caption="")) == [
        ["module", "FLOPs"],
        ["(all)", "0"],
    ]


def test_levels_are_indented_and_siblings_that_are_alike_are_one_row() -> None:
    text = reports.transformer().to_markdown(depth=3)
    assert "| \u2003\u20030 … 11 ×12 " in text
    assert "| \u2003layers " in text
    assert "\u2003" not in reports.transformer().to_markdown()


def test_it_can_be_read_as_it_is() -> None:
    lines = reports.resnet().to_markdown(caption="").split("\n")
    assert len({len(line) for line in lines}) == 1
    assert re.fullmatch(r"\| -+ \| -+ (\| -+: )+\|", lines[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "lines"}, "choose one of modules, operators"),
        ({"depth": 0}, "depth of 1 or more"),
        ({"prefix": "row"}, "choose one of column, cell"),
        ({"columns": ["flop"]}, "choose from flops, macs"),
        ({"columns": "flops"}, r"columns are a list of names, as \['flops'\]"),
        ({"columns": ["params"], "by": "operators"}, "operators have no parameters"),
    ],
)
def test_options_are_checked(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        reports.resnet().to_markdown(**options)


def test_the_usual_table_is_for_a_paper() -> None:
    """No times of a single run, no source code, MACs, and a caption with the convention."""
    report = reports.ALL["training"]()
    text = report.to_markdown()
    table, caption = text.split("\n\n")
    rows = read(table)
    assert rows[0] == ["module", "type", "GFLOPs", "share (%)", "GMACs", "params (M)"]
    assert [row[0] for row in rows[1:]] == ["model", "optimizer", "(outside modules)", "total"]
    assert "loss =" not in text
    assert 'MACs; 1 MAC = 2 FLOPs), convention "standard"' in caption
    assert 'convention "article"' in report.under("article").to_markdown()
    # Who asks for them has both.
    asked = report.to_markdown(columns=["flops", "seconds"], code=True, caption="")
    assert "time (ms)" in asked
    assert "loss =" in asked


def test_rows_without_code_add_up_to_the_total() -> None:
    report = reports.ALL["training"]()
    rows = read(report.to_markdown(columns=["share"], caption=""))
    assert sum(float(row[-1].strip("<")) for row in rows[1:-1]) == pytest.approx(100, abs=0.3)
