"""How fast did it run, and how fast could it run?

Clean repeats with nothing intercepted (``-t``), and what the device can do at most
(``--peak``, `ipyflops.peak`).
"""
