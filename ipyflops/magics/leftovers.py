"""Closes what repeats of code leave behind, and nobody will see: pyplot's figures, and widgets.

A cell shows the figures that are open when it ends. So each repeat begins with the figures that the
counted run began with, and those that it opens are closed; what the counted run has drawn is shown.
A widget lives until it is closed, in the kernel and in the browser.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any


class Figures:
    """Pyplot's open figures as they are now, just before the counted run."""

    def __init__(self) -> None:
        self._before = list(_open_figures().values())

    @contextmanager
    def repeated(self) -> Iterator[Callable[[], None]]:
        """Put what the counted run has opened aside, until the block ends.

        Gives a function that closes what a repeat has opened.
        """
        figures = _open_figures()
        aside = {key: one for key, one in figures.items() if one not in self._before}
        for key in aside:
            del figures[key]
        try:
            yield self._close_new
        finally:
            self._close_new()
            figures.update(aside)

    def _close_new(self) -> None:
        new = [one for one in _open_figures().values() if one not in self._before]
        for manager in new:
            sys.modules["matplotlib._pylab_helpers"].Gcf.destroy(manager)


def _open_figures() -> dict[int, Any]:
    """Pyplot's figures by number, the current one last; empty where nobody has imported it."""
    helpers: Any = sys.modules.get("matplotlib._pylab_helpers")
    return {} if helpers is None else helpers.Gcf.figs


class Widgets:
    """The widgets that there are now, just before the repeats."""

    def __init__(self) -> None:
        self._before = set(living_widgets())

    def close_new(self, shown: Iterable[str], *variables: Mapping[str, Any]) -> None:
        """Close the widgets that were made since and were to be shown, with what they consist of.

        Parameters
        ----------
        shown : iterable of str
            The names of their models.
        *variables : mapping of str to object
            Widgets that a variable holds stay.
        """
        living = living_widgets()
        roots = [living[name] for name in shown if name in living and name not in self._before]
        if not roots:
            return
        held = {id(one) for one in _with_parts(_held_by(variables))}
        for widget in _with_parts(roots):
            if widget.model_id not in self._before and id(widget) not in held:
                widget.close()


def living_widgets() -> Mapping[str, Any]:
    """All widgets by the names of their models; empty where nobody has imported ipywidgets."""
    module = sys.modules.get("ipywidgets.widgets.widget")
    # ipywidgets 7 has the table in the class, where it is deprecated since 8.
    return getattr(module, "_instances", None) or _of_ipywidgets_7(module)


def _of_ipywidgets_7(module: ModuleType | None) -> Mapping[str, Any]:
    table = vars(getattr(module, "Widget", object)).get("widgets")
    return table if isinstance(table, dict) else {}


def _is_widget(value: object) -> bool:
    return isinstance(value, sys.modules["ipywidgets.widgets.widget"].Widget)


def _held_by(variables: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """The widgets that variables are bound to, or objects that they are bound to."""
    for namespace in variables:
        for value in list(namespace.values()):
            yield from _widgets_in(value)
            if not isinstance(value, (type, ModuleType)):
                yield from _widgets_in(getattr(value, "__dict__", None))


def _widgets_in(value: object) -> list[Any]:
    """The widgets that a value is, or that a collection holds."""
    items: Iterable[object] = (value,)
    if isinstance(value, Mapping):
        items = list(value.values())
    elif isinstance(value, (list, tuple, set)):
        items = list(value)
    return [item for item in items if _is_widget(item)]


def _with_parts(roots: Iterable[Any]) -> list[Any]:
    """Widgets, and all that they consist of: children, layouts, styles."""
    found: dict[int, Any] = {}
    waiting = list(roots)
    while waiting:
        widget = waiting.pop()
        if id(widget) not in found and widget.comm is not None:
            found[id(widget)] = widget
            # Not by getattr: that makes the layouts and styles which nobody has asked for yet.
            for value in list(vars(widget).get("_trait_values", {}).values()):
                waiting += _widgets_in(value)
    return list(found.values())
