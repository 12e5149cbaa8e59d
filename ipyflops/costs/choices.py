"""One message for a name that is none of those that there are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

Choice = TypeVar("Choice", bound=str)


def one_of(name: str, choices: Iterable[Choice], refusal: str) -> Choice:
    """Give a name back as the choice that it is.

    Parameters
    ----------
    name : str
        What was asked for.
    choices : iterable of str
    refusal : str
        What to say where it is none of them, with ``{}`` for the name.

    Raises
    ------
    ValueError
        If it is none of them; the message lists those that are.

    Examples
    --------
    >>> one_of("flop", ["flops", "macs"], "there is no metric {}")
    Traceback (most recent call last):
    ValueError: there is no metric 'flop'; choose one of flops, macs
    """
    choices = tuple(choices)
    for choice in choices:
        if name == choice:
            return choice
    # A name may hold braces itself, so it is put in last.
    raise ValueError(f"{refusal.replace('{}', repr(name))}; choose one of {', '.join(choices)}")
