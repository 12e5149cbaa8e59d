"""Real torchrun jobs over gloo: what each rank computes, exchanges, and computes twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from ipyflops.report import Rank, Report
from tests.processes.job import INNER, ROWS, WIDTH, single
from tests.processes.launch import gathered, torchrun

FLOAT = 4
UP = DOWN = 2 * ROWS * WIDTH * INNER
PARAMETERS = 2 * WIDTH + WIDTH * INNER + INNER + INNER * WIDTH + WIDTH


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return gathered(
        2,
        tmp_path_factory.mktemp("two"),
        "data_parallel",
        "fully_sharded",
        "tensor_parallel",
        "pipeline",
        "collectives",
        "failing",
    )


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    return gathered(4, tmp_path_factory.mktemp("four"), "subgroup", "two_dimensions", "pipeline")


@pytest.fixture(scope="module")
def alone() -> Report:
    return single()


def of_rank(rank: Rank) -> Report:
    assert rank.report is not None
    return rank.report


def payloads(report: Report) -> dict[str, int]:
    return {name: totals.communicated for name, totals in report.by_collective.items()}


@pytest.mark.parametrize("program", ["data_parallel", "fully_sharded", "tensor_parallel"])
def test_the_ranks_products_add_up_to_those_of_one_process(
    two: dict[str, Report], alone: Report, program: str
) -> None:
    report, one = two[program].under("contractions"), alone.under("contractions")
    assert report.unknown == {}
    assert report.complete
    assert report.flops == one.flops == 3 * UP + 3 * DOWN
    assert report.replicated_flops == 0
    # Each rank does half of it, by its rows or by its columns.
    assert [of_rank(rank).flops for rank in report.ranks] == [report.flops // 2] * 2
    assert report.imbalance("flops") == 1.0


@pytest.mark.parametrize("program", ["data_parallel", "tensor_parallel"])
def test_totals_are_sums_over_the_ranks(two: dict[str, Report], program: str) -> None:
    report = two[program]
    for name in ("flops", "macs", "bytes", "communicated", "calls"):
        parts = [getattr(of_rank(rank).totals, name) for rank in report.ranks]
        assert sum(parts) == getattr(report.totals, name)
    assert report.tree.totals.replicated == report.replicated_flops
    assert Report.from_dict(report.to_dict()) == report


def test_data_parallel_ranks_make_the_same_step_and_share_the_rest(
    two: dict[str, Report], alone: Report
) -> None:
    report = two["data_parallel"]
    step = alone.by_phase["optimizer"].flops
    assert step == 2 * PARAMETERS  # a product and a sum for each
    assert report.by_phase["optimizer"].flops == 2 * step
    # Gradients are the same everywhere once they are averaged, and so is what becomes of them.
    assert report.replicated_flops == report.by_phase["optimizer"].replicated == step
    # The halves of the batch are the same work on other values.
    assert report.find("net").totals.replicated == 0
    assert report.by_phase["backward"].replicated == 0
    # All gradients in one bucket, which DDP's reducer hands over from C++.
    assert payloads(report) == {"all_reduce": 2 * FLOAT * PARAMETERS}
    assert report.by_collective["all_reduce"].calls == 2


def test_fully_sharded_ranks_share_the_step_too(two: dict[str, Report], alone: Report) -> None:
    report = two["fully_sharded"]
    assert report.replicated_flops == 0
    assert report.by_phase["optimizer"].flops == alone.by_phase["optimizer"].flops
    up = FLOAT * (WIDTH * INNER + INNER)
    rest = FLOAT * PARAMETERS - up
    # The layer on its own is gathered for the forward and again for the backward, the rest once;
    # the gradients of each are scattered once. Each of the two ranks has the whole as payload.
    assert payloads(report) == {
        "all_gather": 2 * (2 * up + rest),
        "reduce_scatter": 2 * (up + rest),
    }
    # While the backward of the other layer runs, this one is gathered ahead.
    assert report.find("net.up").totals.communicated == 2 * 2 * up


def test_tensor_parallel_ranks_repeat_the_norm_and_share_the_layers(
    two: dict[str, Report], alone: Report
) -> None:
    report = two["tensor_parallel"]
    norm = report.find("net.norm").totals
    assert norm.flops == 2 * alone.find("net.norm").flops
    assert norm.replicated == alone.find("net.norm").flops
    up = report.find("net.up").totals
    assert up.replicated == 0
    assert up.flops == alone.find("net.up").flops
    # The second layer's bias is on every rank: each adds its half of it, which it makes by a
    # division, and each sums up the same gradients for it.
    down = report.find("net.down").totals
    assert down.replicated == WIDTH + (ROWS - 1) * WIDTH
    assert down.flops - down.replicated == alone.find("net.down").flops + WIDTH
    # Without what was done twice, and the bias's division, it is the count of one process.
    without_step = alone.flops - alone.by_phase["optimizer"].flops
    assert report.flops - report.replicated_flops == without_step + WIDTH
    # Forward of the second layer, backward of the first.
    assert payloads(report) == {"all_reduce": 2 * 2 * FLOAT * ROWS * WIDTH}


def test_data_and_tensor_parallel_together(four: dict[str, Report], alone: Report) -> None:
    report = four["two_dimensions"]
    assert report.under("contractions").flops == alone.under("contractions").flops
    assert [of_rank(rank).under("contractions").flops for rank in report.ranks] == [
        (3 * UP + 3 * DOWN) // 4
    ] * 4
    # The norm is whole on the two ranks that share the layers, and each pair has its own rows.
    norm = report.find("net.norm").totals
    assert norm.replicated * 2 == norm.flops
    assert report.find("net.up").totals.replicated == 0


@pytest.mark.parametrize("ranks", [2, 4])
def test_each_stage_of_a_pipeline_counts_its_own_layer(
    two: dict[str, Report], four: dict[str, Report], ranks: int
) -> None:
    report = {2: two, 4: four}[ranks]["pipeline"].under("contractions")
    layer = 2 * ROWS * WIDTH * WIDTH
    # The first stage needs no gradient of its input.
    expected = [2 * layer, *[3 * layer] * (ranks - 1)]
    assert [of_rank(rank).flops for rank in report.ranks] == expected
    assert report.replicated_flops == 0
    assert report.imbalance("flops") == pytest.approx(3 * ranks / (3 * ranks - 1))
    # Activations go forward and gradients back between neighbours: what one sends another gets.
    sent = (ranks - 1) * 2 * FLOAT * ROWS * WIDTH
    assert payloads(report) == {"send": sent, "recv": sent}


def test_a_group_gathers_by_itself(four: dict[str, Report]) -> None:
    report = four["subgroup"]
    assert [rank.number for rank in report.ranks] == [1, 3]
    assert report.complete


def test_the_payload_of_every_collective(two: dict[str, Report]) -> None:
    report = two["collectives"]
    part, whole = 6 * FLOAT, 2 * 6 * FLOAT
    assert payloads(report) == {
        "all_reduce": 2 * part,
        "all_gather": 2 * 2 * whole,
        "reduce_scatter": 2 * whole,
        "all_to_all": 2 * part,
        "broadcast": 2 * part,
        "reduce": 2 * part,
        "gather": whole + part,  # the root gets all, the other hands in its part
        "scatter": whole + part,
        "send": part,
        "recv": part,
        "barrier": 0,
    }
    assert report.by_collective["all_gather"].calls == 4
    assert report.communicated == sum(payloads(report).values())
    assert report.flops == 0


def test_a_rank_whose_block_raised_is_named(two: dict[str, Report]) -> None:
    report = two["failing"]
    assert not report.complete
    assert report.error == "rank 1: ValueError: <no> such data"
    assert [rank.problem for rank in report.ranks] == ["", "ValueError: <no> such data"]
    assert "rank 1" in str(report)


def test_a_rank_that_hangs_is_named_within_the_timeout(tmp_path: Path) -> None:
    done = torchrun(2, tmp_path, "hangs")
    assert done.returncode == 0, done.stderr
    report = Report.load(tmp_path / "hangs.json")
    assert not report.complete
    assert report.error == "rank 1: no report within 0.5 s"
    assert report.flops == 2 * 2 * 3 * 4
    assert report.ranks[1].report is None
    # What came too late does not turn up in the next report.
    again = Report.load(tmp_path / "again.json")
    assert again.complete
    assert again.flops == 2 * report.flops


def test_a_rank_that_dies_is_named_although_torchrun_ends_the_others(tmp_path: Path) -> None:
    done = torchrun(2, tmp_path, "dies")
    assert done.returncode != 0
    report = Report.load(tmp_path / "dies.json")
    assert report.error == "rank 1: no report before this process was told to end (SIGTERM)"
    assert report.flops == 2 * 2 * 3 * 4
    # The request was put off, not thrown away.
    assert "exitcode  : -15" in done.stderr
