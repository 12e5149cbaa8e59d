"""How a report is shown; a view reads a `ipyflops.Report` and nothing else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from ipyflops.views.frontend import shows_widgets

if TYPE_CHECKING:
    from ipyflops.report.report import Difference, Report

VIEWS = ("auto", "widget", "html", "text")
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def mime_bundle(
    report: Report,
    *,
    view: str = "auto",
    by: str = "modules",
    depth: int | None = None,
    per: tuple[int, str] | None = None,
) -> dict[str, Any]:
    """Give a report in every form that a front end may choose from.

    Parameters
    ----------
    report : Report
    view : {"auto", "widget", "html", "text"}
        ``text`` gives plain text alone, ``html`` HTML as well, ``widget`` the widget besides;
        ``auto`` does so where a notebook is likely to show it.
    by, depth, per
        As for `ipyflops.views.text.report.to_text`.

    Returns
    -------
    dict
        By MIME type.

    Raises
    ------
    ValueError
        If there is no such view, or the report cannot be shown by `by`.
    """
    from ipyflops.views.text.report import to_text

    if view not in VIEWS:
        raise ValueError(f"there is no view {view!r}; choose one of {', '.join(VIEWS)}")
    bundle: dict[str, Any] = {
        "text/plain": to_text(report, by=by, depth=depth, per=per, color=in_colour())
    }
    if view != "text":
        from ipyflops.views.html.report import to_html

        bundle["text/html"] = to_html(report, by=by, depth=depth, per=per)
    if view == "widget" or (view == "auto" and shows_widgets()):
        bundle[WIDGET_VIEW] = _widget_view(report, by=by, depth=depth, per=per)
    return bundle


def _widget_view(report: Report, **options: Any) -> dict[str, Any]:
    """A new widget, as a front end finds it."""
    from ipyflops.views.widget.view import FlopsView

    return {
        "version_major": 2,
        "version_minor": 0,
        "model_id": FlopsView(report, **options).model_id,
    }


def difference_mime_bundle(difference: Difference) -> dict[str, str]:
    """Give what two reports differ in, in every form that a front end may choose from.

    Parameters
    ----------
    difference : Difference

    Returns
    -------
    dict of str to str
        By MIME type.
    """
    from ipyflops.views.changes.html import difference_to_html
    from ipyflops.views.changes.text import difference_to_text

    return {
        "text/plain": difference_to_text(difference, color=in_colour()),
        "text/html": difference_to_html(difference),
    }


def in_colour() -> bool:
    """Say whether what is printed goes to a terminal that has colours, and they are wanted."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in ("", "dumb")
    )
