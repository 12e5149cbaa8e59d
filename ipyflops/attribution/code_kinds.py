"""What code objects can tell, worked out once for each: see `frames`."""

from __future__ import annotations

from types import CodeType, FrameType
from weakref import KeyedRef

from ipyflops.attribution.frames import (
    CLOSURE,
    FOLLOWED,
    classify,
    closure_codes,
    is_to_follow,
)
from ipyflops.cells import is_the_users


class CodeKinds:
    """Remembers what code objects can tell, and which of them compute losses for optimizers.

    Parameters
    ----------
    user_file : str
        The file name of the code whose lines are wanted.
    follow_methods : bool
        Whether to tell the lines of the modules' methods apart.

    Attributes
    ----------
    known : dict of int to int
        By the ids of the code objects. When one goes, its id is forgotten.
    """

    __slots__ = ("_codes", "_follow_methods", "_user_file", "known")

    def __init__(self, user_file: str, *, follow_methods: bool) -> None:
        self.known: dict[int, int] = {}
        self._codes: dict[int, KeyedRef[int, CodeType]] = {}
        self._user_file = user_file
        self._follow_methods = follow_methods

    def of(self, frame: FrameType) -> int:
        """What a frame can tell by its code: a sum of constants of `frames`, 0 for nothing."""
        kind = self.known.get(id(frame.f_code))
        return self._classify(frame.f_code, frame) if kind is None else kind

    def learn_closure(self, frame: FrameType) -> bool:
        """Remember what computes the loss for an optimizer; whether that was not known before."""
        learned = False
        for code in closure_codes(frame):
            kind = self.known.get(id(code))
            if kind is None:
                kind = self._classify(code)
            if not kind & CLOSURE and is_the_users(code.co_filename):
                self.known[id(code)] = kind | CLOSURE
                learned = True
        return learned

    def clear(self) -> None:
        """Forget all."""
        self.known.clear()
        self._codes.clear()

    def _classify(self, code: CodeType, frame: FrameType | None = None) -> int:
        kind = classify(code, self._user_file, frame)
        if self._follow_methods and is_to_follow(code, kind, self._user_file):
            kind |= FOLLOWED
        kinds, codes = self.known, self._codes

        def forget(reference: KeyedRef[int, CodeType]) -> None:
            kinds.pop(reference.key, None)
            codes.pop(reference.key, None)

        codes[id(code)] = KeyedRef(code, forget, id(code))
        kinds[id(code)] = kind
        return kind
