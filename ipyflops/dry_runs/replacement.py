"""A function of PyTorch's that is another one as long as any dry run lasts."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Replacement:
    """Replaces an attribute of a class or a module, once for all dry runs at the same time.

    Parameters
    ----------
    owner : class, module or str
        A string is the name of a module, for as long as it is imported.
    name : str
        Of the attribute.
    make : callable
        Gives what stands in for the attribute's value; None where nothing can.
    """

    def __init__(self, owner: Any, name: str, make: Callable[[Any], Any]) -> None:
        self._owner, self._name, self._make = owner, name, make
        self._lock = threading.Lock()
        #: How many dry runs there are.
        self._runs = 0
        self._own: Any = None
        #: Whether the owner has it from a base class.
        self._inherited = False

    @contextmanager
    def active(self) -> Iterator[None]:
        """Have the attribute replaced in the block; after the last block it is what it was."""
        with self._lock:
            self._runs += 1
            if self._runs == 1:
                self._replace()
        try:
            yield
        finally:
            with self._lock:
                self._runs -= 1
                if self._runs == 0 and self._own is not None:
                    if self._inherited:
                        delattr(self._owner, self._name)
                    else:
                        setattr(self._owner, self._name, self._own)
                    self._own = None

    def _replace(self) -> None:
        if isinstance(self._owner, str):
            if self._owner not in sys.modules:
                return
            self._owner = sys.modules[self._owner]
        own = getattr(self._owner, self._name, None)
        made = None if own is None else self._make(own)
        if made is not None:
            self._own, self._inherited = own, self._name not in vars(self._owner)
            setattr(self._owner, self._name, made)
