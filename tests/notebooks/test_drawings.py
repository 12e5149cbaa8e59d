"""Drawings say what the text says: windows, pairs, and where the roof begins."""

from __future__ import annotations

from collections.abc import Iterator

import drawings
import matplotlib.pyplot as plt
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle


@pytest.fixture(autouse=True)
def closed_afterwards(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    plt.switch_backend("agg")
    yield
    plt.close("all")


def coloured(ax: Axes, colour: str) -> int:
    squares = [one for one in ax.patches if isinstance(one, Rectangle)]
    return sum(to_hex(one.get_facecolor()) == colour for one in squares)


def axes_of(figure: Figure) -> list[Axes]:
    return list(figure.axes)


def test_a_convolution_reads_what_its_kind_says() -> None:
    """With 3 channels: 9 pixels of each, 9 of one, 1 of each; and one element is written."""
    standard, depthwise, pointwise = axes_of(drawings.draw_convolutions(channels=3))
    read = [coloured(ax, drawings._READ) for ax in (standard, depthwise, pointwise)]
    assert read == [27, 9, 3]
    for ax in (standard, depthwise, pointwise):
        assert coloured(ax, drawings._WRITTEN) == 1
    arrows = [sum(isinstance(one, FancyArrowPatch) for one in standard.patches)]
    assert arrows == [3]


def test_one_kind_can_be_drawn_alone() -> None:
    (ax,) = axes_of(drawings.draw_convolutions("depthwise"))
    assert "depthwise" in ax.get_title()


def test_attention_has_the_pairs_of_its_titles() -> None:
    """Of 8 tokens: 64 pairs, 36 causal; in blocks of 4 keys 16 + 32 are computed, 12 in vain."""
    every, causal, blocks = axes_of(drawings.draw_attention(tokens=8, block=4))
    assert coloured(every, drawings._WRITTEN) == 64
    assert coloured(causal, drawings._WRITTEN) == coloured(blocks, drawings._WRITTEN) == 36
    assert coloured(blocks, drawings._READ) == 12
    assert "= 64" in every.get_title()
    assert "= 36" in causal.get_title()
    assert ": 48" in blocks.get_title()


def test_the_roof_begins_at_the_ridge() -> None:
    (ax,) = axes_of(drawings.draw_roofline(peak=100e9, bandwidth=20e9))
    intensity, rate = ax.lines[0].get_data()
    for one, other in zip(intensity, rate, strict=True):
        assert other == pytest.approx(min(100, 20 * one))
    assert "ridge: 5 FLOPs per byte" in {text.get_text() for text in ax.texts}
