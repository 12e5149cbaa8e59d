"""One figure of the headline."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of the headline.

    Attributes
    ----------
    text : str
        As ``8.18 GFLOPs``.
    definition : str
        What it means, for a tooltip.
    tone : {"plain", "warning", "error"}
        A warning or an error has to catch the eye.
    """

    text: str
    definition: str
    tone: Literal["plain", "warning", "error"] = "plain"
