"""The sums of a running count: how often each distinct call ran at a location, and how long.

What a call costs is worked out once for each distinct operator, shapes, dtypes and scalars. On the
way of every operator lie only a key, a look-up and two additions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import RLock
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ipyflops.attribution import Location
from ipyflops.costs.cost import ZERO_COST, Cost, CostSum
from ipyflops.counting import sampling
from ipyflops.counting.communication import payload
from ipyflops.counting.symbolic import without_guards
from ipyflops.formulas import (
    Call,
    Formula,
    FormulaError,
    NoFormulaError,
    Unknown,
    Verdict,
    user_formula,
    values_missed,
)
from ipyflops.report.tables import Signature, VerdictName
from ipyflops.torch_private import stored_indices, stored_values

#: Distinct calls kept apart at one location; further ones are kept only as a sum per operator, so
#: that a program whose shapes never repeat does not fill the memory.
MOST_ENTRIES = 1024
#: Distinct calls remembered with their cost, from one count to the next.
MOST_SIGNATURES = 20_000
#: Floating point scalars that a formula may look at; all others are as good as one.
_TELLING_FLOATS = frozenset(
    {0.0, 0.5, 1.0, 2.0, 3.0, 4.0, -0.5, -1.0, -2.0, float("inf"), float("-inf")}
)

_STRIDED = torch.strided

Key = tuple[Any, ...]
KeyFunction = Callable[[Any, Sequence[Any], Mapping[str, Any]], Key]

#: What each distinct call costs, with the verdict that this was worked out by, and the operator, so
#: that its id stays its own.
_remembered: dict[Key, tuple[Verdict, Any, Signature]] = {}


class FormulaWarning(UserWarning):
    """A formula of this package failed; the operator is reported as unknown."""


class Entry:
    """How often, and how long, a distinct call ran at a location.

    Attributes
    ----------
    signature : Signature
        Of one call; where `sums` is given, only its operator and verdict mean something.
    calls, nanoseconds : int
    first : int
        Nanoseconds of the first call; -1 where they are not known.
    sums : CallSums or None
        For calls that differ from each other.
    sample : int or None
        A hash of values of some calls (see `sampling`); None once some had none to read.
    recorded : bool
        Whether the recorder wants to see every call.
    """

    __slots__ = ("calls", "first", "nanoseconds", "recorded", "sample", "signature", "sums")

    def __init__(
        self, signature: Signature, sums: CallSums | None = None, *, sampled: bool = False
    ) -> None:
        self.signature = signature
        self.calls = 0
        self.nanoseconds = 0
        self.first = -1
        self.sums = sums
        self.sample: int | None = 0 if sampled else None
        self.recorded = sampled or sums is not None


class CallSums:
    """Costs and bytes of calls that differ, added up."""

    __slots__ = ("bytes", "communicated", "cost")

    def __init__(self) -> None:
        self.cost = CostSum()
        self.bytes = 0
        self.communicated = 0

    def add(self, signature: Signature) -> None:
        """Add one call."""
        self.cost.add(signature.cost)
        self.bytes += signature.bytes
        self.communicated += signature.communicated


class _Irregular(Exception):
    """A tensor's shape and dtype do not tell what an operation on it costs."""


def call_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    """What tells two calls apart as far as their cost goes.

    A key that begins with None tells nothing: the cost has to be worked out for every call.
    """
    parts: list[Any] = [id(func)]
    append = parts.append
    before = None
    try:
        # What most calls have is dealt with right here: this runs for every one of them.
        for value in args:
            kind = type(value)
            if kind is Tensor or kind is Parameter:
                if value.layout is not _STRIDED:
                    return (None, id(func))
                append(value.shape)
                append(value.dtype)
                if value is before:
                    append(True)  # x * x reads x once
                before = value
            elif kind is int or value is None:
                append(value)
            else:
                _add_part(append, value)
        if kwargs:
            for name, value in kwargs.items():
                append(name)
                _add_part(append, value)
    except (_Irregular, RuntimeError):  # the latter from nested tensors, which have no shape
        return (None, id(func))
    return tuple(parts)


def key_function(verdict: Verdict) -> KeyFunction:
    """What tells the calls of an operator with that verdict apart."""
    if type(verdict) is Formula and verdict.by_value:
        return _no_key
    return _device_key if type(verdict) is Formula and verdict.by_device else call_key


