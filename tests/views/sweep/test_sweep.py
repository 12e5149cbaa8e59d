"""A sweep as text, HTML, table, frame and chart."""

import re
from functools import cache

import pytest
import torch
from matplotlib.colors import to_hex
from rich.cells import cell_len
from torch import nn

from ipyflops.dry_runs import sweep
from ipyflops.report import Point, Sweep, Variable
from ipyflops.views import mime_bundle
from ipyflops.views.sweep.html import to_html
from ipyflops.views.sweep.rows import sweep_rows
from ipyflops.views.sweep.text import to_text
from tests.views import reports
from tests.views.documents.test_markdown import read as read_markdown
from tests.views.html.test_report import ATTRIBUTES, TAGS, elements, read


@cache
def layers() -> Sweep:
    """Four layers that are alike, between two that are not; three variables, one of them fixed."""
    model = nn.Sequential(nn.Linear(8, 16), *(nn.Linear(16, 16) for _ in range(4)), nn.ReLU())

    def forward(batch: int, tokens: int, width: int) -> None:
        hidden = model(torch.randn(batch, tokens, width))
        hidden @ hidden.transpose(-2, -1)

    return sweep(forward, batch=[2, 4, 8], tokens=[8, 32, 128, 512], width=[8])


def of_reports(*names: str) -> Sweep:
    """A sweep over reports made by hand."""
    points = [Point((at,), reports.ALL[name]()) for at, name in enumerate(names)]
    return Sweep((Variable("n", tuple(range(len(names)))),), tuple(points))


def test_the_text_names_the_growth_of_every_module() -> None:
    lines = to_text(layers(), width=80).split("\n")
    assert lines[0] == "FLOPs = 32·batch·tokens² + 2,320·batch·tokens   [standard]"
    assert lines[1] == "linear in batch, linear + quadratic in tokens"
    assert lines[2] == "12 points: batch 2, 4, 8 × tokens 8, 32, 128, 512 × width 8"
    text = "\n".join(lines)
    assert re.search(r"^module +FLOPs  in batch  in tokens$", text, re.MULTILINE)
    assert re.search(r"^└ model Sequential +37\.1 k … 9\.50 M  linear +linear$", text, re.MULTILINE)
    assert re.search(r"^  ├ 1 … 4 ×4 Linear +32\.8 k … 8\.39 M  linear +linear$", text, re.M)
    assert re.search(r"^├ forward function +4\.10 k … 67\.1 M  linear +quadratic$", text, re.M)
    wide = to_text(layers(), width=160)
    assert re.search(r"1 … 4 ×4 Linear .* 2\.05 k·batch·tokens$", wide, re.MULTILINE)


def test_rows_add_up() -> None:
    rows = sweep_rows(layers(), most=100)
    whole, *inside = rows
    first = [row for row in inside if row.level == 1]
    assert [sum(counts) for counts in zip(*(row.counts for row in first), strict=True)] == list(
        whole.counts
    )
    assert list(whole.counts) == layers().counts()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_as_many_levels_as_asked_for(depth: int) -> None:
    rows = sweep_rows(layers(), most=2, depth=depth)
    assert max(row.level for row in rows) == min(depth, 2)


@pytest.mark.parametrize("width", [20, 30, 40, 60, 80, 100, 160])
def test_any_width(width: int) -> None:
    for swept in (layers(), of_reports("hostile", "resnet", "wide", "deep")):
        lines = to_text(swept, width=width).split("\n")
        assert max(map(cell_len, lines)) <= width
        assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("name", [*reports.ALL])
def test_the_html_is_well_formed_and_harmless(name: str) -> None:
    html = to_html(of_reports("resnet", name, "hostile"))
    root = read(html)
    tags = re.findall(r"<([a-zA-Z]+)", re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL))
    assert set(tags) <= TAGS
    for element in elements(root):
        assert set(element.attributes) <= ATTRIBUTES
    assert not re.search(r"https?:|url\(|@import|<script|javascript:", html)


def test_the_html_has_the_table() -> None:
    rows = [
        [cell.whole_text.replace("\xa0", " ") for cell in row.children]
        for row in read(to_html(layers())).all("tr")
    ]
    assert rows[0] == ["module", "FLOPs from", "to", "in batch", "in tokens", "FLOPs ="]
    (layer,) = [row for row in rows if "×4" in row[0]]
    # The type comes first: what is in an element is read before what is in those inside it.
    assert layer[1:] == ["32.8 k", "8.39 M", "linear", "linear", "2.05 k·batch·tokens"]


def test_a_notebook_gets_both() -> None:
    swept = layers()
    assert swept._repr_mimebundle_() == mime_bundle(swept)
    assert set(mime_bundle(swept)) == {"text/plain", "text/html"}
    assert str(swept) == to_text(swept)
    assert repr(swept).startswith("<Sweep of 3 batch × 4 tokens × 1 width: FLOPs = 32·batch")


def test_the_frame_has_a_row_for_each_point_and_node() -> None:
    frame = layers().to_frame()
    assert list(frame.columns[:6]) == ["batch", "tokens", "width", "path", "type", "kind"]
    assert not frame.duplicated(["batch", "tokens", "width", "path"]).any()
    assert frame.query("path == ''")["flops"].tolist() == layers().counts()
    one = frame.query("path == 'model.0' and batch == 4 and tokens == 32").iloc[0]
    assert (one["flops"], one["type"]) == (2 * 4 * 32 * 8 * 16, "Linear")
    assert one["intensity"] == one["flops"] / one["bytes"]


