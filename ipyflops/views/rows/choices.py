"""The choices that the views share."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

By: TypeAlias = Literal["modules", "operators", "lines"]
BY: tuple[By, ...] = get_args(By)


def check_by(name: str) -> By:
    """Give `name` back if a report can be shown by it.

    Raises
    ------
    ValueError
        If it cannot; the message lists what it can be shown by.
    """
    for by in BY:
        if name == by:
            return by
    raise ValueError(f"a report cannot be shown by {name!r}; choose one of {', '.join(BY)}")
