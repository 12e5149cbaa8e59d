"""The report as HTML: well formed, self-contained, harmless, and its numbers add up."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from ipyflops.units import percent, scaled
from ipyflops.views.html.icicle import SIZE, WIDTH
from ipyflops.views.html.nested import MAX_LEVELS
from ipyflops.views.html.report import LIST_ROWS, to_html
from ipyflops.views.html.tree import MAX_ROWS
from ipyflops.views.rows.text_width import width_of
from tests.views import reports
from tests.views.reports import HOSTILE

BYS = ("modules", "operators", "lines")
#: What JupyterLab's sanitizer lets through; the style sheet and bars without text, which it drops.
TAGS = {
    "code", "details", "div", "em", "i", "li", "p", "span", "strong", "style", "summary", "table",
    "tbody", "td", "th", "thead", "tr", "ul", "svg", "rect", "g", "text", "tspan",
}  # fmt: skip
ATTRIBUTES = {
    "class", "colspan", "data-lm-suppress-shortcuts", "data-title", "open", "style", "title",
    "aria-hidden", "fill", "fill-opacity", "height", "opacity", "preserveaspectratio",
    "tabindex", "text-anchor", "viewbox", "width", "x", "y",
}  # fmt: skip


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list["Element"]:
        found = [self] if self.tag == tag else []
        for child in self.children:
            found += child.all(tag)
        return found

    @property
    def whole_text(self) -> str:
        return self.text + "".join(child.whole_text for child in self.children)


class Reader(HTMLParser):
    """Reads a fragment and fails on a tag that is not closed where it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs))
        self._open[-1].children.append(element)
        self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].text += data

    def finish(self) -> Element:
        self.close()
        assert len(self._open) == 1
        return self.root


def read(html: str) -> Element:
    reader = Reader()
    reader.feed(html)
    return reader.finish()


def elements(root: Element) -> list[Element]:
    return [one for tag in TAGS for one in root.all(tag)]


@pytest.mark.parametrize("by", BYS)
@pytest.mark.parametrize("name", reports.ALL)
def test_it_is_well_formed_and_holds_nothing_but_its_own_markup(name: str, by: str) -> None:
    html = to_html(reports.ALL[name](), by=by, per=(3, HOSTILE[0]))
    html.encode("utf-8")
    root = read(html)
    tags = re.findall(r"<([a-zA-Z]+)", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))
    assert set(tags) <= TAGS
    for element in elements(root):
        assert set(element.attributes) <= ATTRIBUTES
    assert not re.search(r"https?:|url\(|@import|<script|javascript:", html)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text.isprintable() and text])
def test_the_text_of_the_user_is_text(text: str) -> None:
    shown = read(to_html(reports.hostile(), by="lines")).whole_text.replace("\xa0", " ")
    assert text[:20] in shown


def test_it_has_one_root_and_keeps_single_key_shortcuts_off() -> None:
    (root,) = read(to_html(reports.resnet())).children
    assert root.attributes["class"] == "ipyflops"
    assert root.attributes["data-lm-suppress-shortcuts"] == "true"


def test_the_style_stays_within_it() -> None:
    (style,) = read(to_html(reports.resnet())).all("style")
    for selectors in re.findall(r"([^{}]+)\{", style.text):
        for selector in selectors.split(","):
            # Beside what is inside there is only what it stands in.
            own = selector.strip().startswith(".ipyflops.ipyflops")
            assert own or selector.strip().endswith(":has(.ipyflops)")


def own_row(item: Element) -> Element:
    """The row of a list item, without those of the list inside."""
    row = item.children[0]
    return row.children[0] if row.tag == "details" else row


def flops(item: Element) -> int:
    titles = [cell.attributes.get("title") or "" for cell in own_row(item).children]
    return next(int(title.split()[0].replace(",", "")) for title in titles if "FLOPs ·" in title)


