"""What one can ask of the views: which rows a report is shown by, and in which form."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from ipyflops.costs import check_choice

By: TypeAlias = Literal["modules", "operators", "lines"]
BY: tuple[By, ...] = get_args(By)
View: TypeAlias = Literal["auto", "widget", "html", "text"]
VIEWS: tuple[View, ...] = get_args(View)


def check_by(name: str) -> By:
    """Give `name` back if a report can be shown by it.

    Raises
    ------
    ValueError
        If it cannot; the message lists what it can be shown by.
    """
    return check_choice(name, BY, f"a report cannot be shown by {name!r}")


def check_view(name: str) -> View:
    """Give `name` back if a result can be shown in that form.

    Raises
    ------
    ValueError
        If it cannot; the message lists the forms.

    Examples
    --------
    >>> check_view("pdf")
    Traceback (most recent call last):
    ...
    ValueError: there is no view 'pdf'; choose one of auto, widget, html, text
    """
    return check_choice(name, VIEWS, f"there is no view {name!r}")
