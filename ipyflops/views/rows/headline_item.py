"""What a report says first, as plain data: items, each with its definition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class HeadlineItem:
    """One item of the headline, as a count or a warning.

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


@dataclass(frozen=True, slots=True)
class Headline:
    """What a report says first.

    Attributes
    ----------
    items : tuple of HeadlineItem
        An error first, then the counts and rates, then warnings.
    convention : HeadlineItem
        As ``[standard]``.
    notes : tuple of str
        The report's notes.
    """

    items: tuple[HeadlineItem, ...]
    convention: HeadlineItem
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All items and the convention in one line."""
        return f"{' · '.join(item.text for item in self.items)}   {self.convention.text}"

    def toned(self, tone: Literal["plain", "warning", "error"]) -> tuple[HeadlineItem, ...]:
        """The items of one tone."""
        return tuple(item for item in self.items if item.tone == tone)
