"""The command ``python -m ipyflops``: what it runs, prints, writes, and its exit code."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from html import escape

from ipyflops import views
from ipyflops.costs import conventions
from ipyflops.dry_runs import DryRunError
from ipyflops.report import (
    LAST_REPORT,
    Difference,
    Estimate,
    Estimates,
    Report,
    ReportFormatError,
    ShownAsTable,
    printable,
    written_whole,
)
from ipyflops.scripts.command_line import DIFF, SHOW, Target, read, usage
from ipyflops.scripts.running import ScriptError, Settings, load, run

#: The exit code of a command that cannot be carried out.
WRONG = 2
_PAGE = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark">
<style>body {{ font: 14px system-ui, sans-serif; margin: 2em; }}</style></head>
<body>
{body}
</body>
</html>
"""


class CommandError(Exception):
    """What is asked for cannot be done; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry a command line out.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process where they are left out.

    Returns
    -------
    int
        The script's own exit code; 2 if the command itself cannot be carried out.
    """
    try:
        options, target = read(sys.argv[1:] if arguments is None else arguments)
    except SystemExit as error:  # of argparse, which has said why
        return error.code if isinstance(error.code, int) else WRONG
    if target is None:
        print(usage(), file=sys.stderr)
        return WRONG
    try:
        _check_writable(options)
        if target.name == SHOW and not target.is_module:
            return _show(options, target)
        if target.name == DIFF and not target.is_module:
            return _diff(options, target)
        return _run(options, target)
    except (CommandError, ScriptError) as error:
        print(f"ipyflops: {error}", file=sys.stderr)
        return WRONG


def _run(options: Namespace, target: Target) -> int:
    try:
        program = load(target)
    except SyntaxError as error:
        sys.excepthook(type(error), error.with_traceback(None), None)
        return 1
    settings = Settings(
        conventions.check(options.convention or "standard"),
        options.fake,
        options.memory,
        options.by == "lines",
    )
    try:
        report, status = run(program, target, settings)
    except DryRunError as error:
        raise CommandError(f"--fake: {error}") from None
    LAST_REPORT.remember(report)
    _deliver(report, options, target.name)
    return status


def _show(options: Namespace, target: Target) -> int:
    if len(target.arguments) != 1:
        raise CommandError("show takes one file: python -m ipyflops show run.json")
    report = _load(target.arguments[0])
    if options.convention is not None:
        report = report.under(options.convention)
    _deliver(report, options, target.arguments[0])
    return 0


def _diff(options: Namespace, target: Target) -> int:
    if len(target.arguments) != 2:
        raise CommandError("diff takes two files: python -m ipyflops diff before.json after.json")
    before, after = map(_load, target.arguments)
    if options.convention is not None:
        after = after.under(options.convention)
    difference = after - before
    if not options.quiet:
        _print(views.to_text(difference, depth=options.depth, color=views.in_colour()))
    if options.html is not None:
        _write_page(options.html, " – ".join(target.arguments), [views.to_html(difference)])
    return 0


def _load(path: str) -> Report:
    try:
        return Report.load(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}") from None
    except ReportFormatError as error:
        raise CommandError(str(error)) from None


def _deliver(report: Report, options: Namespace, title: str) -> None:
    """Print and write a report and what it is set against."""
    estimate = _estimate(report, options)
    shown = {"by": options.by, "depth": options.depth, "per": options.per}
    if not options.quiet:
        sys.stdout.flush()
        _print(views.to_text(report, color=views.in_colour(), **shown))
        if estimate is not None:
            _print(f"\n{views.to_text(estimate, color=views.in_colour())}")
    if options.save is not None:
        try:
            report.save(options.save)
        except OSError as error:
            raise CommandError(_not_written("--save", options.save, error)) from None
    if options.html is not None:
        parts = [views.to_html(report, room=None, **shown)]
        parts += [] if estimate is None else [views.to_html(estimate)]
        _write_page(options.html, title, parts)


def _estimate(report: Report, options: Namespace) -> ShownAsTable | Difference | None:
    if not options.on:
        return None
    found = tuple(Estimate(report, device, share, options.per) for device, share in options.on)
    return found[0] if len(found) == 1 else Estimates(found)


def _write_page(path: str, title: str, parts: Sequence[str]) -> None:
    """Write one file that needs nothing else."""
    page = _PAGE.format(title=escape(f"{title}: ipyflops"), body="\n".join(parts))
    try:
        with written_whole(path) as file:
            file.write(page)
    except OSError as error:
        raise CommandError(_not_written("--html", path, error)) from None


def _not_written(flag: str, path: str, error: OSError) -> str:
    return f"{flag}: {path} cannot be written: {error.strerror or error}"


def _check_writable(options: Namespace) -> None:
    """Refuse files that cannot be written while there is nothing to lose yet."""
    for flag, path in (("--save", options.save), ("--html", options.html)):
        if path is None:
            continue
        folder = os.path.dirname(os.path.abspath(path))
        if os.path.isdir(path):
            raise CommandError(f"{flag} takes a file, and {path} is a folder")
        if not os.path.isdir(folder):
            raise CommandError(f"{flag} cannot write {path}: there is no folder {folder}")
        if not os.access(folder, os.W_OK):
            raise CommandError(f"{flag} cannot write {path}: {folder} is not writable")
        # The script may change the directory.
        setattr(options, flag.removeprefix("--"), os.path.abspath(path))


def _print(text: str) -> None:
    try:
        print(printable(text))
        sys.stdout.flush()
    except BrokenPipeError:  # as when the report is piped into `head`
        sys.stderr.close()