@pytest.mark.parametrize("name", ["resnet", "training", "transformer", "unknown", "wide", "deep"])
def test_what_is_inside_adds_up_to_the_digit(name: str) -> None:
    report = reports.ALL[name]()
    items = [item for item in read(to_html(report)).all("li") if item.children]
    assert flops(items[0]) == report.flops
    for item in items:
        inside = [child for child in item.children[0].all("ul")[:1] for child in child.children]
        inside = [child for child in inside if child.children]
        if inside:
            assert sum(map(flops, inside)) == flops(item)


@pytest.mark.parametrize("by", ["operator", "source line"])
def test_the_shares_of_a_table_add_up(by: str) -> None:
    root = read(to_html(reports.transformer()))
    sections = {
        one.children[0].text: one for one in root.all("details") if "class" in one.attributes
    }
    bars = sections[f"By {by}"].all("i")
    widths = [
        float((one.attributes["style"] or "").removeprefix("width:").rstrip("%")) for one in bars
    ]
    assert sum(widths) == pytest.approx(100, abs=0.01 * len(widths))


@pytest.mark.parametrize(
    ("by", "title"),
    [("modules", "By module"), ("operators", "By operator"), ("lines", "By source line")],
)
def test_the_section_asked_for_is_open(by: str, title: str) -> None:
    sections = [
        one
        for one in read(to_html(reports.resnet(), by=by)).all("details")
        if one.attributes.get("class") == "f-section"
    ]
    assert [one.children[0].text for one in sections if "open" in one.attributes] == [title]


def test_a_depth_is_what_is_open() -> None:
    def open_modules(depth: int) -> int:
        html = to_html(reports.transformer(), depth=depth)
        return len(re.findall(r"<li><details open>", html))

    # The row of the whole run; the encoder; its list of layers.
    assert [open_modules(depth) for depth in (1, 2, 3)] == [1, 2, 3]


def test_too_many_rows_are_left_out_and_counted() -> None:
    html = to_html(reports.wide(2500), by="lines", room=None)
    assert html.count("<li>") <= MAX_ROWS
    # Of the 400 rows one is the model's, and one is this.
    assert "2,102 more" in html
    assert html.count("<tr>") <= LIST_ROWS + 5
    assert "2,001 more lines" in html


def test_too_many_levels_are_left_out_and_counted() -> None:
    html = to_html(reports.deep())
    assert html.count("<ul>") == MAX_LEVELS + 1
    assert f"{1000 - MAX_LEVELS} more inside, not shown" in html


def test_an_error_a_warning_and_a_note_stand_out() -> None:
    paragraphs = {
        one.attributes.get("class"): one.whole_text
        for name in ("failed", "unknown", "transformer")
        for one in read(to_html(reports.ALL[name]())).all("p")
    }
    assert "incomplete: RuntimeError" in paragraphs["f-error"]
    assert "8 unknown operators" in paragraphs["f-warning"]
    assert paragraphs["f-note"] == "note: all 12 layers ran on one thread"


def test_every_figure_has_a_tooltip() -> None:
    root = read(to_html(reports.resnet(), per=(2, "image")))
    (line,) = [one for one in root.all("p") if one.attributes.get("class") == "f-headline"]
    texts = [one.text for one in line.all("span") if one.attributes.get("title")]
    assert texts[0] == "7.73 GFLOPs"
    assert texts[-2:] == ["3.87 GFLOPs per image", "[standard]"]


def test_an_empty_report_is_a_headline() -> None:
    root = read(to_html(reports.empty()))
    assert "no operator ran" in root.whole_text
    assert not root.all("details")


