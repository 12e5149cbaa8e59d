"""What somebody has chosen in a widget, for the next ones of the same notebook.

Whoever makes the table higher, or opens the tab of the operators, wants that again in the next
cell. A kernel belongs to one notebook, so it is the one that remembers; what code sets by itself is
no choice of a person's, and stays with its view.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

#: The traits of `FlopsView` that are remembered.
CHOSEN = ("by", "columns", "height", "icicle")


class Choices:
    """What was chosen last, by the name of the trait."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def remember(self, names: Iterable[str], view: Any) -> None:
        """Keep what a browser has changed.

        Parameters
        ----------
        names : iterable of str
            The traits that the browser has sent.
        view : FlopsView
        """
        for name in CHOSEN:
            # The tab of what has changed is first wherever it is, and most reports have none.
            if name in names and (name, getattr(view, name)) != ("by", "change"):
                self._values[name] = getattr(view, name)

    def added_to(self, traits: Mapping[str, Any]) -> dict[str, Any]:
        """Give traits of a new view, what was chosen where they say nothing."""
        return {**self._values, **traits}

    def reset(self) -> None:
        """Forget everything."""
        self._values.clear()


#: Those of this process.
CHOICES = Choices()
