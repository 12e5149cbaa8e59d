"""Count floating point operations of PyTorch code, in a notebook or a script.

In IPython or Jupyter, ``%load_ext ipyflops`` brings ``%flops`` and ``%%flops``, which ``%flops?``
explains. Everywhere else::

    import ipyflops

    with ipyflops.FlopCounter() as counter:
        loss = model(x).sum()
        loss.backward()
    counter.report.flops
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

from ipyflops.costs import Cost
from ipyflops.counting import FlopCounter, reset
from ipyflops.dry_runs import DryRunError, SweepError, dry_run, sweep
from ipyflops.formulas import FormulaError, register_formula, temporary_formula
from ipyflops.measuring import Meter, peak
from ipyflops.report import Device, Node, Report, Sweep, compare, last

__version__ = "0.1.0.dev0"

__all__ = [
    "Cost",
    "Device",
    "DryRunError",
    "FlopCounter",
    "FormulaError",
    "Meter",
    "Node",
    "Report",
    "Sweep",
    "SweepError",
    "__version__",
    "compare",
    "dry_run",
    "last",
    "load_ipython_extension",
    "peak",
    "register_formula",
    "reset",
    "sweep",
    "temporary_formula",
    "unload_ipython_extension",
]


if not getattr(sys, "_is_gil_enabled", lambda: True)():  # from Python 3.13 on
    warnings.warn(
        "this Python is free-threaded: where several threads count at once, counts may be lost",
        RuntimeWarning,
        stacklevel=2,
    )


def load_ipython_extension(shell: Any) -> None:
    """Do what ``%load_ext ipyflops`` asks for."""
    # Only here: the magics import IPython, and a script need not wait for that.
    from ipyflops.magics import load

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Do what ``%unload_ext ipyflops`` asks for."""
    from ipyflops.magics import unload

    unload(shell)
