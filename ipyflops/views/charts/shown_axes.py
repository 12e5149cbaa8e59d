"""Axes that a notebook shows: those of a figure that pyplot does not know, in any backend."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure.add_subplot(axes_class=_shown_axes())


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


@cache
def _shown_axes() -> type[Axes]:
    # Made when first drawn: matplotlib is imported only then.
    import matplotlib.axes

    class ShownAxes(matplotlib.axes.Axes):
        """Axes with a picture of their figure, which IPython asks for."""

        def _repr_png_(self) -> bytes | None:
            figure = root_figure(self)
            if figure is None:
                return None
            picture = BytesIO()
            figure.savefig(picture, format="png", dpi=96)
            return picture.getvalue()

    return ShownAxes
