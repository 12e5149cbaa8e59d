"""The report as a pandas data frame."""

import sys

import pytest

from ipyflops.views.table import COLUMNS
from tests.views import reports


@pytest.mark.parametrize("name", reports.ALL)
def test_it_adds_up(name: str) -> None:
    report = reports.ALL[name]()
    frame = report.to_frame()
    assert tuple(frame.columns) == COLUMNS
    assert len(frame) == len(report.rows)
    for column in ("flops", "macs", "int_ops", "bytes"):
        assert frame[column].sum() == getattr(report, column)
    assert frame["seconds"].sum() == pytest.approx(report.seconds)


def test_it_follows_the_convention() -> None:
    report = reports.resnet().under("contractions")
    assert report.to_frame()["flops"].sum() == report.flops


def test_a_row_says_where_it_ran() -> None:
    (row,) = reports.transformer().to_frame().query("operator == 'aten::mm'").to_dict("records")
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
    with pytest.raises(ImportError, match=r"pip install ipyflops\[pandas\]"):
        reports.resnet().to_frame()
