"""``%flops`` and ``%%flops``: runs the user's code once, counted, and hands the report on."""

from __future__ import annotations

import sys
from collections import ChainMap
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    line_cell_magic,
    magics_class,
    needs_local_scope,
    no_var_expand,
)
from traitlets import Bool, Enum, Float, Int

from ipyflops import views
from ipyflops.cells import Origin, Shell, old_ipython, origin, running, tracebacks
from ipyflops.costs import conventions
from ipyflops.counting import FlopCounter
from ipyflops.dry_runs import DryRunError
from ipyflops.magics.cell_dry_run import CellDryRun
from ipyflops.magics.delivery import ViewOptions, deliver, publish
from ipyflops.magics.help import HELP
from ipyflops.magics.leftovers import Figures
from ipyflops.magics.options import BY_FLAG, OPTIONS, Options
from ipyflops.magics.parsing import expanded_line, parse
from ipyflops.magics.progress_line import ProgressLine, can_be_shown
from ipyflops.magics.request import (
    Request,
    check_variable,
    checked_request,
    parse_line,
    with_unseen_work,
    without_display,
)
from ipyflops.magics.shown_results import ShownResults
from ipyflops.magics.timing_and_peak import with_peak, with_timing
from ipyflops.processes import ipyparallel_engines
from ipyflops.processes.ipyparallel_cells import ParallelCells
from ipyflops.processes.ipyparallel_collection import current_collection
from ipyflops.report import LAST_REPORT, NO_SHAPES, Rank, Report, Source, merge_ranks


@dataclass(frozen=True)
class Run:
    """What was run, and what its report needs.

    Attributes
    ----------
    request : Request
    code : CompiledCell
    local : mapping or None
        The variables of the function that a line magic stands in.
    figures : Figures
        Those that were open before.
    progress : ProgressLine or None
        Whose place the report takes.
    """

    request: Request
    code: running.CompiledCell
    local: MutableMapping[str, Any] | None
    figures: Figures
    progress: ProgressLine | None


