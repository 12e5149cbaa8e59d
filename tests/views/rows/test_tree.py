"""Which rows of the tree are shown: what is folded, what is left out, and that they add up."""

from collections.abc import Iterable

import pytest

from ipyflops.costs import Totals
from ipyflops.report import Report, walk
from ipyflops.views.rows.tree import TreeRow, tree_rows
from tests.views import reports
from tests.views.reports import Builder, Cost

COUNTS = ("calls", "flops", "macs", "int_ops", "bytes")


def alike(*names: str, kind: str = "Linear", work: int = 100) -> Report:
    builder = Builder()
    model = builder.scope(0, "model", "Net")
    for index, name in enumerate(names):
        scope = builder.scope(model, name, kind, parameters=5)
        builder.run(scope, "aten::mm", Cost.of(contraction="n", n=work), microseconds=index + 1)
    return builder.report()


def shown(report: Report) -> list[str]:
    rows = tree_rows(report, most=100)
    return [f"{row.name} ×{row.repeats}" if row.repeats > 1 else row.name for row in rows]


def test_alike_numbered_siblings_are_one_row() -> None:
    assert shown(alike("0", "1", "2")) == ["model", "0 … 2 ×3"]
    assert shown(alike("block1", "block2")) == ["model", "block1 … block2 ×2"]


def test_others_are_not() -> None:
    assert shown(alike("query", "key", "value")) == ["model", "query", "key", "value"]
    assert shown(alike("0", "2", "3")) == ["model", "0", "2 … 3 ×2"]
    assert shown(alike("up1", "down2")) == ["model", "up1", "down2"]
    assert shown(alike("1", "x1")) == ["model", "1", "x1"]


def test_a_different_sibling_ends_the_fold() -> None:
    builder = Builder()
    model = builder.scope(0, "model", "Net")
    for index, work in enumerate((10, 10, 20, 20)):
        scope = builder.scope(model, str(index), "Linear")
        builder.run(scope, "aten::mm", Cost.of(contraction="n", n=work))
    assert shown(builder.report()) == ["model", "0 … 1 ×2", "2 … 3 ×2"]


def test_what_is_inside_has_to_be_alike_too() -> None:
    builder = Builder()
    model = builder.scope(0, "model", "Net")
    for index, inner in enumerate(("a", "a", "b")):
        scope = builder.scope(model, str(index), "Block")
        builder.run(builder.scope(scope, inner, "Linear"), "aten::mm", Cost.of(contraction="8"))
    assert shown(builder.report()) == ["model", "0 … 1 ×2", "a", "2.b"]


def test_a_folded_row_is_the_sum() -> None:
    rows = tree_rows(reports.transformer(), most=100)
    layers = next(row for row in rows if row.repeats == 12)
    assert (layers.name, layers.calls, layers.parameters) == ("0 … 11", 12, 12 * 7_087_872)
    assert layers.path == "encoder.layers.0 … encoder.layers.11"
    inner = next(row for row in rows if row.repeats == 2)
    assert inner.calls == 24


@pytest.mark.parametrize("name", reports.ALL)
@pytest.mark.parametrize(
    ("depth", "most", "whole"),
    [(None, 40, True), (3, 400, False), (60, 2000, False), (None, 7, False)],
)
def test_what_is_inside_adds_up(name: str, depth: int | None, most: int, whole: bool) -> None:
    report = reports.ALL[name]()
    rows = tree_rows(report, depth=depth, most=most, whole_levels=whole)
    assert len(rows) <= most
    assert counts(rows[0].totals) == counts(report.totals)
    for index, row in enumerate(rows):
        inside = children(rows, index)
        if inside:
            assert row.hidden == 0
            assert sums(child.totals for child in inside) == counts(row.totals)
            assert sum(child.totals.seconds for child in inside) == pytest.approx(
                row.totals.seconds
            )
        assert sums(row.phases.values()) == counts(row.totals)


def children(rows: list[TreeRow], index: int) -> list[TreeRow]:
    inside = []
    for row in rows[index + 1 :]:
        if row.level <= rows[index].level:
            break
        if row.level == rows[index].level + 1:
            inside.append(row)
    return inside


def counts(totals: Totals) -> list[int]:
    return [getattr(totals, name) for name in COUNTS]


def sums(parts: Iterable[Totals]) -> list[int]:
    found = [counts(part) for part in parts]
    return [sum(column) for column in zip(*found, strict=True)] or [0] * len(COUNTS)


@pytest.mark.parametrize("name", reports.ALL)
@pytest.mark.parametrize("most", [2, 9, 40, 2000])
def test_every_place_is_shown_or_counted_as_left_out(name: str, most: int) -> None:
    report = reports.ALL[name]()
    rows = tree_rows(report, most=most)
    first = report.find(rows[0].path) if rows[0].path else report.tree
    hidden = sum(row.hidden for row in rows)
    nodes = sum(
        times * (1 + row.around)
        for row, times in zip(rows, multiplicities(rows), strict=True)
        if row.kind not in ("own", "more")
    )
    assert nodes + hidden == len(list(walk(first)))


def multiplicities(rows: list[TreeRow]) -> list[int]:
    """How many nodes each row stands for: folds multiply on the way down."""
    above: list[int] = []
    found = []
    for row in rows:
        above[row.level :] = [(above[row.level - 1] if row.level else 1) * row.repeats]
        found.append(above[row.level])
    return found


def test_levels_are_counted_without_the_row_of_the_whole() -> None:
    def levels(report: Report, depth: int) -> int:
        return 1 + max(row.level for row in tree_rows(report, depth=depth, most=400))

    assert [levels(reports.resnet(), depth) for depth in (1, 2, 3)] == [1, 2, 3]
    assert [levels(reports.transformer(), depth) for depth in (1, 2, 3)] == [2, 3, 4]


def test_the_largest_of_too_many_are_kept_in_order() -> None:
    rows = tree_rows(reports.wide(50), most=5)
    assert [row.name for row in rows] == ["model", "part47", "part48", "part49", "47 more"]


def test_code_shows_its_line() -> None:
    rows = tree_rows(reports.resnet(training=True), most=40)
    code = next(row for row in rows if row.kind == "code")
    assert (code.name, code.type) == ("In[5]:3", "loss = F.cross_entropy(y, target)")


def test_a_number_of_thousands_of_digits_is_a_name_like_any_other() -> None:
    assert len(shown(alike("x" + "1" * 5000, "x" + "1" * 4999 + "2"))) == 2
