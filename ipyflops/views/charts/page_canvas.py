"""A canvas of matplotlib's that writes SVG for a page: its texts are texts, its ink the page's.

matplotlib's own SVG writes outlines of glyphs, of a font that may lack what a name is written in;
that is a setting (``svg.fonttype``), and settings belong to the whole process. It also has a style
sheet and names that would reach into the page. This one has neither, and is a tenth of its size.
"""

from __future__ import annotations

import re
from typing import Any, cast
from xml.sax.saxutils import escape

from matplotlib.backend_bases import FigureCanvasBase, GraphicsContextBase, RendererBase
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D, Bbox, Transform

from ipyflops.views.rows.text_width import width_of

#: Pixels of a page to an inch of a figure.
DPI = 96
#: What is written becomes `currentColor`, the colour of the page's own texts. matplotlib has no
#: such colour: this one, that nothing else in a chart has, stands for it.
INK = "#0b1f3d"
#: Of the height of a text, what is above and below the line.
_ASCENT, _DESCENT = 0.76, 0.24
_ANCHORS = {"left": "start", "center": "middle", "right": "end"}
#: How many points each command of a path takes.
_COMMANDS = {Path.MOVETO: "M", Path.LINETO: "L", Path.CURVE3: "Q", Path.CURVE4: "C"}
_MATHEMATICS = re.compile(r"\$\\mathdefault\{(.*?)\}\$")


def page_svg(figure: Figure) -> str:
    """Write a figure as one SVG element, for a page to take in.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Of `DPI`; made by `page_figure`.

    Returns
    -------
    str
    """
    renderer = PageRenderer(figure)
    figure.draw(renderer)
    return renderer.svg()


def page_figure(width: float, height: float) -> Figure:
    """Give a figure of a size in pixels that `page_svg` writes, and that pyplot does not know."""
    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor="none")
    PageCanvas(figure)
    return figure


class PageCanvas(FigureCanvasBase):
    """What layouts ask for the sizes of texts."""

    def get_renderer(self) -> PageRenderer:
        """Give what knows the sizes of texts."""
        return PageRenderer(self.figure)


