"""The report as a pandas data frame."""

import sys

import pytest

from ipyflops.report import PHASES
from ipyflops.views.documents.frame import KEYS, NUMBERS
from tests.views import reports

OPTIONS: list[dict[str, bool]] = [{}, {"lines": True}, {"shapes": True, "lines": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=["plain", "lines", "lines-shapes"])
@pytest.mark.parametrize("name", reports.ALL)
def test_it_adds_up(name: str, options: dict[str, bool]) -> None:
    report = reports.ALL[name]()
    frame = report.to_frame(**options)
    assert tuple(frame.columns) == (
        *KEYS,
        *(["line"] if "lines" in options else []),
        *(["shapes"] if "shapes" in options else []),
        *NUMBERS,
    )
    for column in ("calls", "flops", "macs", "int_ops", "bytes"):
        assert frame[column].sum() == getattr(report.totals, column)
    assert frame["seconds"].sum() == pytest.approx(report.seconds)


@pytest.mark.parametrize("name", reports.ALL)
def test_it_is_tidy(name: str) -> None:
    frame = reports.ALL[name]().to_frame()
    assert not frame.duplicated(list(KEYS)).any()
    assert not frame[list(NUMBERS)].isna().any(axis=None)


def test_what_differs_in_shapes_alone_is_one_row() -> None:
    builder = reports.Builder()
    scope = builder.scope(0, "model", "Net")
    for line, (shapes, n) in enumerate((("2×2", 8), ("3×3", 27), ("3×3", 27))):
        builder.line(line + 1, "model(x)")
        cost = reports.Cost.of(contraction="2·n", n=n)
        builder.run(scope, "aten::mm", cost, shapes=shapes, line=line)
    report = builder.report()
    assert report.to_frame()["flops"].tolist() == [2 * (8 + 27 + 27)]
    assert report.to_frame(shapes=True)["flops"].tolist() == [2 * 8, 2 * 2 * 27]
    assert report.to_frame(lines=True)["line"].tolist() == ["In[5]:1", "In[5]:2", "In[5]:3"]


def test_phases_and_dtypes_are_rows_of_their_own() -> None:
    builder = reports.Builder()
    scope = builder.scope(0, "model", "Net")
    cost = reports.Cost.of(other="n", n=5)
    for dtype in ("float32", "bfloat16"):
        for phase in PHASES:
            builder.run(scope, "aten::add", cost, dtype=dtype, phase=phase)
    frame = builder.report().to_frame()
    assert len(frame) == 2 * len(PHASES)
    assert frame.groupby("dtype")["flops"].sum().to_dict() == {"bfloat16": 20, "float32": 20}


def test_nodes_come_in_the_order_of_the_tree() -> None:
    report = reports.resnet(training=True)
    paths = list(dict.fromkeys(report.to_frame()["path"]))
    assert paths == [node.path for node in report.walk() if node.own.calls]


def test_it_follows_the_convention() -> None:
    report = reports.resnet().under("contractions")
    assert report.to_frame()["flops"].sum() == report.flops


def test_a_row_says_where_it_ran() -> None:
    frame = reports.transformer().to_frame(lines=True)
    (row,) = frame.query("operator == 'aten::mm'").to_dict("records")
    assert row["path"] == "head"
    assert row["type"] == "Head"
    assert row["kind"] == "module"
    assert row["line"] == "model.py:7"
    assert (row["phase"], row["dtype"], row["verdict"]) == ("forward", "float32", "formula")
    assert row["flops"] == 2 * 128 * 50257 * 768


def test_sums_of_calls_that_differ_are_not_multiplied() -> None:
    builder = reports.Builder()
    scope = builder.scope(0, "model", "Net")
    cost = reports.Cost.of(contraction="1000")
    summed = reports.Signature("aten::mm", "float32", "", "formula", cost, 70, summed=True)
    builder.signatures[summed] = 0
    builder.rows.append(reports.Row(scope, -1, "forward", 0, 5, 10))
    frame = builder.report().to_frame()
    assert (frame["flops"][0], frame["bytes"][0], frame["calls"][0]) == (1000, 70, 5)


def test_counts_beyond_64_bits() -> None:
    builder = reports.Builder()
    scope = builder.scope(0, "model", "Net")
    builder.run(scope, "aten::mm", reports.Cost.of(contraction="n", n=10**30))
    assert builder.report().to_frame()["flops"][0] == 10**30


def test_without_pandas_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match=r"pip install pandas"):
        reports.resnet().to_frame()
