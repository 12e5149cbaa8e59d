"""Axes that a notebook shows, without pyplot, and what all charts write on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import font_scalings, fontManager
from matplotlib.text import Text

#: Fonts of the usual systems, for what the font of the settings has no glyphs for.
OTHER_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Apple SD Gothic Neo",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Emoji",
    "Segoe UI Emoji",
    "Segoe UI Symbol",
    "Arial Unicode MS",
)


@dataclass(frozen=True, slots=True)
class Look:
    """The colour and size of what is written in a chart; those of the user's settings by default.

    The settings (``rcParams``) belong to the whole process. A chart that is drawn beside the user's
    code may not change them, not even for a moment, so all that is written is styled one by one.

    Attributes
    ----------
    ink : str
        The colour of texts, ticks and frames; the ground is transparent then.
    size : float
        Of a text of medium size, in points.
    """

    ink: str = ""
    size: float = 9.0

    def text(self, size: Literal["small", "medium"]) -> dict[str, Any]:
        """Give the options of a text."""
        if not self.ink:
            return {"fontsize": size}
        return {"fontsize": self.size * font_scalings[size], "color": self.ink}

    def legend(self) -> dict[str, Any]:
        """Give the options of a legend."""
        if not self.ink:
            return {"fontsize": "small"}
        options = self.text("small")
        return {"fontsize": options["fontsize"], "labelcolor": self.ink, "frameon": False}

    def dress(self, ax: Axes) -> None:
        """Style what axes have by themselves, before anything is drawn on them."""
        if not self.ink:
            return
        ax.set_facecolor("none")
        for spine in ax.spines.values():
            spine.set_edgecolor(self.ink)
        ax.tick_params(which="both", color=self.ink, labelcolor=self.ink, labelsize=self.size)
        for axis in (ax.xaxis, ax.yaxis):
            axis.label.set(**self.text("medium"))


#: As the user's settings are.
AS_SET = Look()


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


def say(ax: Axes, text: str, look: Look = AS_SET) -> None:
    """Write a text in the middle of axes that have nothing else to show."""
    options = look.text("medium")
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center", **options)


def label_bars(
    ax: Axes, labels: Sequence[str], ends: Sequence[tuple[float, str]], look: Look = AS_SET
) -> None:
    """Name horizontal bars, the first at the top, and write a note at the end of each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    labels : sequence of str
    ends : sequence of (float, str)
        Where each bar ends, and the note.
    look : Look
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
            **look.text("small"),
        )


def title(ax: Axes, text: str, look: Look = AS_SET) -> None:
    """Write a title, in which nothing is mathematics."""
    ax.set_title(text, loc="left", parse_math=False, **look.text("medium"))


def write_in_any_script(ax: Axes) -> None:
    """Let texts that the font of the settings may lack be written in others that are installed.

    Names of modules and lines of source are in any script. Only these texts change, and no setting.
    """
    installed = {font.name for font in fontManager.ttflist}
    others = [name for name in OTHER_FONTS if name in installed]
    texts: Any = ax.findobj(Text)
    for text in texts:
        if not text.get_text().isascii():
            families = text.get_fontfamily()
            text.set_fontfamily([*families, *(one for one in others if one not in families)])
