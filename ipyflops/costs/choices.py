"""A value that has to be one of a few names, and the message where it is none of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Name = TypeVar("Name", bound=str)


def check_choice(value: str, choices: Iterable[Name], problem: str) -> Name:
    """Give `value` back, typed as one of the choices.

    Parameters
    ----------
    value : str
        What the user wrote.
    choices : iterable of str
        The valid values.
    problem : str
        What the message begins with, such as ``"there is no color 'pink'"``.

    Raises
    ------
    ValueError
        If it is none of the choices; the message lists them.

    Examples
    --------
    >>> check_choice("pink", ("red", "blue"), "there is no color 'pink'")
    Traceback (most recent call last):
    ...
    ValueError: there is no color 'pink'; choose one of red, blue
    """
    choices = tuple(choices)
    for choice in choices:
        if choice == value:
            return choice
    raise ValueError(f"{problem}; {choose_one_of(choices)}")


def choose_one_of(choices: Iterable[str]) -> str:
    """Say what can be chosen, for a message that goes on: ``choose one of red, blue``."""
    return f"choose one of {', '.join(choices)}"