def _no_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    return (None, id(func))


def _device_key(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    device = next((value.device.type for value in args if isinstance(value, Tensor)), "")
    return (*call_key(func, args, kwargs), device)


def _add_part(append: Callable[[Any], None], value: Any) -> None:
    kind = type(value)
    if kind is list or kind is tuple:
        append(len(value))
        for item in value:
            _add_part(append, item)
    elif isinstance(value, Tensor):
        if value.layout is not _STRIDED:
            raise _Irregular
        append(value.shape)
        append(value.dtype)
    elif kind is int or value is None or kind is str or kind is torch.dtype:
        append(value)
    elif kind is float:
        append(value if value in _TELLING_FLOATS else float)
    elif kind is bool:
        # As a key True would be 1.
        append(kind)
        append(value)
    else:
        # Devices, layouts, generators, symbolic numbers: no formula looks at their value.
        append(kind)


class Recorder:
    """Makes the entries of a count and remembers what each distinct call costs."""

    def __init__(self) -> None:
        #: What the file is called whose lines errors name.
        self.file_label = ""
        #: What formulas failed with, by operator.
        self.failures: dict[str, str] = {}
        #: Operators whose cost was worked out without the values that tell it.
        self.without_values: dict[str, None] = {}
        #: What formulas of the user's failed with; raised where the block ends.
        self.errors: list[FormulaError] = []
        #: All entries whose calls are alike, and the first of each operator.
        self.entries: list[Entry] = []
        self.first: dict[str, Entry] = {}
        self._adding = RLock()

    def record(self, location: Location, key: Key, call: Call, verdict: Verdict) -> Entry:
        """Give the entry of a call that has none yet, or of which every call is to be seen."""
        entry = self._entry(location, key, call, verdict)
        if entry.sample is not None and sampling.due(entry.calls):
            entry.sample = sampling.add(entry.sample, call) or None
        return entry

    def _entry(self, location: Location, key: Key, call: Call, verdict: Verdict) -> Entry:
        entries = location.entries
        known: Entry | None = entries.get(key)
        if known is not None:
            return known
        if key[0] is not None and len(entries) < MOST_ENTRIES:
            signature = self._remembered(key, call, verdict, location)
            made = Entry(signature, sampled=_sampled(signature))
            # In one step: another thread may have made it meanwhile, and counts there.
            entry: Entry = entries.setdefault(key, made)
            if entry is made:
                self.entries.append(entry)
                self.first.setdefault(signature.operator, entry)
            return entry
        signature = self._signature(call, verdict, location)
        # The verdict is part of the key: a formula that fails now and then makes two entries.
        sum_key = (signature.operator, signature.verdict, signature.dtype)
        summed: Entry = entries.get(sum_key) or entries.setdefault(
            sum_key, Entry(signature, CallSums(), sampled=_sampled(signature))
        )
        assert summed.sums is not None
        # A formula may wait for a device, so that it is not called with the lock held.
        with self._adding:
            summed.sums.add(signature)
        return summed

    def _remembered(self, key: Key, call: Call, verdict: Verdict, location: Location) -> Signature:
        known = _remembered.get(key)
        if known is not None and known[0] is verdict:
            return known[2]
        signature = self._signature(call, verdict, location)
        if call.operator not in self.failures:
            if len(_remembered) >= MOST_SIGNATURES:
                _remembered.clear()
            _remembered[key] = (verdict, call.func, signature)
        return signature

    def _signature(self, call: Call, verdict: Verdict, location: Location) -> Signature:
        name: VerdictName = "free"
        cost = ZERO_COST
        with without_guards(call):
            if type(verdict) is Formula:
                name, cost = self._apply(verdict, call, location)
            elif type(verdict) is Unknown:
                name = "unknown"
            return Signature(
                operator=call.operator,
                dtype=dtype_of(call),
                shapes=shapes_of(call),
                verdict=name,
                cost=cost,
                bytes=int(bytes_of(call, pure_move=name == "free")),
                communicated=int(payload(call)),
            )

    def _apply(self, formula: Formula, call: Call, location: Location) -> tuple[VerdictName, Cost]:
        missed = values_missed()
        try:
            cost = formula(call)
        except NoFormulaError:
            return "unknown", ZERO_COST
        except Exception as error:
            # The user's program must not fail because a formula does: not here, half-way.
            if call.operator not in self.failures:
                self.failures[call.operator] = f"{type(error).__name__}: {error}"
                self._tell(formula, call.operator, error, location)
            return "unknown", ZERO_COST
        if values_missed() != missed:
            self.without_values[call.operator] = None
        return "formula", cost

    def _tell(self, formula: Formula, operator: str, error: Exception, location: Location) -> None:
        """Say that a formula failed: the user's own as an error later, one of ours in a warning."""
        if formula.is_ours and user_formula(operator) is None:
            filename, number = location.line or (__file__, 0)
            reason = self.failures[operator]
            message = (
                f"the formula of {operator} failed ({reason}); its calls are reported as unknown"
            )
            warnings.warn_explicit(message, FormulaWarning, filename, number)
            return
        at = f"{self.file_label}:{location.line[1]}: " if location.line else ""
        what = (
            str(error)
            if isinstance(error, FormulaError)
            else f"the formula of {operator} failed with {self.failures[operator]}"
        )
        found = FormulaError(f"{at}{what}. The result is unharmed; its calls count as unknown")
        found.__cause__ = error
        self.errors.append(found)


def _sampled(signature: Signature) -> bool:
    """Whether to find out if other processes compute the same as this call."""
    cost = signature.cost
    return bool(cost.contraction or cost.other or cost.article) and sampling.wanted()


def dtype_of(call: Call) -> str:
    """The dtype of the arithmetic: the widest floating one among the tensors, else the first."""
    found: torch.dtype | None = None
    for tensors in (call.inputs(), call.outputs()):
        for tensor in tensors:
            dtype = tensor.dtype
            if found is None or _rank(dtype) > _rank(found):
                found = dtype
        if found is not None and _rank(found) > (0, 0):
            break
    return str(found).removeprefix("torch.") if found is not None else "none"


def _rank(dtype: torch.dtype) -> tuple[int, int]:
    if dtype.is_complex:
        return (2, dtype.itemsize)
    return (1, dtype.itemsize) if dtype.is_floating_point else (0, 0)


def shapes_of(call: Call) -> str:
    """The shapes of the input tensors, as ``128×768, 768×3072``; long lists are summed up."""
    parts: list[str] = []
    for value in (*call.args, *(v for name, v in call.kwargs.items() if name != "out")):
        if isinstance(value, Tensor):
            parts.append(_shape(value))
        elif isinstance(value, (list, tuple)):
            tensors = [item for item in value if isinstance(item, Tensor)]
            if len(tensors) > 4:
                elements = sum(tensor.numel() for tensor in tensors)
                parts.append(f"[{len(tensors)} tensors of {elements:,} elements]")
            elif tensors:
                parts.append(f"[{', '.join(map(_shape, tensors))}]")
    return ", ".join(parts)


def _shape(tensor: Tensor) -> str:
    if tensor.is_nested and tensor.layout is _STRIDED:
        return f"{tensor.size(0)}×…"
    return "×".join(map(str, tensor.shape)) if tensor.dim() else "scalar"


def bytes_of(call: Call, *, pure_move: bool) -> int:
    """Bytes of the tensors read and written, each once.

    A free operator that works in place (a fill, a copy) does not read what it overwrites.
    """
    overwritten = {id(tensor) for tensor in call.outputs()} if pure_move else set()
    read = {id(tensor): tensor for tensor in call.inputs() if id(tensor) not in overwritten}
    written = {id(tensor): tensor for tensor in call.outputs()}
    return sum(map(_size, _each(read))) + sum(map(_size, _each(written)))


def _each(tensors: dict[int, Tensor]) -> Iterator[Tensor]:
    return iter(tensors.values())


def _size(tensor: Tensor) -> int:
    if tensor.layout == torch.strided:
        return tensor.numel() * tensor.element_size()
    if tensor.layout == torch.sparse_coo:
        return _size(stored_indices(tensor)) + _size(stored_values(tensor))
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    else:
        return tensor.numel() * tensor.element_size()
    return sum(map(_size, parts))
