"""Numbers that a dry run knows although it computes none, and where it gives stand-ins.

Example: a gradient scaler asks whether a gradient is infinite, and leaves the optimizer's step out
if one is. A dry run counts the step of a normal run: values are finite. And ``generate`` asks after
each token whether all texts have ended; with a fixed length that is told by the length.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from ipyflops.dry_runs.errors import DryRunError
from ipyflops.dry_runs.loading import number_of_a_loader
from ipyflops.torch_private import ASKS_FINITE, FakeTensor

#: Where PyTorch and libraries ask whether values are finite, and the answer of a normal run.
FINITE: dict[tuple[str, str], int] = {
    **ASKS_FINITE,
    ("transformers.trainer", "_run_epoch"): 0,
    ("transformers.trainer", "_inner_training_loop"): 0,
    ("lightning.pytorch.loops.utilities", "check_finite_loss"): 1,
    ("pytorch_lightning.loops.utilities", "check_finite_loss"): 1,
}
_GENERATION = "transformers.generation.utils"
#: Functions there that ask whether all texts have ended.
_ASKS_FOR_END = frozenset({"__call__", "_has_unfinished_sequences"})
#: Modules whose frames stand between the code that reads a number and the mode that gives it.
_BETWEEN = ("ipyflops.", "torch._", "torch.utils._", "torch.overrides")
_FIXED = "MaxLengthCriteria"


class Numbers:
    """The numbers that the code of a dry run reads.

    Attributes
    ----------
    given : bool
        Whether the number that was read last is to be a stand-in.
    met_stand_in : bool
        Whether the code read a number that is not known, and got a stand-in.
    met_finite : bool
        Whether the code asked whether values are finite.
    met_loader : bool
        Whether the code loaded data in an order that it would have chosen by random numbers.
    met_question : bool
        Whether a library asked if a tensor of unknown values is fake, and was told so.
    """

    def __init__(self) -> None:
        self._stand_ins = False
        self.given = False
        self.met_stand_in = False
        self.met_finite = False
        self.met_loader = False
        self.met_question = False

    @contextmanager
    def stand_ins_do(self) -> Iterator[None]:
        """Say that a stand-in will do for a number that is read in the block."""
        self._stand_ins, self.given = True, False
        try:
            yield
        finally:
            self._stand_ins = False
            self.met_stand_in = self.met_stand_in or self.given

    def number(self, tensor: Any) -> int | None:
        """Return a number that is known, or any one where a stand-in will do; else None.

        Raises
        ------
        DryRunError
            If something is decided by a value.
        """
        if not isinstance(tensor, FakeTensor):
            return None
        number = number_of_a_loader(tensor)
        if number is not None:
            self.met_loader = True
            return number
        if tensor.constant is not None:
            return None
        number = _finite_number()
        if number is not None:
            self.met_finite = True
            return number
        number = _end_of_generation()
        if number is None and self._stand_ins:
            self.given = True
            return 0
        return number


def _finite_number() -> int | None:
    """Return the number of a normal run, if the code that reads one asks for infinite values."""
    frame = _reader()
    while frame is not None and frame.f_code.co_name in ("<genexpr>", "<listcomp>"):
        frame = frame.f_back
    return None if frame is None else FINITE.get((_module(frame), frame.f_code.co_name))


def _end_of_generation() -> int | None:
    """Tell whether a generation of fixed length has ended; None if nothing asks for that."""
    frame = _reader()
    if frame is None or _module(frame) != _GENERATION or frame.f_code.co_name not in _ASKS_FOR_END:
        return None
    while frame is not None and frame.f_code.co_name in _ASKS_FOR_END:
        frame = frame.f_back
    variables = {} if frame is None else frame.f_locals
    length = _fixed_length(variables)
    if length is None:
        raise DryRunError(
            "whether a text has ended is told by its tokens, and a dry run computes none. Give "
            "generate a fixed length, as by min_new_tokens=100, max_new_tokens=100"
        )
    return int(variables["input_ids"].shape[1] >= length)


def _fixed_length(variables: dict[str, Any]) -> int | None:
    """At which length a generation ends; None if something else can end it."""
    config, criteria = variables.get("generation_config"), variables.get("stopping_criteria")
    kinds = {type(one).__name__ for one in criteria or ()}
    if config is None or criteria is None or _FIXED not in kinds or "input_ids" not in variables:
        return None
    length = int(criteria.max_length)
    fixed = {_FIXED}
    if (config.min_length or 0) >= length or config.min_new_tokens == config.max_new_tokens:
        fixed.add("EosTokenCriteria")  # the token that ends a text is not chosen before
    return length if kinds <= fixed else None


def _reader() -> FrameType | None:
    """The frame whose code reads a number."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _module(frame).startswith(_BETWEEN):
        frame = frame.f_back
    return frame


def _module(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else ""
