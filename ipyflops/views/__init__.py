"""How a report is shown; a view reads a `ipyflops.Report` and nothing else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipyflops.comparison import Difference
    from ipyflops.report import Report

VIEWS = ("auto", "html", "text")


def mime_bundle(
    report: Report,
    *,
    view: str = "auto",
    by: str = "modules",
    depth: int | None = None,
    per: tuple[int, str] | None = None,
) -> dict[str, str]:
    """Give a report in every form that a front end may choose from.

    Parameters
    ----------
    report : Report
    view : {"auto", "html", "text"}
        ``text`` gives plain text alone.
    by, depth, per
        As for `ipyflops.views.text.to_text`.

    Returns
    -------
    dict of str to str
        By MIME type.

    Raises
    ------
    ValueError
        If there is no such view, or the report cannot be shown by `by`.
    """
    from ipyflops.views.text import to_text

    if view not in VIEWS:
        raise ValueError(f"there is no view {view!r}; choose one of {', '.join(VIEWS)}")
    bundle = {"text/plain": to_text(report, by=by, depth=depth, per=per, color=_in_colour())}
    if view != "text":
        from ipyflops.views.html import to_html

        bundle["text/html"] = to_html(report, by=by, depth=depth, per=per)
    return bundle


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
    from ipyflops.views.html import difference_to_html
    from ipyflops.views.text import difference_to_text

    return {
        "text/plain": difference_to_text(difference, color=_in_colour()),
        "text/html": difference_to_html(difference),
    }


def _in_colour() -> bool:
    """Whether what is printed goes to a terminal that has colours, and they are wanted."""
    return (
        sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM", "") not in ("", "dumb")
    )