class PageRenderer(RendererBase):
    """Collects the elements of an SVG."""

    def __init__(self, figure: Figure) -> None:
        super().__init__()
        self.width, self.height = (inches * figure.dpi for inches in figure.get_size_inches())
        self._pixels = figure.dpi / 72
        self._elements: list[str] = []

    def svg(self) -> str:
        """Give what was drawn."""
        width, height = _number(self.width), _number(self.height)
        start = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" fill="currentColor">'
        )
        return "".join([start, *self._elements, "</svg>"])

    # --- what matplotlib asks --------------------------------------------------------------------

    def get_canvas_width_height(self) -> tuple[float, float]:
        """Give the size in pixels."""
        return self.width, self.height

    def points_to_pixels(self, points: Any) -> Any:
        """Give pixels."""
        return points * self._pixels

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: Any
    ) -> tuple[float, float, float]:
        """Give the size of a text in a font of the page's, which is not known."""
        size = prop.get_size_in_points() * self._pixels
        text = _plain(s) if ismath else s
        return width_of(text) * size, (_ASCENT + _DESCENT) * size, _DESCENT * size

    # --- what matplotlib draws -------------------------------------------------------------------

    def draw_path(
        self,
        gc: GraphicsContextBase,
        path: Path,
        transform: Transform,
        rgbFace: Any = None,  # noqa: N803  matplotlib's name
    ) -> None:
        """Draw lines, or fill what they enclose."""
        paint = self._style_of(gc, rgbFace)
        if not paint:
            return
        flipped = transform + Affine2D().scale(1, -1).translate(0, self.height)
        shape = _shape(path, flipped, filled=rgbFace is not None)
        if shape:
            self._take(gc, path.get_extents(flipped), f"<{shape} {paint}/>")

    def draw_text(
        self,
        gc: GraphicsContextBase,
        x: float,
        y: float,
        s: str,
        prop: FontProperties,
        angle: float,
        ismath: Any = False,
        mtext: Text | None = None,
    ) -> None:
        """Write a text where the page can set it: at its anchor."""
        anchor = "start"
        if mtext is not None and not angle:
            anchor = _ANCHORS[mtext.get_horizontalalignment()]
            x = float(mtext.get_transform().transform(mtext.get_unitless_position())[0])
        size = _number(prop.get_size_in_points() * self._pixels)
        written = [f'x="{_number(x)}" y="{_number(y)}" font-size="{size}"']
        if anchor != "start":
            written.append(f'text-anchor="{anchor}"')
        if angle:
            written.append(f'transform="rotate({_number(-angle)} {_number(x)} {_number(y)})"')
        color, opacity = self._color_of(gc, gc.get_rgb())
        if color != "currentColor":
            written.append(f'fill="{color}"')
        if opacity < 1:
            written.append(f'fill-opacity="{_number(opacity)}"')
        text = escape(_plain(s) if ismath else s)
        self._elements.append(f"<text {' '.join(written)}>{text}</text>")

    # --- how it is written -----------------------------------------------------------------------

    def _take(self, gc: GraphicsContextBase, extents: Bbox, element: str) -> None:
        """Add an element, cut off where it leaves what it is clipped to."""
        clip = gc.get_clip_rectangle()
        if clip is not None:
            x, y, width, height = clip.x0, self.height - clip.y1, clip.width, clip.height
            inside = (
                x - 1 <= extents.x0
                and extents.x1 <= x + width + 1
                and y - 1 <= extents.y0
                and extents.y1 <= y + height + 1
            )
            if not inside:
                # An element of its own clips without a name, which would have to be unique.
                box = " ".join(map(_number, (x, y, width, height)))
                place = dict(zip(("x", "y", "width", "height"), box.split(), strict=True))
                written = " ".join(f'{key}="{value}"' for key, value in place.items())
                element = f'<svg {written} viewBox="{box}" overflow="hidden">{element}</svg>'
        self._elements.append(element)

    def _style_of(self, gc: GraphicsContextBase, face: Any) -> str:
        """How a shape is filled and drawn; empty where nothing of it is seen."""
        written = []
        if face is None:
            written.append('fill="none"')
        else:
            color, opacity = self._color_of(gc, face)
            if gc.get_hatch():
                opacity *= 0.6
            written.append(f'fill="{color}"')
            if opacity < 1:
                written.append(f'fill-opacity="{_number(opacity)}"')
        width = self.points_to_pixels(gc.get_linewidth())
        color, opacity = self._color_of(gc, gc.get_rgb())
        if width and opacity:
            written.append(f'stroke="{color}" stroke-width="{_number(width)}"')
            if opacity < 1:
                written.append(f'stroke-opacity="{_number(opacity)}"')
            dashes: Any = gc.get_dashes()[1]
            if dashes is not None:
                lengths = " ".join(_number(self.points_to_pixels(one)) for one in dashes)
                written.append(f'stroke-dasharray="{lengths}"')
        elif face is None:
            return ""
        return " ".join(written)

    def _color_of(self, gc: GraphicsContextBase, color: Any) -> tuple[str, float]:
        name = to_hex(color[:3])
        alpha = gc.get_alpha() if gc.get_forced_alpha() or len(color) < 4 else color[3]
        return "currentColor" if name == INK else name, 1.0 if alpha is None else float(alpha)


def _plain(text: str) -> str:
    """What matplotlib's own numbers say, which it writes as mathematics."""
    return _MATHEMATICS.sub(r"\1", text).replace(r"\times", "×")


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


def _shape(path: Path, transform: Transform, *, filled: bool) -> str:
    """An element without its paint: a rectangle where it is one."""
    box = path.get_extents(transform)
    if filled and (box.width < 0.005 or box.height < 0.005):
        return ""  # a bar of nothing
    if filled and _is_rectangle(path, transform):
        x, y, width, height = map(_number, box.bounds)
        return f'rect x="{x}" y="{y}" width="{width}" height="{height}"'
    written = []
    points: Any  # matplotlib's types say that they may be any array
    for points, code in path.iter_segments(transform, simplify=None):
        if code == Path.CLOSEPOLY:
            written.append("z")
        else:
            written.append(_COMMANDS[code] + " ".join(map(_number, points)))
    return f'path d="{"".join(written)}"' if written else ""


def _is_rectangle(path: Path, transform: Transform) -> bool:
    # matplotlib's types say that both may be any array.
    corners, codes = cast("Any", transform.transform(path.vertices)), cast("Any", path.codes)
    if len(corners) != 5 or not (codes is None or codes[-1] == Path.CLOSEPOLY):
        return False
    corners = corners[:4]
    sides = zip(corners, [*corners[1:], corners[0]], strict=True)
    return all(min(abs(one - other)) < 1e-6 for one, other in sides)
