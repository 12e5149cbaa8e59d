"""Drawings for the tutorials, by matplotlib: what the text would ask a reader to imagine."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

_INPUT, _READ, _WRITTEN, _EMPTY = "#dbe5f1", "#f2a65a", "#3b7dd8", "#ffffff"
_LINE = "#5a5a5a"
_FONT = 9

_TITLES = {
    "standard": "standard, 3×3\nall channels: 9·C MACs",
    "depthwise": "depthwise, 3×3\nits own channel: 9 MACs",
    "pointwise": "pointwise, 1×1\none pixel of all channels: C MACs",
}


def draw_convolutions(*kinds: str, channels: int = 3, size: int = 5) -> Figure:
    """Draw what one element of a convolution's result reads.

    Parameters
    ----------
    *kinds : {"standard", "depthwise", "pointwise"}
        All three where none is named.
    channels, size : int
        Of the image.
    """
    shown = kinds or tuple(_TITLES)
    figure, axes = plt.subplots(
        1, len(shown), figsize=(3.4 * len(shown), 4.6), layout="constrained", squeeze=False
    )
    for axis, kind in zip(axes[0], shown, strict=True):
        _convolution(axis, kind, channels, size)
    return figure


def _convolution(ax: Axes, kind: str, channels: int, size: int) -> None:
    """Channels one below the other: the input on the left, the result on the right."""
    window = 1 if kind == "pointwise" else 3
    right, step = size + 4, size + 1
    # The element is in the middle of its window.
    column = row = 1 + window // 2
    top = (channels - 1) * step
    for channel in range(channels):
        bottom = top - channel * step
        read = channel == 0 or kind != "depthwise"
        _plane(ax, (0, bottom), size, _READ if read else _INPUT, 1, window)
        _plane(ax, (right, bottom), size, _WRITTEN if channel == 0 else _INPUT, column, 1)
        if read:
            start = (1 + window, bottom + size - 1 - window / 2)
            end = (right + column, top + size - row - 0.5)
            arrow = FancyArrowPatch(start, end, arrowstyle="->", mutation_scale=12, color=_LINE)
            ax.add_patch(arrow)
    ax.text(size / 2, -1, f"input, C = {channels}", ha="center", fontsize=_FONT)
    ax.text(right + size / 2, -1, "result", ha="center", fontsize=_FONT)
    ax.set_title(_TITLES[kind], fontsize=_FONT + 1)
    ax.set(xlim=(-0.5, right + size + 0.5), ylim=(-1.6, channels * step))
    ax.set_aspect("equal")
    ax.axis("off")


def _plane(
    ax: Axes, corner: tuple[float, float], size: int, colour: str, first: int, window: int
) -> None:
    """A channel as a grid of pixels; a window that begins at a row and column has the colour."""
    x, y = corner
    coloured = range(first, first + window)
    for row in range(size):
        for column in range(size):
            face = colour if row in coloured and column in coloured else _INPUT
            pixel = (x + column, y + size - 1 - row)
            ax.add_patch(Rectangle(pixel, 1, 1, facecolor=face, edgecolor=_LINE, linewidth=0.4))


def draw_attention(tokens: int = 8, block: int = 4) -> Figure:
    """Draw which pairs of a query and a key attention computes: all, the causal ones, by blocks.

    Parameters
    ----------
    tokens : int
        Rows are queries, columns are keys.
    block : int
        How many keys a kernel that works in blocks takes at once.
    """
    query, key = np.indices((tokens, tokens))
    causal = key <= query
    by_blocks = key // block <= query // block
    figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.6), layout="constrained")
    panels = {
        f"all pairs: {tokens}² = {tokens**2}": np.ones_like(causal),
        f"causal: {tokens}·{tokens + 1}/2 = {causal.sum()}": causal,
        f"causal, in blocks of {block}: {by_blocks.sum()}\n(orange: then masked)": by_blocks,
    }
    for ax, (title, computed) in zip(axes, panels.items(), strict=True):
        for row, column in zip(query.ravel().tolist(), key.ravel().tolist(), strict=True):
            needed = causal[row, column] or title.startswith("all")
            colour = _WRITTEN if needed else _READ
            colour = colour if computed[row, column] else _EMPTY
            corner = (column, tokens - 1 - row)
            ax.add_patch(Rectangle(corner, 1, 1, facecolor=colour, edgecolor=_LINE, linewidth=0.5))
        ax.set(xlim=(0, tokens), ylim=(0, tokens), xticks=[], yticks=[])
        ax.set_xlabel("keys", fontsize=_FONT)
        ax.set_ylabel("queries", fontsize=_FONT)
        ax.set_title(title, fontsize=_FONT + 1)
        ax.set_aspect("equal")
    return figure


def draw_roofline(peak: float = 100e9, bandwidth: float = 20e9) -> Figure:
    """Draw a roofline: no kernel is above the slope of the memory or the roof of the arithmetic.

    Parameters
    ----------
    peak : float
        FLOPS.
    bandwidth : float
        Bytes a second.
    """
    ridge = peak / bandwidth
    intensity = np.geomspace(ridge / 50, ridge * 50, 200)
    roof = np.minimum(peak, intensity * bandwidth) / 1e9
    figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
    ax.loglog(intensity, roof, color=_WRITTEN, linewidth=2)
    limit = intensity <= ridge
    ax.fill_between(intensity[limit], roof[limit], roof.min(), color=_READ, alpha=0.25)
    ax.fill_between(intensity[~limit], roof[~limit], roof.min(), color=_INPUT, alpha=0.7)
    ax.axvline(ridge, color=_LINE, linestyle=":")
    middle = roof.min() * 3
    said = "memory is the limit:\nFLOPS = I · bytes a second"
    ax.text(ridge / 1.3, middle, said, ha="right", va="center")
    ax.text(ridge * 1.5, middle, "arithmetic is the limit:\nFLOPS = peak", va="center")
    ax.annotate(
        f"ridge: {ridge:g} FLOPs per byte",
        (ridge, peak / 1e9),
        xytext=(0, 10),
        textcoords="offset points",
        ha="center",
    )
    ax.set(
        xlabel="arithmetic intensity I, FLOPs per byte",
        ylabel="GFLOPS",
        ylim=(roof.min(), 3 * peak / 1e9),
    )
    return figure
