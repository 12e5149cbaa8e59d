"""The chart of memory: live bytes over the operators of a run, and what the peak is made of."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from ipyflops.report import PHASES, DeviceMemory, Report
from ipyflops.units import percent, prefix_of, scaled
from ipyflops.views.charts.axes import AS_SET, Look, new_axes, say, title
from ipyflops.views.rows.bars import COLORS
from ipyflops.views.rows.memory import KIND_COLORS, kind_rows, place_of_peak
from ipyflops.views.rows.text_width import width_of

#: In em: what the numbers on the left take, and below which width a chart is narrow.
LEFT, NARROW = 5.0, 26.0


def memory(
    report: Report, ax: Axes | None = None, *, device: str | None = None, look: Look = AS_SET
) -> Axes:
    """Draw live bytes over operators, and beside the curve the composition of its maximum.

    The area below the curve has the colours of the phases. The stack on the right is the peak, by
    kind, at the height at which it stood.

    Parameters
    ----------
    report : Report
    ax : matplotlib.axes.Axes, optional
        As for `ipyflops.views.charts.bars.bar`.
    device : str, optional
        Its name; the one with the largest peak where it is left out.
    look : Look
        For a chart in the widget.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the report has no memory, or no such device.
    """
    if report.memory is None:
        raise ValueError("this report has no memory: count with FlopCounter(memory=True)")
    devices = report.memory.by_device
    if device is not None and device not in devices:
        raise ValueError(f"there is no device {device!r}; there are {', '.join(devices) or 'none'}")
    shown = report.memory.device if device is None else devices[device]
    if ax is None:
        ax = new_axes(7.5, 4)
    look.dress(ax)
    if not shown.curve or not shown.peak:
        say(ax, "no storage was made", look)
        return ax
    divisor, prefix = prefix_of(shown.peak)
    # In em, without what stands on the left.
    room = 72 * ax.figure.bbox.width / ax.figure.dpi / look.size - LEFT
    is_narrow = room < NARROW
    _draw_curve(ax, shown, divisor)
    _draw_peak(ax, shown, divisor, look, room)
    # Room above for the legend.
    ax.set_ylim(0, (1.5 if is_narrow else 1.25) * shown.peak / divisor)
    ax.set_ylabel(f"live {prefix}B")
    ax.set_xlabel("operators")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc="upper left", ncol=2 if is_narrow else 4, handlelength=1, **look.legend())
    peak = f"{shown.name} · peak {scaled(shown.peak, 'B')}"
    said = f"{peak}{place_of_peak(report, shown)}"
    # The widget says below the chart where it stood.
    title(ax, said if not look.ink or width_of(said) < room else peak, look)
    return ax


def _draw_curve(ax: Axes, device: DeviceMemory, divisor: float) -> None:
    """Fill the area below the curve, each stretch in the colour of its phase."""
    numbers = [point.operator for point in device.curve]
    live = [point.bytes / divisor for point in device.curve]
    named: set[str] = set()
    start = 0
    for index in range(1, len(numbers) + 1):
        phase = device.curve[start].phase
        if index < len(numbers) and device.curve[index].phase == phase:
            continue
        end = min(index + 1, len(numbers))
        label = "_nolegend_" if phase in named else phase
        named.add(phase)
        ax.fill_between(
            numbers[start:end], live[start:end], color=COLORS[phase], alpha=0.35, label=label, lw=0
        )
        start = index
    ax.plot(numbers, live, color=COLORS[PHASES[0]], lw=1)
    ax.plot(
        [device.number],
        [device.peak / divisor],
        "o",
        ms=4,
        mec=ax.xaxis.label.get_color(),
        mfc="none",
    )


def _draw_peak(ax: Axes, device: DeviceMemory, divisor: float, look: Look, room: float) -> None:
    """Stack the kinds on the right of the curve, named where there is room."""
    last = max(device.curve[-1].operator, 1)
    at, width, bottom = 1.06 * last, 0.1 * last, 0.0
    taken = 0.0
    for row in kind_rows(device):
        height = row.bytes / divisor
        ax.bar(at, height, width, bottom=bottom, color=KIND_COLORS[row.kind])
        if row.share >= 0.04:
            label = row.kind if room < NARROW else f"{row.kind} {percent(row.share)}"
            taken = max(taken, width_of(label))
            ax.annotate(
                label,
                (at + width / 2, bottom + height / 2),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                **look.text("small"),
            )
        bottom += height
    # The curve and the stack have what the names leave.
    ax.set_xlim(0, (at + width) * room / max(room - taken, room / 3))
    ticks = MaxNLocator(3 if room < NARROW else 6, integer=True).tick_values(0, last)
    ax.set_xticks([tick for tick in ticks if 0 <= tick <= last])
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
