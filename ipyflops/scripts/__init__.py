"""What does the user type in a terminal?

``python -m ipyflops train.py``: the script runs as it would without, and a report follows.
"""

from __future__ import annotations

from ipyflops.scripts.command import main

__all__ = ["main"]
