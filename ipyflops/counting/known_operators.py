"""What the counter has to know of an operator whenever it is called, found out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from ipyflops.attribution import bias_part
from ipyflops.counting.call_keys import KeyFunction, key_function
from ipyflops.counting.decomposition import runner
from ipyflops.counting.memory import MemoryTracker
from ipyflops.formulas import FreeOperator, Verdict, lookup


class KnownOperator(NamedTuple):
    """What the counter has to know of an operator whenever it is called.

    Attributes
    ----------
    verdict : Verdict
    run : callable
        Runs it.
    does_nothing : bool
        Whether it neither computes nor moves data (a view).
    key_of : callable
        Gives what tells its calls apart.
    bias_part : int
        What it may be in a product with a bias.
    operator : object
        The operator itself, kept so that its id stays its own.
    """

    verdict: Verdict
    run: Callable[..., Any]
    does_nothing: bool
    key_of: KeyFunction
    bias_part: int
    operator: Any


def look_up(func: Any, tracker: MemoryTracker | None) -> KnownOperator:
    """Find out what has to be known of an operator; a tracker of memory sees all of its calls."""
    verdict = lookup(func)
    run = runner(func)
    does_nothing = type(verdict) is FreeOperator and not verdict.moves_data
    if tracker is not None and does_nothing:
        run = tracker.runner(func, run)
    elif tracker is not None:
        run = tracker.watcher(func, run)
    return KnownOperator(
        verdict, run, does_nothing, key_function(func, verdict), bias_part(func), func
    )
