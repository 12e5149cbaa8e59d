"""Stores, saves and shows a report, as a request says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from IPython.core.error import UsageError

from ipyflops import views
from ipyflops.cells import Shell
from ipyflops.magics.progress_line import ProgressLine
from ipyflops.magics.request import Request
from ipyflops.processes.ipyparallel_collection import CollectedReport
from ipyflops.report import Estimate, Estimates, Report, ShownAsTable


@dataclass(frozen=True)
class ViewOptions:
    """How a report is shown: what the line says, else the magics' defaults.

    Attributes
    ----------
    view, by : str
    depth : int or None
        Levels of the tree that are shown open; None for as many as fit.
    per : (int, str) or None
        A number of items and their name.
    columns : tuple of str
        Those that are shown besides.
    has_traceback : bool
        Whether the error's traceback follows, which has its message: once is enough.
    """

    view: str
    by: str | None
    depth: int | None
    per: tuple[int, str] | None
    columns: tuple[str, ...] = ()
    has_traceback: bool = False


def deliver(
    shell: Shell,
    report: Report,
    request: Request,
    view_options: ViewOptions,
    line: ProgressLine | None = None,
) -> None:
    """Store, save and show a report.

    On an engine whose reports a notebook collects, the report is kept for the notebook instead.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    report : Report
    request : Request
    view_options : ViewOptions
    line : ProgressLine, optional
        Whose place the report takes.

    Raises
    ------
    UsageError
        If the report cannot be written. It is shown all the same.
    """
    options = request.options
    problem = None
    if options.variable is not None:
        shell.push({options.variable: report})
    if request.collection is not None:
        request.collection.reports.append(CollectedReport(request.line, report))
        if not options.time:
            return
        # Clean repeats belong to one process and are not merged, so the engine shows them itself.
    if request.save_path:
        try:
            report.save(request.save_path)
        except OSError as error:
            problem = UsageError(
                f"the report could not be written: {error}. It is not lost: "
                "ipyflops.last().save(path) writes it elsewhere"
            )
    if not options.quiet:
        estimates = _estimates(report, request, view_options)
        shown = report
        if estimates and view_options.view != "text":
            # The widget has columns of each place, and none of the whole; in text they stand below.
            said = map(views.one_line, estimates)
            shown = replace(report, notes=(*report.notes, *said))
        options_on = {"devices": request.devices} if request.devices else {}
        _show(shell, shown, view_options, line, against=request.baseline, **options_on)
        if estimates:
            table = estimates[0] if len(estimates) == 1 else Estimates(estimates)
            _publish_table(shell, table, view_options)
    if problem is not None:
        raise problem


def publish(shell: Shell, bundle: Mapping[str, Any], place: str | None = None) -> None:
    """Show a bundle by MIME type in a shell.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    bundle : mapping
    place : str, optional
        The name of a display whose place it takes.
    """
    # IPython.display.display would show it in the process's first shell, which may be another one.
    options: dict[str, Any] = {}
    if place is not None:
        options = {"transient": {"display_id": place}, "update": True}
    shell.display_pub.publish(data=dict(bundle), metadata={}, **options)


def _show(
    shell: Shell,
    report: Report,
    view_options: ViewOptions,
    line: ProgressLine | None,
    *,
    against: Report | None,
    **options: Any,
) -> None:
    """Show a report, and first what has changed since another one."""
    if view_options.has_traceback:
        report = replace(report, error=report.error.partition(": ")[0])
    places = [] if line is None else line.take()
    try:
        for bundle in views.displays(
            report,
            against=against,
            view=view_options.view,
            by=view_options.by,
            depth=view_options.depth,
            per=view_options.per,
            columns=view_options.columns,
            **options,
        ):
            publish(shell, bundle, places.pop(0) if places else None)
    finally:
        if line is not None:
            line.empty(places)


def _estimates(report: Report, request: Request, view_options: ViewOptions) -> tuple[Estimate, ...]:
    """What the run would take on each of the devices of --on."""
    return tuple(
        Estimate(report, device, efficiency, view_options.per)
        for device, efficiency in request.devices
    )


def _publish_table(shell: Shell, shown: ShownAsTable, view_options: ViewOptions) -> None:
    view = "text" if view_options.view == "text" else "html"
    publish(shell, views.mime_bundle(shown, view=view))