@magics_class
class FlopsMagics(Magics):
    """Count the floating point operations of a cell; the options' defaults are set here."""

    convention = Enum(
        conventions.CONVENTIONS,
        "standard",
        help="What counts as a FLOP: standard, contractions or article.",
    ).tag(config=True)
    by = Enum(BY_FLAG["--by"].choices, "modules", help="What the rows are, at first.").tag(
        config=True
    )
    view = Enum(BY_FLAG["--view"].choices, "auto", help="How a report is shown.").tag(config=True)
    depth = Int(
        None, min=0, allow_none=True, help="Levels of the tree that are shown open; None: as fits."
    ).tag(config=True)
    device_time = Bool(True, help="Take the time that each operator's kernel runs.").tag(
        config=True
    )

    progress = Bool(True, help="Say how far a cell has come that takes longer than a second.").tag(
        config=True
    )

    timeout = Float(
        None,
        min=0,
        allow_none=True,
        help="Seconds after which --ranks interrupts engines that are not done; None: never.",
    ).tag(config=True)

    shell: Shell

    def __init__(self, shell: Shell, **options: Any) -> None:
        super().__init__(shell=shell, **options)
        self._shown_results = ShownResults(shell)
        self.parallel_cells = ParallelCells(shell, self._show_engine_reports)

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def flops(
        self,
        line: str,
        cell: str | None = None,
        local_ns: MutableMapping[str, Any] | None = None,
    ) -> object:
        """Count the code behind the options, or the cell below them."""  # for %flops?, see HELP
        __tracebackhide__ = True
        request = self._request(line, cell, local_ns)
        options = request.options
        if cell is None and not options.code:
            if options.ranks:
                return self._run_on_engines(None, request, line, cell)
            return self._show_last_report(request)
        try:
            code = self._compile(request, line, cell, local_ns)
        except SyntaxError as error:
            # The error itself says where it is. The frames that lead to the compiler say nothing.
            error.__traceback__ = None
            raise
        check_variable(options, code.parts, self.shell.user_ns)
        if options.ranks:
            return self._run_on_engines(code, request, line, cell)
        counter = self._counter(code, request)
        errors = counter.keep_errors()
        dry_run = self._dry_run(code, options, local_ns) if options.fake else None
        figures, progress = Figures(), self._progress_line(request)
        value: object = None
        # The code is run from here, not from a further method, because the tracebacks of its errors
        # would show that method's frame.
        try:
            with progress.shown(counter) if progress is not None else nullcontext():
                if dry_run is not None:
                    dry_run.run(counter)
                else:
                    value = running.run(self.shell, code, counter, local_ns)
        except BaseException as error:
            tracebacks.trim(error, code.parts, within_line=code.within_line)
            tracebacks.begin_at_code(error, self.shell, code.parts)
            self._deliver_after_failure(counter, dry_run, request, progress)
            raise
        run = Run(request, code, local_ns, figures, progress)
        counted = with_unseen_work(_report(counter, dry_run), code.parts, self.shell.user_ns)
        report = self._measure_and_deliver(counted, run)
        for counting_error in errors:
            # Shown as an error, but not raised: the cell has run, and has its result.
            shown = old_ipython.without_chain(self.shell, counting_error)
            self.shell.showtraceback((type(shown), shown, None), exception_only=True)
        if code.silenced:
            return None
        return self._result(report, request) if options.output else value

    flops.__doc__ = HELP

    def display(self, report: Report) -> None:
        """Show a report in the place of its own method, which would show a result twice."""
        if not self._shown_results.is_repetition(report) and not views.show(report):
            raise NotImplementedError  # one bundle is enough: IPython asks for it

    # --- before the run ------------------------------------------------------------------------

    def _request(
        self, line: str, cell: str | None, local_ns: MutableMapping[str, Any] | None
    ) -> Request:
        variables = ChainMap(local_ns or {}, self.shell.user_ns)
        options = parse_line(line, cell, variables)
        collection = current_collection(self.shell)
        if collection is not None:
            # The notebook saves and compares the merged report. The variables are those of here.
            line = expanded_line(line, variables)
            return Request(options, line=line, collection=collection)
        return checked_request(options, variables)

    def _origin(self, line: str, cell: str | None) -> Origin:
        if cell is None:
            return origin.of_line(self.shell, line)
        return origin.of_cell(self.shell, line, cell)

    def _compile(
        self,
        request: Request,
        line: str,
        cell: str | None,
        local_ns: Mapping[str, Any] | None,
    ) -> running.CompiledCell:
        place = self._origin(line, cell)
        if request.collection is not None:
            place = request.collection.in_notebook(place)
        return running.compile_cell(
            self.shell, request.options.code if cell is None else cell, place, local_ns
        )

    def _counter(self, code: running.CompiledCell, request: Request) -> FlopCounter:
        label = code.name if request.collection is None else request.collection.label
        return FlopCounter(
            self._convention(request.options),
            device_time=self.device_time and not request.options.fake,
            source=Source(code.filename, label),
            follow_methods=self._follows_methods(request.options),
            memory=request.options.memory,
            shapes=_records_shapes(request.options),
        )

    def _convention(self, options: Options) -> conventions.Convention:
        return conventions.check(options.convention or self.convention)

    def _follows_methods(self, options: Options) -> bool:
        return (options.by or self.by) == "lines"

    def _dry_run(
        self,
        code: running.CompiledCell,
        options: Options,
        local_ns: MutableMapping[str, Any] | None,
    ) -> CellDryRun:
        device = options.fake if isinstance(options.fake, str) else None
        try:
            return CellDryRun(self.shell, code, local_ns, device=device)
        except DryRunError as error:
            raise UsageError(f"--fake: {error}") from None

    def _progress_line(self, request: Request) -> ProgressLine | None:
        quiet = request.options.quiet or request.collection is not None
        if not self.progress or quiet or not can_be_shown(self.shell):
            return None
        # The widget, and the HTML that stands in for it.
        view = self._view_options(request.options).view
        return ProgressLine(self.shell, 2 if view in {"auto", "widget"} else 1)

    # --- on other processes --------------------------------------------------------------------

    def _run_on_engines(
        self, code: running.CompiledCell | None, request: Request, line: str, cell: str | None
    ) -> Report | None:
        """Count on every engine of an ipyparallel view; without code, fetch their last reports."""
        __tracebackhide__ = True
        options = request.options
        convention = self._convention(options)
        order: dict[str, Any] = {"cell": None}
        if code is not None:
            order = {
                "cell": options.code if cell is None else cell,
                "label": code.name,
                "above": self._origin(line, cell).above,
                "convention": convention,
                "device_time": self.device_time,
                "follow_methods": self._follows_methods(options),
                "memory": options.memory,
                "shapes": _records_shapes(options),
            }
        outcome = ipyparallel_engines.run(
            ipyparallel_engines.find_view(self.shell),
            order,
            timeout=self.timeout if options.timeout is None else options.timeout,
            publish=self._publish,
        )
        report = outcome.report(convention)
        try:
            if report is not None:
                LAST_REPORT.remember(report)
                self._deliver(report, request)
        finally:
            outcome.raise_errors()
        return self._result(report, request) if options.output and report is not None else None

    def _show_engine_reports(self, ranks: Sequence[Rank[Report]], line: str) -> None:
        """Merge what engines have counted in a %%px cell, and deliver it as the inner line says."""
        options = parse(line)
        convention = self._convention(options)
        report = merge_ranks(rank.under(convention) for rank in ranks)
        LAST_REPORT.remember(report)
        problem = None
        try:
            request = checked_request(options, self.shell.user_ns)
        except UsageError as error:
            # The cell has run already, so its report is shown before the error is raised.
            request, problem = Request(options), error
        self._deliver(report, request)
        if problem is not None:
            raise problem

    # --- after the run -------------------------------------------------------------------------

    def _measure_and_deliver(self, report: Report, run: Run) -> Report:
        """Time the code again and measure the peak, if asked for, then deliver the report."""
        options = run.request.options
        LAST_REPORT.remember(report)
        try:
            if options.time:
                report = with_timing(report, self.shell, run.code, options, run.local, run.figures)
            if options.peak:
                report = with_peak(report, run.progress)
        finally:
            if run.progress is not None:
                run.progress.end()
            # If the repeats are interrupted, the report of the counted run remains.
            LAST_REPORT.remember(report)
            self._deliver(report, run.request, run.progress)
        return report

    def _show_last_report(self, request: Request) -> Report | None:
        options = request.options
        report = LAST_REPORT.report
        if report is None:
            raise UsageError("there is no report yet; count something first: %flops model(x)")
        for option in OPTIONS:
            if option.needs_code and getattr(options, option.name):
                raise UsageError(option.no_code_error)
        progress = None
        if options.peak:
            progress = self._progress_line(request)
            report = with_peak(report, progress)
            LAST_REPORT.remember(report)
            if progress is not None:
                progress.end()
        if _records_shapes(options) and all(one.shapes == NO_SHAPES for one in report.scopes):
            raise UsageError(
                "the last report has no shapes; count with them: %flops --columns shapes model(x)"
            )
        if options.convention is not None:
            report = report.under(options.convention)
        self._deliver(report, request, progress)
        return self._result(report, request) if options.output else None

    def _result(self, report: Report, request: Request) -> Report:
        """Give the report as the result of a line or cell that has shown it, or has not."""
        if not request.options.quiet and request.collection is None:
            self._shown_results.remember(report)
        return report

    def _deliver(
        self, report: Report, request: Request, progress: ProgressLine | None = None
    ) -> None:
        deliver(self.shell, report, request, self._view_options(request.options), progress)

    def _deliver_after_failure(
        self,
        counter: FlopCounter,
        dry_run: CellDryRun | None,
        request: Request,
        progress: ProgressLine | None,
    ) -> None:
        """Deliver the report of a failed cell; the error to be raised is the cell's own."""
        try:
            report = _report(counter, dry_run)
            LAST_REPORT.remember(report)
            # Where no operator ran, the error alone says all.
            shown = request if report.rows else without_display(request)
            view_options = replace(self._view_options(request.options), has_traceback=True)
            deliver(self.shell, report, shown, view_options, progress)
        except Exception as error:
            print(f"ipyflops: {type(error).__name__}: {error}", file=sys.stderr)

    def _view_options(self, options: Options) -> ViewOptions:
        return ViewOptions(
            view=options.view or self.view,
            # What nobody asks for is as it was chosen in the widget before.
            by=options.by or (None if self.by == views.BY[0] else self.by),
            depth=self.depth if options.depth is None else options.depth,
            per=options.per,
            columns=options.columns,
        )

    def _publish(self, bundle: Mapping[str, Any]) -> None:
        publish(self.shell, bundle)


def _records_shapes(options: Options) -> bool:
    """Whether a column is asked for that takes a count with ``shapes=True``."""
    return not views.RECORDED.isdisjoint(views.chosen_columns(options.columns))


def _report(counter: FlopCounter, dry_run: CellDryRun | None) -> Report:
    return counter.report if dry_run is None else dry_run.finish(counter.report)
