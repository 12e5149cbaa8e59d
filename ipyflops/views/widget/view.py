"""The report as a widget: a tree table with the bar chart beside it."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import anywidget
import traitlets
from ipywidgets import widget_serialization

from ipyflops.costs import CONVENTIONS, METRICS, choose_one_of
from ipyflops.report import Difference, Report, walk
from ipyflops.views.requests import BY
from ipyflops.views.rows.columns import BROWSER, OPTIONAL, chosen
from ipyflops.views.rows.memory import memory_words
from ipyflops.views.rows.roofline import roofline_words
from ipyflops.views.rows.visible import visible
from ipyflops.views.widget import static_files
from ipyflops.views.widget.change_packing import pack_change
from ipyflops.views.widget.choices import CHOICES
from ipyflops.views.widget.estimate_packing import ESTIMATE_COLUMNS, Devices
from ipyflops.views.widget.packing import BARS, column_name, pack, pack_ranks
from ipyflops.views.widget.program import SHARED_PROGRAM, Program

#: The size of the first chart, in pixels: the page asks for its own.
FIRST_WIDTH, FIRST_HEIGHT = 440, 256
#: The tab of what has changed, and its table.
CHANGE = "change"
#: What the table of modules can be sorted by.
COLUMNS = (
    "name",
    *(column_name(METRICS[key]) for key in (*BROWSER["modules"].keys, *OPTIONAL)),
    *ESTIMATE_COLUMNS,
)


class FlopsView(anywidget.AnyWidget):
    """A report in a notebook: modules, operators and source lines, explained on demand.

    Every trait can be set and observed; two views of one report do not know of each other. The tab,
    the columns and the height that somebody chooses in one are those that the next ones begin with.

    Parameters
    ----------
    report : Report
    per : (int, str), optional
        As for `ipyflops.views.rows.headline.headline`.
    against : Report, optional
        What ran before: what has changed since then is a tab of its own, and the first to be open.
    depth : int, optional
        How many levels of modules are open at first; as many as fit where it is left out.
    extra : sequence of str
        Columns that are shown besides, as ``shapes``.
    devices : sequence of (Device, float)
        Devices whose least times are columns, each with the share of its peaks that is reached.
    **traits
        Values of the traits.

    Attributes
    ----------
    report : Report
    selected : str
        Path of the selected place; empty for the whole run.
    convention : {"standard", "contractions", "article"}
    metric : {"flops", "macs", "seconds", "bytes", "int_ops", "saved_bytes", "peak_bytes"}
        What bars and chart show. The last two are of reports with memory, and of modules: where
        there are none, it is FLOPs.
    sort : str
        The column that the modules are sorted by, with ``-`` in front for the largest first, as
        ``-flops``; empty for the order of the tree.
    expanded : list of str or None
        Paths of the open places; None for as many levels as fit.
    by : {"change", "modules", "operators", "lines", "roofline", "memory"}
        The tab that is open; ``change`` where there is a report that this one is set against.
    icicle : bool
        Whether the modules are an icicle in the place of the table: a row for each level, and each
        module as wide as its part of `metric`.
    height : int or None
        How high the table and the chart are, in pixels; None for what fits on a screen.
    columns : dict of str to list of str
        By the table, as ``{"modules": ["flops", "seconds"]}``, the columns that are shown; those
        that fit where a table has none here.
    rank : int or None
        Of a report of several ranks, the number of the one that is shown; None for all together.

    Examples
    --------
    >>> view = FlopsView(report)                                       # doctest: +SKIP
    >>> view.selected = "model.layer1"                                 # doctest: +SKIP
    >>> view.observe(lambda change: print(change.new), "selected")     # doctest: +SKIP
    """

    _esm = static_files.loader()

    selected = traitlets.Unicode("").tag(sync=True)
    convention = traitlets.Enum(CONVENTIONS, "standard").tag(sync=True)
    metric = traitlets.Enum(BARS, "flops").tag(sync=True)
    sort = traitlets.Unicode("").tag(sync=True)
    expanded = traitlets.List(traitlets.Unicode(), None, allow_none=True).tag(sync=True)
    by = traitlets.Enum((CHANGE, *BY, "roofline", "memory"), "modules").tag(sync=True)

    icicle = traitlets.Bool(False).tag(sync=True)
    height = traitlets.Int(None, allow_none=True, min=100, max=4000).tag(sync=True)
    columns = traitlets.Dict(
        value_trait=traitlets.List(traitlets.Unicode()), key_trait=traitlets.Enum((CHANGE, *BY))
    ).tag(sync=True)
    rank = traitlets.Int(None, allow_none=True).tag(sync=True)

    #: Sent before the view is, which refers to it.
    _program = traitlets.Instance(Program).tag(sync=True, **widget_serialization)
    _data = traitlets.Dict().tag(sync=True)
    #: What the HTML that stands in for this view is known by.
    _key = traitlets.Unicode("").tag(sync=True)
    _depth = traitlets.Int(None, allow_none=True).tag(sync=True)
    #: The chart last drawn, with the request that it answers.
    _chart = traitlets.Dict().tag(sync=True)
    _roofline = traitlets.Dict().tag(sync=True)
    _memory = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        report: Report,
        *,
        per: tuple[int, str] | None = None,
        against: Report | None = None,
        depth: int | None = None,
        extra: Sequence[str] = (),
        devices: Devices = (),
        **traits: Any,
    ) -> None:
        self.report = report
        self._difference = None if against is None else report - against
        # To match the places of two trees takes a while, so it is done once for each convention.
        self._differences: dict[str, Difference | None] = {report.convention: self._difference}
        self._under: dict[str, Report] = {report.convention: report}
        self._paths: dict[str, str] | None = None
        traits.setdefault("convention", report.convention)
        if against is not None:
            traits.setdefault("by", CHANGE)
        self._whole = report
        self._packed: dict[str, Any] = {"per": per, "columns": extra, "devices": devices}
        self._has_own_layout = "layout" not in traits
        super().__init__(
            _data=self._message(None),
            _depth=depth,
            **_with_extra(CHOICES.added_to(traits), extra, devices),
        )
        self._key = self.model_id or ""
        self._chart = self._first_chart()
        self.on_msg(self._received)

    @traitlets.default("_program")
    def _shared_program(self) -> Program:
        return SHARED_PROGRAM.get()

    def get_state(self, key: Any = None, drop_defaults: bool = False) -> Any:
        """Give the traits for the front end, all of them.

        `ipywidgets.embed` leaves out what is as it is by default. The front end knows the defaults
        of other widgets; those of this one, its program among them, it has from here alone.
        """
        return super().get_state(key=key, drop_defaults=False)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what the browser has changed; the next views of the notebook begin with it."""
        super().set_state(sync_data)
        CHOICES.remember(sync_data, self)

    def close(self) -> None:
        """Take the view out of the page and let go of all that only it used."""
        is_open = self.comm is not None
        super().close()
        if is_open:
            # A bound method of itself would keep the view, and its report, until a collection.
            self.on_msg(self._received, remove=True)
            if self._has_own_layout:
                self.layout.close()

    # --- what is set ---------------------------------------------------------------------------

    @traitlets.validate("selected")
    def _valid_selected(self, proposal: Any) -> str:
        """Any way to write a path, as `Report.find` takes it, becomes the whole path."""
        return visible(self._node_path(proposal["value"]))

    @traitlets.validate("expanded")
    def _valid_expanded(self, proposal: Any) -> list[str] | None:
        paths: list[str] | None = proposal["value"]
        if paths is None or len(paths) > 100:
            return paths  # those of the browser; what is not there is not opened
        return [visible(self._node_path(path)) for path in paths]

    @traitlets.validate("sort")
    def _valid_sort(self, proposal: Any) -> str:
        value = str(proposal["value"])
        if value and value.removeprefix("-") not in COLUMNS:
            raise traitlets.TraitError(
                f"the modules cannot be sorted by {value!r}; "
                f"{choose_one_of(COLUMNS)}, with - in front for the largest first"
            )
        return value

    def _node_path(self, path: str) -> str:
        """The path as the report has it, of one that was typed or that the browser shows."""
        if self._paths is None:
            self._paths = {visible(node.path): node.path for node in walk(self.report.tree)}
        if path in self._paths:
            return self._paths[path]
        try:
            return self.report.find(path).path
        except KeyError as error:
            raise traitlets.TraitError(str(error.args[0])) from None

    @traitlets.validate("rank")
    def _valid_rank(self, proposal: Any) -> int | None:
        number: int | None = proposal["value"]
        numbers = [rank.number for rank in self._whole.ranks if rank.report is not None]
        if number is not None and number not in numbers:
            raise traitlets.TraitError(
                f"there is no report of a rank {number}; there are {numbers}"
            )
        return number

    @traitlets.observe("rank")
    def _show_rank(self, change: Any) -> None:
        """Show another rank's report, or that of all of them."""
        reports = {rank.number: rank.report for rank in self._whole.ranks}
        self.report = reports.get(change["new"]) or self._whole
        self._under, self._paths = {self.report.convention: self.report}, None
        self._data = self._message(self.rank)

    def _message(self, rank: int | None) -> dict[str, Any]:
        packed = {
            **pack(self.report, **self._packed),
            "ranks": pack_ranks(self._whole, rank),
        }
        # What a single rank did before is not known.
        if self._difference is not None and rank is None:
            packed["change"] = pack_change(self._difference)
        return packed

    # --- what is asked for -----------------------------------------------------------------------

    def _received(self, _: object, content: Any, buffers: object) -> None:
        """Answer a request for a chart or the program; the browser may send anything."""
        draw = {
            "chart": self._draw_bars,
            "roofline": self._draw_roofline,
            "memory": self._draw_memory,
        }
        kind = content.get("kind") if isinstance(content, dict) else None
        if kind == "program":
            # A front end that does not give views each other's models; see `static/loader.js`.
            self.send({"kind": kind, "code": static_files.program(), "style": static_files.style()})
        if kind not in draw:
            return
        try:
            answer = draw[kind](content)
        except Exception as error:
            # Without its chart the table still works.
            answer = {"error": f"The chart could not be drawn: {type(error).__name__}: {error}"}
        self.set_trait(f"_{kind}", {"key": str(content.get("key")), **answer})

    def _draw_bars(self, request: dict[str, Any]) -> dict[str, Any]:
        # matplotlib is imported when something is drawn.
        from ipyflops.views.widget.chart_image import change_picture, chart_picture

        if request["of"] == CHANGE:
            return change_picture(self._difference_under(request["convention"]), request).answer
        return chart_picture(self._report_under(request["convention"]), request).answer

    def _draw_roofline(self, request: dict[str, Any]) -> dict[str, Any]:
        from ipyflops.views.widget.chart_image import roofline_picture

        report = self._report_under(request["convention"])
        by, width = request["points"], int(request["width"])
        words = [visible(text) for text in roofline_words(report, by)]
        return {**roofline_picture(report, by, width).answer, "words": words}

    def _draw_memory(self, request: dict[str, Any]) -> dict[str, Any]:
        from ipyflops.views.widget.chart_image import memory_picture

        picture = memory_picture(self.report, int(request["width"]))
        return {**picture.answer, "words": memory_words(self.report)}

    def _first_chart(self) -> dict[str, Any]:
        """The chart that a page shows at first, and for good where no kernel runs.

        It is not drawn where matplotlib would have to be imported for it: the page asks for it.
        """
        if "matplotlib.figure" not in sys.modules or not self.report.rows:
            return {}
        scope = self.report.find(self.selected).scope if self.selected else 0
        of = {"of": "inside", "nodes": [scope]}
        if self.by == CHANGE and self._difference is not None:
            of = {"of": CHANGE, "nodes": [self._difference.tree.scopes]}
        request = {
            **of,
            "metric": self.metric,
            "convention": self.convention,
            "width": FIRST_WIDTH,
            "height": FIRST_HEIGHT,
        }
        try:
            answer = self._draw_bars(request)
        except Exception:  # the page asks for it, and is told the reason
            return {}
        return {"key": json.dumps(request, separators=(",", ":")), **answer}

    def _report_under(self, convention: str) -> Report:
        if convention not in self._under:
            self._under[convention] = self.report.under(convention)
        return self._under[convention]

    def _difference_under(self, convention: str) -> Difference:
        if self._difference is None:
            raise ValueError("there is nothing that this report is set against")
        known = self._differences.get(convention)
        if known is None:
            before, after = self._difference.before, self._whole.under(convention)
            known = self._differences[convention] = Difference.between(before, after)
        return known


def _with_extra(traits: dict[str, Any], extra: Sequence[str], devices: Devices) -> dict[str, Any]:
    """The traits with columns that are asked for among those of an earlier view."""
    columns = traits.get("columns", {}).get("modules")
    asked = [column_name(METRICS[key]) for key in chosen(extra)]
    asked += ESTIMATE_COLUMNS[: 2 * len(devices)]
    if not asked or columns is None:
        return traits
    shown = [*columns, *(one for one in asked if one not in columns)]
    return {**traits, "columns": {**traits["columns"], "modules": shown}}
