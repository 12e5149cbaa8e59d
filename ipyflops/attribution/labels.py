"""What the children of a place are called: ``Linear``, ``Linear#2``.

Children of one name and one class share a row of the report. One of another class gets a number.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from ipyflops.report import ScopeKind

_NONE: Mapping[tuple[type, bool], int] = MappingProxyType({})


class Labels:
    """The labels of the children of one place, and the classes for which no name was found."""

    #: So many modules of a class that nobody holds are looked for by a caller; those after them
    #: are taken for more of the same.
    MAX_LOOKED_FOR = 8
    __slots__ = ("_classes", "_nameless")

    def __init__(self) -> None:
        #: Of each name: the class that has had it, or the names of several and the number of each.
        self._classes: dict[tuple[ScopeKind, str], str | dict[str, int]] = {}
        #: How many modules of a class had no name here, or none of their own.
        self._nameless: Mapping[tuple[type, bool], int] = _NONE

    def take(self, kind: ScopeKind, name: str, class_name: str) -> bool:
        """Give a name that nothing had before to a class; whether that was so."""
        if (kind, name) in self._classes:
            return False
        self._classes[kind, name] = class_name  # costs no dictionary for each child
        return True

    def label(self, kind: ScopeKind, name: str, class_name: str) -> str:
        """What a child of a name and a class is called: by the name, or with a number after it."""
        classes = self._classes.setdefault((kind, name), class_name)
        if isinstance(classes, str):
            if classes == class_name:
                return name
            classes = self._classes[kind, name] = {classes: 1}
        number = classes.setdefault(class_name, len(classes) + 1)
        return name if number == 1 else f"{name}#{number}"

    def is_looked_for(self, holder: object, *, everywhere: bool = False) -> bool:
        """Whether a name is to be looked for, perhaps everywhere, of what was called here."""
        return self._nameless.get((type(holder), everywhere), 0) < self.MAX_LOOKED_FOR

    def found_no_name(self, holder: object, *, everywhere: bool = False) -> None:
        """Note that there was no name for something, or none of its own."""
        key = (type(holder), everywhere)
        self._nameless = {**self._nameless, key: self._nameless.get(key, 0) + 1}
