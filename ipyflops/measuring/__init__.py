"""How fast did it run, and how fast could it run?

Clean repeats with nothing intercepted (``-t``), and what the device can do at most
(``--peak``, `ipyflops.peak`).
"""

from __future__ import annotations

# `clean_repeats` is not here: torch's benchmark takes long to import, and only -t needs it.
from ipyflops.measuring.devices import cpu_name
from ipyflops.measuring.peaks import peak
from ipyflops.measuring.restoring import gradient_of, random_states, variables_of

__all__ = ["cpu_name", "gradient_of", "peak", "random_states", "variables_of"]
