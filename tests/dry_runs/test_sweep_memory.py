"""The peak over a grid of sizes: formulas by hand, and none where no one formula fits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn

from ipyflops import sweep
from ipyflops.report import Sweep
from ipyflops.views.sweep.html import to_html
from ipyflops.views.sweep.text import to_text
from tests.views.html.test_report import read

INPUTS, OUTPUTS = 16, 32


@cache
def of_training() -> Sweep:
    """A forward and a backward of a linear layer and its activation."""
    model = nn.Sequential(nn.Linear(INPUTS, OUTPUTS), nn.ReLU())

    def step(batch: int, tokens: int) -> None:
        model(torch.randn(batch, tokens, INPUTS)).sum().backward()

    return sweep(step, batch=[1, 2, 4], tokens=[2, 3], memory=True)


def test_the_peak_of_a_training_step_is_what_the_hand_finds() -> None:
    """Weights and their gradients, the loss and its gradient, the input, and the layer's gradient.

    That is the end of the backward: the layer's output is freed by then.
    """
    weights = 4 * (INPUTS * OUTPUTS + OUTPUTS)
    each = 4 * (INPUTS + OUTPUTS)
    growth = of_training().growth(metric="peak_bytes")
    assert growth.expression == f"{each}·batch·tokens + {2 * weights + 8:,}"
    assert growth.at(batch=64, tokens=128) == each * 64 * 128 + 2 * weights + 8
    # ReLU's backward needs its result, which is as large as the layer's.
    saved = of_training().growth("model.1", "saved_bytes")
    assert saved.expression == f"{4 * OUTPUTS}·batch·tokens"


def larger_of(constant: int) -> Callable[[int], None]:
    """A function whose peak is the larger of two, one after the other: of 4·constant and 4·n."""

    def run(n: int) -> None:
        torch.empty(constant).fill_(1)
        torch.empty(n).fill_(1)

    return run


def test_a_peak_that_another_moment_takes_over_is_that_of_the_large_sizes() -> None:
    swept = sweep(larger_of(1000), n=[1, 2, 4, 8, 2000, 3000, 5000], memory=True)
    assert swept.counts(metric="peak_bytes") == [4000] * 4 + [8000, 12000, 20000]
    growth = swept.growth(metric="peak_bytes")
    assert (growth.name, growth.expression) == ("linear in n from 2000 on", "4·n")
    with pytest.raises(ValueError, match="known from 2000 on only"):
        growth.at(n=8)


@pytest.mark.parametrize("sizes", [[100, 3000], [10, 1500]])
def test_the_checks_show_that_two_peaks_are_not_of_one_moment(sizes: list[int]) -> None:
    """A straight line goes through any two; from the break at 1,000 on, 4·n is right."""
    growth = sweep(larger_of(1000), n=sizes, memory=True).growth(metric="peak_bytes")
    assert growth.expression == "4·n"
    start = growth["n"].start
    assert start is not None
    assert 1000 <= start < sizes[1]


def test_where_the_checks_disagree_no_one_formula_fits() -> None:
    """Only the largest is beyond the break."""
    swept = sweep(larger_of(1000), n=[1, 2, 4, 1200], memory=True)
    growth = swept.growth(metric="peak_bytes")
    assert (growth.irregular, growth.expression) == (True, "")
    text = to_text(swept, width=100)
    assert "peak 4.00 kB … 4.80 kB: no one formula fits (irregular in n)" in text
    assert "at others another moment" not in text


def test_a_square_is_found_from_two_sizes() -> None:
    swept = sweep(lambda n: torch.empty(n, n).fill_(1), n=[8, 16], memory=True)
    assert swept.growth(metric="peak_bytes").expression == "4·n²"


def test_checks_are_made_at_both_ends_of_the_other_variables() -> None:
    """Which moment is the peak may depend on the other size."""
    checked = {point.values for point in of_training().checks}
    assert {(1, 4), (4, 4)} <= checked


def test_the_text_has_the_peak_of_each_place_and_of_each_point() -> None:
    lines = [" ".join(line.split()) for line in to_text(of_training(), width=160).split("\n")]
    assert "peak = 192·batch·tokens + 4,360 B, linear in batch, linear in tokens" in lines
    (title,) = [line for line in lines if line.startswith("module")]
    assert title == "module FLOPs peak in batch in tokens FLOPs = peak ="
    (layer,) = [line for line in lines if "├ 0 Linear" in line]
    assert layer.endswith("·batch·tokens + 4.36 k")
    at = lines.index("batch tokens FLOPs peak held mostly by")
    # 4,360 + 192·2 and 4,360 + 192·12; of the latter 2,176 are weights, and as many gradients.
    assert "4.74 kB" in lines[at + 1]
    assert lines[at + 1].endswith("parameters 45.9 %")
    assert lines[at + 6].startswith("4 3 ")
    assert "6.66 kB" in lines[at + 6]
    assert any("at others another moment may be the peak" in line for line in lines)


def test_the_html_has_them_too() -> None:
    rows = [
        [cell.whole_text.replace("\xa0", " ") for cell in row.children]
        for row in read(to_html(of_training())).all("tr")
    ]
    assert rows[0][3:] == ["peak from", "to", "in batch", "in tokens", "FLOPs =", "peak ="]
    assert rows[1][3:5] == ["4.74 kB", "6.66 kB"]
    assert rows[1][-1] == "192·batch·tokens + 4.36 k"
    at = rows.index(["batch", "tokens", "FLOPs", "peak", "held mostly by"])
    assert [row[0:2] for row in rows[at + 1 :]] == [
        [str(batch), str(tokens)] for batch in (1, 2, 4) for tokens in (2, 3)
    ]


def test_frame_table_and_chart_have_them_too() -> None:
    swept = of_training()
    whole = swept.to_frame().query("path == ''")
    assert whole["peak_bytes"].tolist() == swept.counts(metric="peak_bytes")
    assert whole["saved_bytes"].tolist() == swept.counts(metric="saved_bytes")
    table = swept.to_markdown(metric="peak_bytes")
    assert "live peak =" in table
    assert "live peak (kB) from" in table
    ax = swept.plot("batch", metric="peak_bytes", lines="tokens")
    assert list(ax.get_lines()[0].get_ydata()) == [4360 + 192 * 3 * batch for batch in (1, 2, 4)]
    assert ax.get_title(loc="left") == "live bytes: linear in batch"


def test_many_points_are_not_all_listed() -> None:
    swept = sweep(larger_of(10), n=range(20, 60), memory=True)
    text = to_text(swept, width=80)
    assert "17 more points" in text
    assert len(swept.points) == 40


def test_without_memory_there_is_none() -> None:
    swept = sweep(larger_of(10), n=[20, 30])
    assert "peak" not in to_text(swept, width=120)
    assert "peak_bytes" not in swept.to_frame().columns
    with pytest.raises(ValueError, match="no metric 'peak_bytes'; choose one of flops"):
        swept.growth(metric="peak_bytes")


def test_a_peak_has_no_part_of_its_own() -> None:
    with pytest.raises(ValueError, match="a peak is one of a place with all that is inside"):
        of_training().counts("model", "peak_bytes", own=True)
    assert of_training().counts("model", "saved_bytes", own=True) == [0] * 6
