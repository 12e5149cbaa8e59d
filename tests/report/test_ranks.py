"""Reports of several ranks as plain data: merging, replication, imbalance, JSON."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from ipyflops.costs import Cost
from ipyflops.report import Rank, Report, ReportFormatError, Row, Scope, Signature, merge_ranks
from ipyflops.report.ranks import imbalance, named
from ipyflops.views.html.report import to_html

MM, NORM, SEND = (
    Signature("aten::mm", "float32", "2×3, 3×4", "formula", Cost.of(contraction="n", n=100), 10),
    Signature("aten::norm", "float32", "8", "formula", Cost.of(other="n", n=7), 10),
    Signature("c10d::send", "float32", "8", "free", Cost(), 10, communicated=32),
)


def report(*rows: Row, **fields: object) -> Report:
    scopes = (Scope(-1, "", kind="root"), Scope(0, "net", "Net", calls=1, parameters=5))
    return Report(scopes, (), (MM, NORM, SEND), rows, **fields)  # type: ignore[arg-type]


def row(signature: int, calls: int = 1, sample: int = 0, nanoseconds: int = 10) -> Row:
    return Row(1, -1, "forward", signature, calls, nanoseconds, sample=sample)


def test_merging_keeps_each_rank_and_adds_up() -> None:
    first, second = report(row(0), row(2)), report(row(0, calls=3), row(1))
    both = Report.merge([first, second])
    assert both.flops == 100 + 300 + 7
    assert both.communicated == 32
    assert [rank.number for rank in both.ranks] == [0, 1]
    assert [rank.report for rank in both.ranks] == [first, second]
    assert both.find("net").totals.communicated == 32
    assert both.by_collective["send"].calls == 1
    assert list(both.by_collective) == ["send"]


def test_merging_merged_reports_numbers_their_ranks_on() -> None:
    one = report(row(0))
    four = Report.merge([Report.merge([one, one]), Report.merge([one, one])])
    assert [rank.number for rank in four.ranks] == [0, 1, 2, 3]
    assert four.flops == 400
    assert all(rank.report is not None and not rank.report.ranks for rank in four.ranks)


def test_equal_shapes_alone_are_not_replicated_work() -> None:
    assert Report.merge([report(row(0)), report(row(0))]).replicated_flops == 0
    different = [report(row(0, sample=number)) for number in (1, 2)]
    assert Report.merge(different).replicated_flops == 0


def test_equal_values_are_replicated_work_beyond_the_first_rank() -> None:
    alike = [report(row(0), row(1, sample=5)) for _ in range(3)]
    everything = Report.merge(alike)
    assert everything.flops == 3 * 107
    assert everything.replicated_flops == 2 * 7
    assert everything.find("net").totals.replicated == 14
    assert everything.by_operator["aten::norm"].replicated == 14
    assert everything.under("contractions").replicated_flops == 0
    # Two pairs, as the ranks of two tensor-parallel groups.
    pairs = [report(row(1, sample=sample)) for sample in (5, 5, 6, 6)]
    assert Report.merge(pairs).replicated_flops == 2 * 7


def test_what_only_one_rank_did_more_often_is_not_replicated() -> None:
    often, once = report(row(0, calls=5, sample=9)), report(row(0, calls=2, sample=9))
    for order in ([often, once], [once, often]):
        assert Report.merge(order).replicated_flops == 200


def test_the_same_call_twice_in_one_rank_is_not_replicated() -> None:
    twice = report(row(0, sample=9), row(0, sample=9))
    assert Report.merge([twice, report()]).replicated_flops == 0
    assert Report.merge([twice, twice]).replicated_flops == 200


def test_sums_of_calls_that_differ_are_replicated_as_a_whole() -> None:
    summed = replace(MM, summed=True)
    one = replace(report(row(0, calls=4, sample=3)), signatures=(summed, NORM, SEND))
    both = Report.merge([one, one])
    assert both.flops == 200
    assert both.replicated_flops == 100


def test_lost_ranks_and_failed_ones_are_named() -> None:
    failed = report(row(0), complete=False, error="ValueError: no")
    found = merge_ranks(
        [Rank(3, None, "no report within 5 s"), Rank(0, report(row(0))), Rank(1, failed)]
    )
    assert not found.complete
    assert found.error == "rank 1: ValueError: no; rank 3: no report within 5 s"
    assert [rank.number for rank in found.ranks] == [0, 1, 3]
    text = str(found)
    assert "incomplete: rank 1: ValueError: no; rank 3: no report within 5 s" in text
    assert "3 ranks" in text
    with pytest.raises(ValueError, match="no rank gave a report: rank 0: gone"):
        merge_ranks([Rank(0, None, "gone")])
    with pytest.raises(ValueError, match="the same number"):
        merge_ranks([Rank(0, failed), Rank(0, failed)])


def test_ranks_with_the_same_problem_are_named_together() -> None:
    lost = [Rank(number, None, "no report") for number in range(1, 13)]
    found = merge_ranks([Rank(0, report(row(0))), *lost])
    assert found.error == "ranks 1, 2, 3, 4, 5, 6, 7, 8 and 4 more: no report"
    assert named([4]) == "rank 4"


def test_imbalance_is_the_most_over_the_mean() -> None:
    ranks = merge_ranks(
        [
            Rank(0, report(row(0, nanoseconds=10))),
            Rank(1, report(row(0, calls=2, nanoseconds=50))),
            Rank(2, None, "gone"),
        ]
    )
    assert ranks.imbalance("flops") == pytest.approx(200 / 150)
    assert ranks.imbalance() == ranks.imbalance("seconds") == pytest.approx(50 / 30)
    assert ranks.imbalance("communicated") == 1.0
    assert report(row(0)).imbalance("flops") == 1.0
    with pytest.raises(ValueError, match="choose one of flops"):
        imbalance((), "heat")  # type: ignore[arg-type]


def test_frames_tell_ranks_apart() -> None:
    pytest.importorskip("pandas")
    first, second = report(row(0), row(1, sample=5)), report(row(1, sample=5), row(2))
    both = merge_ranks([Rank(0, first), Rank(4, second), Rank(5, None, "gone")])
    whole = both.to_frame()
    assert dict(whole[["flops", "replicated", "communicated"]].sum()) == {
        "flops": 114,
        "replicated": 7,
        "communicated": 32,
    }
    by_rank = both.to_frame(ranks=True)
    assert list(by_rank.columns[:2]) == ["rank", "path"]
    assert by_rank.groupby("rank").flops.sum().to_dict() == {0: 107, 4: 7}
    assert "replicated" not in by_rank
    assert "communicated" not in first.to_frame()


def test_a_convention_reaches_the_ranks() -> None:
    both = Report.merge([report(row(0), row(1, sample=5))] * 2).under("contractions")
    assert [rank.report.flops for rank in both.ranks if rank.report] == [100, 100]
    # Merging the reports of the ranks again needs one convention.
    assert Report.merge([both]).flops == 200


def test_json_and_pickles_keep_ranks_samples_and_communication() -> None:
    one = report(row(0, sample=2**52), row(2))
    found = merge_ranks([Rank(0, one, place="host:1"), Rank(7, None, "gone"), Rank(8, one)])
    assert found.replicated_flops == 100
    again = Report.from_dict(found.to_dict())
    assert again == found
    assert again.ranks[0].place == "host:1"
    assert pickle.loads(pickle.dumps(found)) == found
    # A report of one process looks as it always did.
    plain = report(row(0)).to_dict()
    assert not {"ranks", "samples", "replicated"} & set(plain)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ranks", {}),
        ("ranks", [1]),
        ("ranks", [{"number": -1, "missing": "", "place": "", "report": None}]),
        ("ranks", [{"number": 0, "missing": 3, "place": "", "report": None}]),
        ("ranks", [{"number": 0, "missing": "", "place": ""}]),
        ("ranks", [{"number": 0, "missing": "", "place": "", "report": None}] * 2),
        ("ranks", [{"number": 0, "missing": "", "place": "", "report": {"ranks": [1]}}]),
        ("samples", [1]),
        ("samples", [1, "x"]),
        ("replicated", [5, 5]),
        ("replicated", [-1, 0]),
    ],
)
def test_damaged_ranks_are_refused(key: str, value: object) -> None:
    data = report(row(0), row(1)).to_dict()
    data[key] = value
    with pytest.raises(ReportFormatError):
        Report.from_dict(data)


def test_what_ranks_say_of_themselves_is_escaped() -> None:
    bad = "<img src=x onerror=alert(1)>\x1b[31m"
    found = merge_ranks([Rank(0, report(row(0)), place=bad), Rank(1, None, bad)])
    page = to_html(found)
    assert "<img" not in page
    assert "&lt;img" in page
    assert "\x1b" not in str(found) + page


def test_hundreds_of_ranks_are_cut_short_but_not_those_with_problems() -> None:
    ranks = [Rank(number, report(row(0))) for number in range(100)]
    ranks[77] = Rank(77, None, "gone")
    # Fifteen rows, and one for what they leave out; nothing that went wrong is left out.
    text = str(merge_ranks(ranks))
    table = text.partition("\nrank ")[2].partition("\n\n")[0].splitlines()[1:]
    assert [line.split("  ")[0].strip() for line in table] == [
        *(f"rank {number}" for number in range(14)),
        "rank 77",
        "85 more",
    ]
