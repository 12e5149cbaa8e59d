"""How fast did it run, and how fast could it run?

Clean repeats with nothing intercepted (``-t``), and what the device can do at most
(``--peak``, `ipyflops.peak`); the steps of a loop (`ipyflops.Meter`).
"""

from __future__ import annotations

from ipyflops.measuring.clean_repeats import time_again
from ipyflops.measuring.devices import cpu_name
from ipyflops.measuring.meter import Meter, MeterStep
from ipyflops.measuring.peaks import Ceilings, peak
from ipyflops.measuring.precision import mode_of
from ipyflops.measuring.restoring import gradient_of, random_states, variables_of

__all__ = [
    "Ceilings",
    "Meter",
    "MeterStep",
    "cpu_name",
    "gradient_of",
    "mode_of",
    "peak",
    "random_states",
    "time_again",
    "variables_of",
]
