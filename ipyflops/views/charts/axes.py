"""Axes that a notebook shows, without pyplot, and what all charts write on them."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def new_axes(width: float, height: float) -> Axes:
    """Give the axes of a new figure of a size in inches; as the result of a cell they show it.

    Parameters
    ----------
    width, height : float

    Returns
    -------
    matplotlib.axes.Axes
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(axes_class=ShownAxes)


def root_figure(ax: Axes) -> Figure | None:
    """Give the whole figure of axes, which may be in a part of it.

    Parameters
    ----------
    ax : matplotlib.axes.Axes

    Returns
    -------
    matplotlib.figure.Figure or None
    """
    # Before matplotlib 3.10 get_figure gives the part, and cannot be asked for the whole.
    part: Any = ax.figure  # matplotlib's types say that it is never None
    return None if part is None else part.figure


class ShownAxes(Axes):
    """Axes with a picture of their figure, which IPython asks for."""

    def _repr_png_(self) -> bytes | None:
        figure = root_figure(self)
        if figure is None:
            return None
        picture = BytesIO()
        figure.savefig(picture, format="png", dpi=96)
        return picture.getvalue()


def say(ax: Axes, text: str) -> None:
    """Write a text in the middle of axes that have nothing else to show."""
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")


def label_bars(ax: Axes, labels: Sequence[str], ends: Sequence[tuple[float, str]]) -> None:
    """Name horizontal bars, the first at the top, and write a note at the end of each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels : sequence of str
    ends : sequence of (float, str)
        Where each bar ends, and the note.
    """
    ax.set_yticks(range(len(labels)), labels=labels, parse_math=False)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    for position, (end, note) in enumerate(ends):
        ax.annotate(
            note,
            (end, position),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
        )


def title(ax: Axes, text: str) -> None:
    """Write a title, in which nothing is mathematics."""
    ax.set_title(text, loc="left", fontsize="medium", parse_math=False)