def test_the_table_in_markdown() -> None:
    rows = read_markdown(layers().to_markdown(depth=2))
    assert rows[0] == [
        "module", "in batch", "in tokens", "FLOPs =", "MFLOPs from", "to",
    ]  # fmt: skip
    assert rows[1][:3] == ["(all)", "linear", "linear + quadratic"]
    assert rows[5][:4] == ["1 … 4 ×4", "linear", "linear", "2.05 k·batch·tokens"]
    macs = read_markdown(layers().to_markdown(metric="macs"))
    assert macs[1][3] == "16·batch·tokens² + 1.15 k·batch·tokens"
    for options in ({"depth": 0}, {"metric": "seconds"}):
        with pytest.raises(ValueError, match=r"depth of 1 or more|choose one of flops"):
            layers().to_markdown(**options)  # type: ignore[arg-type]


def test_what_is_not_known_is_not_claimed() -> None:
    swept = of_reports("integers", "unknown", "resnet")
    text = to_text(swept, width=160)
    assert text.startswith("FLOPs: no one formula fits   [standard]\nquadratic or more in n\n")
    assert "·n" not in text
    assert repr(swept) == "<Sweep of 3 n: FLOPs: quadratic or more in n>"


def test_the_table_in_latex() -> None:
    text = layers().to_latex(label="tab:growth")
    assert text.isascii()
    assert r"& linear + quadratic & 32$\cdot$batch$\cdot$tokens$^{2}$ +" in text
    assert r"\label{tab:growth}" in text


# --- charts --------------------------------------------------------------------------------------


def labels(swept: Sweep, **options: str) -> list[str]:
    ax = swept.plot(**options)
    ax.figure.draw_without_rendering()  # type: ignore[union-attr]
    return [str(line.get_label()) for line in ax.get_lines()]


def test_a_line_for_each_value_of_the_other_variable() -> None:
    assert labels(layers()) == ["batch 8", "batch 4", "batch 2"]
    ax = layers().plot()
    assert ax.get_xlabel() == "tokens"
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    counts = [layers().report(batch=8, tokens=tokens).flops for tokens in (8, 32, 128, 512)]
    assert list(ax.get_lines()[0].get_ydata()) == counts
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["8", "32", "128", "512"]
    title = "FLOPs: linear + quadratic in tokens · width 8  [standard]"
    assert ax.get_title(loc="left") == title


def test_a_line_for_each_module_the_largest_first() -> None:
    found = labels(layers(), lines="modules")
    assert found[0] == "all: linear + quadratic"
    assert found[1].endswith(": quadratic")
    assert found[2:6] == [f"{layer}: linear" for layer in (1, 2, 3, 4)]
    assert labels(layers(), lines="modules", node="model.0") == ["0: linear"]
    ax = layers().plot(lines="modules", node="model")
    inks = [to_hex(line.get_color()) for line in ax.get_lines()]
    assert len(set(inks)) == len(inks)


def test_axes_are_linear_where_the_values_are_close() -> None:
    ax = layers().plot("batch", lines="tokens")
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "linear")
    assert ax.get_ylim()[0] == 0
    some = layers().plot(metric="int_ops")
    assert some.get_yscale() == "linear"


def test_the_intensity_is_drawn_too() -> None:
    ax = layers().plot(metric="intensity", node="model.1")
    assert ax.get_ylabel() == "FLOPs per byte"
    report = layers().report(batch=8, tokens=512)
    assert ax.get_lines()[0].get_ydata()[-1] == report.find("model.1").intensity


def test_a_count_for_each_of_something() -> None:
    """FLOPs for each token: constant for a linear layer, more and more for attention."""
    ax = layers().plot(per="tokens", lines="modules")
    assert ax.get_ylabel() == "FLOPs / tokens"
    assert ax.get_title(loc="left") == "FLOPs for each of tokens · batch 8 · width 8  [standard]"
    lines = {str(line.get_label()): list(line.get_ydata()) for line in ax.get_lines()}
    assert lines["1"] == [2 * 8 * 16 * 16] * 4
    assert lines["all"] == [8 * (32 * tokens + 2320) for tokens in (8, 32, 128, 512)]
    with pytest.raises(ValueError, match="an intensity is no count"):
        layers().plot(metric="intensity", per="tokens")


def test_it_is_drawn_where_asked() -> None:
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert layers().plot(ax=ax) is ax


@pytest.mark.filterwarnings("ignore:Glyph")  # the font of the chart lacks some of the names
def test_names_are_no_mathematics() -> None:
    swept = of_reports("hostile", "resnet", "hostile")
    assert len(labels(swept, lines="modules")) == 8


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"variable": "heads"}, ValueError, "there is no variable 'heads'; choose one of batch"),
        ({"lines": "heads"}, ValueError, "there is no variable 'heads'"),
        ({"per": "heads"}, ValueError, "there is no variable 'heads'"),
        ({"variable": "batch", "lines": "batch"}, ValueError, "batch is on the axis"),
        ({"metric": "seconds"}, ValueError, "choose one of flops, macs, int_ops, bytes, intensity"),
        ({"node": "nowhere"}, KeyError, "no module has the path 'nowhere'"),
    ],
)
def test_options_are_checked(options: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        layers().plot(**options)