def test_without_a_style_sheet_it_reads_as_sentences() -> None:
    html = re.sub(r"<style>.*?</style>", "", to_html(reports.transformer()), flags=re.DOTALL)
    items = [own_row(one).whole_text for one in read(html).all("li")]
    assert items[2] == (
        "layers ModuleList: 43.5 GFLOPs · 81.5 % of all · 85.1 M parameters · 121 ms in kernels "
        "· 359 GFLOPS · 60.8 FLOPs per byte"
    )
    # The titles of the columns come from the style sheet.
    (head,) = [
        one
        for one in read(html).all("div")
        if (one.attributes.get("class") or "").endswith("f-head")
    ]
    assert head.whole_text == ""


def test_the_chart_is_drawn_to_scale_and_reads_without_its_bars() -> None:
    html = to_html(reports.resnet(training=True))
    (chart,) = [one for one in read(html).all("div") if one.attributes.get("class") == "f-chart"]
    rows = chart.children
    report = reports.resnet(training=True)
    assert len(rows) == len(report.find("model").children) + 2
    lengths = [
        sum(float(rect.attributes["width"] or 0) for rect in one.all("rect")) for one in rows
    ]
    assert max(lengths) == pytest.approx(1000, abs=0.3)
    layer3 = next(one for one in rows if one.whole_text.startswith("layer3"))
    flops = report.find("layer3").flops
    said = f"{scaled(flops, 'FLOPs')} · {percent(flops / report.flops)}"
    assert layer3.whole_text == f"layer3 Sequential: {said}"
    assert not "".join(one.whole_text for one in chart.all("svg"))


def test_indentation_survives() -> None:
    builder = reports.Builder()
    model = builder.scope(0, "model", "Net")
    for number, text in ((1, "for x in xs:"), (2, "    y = model(x)")):
        line = builder.line(number, text)
        builder.run(model, "aten::add", reports.Cost.of(other="n", n=5), line=line)
    assert "<code>&nbsp;&nbsp;&nbsp;&nbsp;y&nbsp;=&nbsp;model(x)</code>" in to_html(
        builder.report(), by="lines"
    )


def test_something_to_show_it_by_is_checked() -> None:
    with pytest.raises(ValueError, match="choose one of modules, operators, lines"):
        to_html(reports.resnet(), by="colour")


def test_the_icicle_is_a_picture_with_names_that_fit() -> None:
    """60 of 100 FLOPs are in a block of 20 and 40, 30 in a head, and 10 the model's own."""
    builder = reports.Builder()
    model = builder.scope(0, "model", "Net")
    block = builder.scope(
        model, "a_block_with_a_name_that_its_part_of_the_row_has_no_room_for", "Block"
    )
    for where, name, flops in ((block, "a", 20), (block, "b", 40), (model, "head", 30)):
        layer = builder.scope(where, name, "Linear")
        builder.run(layer, "aten::mm", reports.Cost.of(other=str(flops)), microseconds=1)
    builder.run(model, "aten::add", reports.Cost.of(other="10"), microseconds=1)
    (icicle,) = (
        one
        for one in read(to_html(builder.report())).all("svg")
        if one.attributes.get("class") == "f-icicle"
    )
    places = {
        (box.attributes["x"], box.attributes["width"], box.attributes["y"])
        for box in icicle.all("rect")
    }
    assert places == {
        ("0.00%", "100.00%", "0"), ("0.00%", "100.00%", "20"), ("0.00%", "60.00%", "40"),
        ("60.00%", "30.00%", "40"), ("0.00%", "20.00%", "60"), ("20.00%", "40.00%", "60"),
    }  # fmt: skip
    names = [one.text for one in icicle.all("text")]
    assert names[:2] == ["(all)", "model"]
    assert names[3:] == ["head", "a", "b"]
    assert re.fullmatch(r"a_block_w.*….*room_for", names[2])
    assert width_of(names[2]) <= 0.6 * WIDTH / SIZE
    # Where a page strips the picture, the names are left with their numbers.
    assert icicle.whole_text.endswith("a: 20 FLOPs · b: 40 FLOPs · ")


def test_there_is_no_icicle_of_one_level() -> None:
    assert 'class="f-icicle"' not in to_html(reports.empty())
