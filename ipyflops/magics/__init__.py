"""What does the user type, and what is shown for it?

``%flops`` and ``%%flops``: their options, their help, what `%load_ext` puts into a shell, and the
line that says how far a long cell has come.
"""

from __future__ import annotations

from ipyflops.magics.extension import load, unload

__all__ = ["load", "unload"]
