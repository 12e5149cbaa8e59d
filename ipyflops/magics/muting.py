"""Drops what one thread prints and shows, while all other threads print and show as before.

No stream is replaced, because code may keep the one that it finds: a log handler that is made on
``sys.stdout`` writes there for good. A stream's own ``write`` is stood in for instead, and decides
by the thread that calls it.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ipyflops.cells import Shell
from ipyflops.views import WIDGET_VIEW

Method = Callable[..., Any]


class Gate:
    """Stands in for a method of an object, and calls another function in some threads.

    Parameters
    ----------
    owner : object
        Whose method it is. An object that takes no attributes keeps its method.
    name : str
        Of the method.
    """

    def __init__(self, owner: Any, name: str) -> None:
        self._owner, self._name = owner, name
        self._method: Method = getattr(owner, name)
        #: What somebody else has put there before, as this does.
        self._own = vars(owner).get(name) if hasattr(owner, "__dict__") else None
        self._instead: dict[int, Method] = {}

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call what this thread is to call."""
        instead = self._instead.get(threading.get_ident())
        return (instead or self._method)(*arguments, **options)

    @classmethod
    def of(cls, owner: Any, name: str) -> Gate:
        """Give the gate that stands there, or a new one."""
        there = getattr(owner, name)
        return there if isinstance(there, cls) else cls(owner, name)

    def turn(self, thread: int, instead: Method | None) -> Method | None:
        """Set what a thread calls, None for the method; gives what it was.

        The gate stands as long as some thread calls something else.
        """
        before = self._instead.pop(thread, None)
        if instead is not None:
            self._instead[thread] = instead
        if self._instead:
            self.put_up()
        elif self._stands():
            # Whoever has put something else there meanwhile keeps it; what it passes on, passes.
            if self._own is not None:
                setattr(self._owner, self._name, self._own)
            else:
                delattr(self._owner, self._name)
        return before

    def put_up(self) -> None:
        """Take the place of the method."""
        if not self._stands():
            # An object without attributes of its own: what is written there is seen.
            with suppress(AttributeError, TypeError):
                setattr(self._owner, self._name, self)

    def _stands(self) -> bool:
        return getattr(self._owner, self._name, None) is self


#: Held while gates are put up and taken down.
_LOCK = threading.RLock()


class Muted:
    """Drops what this thread prints and shows in a block.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell

    Attributes
    ----------
    widgets : list of str
        The names of the models whose widgets were to be shown; somebody has to close them.
    """

    def __init__(self, shell: Shell) -> None:
        self.widgets: list[str] = []
        self._methods: list[tuple[Any, str, Method]] = [
            (stream, "write", _written) for stream in (sys.stdout, sys.stderr) if stream is not None
        ]
        self._methods += [
            (shell.display_pub, "publish", self._publish),
            (shell.display_pub, "clear_output", _nothing),
            (shell.displayhook, "finish_displayhook", _nothing),
        ]
        #: The gates, and what this thread has called there before.
        self._gates: list[tuple[Gate, Method | None]] = []

    def __enter__(self) -> Muted:
        thread = threading.get_ident()
        with _LOCK:
            for owner, name, instead in self._methods:
                gate = Gate.of(owner, name)
                self._gates.append((gate, gate.turn(thread, instead)))
        return self

    def __exit__(self, *error: object) -> None:
        thread = threading.get_ident()
        with _LOCK:
            for gate, before in self._gates:
                gate.turn(thread, before)

    def renew(self) -> None:
        """Drop on, also where somebody has put a method back that was there before.

        IPython does so when a cell of a subshell ends that has begun before the block.
        """
        with _LOCK:
            for gate, _ in self._gates:
                gate.put_up()

    def _publish(self, data: object = None, *_: Any, **__: Any) -> None:
        view = data.get(WIDGET_VIEW) if isinstance(data, Mapping) else None
        if isinstance(view, Mapping):
            self.widgets.append(str(view.get("model_id")))


def _written(text: str) -> int:
    return len(text)


def _nothing(*_: Any, **__: Any) -> None:
    pass
