"""What code objects can tell, worked out once for each: see `frames`."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any
from weakref import KeyedRef

from ipyflops.attribution.frames import (
    CLOSURE,
    FOLLOWED,
    classify,
    closure_codes,
    is_to_follow,
)
from ipyflops.attribution.functions import function_of
from ipyflops.attribution.lines import Function
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
    functions : dict of int to Function
        Of those that have rows of their own outside of modules.
    """

    __slots__ = (
        "_around",
        "_codes",
        "_follow_methods",
        "_one_of_each",
        "_user_file",
        "functions",
        "known",
    )

    def __init__(self, user_file: str, *, follow_methods: bool) -> None:
        self.known: dict[int, int] = {}
        self.functions: dict[int, Function] = {}
        #: A function that is defined anew is the same to a reader.
        self._one_of_each: dict[tuple[str, int, str], Function] = {}
        #: What runs around the block. These functions have no rows: they are not in it.
        self._around: set[int] = set()
        self._codes: dict[int, KeyedRef[int, CodeType]] = {}
        self._user_file = user_file
        self._follow_methods = follow_methods

    def begin_block(self, frame: FrameType | None) -> None:
        """Note the functions that hold the block, from the one with the ``with`` statement on."""
        while frame is not None:
            number = id(frame.f_code)
            self._around.add(number)
            self.functions.pop(number, None)
            frame = frame.f_back

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
        for table in (self.known, self.functions, self._codes, self._around):
            table.clear()

    def _classify(self, code: CodeType, frame: FrameType | None = None) -> int:
        kind = classify(code, self._user_file, frame)
        if self._follow_methods and is_to_follow(code, kind, self._user_file):
            kind |= FOLLOWED
        number = id(code)
        function = None if number in self._around else function_of(code, frame)
        if function is not None:
            key = (code.co_filename, code.co_firstlineno, function.label)
            self.functions[number] = self._one_of_each.setdefault(key, function)
        tables: tuple[dict[int, Any], ...] = (self.known, self.functions, self._codes)

        def forget(reference: KeyedRef[int, CodeType]) -> None:
            for table in tables:
                table.pop(reference.key, None)

        self._codes[number] = KeyedRef(code, forget, number)
        self.known[number] = kind
        return kind
