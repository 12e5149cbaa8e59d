"""Which code a report shows the lines of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """The code whose lines a report shows.

    Attributes
    ----------
    filename : str
        As in its code objects (``co_filename``).
    name : str
        As a reader knows it: ``In[5]``, ``train.py``.
    """

    filename: str
    name: str
