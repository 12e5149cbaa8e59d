"""``%flops`` and ``%%flops``: what the user types, from the line's options to the report shown."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
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

from ipyflops.cells import origin, running, tracebacks
from ipyflops.cells.origin import Shell
from ipyflops.costs import conventions
from ipyflops.counting.counter import FlopCounter
from ipyflops.dry_runs.errors import DryRunError
from ipyflops.magics import progress
from ipyflops.magics.dry_cell import DryCell
from ipyflops.magics.help import HELP
from ipyflops.magics.options import BY_FLAG, OptionError, Options, parse
from ipyflops.magics.rated import with_peak, with_timing
from ipyflops.processes import ipyparallel_reports
from ipyflops.processes.ipyparallel_cells import ParallelCells
from ipyflops.report.excerpts import Source
from ipyflops.report.last_report import LAST_REPORT
from ipyflops.report.merging import merge_ranks
from ipyflops.report.report import Report
from ipyflops.report.run import Rank
from ipyflops.report.serialization.reading import ReportFormatError


@dataclass(frozen=True)
class Wishes:
    """What shall become of a report, checked before anything runs.

    Attributes
    ----------
    options : Options
    against : Report or None
        What to compare with.
    save : str
        Absolute, for the cell may change the directory; empty for none.
    line : str
        As it was typed.
    collection : Collection or None
        On an engine, of the notebook that shows the report.
    """

    options: Options
    against: Report | None
    save: str
    line: str = ""
    collection: ipyparallel_reports.Collection | None = None


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

    def __init__(self, shell: Shell) -> None:
        super().__init__(shell=shell)
        self.parallel_cells = ParallelCells(shell, self._on_engines)

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
        options = _parsed(line, cell)
        collection = ipyparallel_reports.asked(self.shell)
        if collection is None:
            wishes = self._checked(options, local_ns)
        else:
            wishes = Wishes(options, None, "", line, collection)
        if cell is None and not options.code:
            return (
                self._on_ranks(None, wishes, line, cell) if options.ranks else self._again(wishes)
            )
        try:
            code = self._compiled(options.code, line, cell, collection)
        except SyntaxError as error:
            # It says itself where it is; how the compiler was reached says nothing.
            error.__traceback__ = None
            raise
        if options.ranks:
            return self._on_ranks(code, wishes, line, cell)
        counter = FlopCounter(
            conventions.check(options.convention or self.convention),
            device_time=self.device_time and not options.fake,
            source=Source(code.filename, code.name if collection is None else collection.label),
            follow_methods=(options.by or self.by) == "lines",
        )
        errors = counter.keep_errors()
        dry = self._dry(code, local_ns) if options.fake else None
        value: object = None
        try:
            with self._progress(counter, wishes):
                if dry is not None:
                    dry.run(counter)
                else:
                    value = running.run(self.shell, code, counter, local_ns)
        except BaseException as error:
            tracebacks.trim(error, code.parts)
            self._after_failure(counter, dry, wishes)
            raise
        report = self._rated(_report(counter, dry), code, wishes, local_ns)
        for failed in errors:
            # Shown as an error, but not raised: the cell is through, and has its result.
            self.shell.showtraceback((type(failed), failed, None), exception_only=True)
        if code.silenced:
            return None
        return report if options.output else value

    flops.__doc__ = HELP

    # --- before the run ------------------------------------------------------------------------

    def _checked(self, options: Options, local: Mapping[str, Any] | None) -> Wishes:
        """Find out what can go wrong with the report while there is nothing to lose yet."""
        against = None
        if options.against is not None:
            against = _report_named(options.against, {**self.shell.user_ns, **(local or {})})
        save = ""
        if options.save is not None:
            save = os.path.abspath(options.save)
            _check_writable(save)
        return Wishes(options, against, save)

    def _compiled(
        self,
        code: str,
        line: str,
        cell: str | None,
        collection: ipyparallel_reports.Collection | None,
    ) -> running.CompiledCell:
        if cell is None:
            place = ipyparallel_reports.placed(origin.of_line(self.shell, line), collection)
            return running.compile_cell(self.shell, code, place)
        place = ipyparallel_reports.placed(origin.of_cell(self.shell, line, cell), collection)
        return running.compile_cell(self.shell, cell, place)

    def _dry(self, code: running.CompiledCell, local: MutableMapping[str, Any] | None) -> DryCell:
        try:
            return DryCell(self.shell, code, local)
        except DryRunError as error:
            raise UsageError(f"--fake: {error}") from None

    def _progress(self, counter: FlopCounter, wishes: Wishes) -> AbstractContextManager[object]:
        quiet = wishes.options.quiet or wishes.collection is not None
        if self.progress and not quiet and progress.can_be_shown(self.shell):
            return progress.shown(counter, self.shell)
        return nullcontext()

    # --- on other processes --------------------------------------------------------------------

    def _on_ranks(
        self, code: running.CompiledCell | None, wishes: Wishes, line: str, cell: str | None
    ) -> Report | None:
        """Count on every engine of an ipyparallel view, or fetch what was counted there last."""
        __tracebackhide__ = True
        from ipyflops.processes import ipyparallel_engines

        options = wishes.options
        convention = options.convention or self.convention
        order: dict[str, Any] = {"cell": None}
        if code is not None:
            place = (
                origin.of_line(self.shell, line)
                if cell is None
                else origin.of_cell(self.shell, line, cell)
            )
            order = {
                "cell": options.code if cell is None else cell,
                "label": code.name,
                "above": place.above,
                "convention": convention,
                "device_time": self.device_time,
                "follow_methods": (options.by or self.by) == "lines",
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
                self._finish(report, wishes)
        finally:
            outcome.raise_errors()
        return report if options.output else None

    def _on_engines(self, ranks: Sequence[Rank[Report]], line: str) -> None:
        """Do with what engines have counted in a %%px cell what its own line wishes."""
        options = parse(line)
        convention = options.convention or self.convention
        report = merge_ranks(rank.under(convention) for rank in ranks)
        LAST_REPORT.remember(report)
        problem = None
        try:
            wishes = self._checked(options, None)
        except UsageError as error:
            # It has run, and is shown all the same.
            wishes, problem = Wishes(options, None, ""), error
        self._finish(report, wishes)
        if problem is not None:
            raise problem

    # --- after the run -------------------------------------------------------------------------

    def _rated(
        self,
        report: Report,
        code: running.CompiledCell,
        wishes: Wishes,
        local: MutableMapping[str, Any] | None,
    ) -> Report:
        """Time the code again and measure the peak, as wished, then finish the report."""
        options = wishes.options
        LAST_REPORT.remember(report)
        try:
            if options.time:
                report = with_timing(report, self.shell, code, options, local)
            if options.peak:
                report = with_peak(report, quiet=options.quiet)
        finally:
            # An interrupt of the repeats leaves what was counted.
            LAST_REPORT.remember(report)
            self._finish(report, wishes)
        return report

    def _again(self, wishes: Wishes) -> Report | None:
        """Show the last report once more."""
        report = LAST_REPORT.report
        if report is None:
            raise UsageError("there is no report yet; count something first: %flops model(x)")
        if wishes.options.time:
            raise UsageError("-t times code, and there is none: %flops -t model(x)")
        if wishes.options.fake:
            raise UsageError("--fake runs code, and there is none: %flops --fake model(x)")
        if wishes.options.peak:
            report = with_peak(report, quiet=wishes.options.quiet)
            LAST_REPORT.remember(report)
        if wishes.options.convention is not None:
            report = report.under(wishes.options.convention)
        self._finish(report, wishes)
        return report if wishes.options.output else None

    def _finish(self, report: Report, wishes: Wishes) -> None:
        """Store, save and show a report; if it cannot be written, say so at the end."""
        options = wishes.options
        problem = None
        if options.variable is not None:
            self.shell.push({options.variable: report})
        if wishes.collection is not None:
            wishes.collection.kept.append(ipyparallel_reports.Kept(wishes.line, report))
            if not options.time:
                return
            # Clean repeats are those of one process, and a merged report has none of them.
        if wishes.save:
            try:
                report.save(wishes.save)
            except OSError as error:
                problem = UsageError(
                    f"the report could not be written: {error}. It is not lost: "
                    "ipyflops.last().save(path) writes it elsewhere"
                )
        if not options.quiet:
            # Libraries that draw and write may take random numbers, as rich does when imported.
            state = random.getstate()
            self._show(report, options)
            if wishes.against is not None:
                self._compare(report, wishes.against, options)
            random.setstate(state)
        if problem is not None:
            raise problem

    def _after_failure(self, counter: FlopCounter, dry: DryCell | None, wishes: Wishes) -> None:
        """Do what `_finish` does, for a cell whose own error is the one to be raised."""
        try:
            report = _report(counter, dry)
            LAST_REPORT.remember(report)
            self._finish(report, wishes)
        except Exception as error:
            print(f"ipyflops: {type(error).__name__}: {error}", file=sys.stderr)

    def _show(self, report: Report, options: Options) -> None:
        from ipyflops.views.displays import displays

        for bundle in displays(
            report,
            view=options.view or self.view,
            by=options.by or self.by,
            depth=self.depth if options.depth is None else options.depth,
            per=options.per,
        ):
            self._publish(bundle)

    def _compare(self, report: Report, before: Report, options: Options) -> None:
        from ipyflops.views import difference_mime_bundle

        bundle = difference_mime_bundle(report - before)
        if (options.view or self.view) == "text":
            bundle = {"text/plain": bundle["text/plain"]}
        self._publish(bundle)

    def _publish(self, bundle: Mapping[str, Any]) -> None:
        # Not IPython.display.display: it finds the process's first shell, which may be another.
        self.shell.display_pub.publish(data=dict(bundle), metadata={})


def _report(counter: FlopCounter, dry: DryCell | None) -> Report:
    return counter.report if dry is None else dry.finished(counter.report)


def _parsed(line: str, cell: str | None) -> Options:
    try:
        options = parse(line)
    except OptionError as error:
        raise UsageError(str(error)) from None
    if cell is not None and options.code:
        raise UsageError(
            f"code cannot follow %%flops on its own line: {options.code!r} belongs below it"
        )
    return options


def _report_named(name: str, variables: Mapping[str, Any]) -> Report:
    """The report to compare with."""
    if name in variables:
        found = variables[name]
        if isinstance(found, Report):
            return found
        raise UsageError(f"--against takes a Report; {name} is of type {type(found).__name__}")
    path = os.path.expanduser(name)
    if not os.path.exists(path):
        raise UsageError(f"--against: there is neither a variable nor a file {name!r}")
    try:
        return Report.load(path)
    except (ReportFormatError, OSError) as error:
        raise UsageError(f"--against: {error}") from None


def _check_writable(path: str) -> None:
    if os.path.isdir(path):
        raise UsageError(f"--save takes a file, and {path} is a folder")
    try:
        # Asking for the rights is not enough: a file system may be read-only, or full.
        with tempfile.TemporaryFile(dir=os.path.dirname(path)) as probe:
            probe.write(b"\0")
    except OSError as error:
        raise UsageError(f"--save cannot write {path}: {error.strerror or error}") from None
