"""The charts: what is drawn adds up, names fit, and pyplot is left alone."""

import subprocess
import sys
import warnings

import matplotlib.axes
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ipyflops.costs import MEASURED, METRICS
from ipyflops.views.charts.axes import root_figure
from tests.views import reports

# What DejaVu Sans cannot draw is the reader's choice of font, not a mistake.
pytestmark = pytest.mark.filterwarnings("ignore:Glyph .* missing from :UserWarning")


def labels(ax: matplotlib.axes.Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def lengths(ax: matplotlib.axes.Axes) -> list[float]:
    """The stacked length of every bar, in the unit of the axis."""
    found = [0.0] * len(ax.get_yticks())
    for patch in ax.patches:
        assert isinstance(patch, Rectangle)
        found[round(patch.get_y() + patch.get_height() / 2)] += patch.get_width()
    return found


def draw(ax: matplotlib.axes.Axes) -> None:
    figure = root_figure(ax)
    assert figure is not None
    figure.draw_without_rendering()


@pytest.mark.parametrize("kind", ["bar", "roofline"])
@pytest.mark.parametrize("name", reports.ALL)
def test_every_report_can_be_drawn(name: str, kind: str) -> None:
    ax = reports.ALL[name]().plot(kind)
    assert isinstance(ax, matplotlib.axes.Axes)
    draw(ax)


@pytest.mark.parametrize("metric", MEASURED)
@pytest.mark.parametrize("name", ["resnet", "training", "transformer", "wide"])
def test_the_bars_add_up_to_the_run(name: str, metric: str) -> None:
    report = reports.ALL[name]()
    ax = report.plot(metric=metric)
    scale = {"k": 1e3, "M": 1e6, "G": 1e9, "m": 1e-3, "µ": 1e-6}
    prefix = ax.get_xlabel().removesuffix(METRICS[metric].unit or METRICS[metric].name).strip()
    found = lengths(ax)
    if not getattr(report, metric):
        assert not found
        assert [text.get_text() for text in ax.texts] == [f"no {METRICS[metric].name}"]
    elif labels(ax)[-1].endswith("more (bar cut)"):
        # What does not fit is said; its bar is as long as the others leave room for.
        assert found[-1] == pytest.approx(3 * max(found[:-1]))
        nodes = sorted(getattr(one, metric) for one in report.find("model").children)
        whole = sum(nodes)
        assert f"{100 * sum(nodes[: -(len(found) - 1)]) / whole:.1f} %" in ax.texts[-1].get_text()
        found[-1] = sum(nodes[: -(len(found) - 1)]) / scale.get(prefix, 1)
    assert sum(found) * scale.get(prefix, 1) == pytest.approx(getattr(report, metric))


def test_inside_of_a_node_with_its_own_work() -> None:
    report = reports.resnet()
    ax = report.plot("bar", node="layer1.0")
    assert labels(ax) == [
        "conv1 Conv2d", "conv2 Conv2d", "conv3 Conv2d", "relu ReLU", "downsample Sequential",
        "(own work)",
    ]  # fmt: skip
    assert sum(lengths(ax)) * 1e6 == pytest.approx(report.find("layer1.0").flops)
    assert ax.get_title(loc="left") == "layer1.0 · 464 MFLOPs [standard]"


def test_the_only_outermost_module_is_opened_at_first() -> None:
    assert labels(reports.resnet().plot())[:2] == ["conv1 Conv2d", "bn1 BatchNorm2d"]
    training = labels(reports.resnet(training=True).plot())
    assert training[0] == "conv1 Conv2d"
    assert training[-2:] == ["In[5]:3", "optimizer SGD"]
    assert labels(reports.transformer().plot()) == [
        "encoder Encoder", "head Head", "(outside modules)",
    ]  # fmt: skip


def test_a_leaf_shows_its_operators() -> None:
    ax = reports.resnet(training=True).plot(node="conv1")
    assert labels(ax) == ["aten::convolution_backward", "aten::convolution"]
    # The first layer's backward has no gradient of its input to compute: twice the forward's work.
    forward = reports.resnet().find("conv1").flops
    assert lengths(ax) == pytest.approx([2 * forward / 1e6, forward / 1e6])


def test_rows_of_nothing_are_left_out() -> None:
    builder = reports.Builder()
    for name, flops in (("some", 5), ("none", 0), ("more", 7)):
        scope = builder.scope(0, name, "Layer")
        builder.run(scope, "aten::add", reports.Cost.of(other=str(flops)), moved=8)
    report = builder.report()
    assert labels(report.plot()) == ["some Layer", "more Layer"]
    assert labels(report.plot(metric="bytes")) == ["some Layer", "none Layer", "more Layer"]
    assert [text.get_text() for text in report.plot(metric="macs").texts] == ["no MACs"]


@pytest.mark.parametrize(("children", "bars"), [(1, 1), (10, 10), (20, 20), (21, 20), (200, 20)])
def test_what_does_not_fit_is_one_bar(children: int, bars: int) -> None:
    report = reports.wide(children)
    ax = report.plot()
    assert len(labels(ax)) == bars
    assert labels(ax)[-1] == (
        "part0 Linear"
        if children == 1
        else f"{children - 19} more"
        if children == 21
        else f"{children - 19} more (bar cut)"
        if children > 20
        else f"part{children - 1} Linear"
    )
    if children <= 21:
        assert sum(lengths(ax)) * 1000 == pytest.approx(report.flops)


def test_phases_are_stacked_in_the_colours_of_the_legend() -> None:
    ax = reports.resnet(training=True).plot()
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["forward", "backward", "optimizer"]
    assert reports.resnet().plot().get_legend() is None


def test_long_and_strange_names_leave_room_for_bars() -> None:
    ax = reports.hostile().plot()
    draw(ax)
    figure = root_figure(ax)
    assert figure is not None
    assert ax.get_window_extent().width > 0.2 * figure.bbox.width
    for label in ax.get_yticklabels():
        assert label.get_window_extent().x0 >= 0
        assert label.get_text().isprintable()


def test_a_dollar_is_a_dollar() -> None:
    builder = reports.Builder()
    scope = builder.scope(0, r"$\frac$", r"$\oops$")
    builder.run(scope, "ns::$\\x$", reports.Cost.of(other="7"), microseconds=2, moved=4)
    report = builder.report()
    draw(report.plot("bar", node=r"$\frac$"))
    draw(report.plot("roofline"))
    draw(report.plot("roofline", by="operators"))


@pytest.mark.parametrize("kind", ["bar", "roofline"])
def test_it_draws_where_it_is_told_to(kind: str) -> None:
    ax = Figure().add_subplot()
    assert reports.resnet().plot(kind, ax) is ax
    assert reports.resnet().plot(kind, ax=ax) is ax


@pytest.mark.parametrize("by", ["modules", "operators"])
@pytest.mark.parametrize("name", ["resnet", "training", "transformer", "hostile"])
def test_labels_of_a_roofline_keep_apart(name: str, by: str) -> None:
    ax = reports.ALL[name]().plot("roofline", by=by)
    assert ax.texts
    frame = ax.get_window_extent().expanded(1.01, 1.01)
    extents = []
    for text in ax.texts:
        text.arrowprops = text.arrow_patch = None  # the line to the point may cross others
        extents.append(text.get_window_extent())
    for index, one in enumerate(extents):
        assert frame.fully_containsx(one.x0)
        assert frame.fully_containsx(one.x1)
        assert not any(one.padded(-0.5).overlaps(other) for other in extents[:index])


def test_a_roofline_has_ceilings_where_they_are_known() -> None:
    report = reports.resnet()
    assert not report.plot("roofline").lines
    ax = report.plot("roofline", peak_flops=3e11, peak_bandwidth=2e10)
    bandwidth, peak = ax.lines
    x, y = map(list, bandwidth.get_data())
    assert [b / a for a, b in zip(x, y, strict=True)] == pytest.approx([2e10, 2e10])
    assert x[-1] == pytest.approx(15)
    assert list(peak.get_ydata()) == [3e11, 3e11]
    assert len(report.plot("roofline", peak_flops=3e11).lines) == 1


def test_the_area_of_a_point_is_time_and_work_is_drawn_once() -> None:
    report = reports.transformer()
    ax = report.plot("roofline", by="operators")
    (points,) = ax.collections
    sizes = sorted(points.get_sizes(), reverse=True)  # type: ignore[attr-defined]
    times = sorted((one.seconds for one in report.by_operator.values() if one.flops), reverse=True)
    assert sizes[1] / sizes[0] == pytest.approx(times[1] / times[0])


@pytest.mark.parametrize(
    ("kind", "options", "problem"),
    [
        ("pie", {}, "no chart 'pie'; choose one of bar, roofline"),
        ("bar", {"metric": "beauty"}, "no metric 'beauty'; choose one of flops"),
        ("bar", {"most": 1}, "at least 2 bars"),
        ("roofline", {"by": "lines"}, "choose one of modules, operators"),
        ("roofline", {"peak_flops": 0.0}, "a peak has to be a positive number"),
        ("roofline", {"peak_bandwidth": float("nan")}, "a peak has to be a positive number"),
    ],
)
def test_a_wrong_option_is_named(kind: str, options: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        reports.resnet().plot(kind, **options)


def test_a_wrong_path_is_named() -> None:
    with pytest.raises(KeyError, match="layer9"):
        reports.resnet().plot(node="layer9")


def test_pyplot_is_left_alone() -> None:
    code = """
import sys
from tests.views import reports
for kind in ("bar", "roofline"):
    reports.resnet().plot(kind).figure.savefig("/dev/null", format="png")
assert "matplotlib.pyplot" not in sys.modules
import matplotlib.pyplot as plt
backend = plt.get_backend()
kept = plt.figure()
reports.resnet().plot()
assert plt.get_fignums() == [1] and plt.gcf() is kept and plt.get_backend() == backend
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("kind", ["bar", "roofline"])
def test_a_notebook_shows_the_result_of_plot(kind: str) -> None:
    formatter = DisplayFormatter()
    data, _ = formatter.format(reports.resnet().plot(kind))
    assert data["image/png"].startswith(b"\x89PNG")
    # Axes of somebody else's figure are theirs to show.
    data, _ = formatter.format(reports.resnet().plot(kind, Figure().add_subplot()))
    assert "image/png" not in data


@pytest.mark.parametrize("backend", ["inline", "agg"])
def test_every_backend_shows_a_chart_once_and_stays_as_it_is(backend: str) -> None:
    code = f"""
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
class Shell(InteractiveShell):
    def enable_gui(self, gui=None):
        pass  # there are no windows here
shell = Shell.instance()
shell.run_line_magic("matplotlib", {backend!r})
import matplotlib.pyplot as plt
from tests.views import reports
shell.push({{"reports": reports, "plt": plt}})
before = plt.get_backend()
with capture_output() as captured:
    result = shell.run_cell("reports.resnet().plot()")
result.raise_error()
assert plt.get_backend() == before and plt.get_fignums() == [], plt.get_fignums()
assert len(captured.outputs) <= 1, captured.outputs
assert shell.display_formatter.format(result.result)[0]["image/png"][:4] == b"\\x89PNG"
with capture_output() as captured:
    result = shell.run_cell("figure, ax = plt.subplots(); reports.resnet().plot(ax=ax) is ax")
assert result.result is True
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_texts_in_other_scripts_have_other_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    # Computer Modern, which matplotlib brings, has no Greek letters; DejaVu Sans has.
    # Whether it warns of its minus sign depends on where its cache says that the font's file is.
    settings: dict[str, object] = {
        "font.family": ["cmr10"],
        "axes.formatter.use_mathtext": True,
    }
    builder = reports.Builder()
    for name in ("alpha", "αβγ"):
        builder.run(builder.scope(0, name), "aten::add", reports.Cost.of(other="1"))
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = builder.report().plot()
        draw(ax)
    families = {one.get_text(): one.get_fontfamily() for one in ax.get_yticklabels()}
    assert families["alpha"] == ["cmr10"]
    assert families["αβγ"][:2] == ["cmr10", "DejaVu Sans"]
    assert dict(matplotlib.rcParams) == before
