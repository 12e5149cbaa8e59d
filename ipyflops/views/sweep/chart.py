"""The chart of a sweep: a count against a variable, a line for each module or other value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullLocator

from ipyflops.costs import METRICS, check_choice
from ipyflops.report import Point, Sweep, Variable, counts_of, growth_of
from ipyflops.units import scaled
from ipyflops.views.charts.axes import new_axes, title
from ipyflops.views.rows.visible import shortened, visible
from ipyflops.views.sweep.rows import growth_text

#: Lines beside that of the whole; the smallest of those that do not fit are left out.
MAX_LINES = 7
LABEL_LENGTH = 40
#: Axes are logarithmic where the largest value is so many times the smallest.
WIDE = 8
#: Okabe and Ito's colours, which the colour-blind can tell apart; the whole is black or white.
COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9", "#999999")
MARKERS = "osD^vPX"


@dataclass(frozen=True, slots=True)
class _Measure:
    """What is drawn: a metric, and the position of the variable that it is divided by, if any."""

    metric: str
    per: int | None

    def value(self, point: Point, path: str) -> float:
        node = point.nodes.get(path)
        value: float
        if self.metric == "intensity":
            value = node.intensity if node is not None else 0
        else:
            (value,) = counts_of([point], [path], self.metric)
        if self.per is None:
            return value
        return value / point.values[self.per] if point.values[self.per] else 0.0

    @property
    def grows(self) -> bool:
        """Whether it is a count whose growth has a name."""
        return self.metric != "intensity" and self.per is None


@dataclass(frozen=True, slots=True)
class _Line:
    label: str
    values: list[float]
    whole: bool = False


def plot(
    sweep: Sweep,
    variable: str | None = None,
    ax: Axes | None = None,
    *,
    metric: str = "flops",
    node: str = "",
    lines: str | None = None,
    per: str | None = None,
) -> Axes:
    """Draw a sweep; see `ipyflops.report.sweep.Sweep.plot`."""
    check_choice(metric, (*sweep.metrics, "intensity"), f"there is no metric {metric!r}")
    if per is not None and metric == "intensity":
        raise ValueError("an intensity is no count, so there is none for each of something")
    place = _place(sweep, variable)
    shown = sweep.variables[place]
    path = sweep.resolve(node)
    other = _other(sweep, place, lines)
    measure = _Measure(metric, None if per is None else _place(sweep, per))
    if other is None:
        drawn = _modules(sweep, place, path, measure)
    else:
        drawn = _values(sweep, place, other, path, measure)
    if ax is None:
        ax = new_axes(7.5, 4.6)
    _draw(ax, shown, drawn)
    ax.set_xlabel(visible(shown.name))
    unit = METRICS[metric].name
    ax.set_ylabel(unit if per is None else f"{unit} / {visible(per)}")
    title(ax, _title(sweep, place, other, path, measure))
    return ax


def _place(sweep: Sweep, name: str | None) -> int:
    """The position of a variable, or of the one with the most values."""
    names = [variable.name for variable in sweep.variables]
    if name is None:
        sizes = [len(variable.values) for variable in sweep.variables]
        return sizes.index(max(sizes))
    return names.index(check_choice(name, names, f"there is no variable {name!r}"))


def _other(sweep: Sweep, place: int, lines: str | None) -> int | None:
    """The position of the variable whose values have a line each; None for modules."""
    if lines == "modules":
        return None
    if lines is not None:
        other = _place(sweep, lines)
        if other == place:
            raise ValueError(f"{lines} is on the axis; lines are modules or another variable")
        return other
    sizes = {
        index: len(variable.values)
        for index, variable in enumerate(sweep.variables)
        if index != place and len(variable.values) > 1
    }
    return max(sizes, key=lambda index: sizes[index]) if sizes else None


def _modules(sweep: Sweep, place: int, path: str, measure: _Measure) -> list[_Line]:
    """A line for the node, and for each of those that are inside it."""
    points = _along(sweep, place, {})
    node = points[-1].nodes.get(path)
    inside = [] if node is None else list(node.children)
    modules = [child for child in inside if child.kind == "module"]
    if path == "" and len(modules) == 1:
        # The only outermost module is nearly all; what is in it says more.
        at = inside.index(modules[0])
        inside[at : at + 1] = modules[0].children or modules
    lines = [_line(sweep, place, points, one.path, one.name, measure) for one in inside]
    lines = sorted((one for one in lines if any(one.values)), key=lambda one: -one.values[-1])
    name = "all" if node is None or not path else node.name
    whole = _line(sweep, place, points, path, name, measure)
    return [replace(whole, whole=True), *lines[:MAX_LINES]]


def _values(sweep: Sweep, place: int, other: int, path: str, measure: _Measure) -> list[_Line]:
    """A line for each value of another variable."""
    variable = sweep.variables[other]
    lines = []
    for value in variable.values[-MAX_LINES:]:
        points = _along(sweep, place, {other: value})
        values = [measure.value(point, path) for point in points]
        lines.append(_Line(f"{visible(variable.name)} {value:,}", values))
    return lines[::-1]


def _along(sweep: Sweep, place: int, chosen: dict[int, int]) -> list[Point]:
    """The points along a variable; the others have the value that was chosen, or their largest."""
    wanted = {
        index: chosen.get(index, variable.values[-1])
        for index, variable in enumerate(sweep.variables)
        if index != place
    }
    return [
        point
        for point in sweep.points
        if all(point.values[index] == value for index, value in wanted.items())
    ]


def _line(
    sweep: Sweep, place: int, points: Sequence[Point], path: str, name: str, measure: _Measure
) -> _Line:
    name = visible(name) or "(no name)"
    label = shortened(name, LABEL_LENGTH if name.isascii() else LABEL_LENGTH // 2)
    if measure.grows:
        _, growth = growth_of(sweep, [path], measure.metric)
        label += f": {growth_text(growth.by_variable[place])}"
    return _Line(label, [measure.value(point, path) for point in points])


def _draw(ax: Axes, variable: Variable, lines: Sequence[_Line]) -> None:
    sizes = variable.values
    colors = iter(COLORS)
    for number, line in enumerate(lines):
        ink = ax.xaxis.label.get_color() if line.whole else next(colors)
        ax.plot(
            sizes,
            line.values,
            color=ink,
            marker=MARKERS[number % len(MARKERS)],
            markersize=5,
            linewidth=2.2 if line.whole else 1.6,
            label=line.label,
        )
    values = [value for line in lines for value in line.values]
    spans = sizes[0] > 0 and sizes[-1] / sizes[0] >= WIDE
    if spans:
        ax.set_xscale("log", base=2)
    # What counts nothing somewhere has no place on a logarithmic axis.
    if spans and min(values, default=0) > 0 and max(values) / min(values) >= WIDE:
        ax.set_yscale("log")
    else:
        ax.set_ylim(bottom=0)
    _label_axes(ax, sizes)
    ax.grid(visible=True, alpha=0.3, linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    if lines:
        legend = ax.legend(fontsize="small", frameon=False)
        for entry in legend.get_texts():
            entry.set_parse_math(False)


def _label_axes(ax: Axes, sizes: Sequence[int]) -> None:
    if len(sizes) <= 10:
        ax.set_xticks(sizes, labels=[f"{size:,}" for size in sizes])
        ax.xaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(scaled(value))))
    ax.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))


def _tick(text: str) -> str:
    """A number on an axis: ``10.0 G`` as ``10 G``."""
    number, blank, prefix = text.partition(" ")
    if "." in number:
        number = number.rstrip("0").rstrip(".")
    return f"{number}{blank}{prefix}"


def _title(sweep: Sweep, place: int, other: int | None, path: str, measure: _Measure) -> str:
    """What is drawn, how it grows with what is on the axis, and what the others are."""
    said = [shortened(visible(path), LABEL_LENGTH)] if path else []
    if measure.grows:
        growth = growth_of(sweep, [path], measure.metric)[1]
        said.append(f"{METRICS[measure.metric].name}: {growth.by_variable[place].phrase}")
    elif measure.per is not None:
        name = visible(sweep.variables[measure.per].name)
        said.append(f"{METRICS[measure.metric].name} for each of {name}")
    else:
        said.append("arithmetic intensity")
    said += [
        f"{visible(variable.name)} {variable.values[-1]:,}"
        for index, variable in enumerate(sweep.variables)
        if index not in (place, other)
    ]
    text = " · ".join(said)
    return text if METRICS[measure.metric].unit == "B" else f"{text}  [{sweep.convention}]"
