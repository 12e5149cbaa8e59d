"""How does a report look as plain text?

Tables that fit the width of a terminal. They are printed with rich, which draws a random number
when it is imported; those of the program must not shift by that.
"""

import random

_state = random.getstate()
import rich.style  # noqa: E402, F401

random.setstate(_state)
