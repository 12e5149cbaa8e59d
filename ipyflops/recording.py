"""The sums of a running count: how often each distinct call ran at a location, and how long.

What a call costs is worked out once for each distinct operator, shapes, dtypes and scalars. On the
way of every operator lie only a key, a look-up and two additions.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ipyflops.cost import FREE, Cost, CostSum
from ipyflops.formulas import Call, Formula, Unknown, Verdict
from ipyflops.marks import LineKey, Location
from ipyflops.tables import Signature, VerdictName

#: Distinct calls kept apart at one location; further ones are kept only as a sum per operator, so
#: that a program whose shapes never repeat does not fill the memory.
MOST_ENTRIES = 1024
#: Distinct calls remembered with their cost.
MOST_SIGNATURES = 100_000
#: Floating point scalars that a formula may look at; all others are as good as one.
_TELLING_FLOATS = frozenset(
    {0.0, 0.5, 1.0, 2.0, 3.0, 4.0, -0.5, -1.0, -2.0, float("inf"), float("-inf")}
)

_STRIDED = torch.strided

Key = tuple[Any, ...]


class FormulaWarning(UserWarning):
    """A formula failed; the operator is reported as unknown."""


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
    """

    __slots__ = ("calls", "first", "nanoseconds", "signature", "sums")

    def __init__(self, signature: Signature, sums: CallSums | None = None) -> None:
        self.signature = signature
        self.calls = 0
        self.nanoseconds = 0
        self.first = -1
        self.sums = sums


class CallSums:
    """Costs and bytes of calls that differ, added up."""

    __slots__ = ("bytes", "cost")

    def __init__(self) -> None:
        self.cost = CostSum()
        self.bytes = 0


class _Irregular(Exception):
    """A tensor's shape and dtype do not tell what an operation on it costs."""


def call_key(func: Any, verdict: Verdict, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Key:
    """What tells two calls apart as far as their cost goes.

    A key that ends in None tells nothing: the cost has to be worked out for every call.
    """
    if type(verdict) is Formula and verdict.by_value:
        return (id(func), None)
    parts: list[Any] = [id(func)]
    append = parts.append
    try:
        # What most calls have is dealt with right here: this runs for every one of them.
        for value in args:
            kind = type(value)
            if kind is Tensor or kind is Parameter:
                if value.layout is not _STRIDED:
                    return (id(func), None)
                append(value.shape)
                append(value.dtype)
            elif kind is int or value is None:
                append(value)
            else:
                _add_part(append, value)
        if kwargs:
            for name, value in kwargs.items():
                append(name)
                _add_part(append, value)
    except (_Irregular, RuntimeError):  # the latter from nested tensors, which have no shape
        return (id(func), None)
    append(len(parts))
    return tuple(parts)


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
        self._signatures: dict[Key, Signature] = {}
        #: What formulas failed with, by operator.
        self.failures: dict[str, str] = {}
        #: All entries whose calls are alike, and the first of each operator.
        self.entries: list[Entry] = []
        self.first: dict[str, Entry] = {}

    def record(self, location: Location, key: Key, call: Call, verdict: Verdict) -> Entry:
        """Give the entry of a call that has none yet, or whose cost has to be added up."""
        entries = location.entries
        if key[-1] is not None and len(entries) < MOST_ENTRIES:
            signature = self._signatures.get(key)
            if signature is None:
                if len(self._signatures) >= MOST_SIGNATURES:
                    self._signatures.clear()
                signature = self._signatures[key] = self._signature(call, verdict, location.line)
            entry = entries[key] = Entry(signature)
            self.entries.append(entry)
            self.first.setdefault(signature.operator, entry)
            return entry
        signature = self._signature(call, verdict, location.line)
        # The verdict is part of the key: a formula that fails now and then makes two entries.
        sum_key = (id(call.func), signature.verdict, signature.dtype)
        summed = entries.get(sum_key)
        if summed is None:
            summed = entries[sum_key] = Entry(signature, CallSums())
        assert summed.sums is not None
        summed.sums.cost.add(signature.cost)
        summed.sums.bytes += signature.bytes
        return summed

    def _signature(self, call: Call, verdict: Verdict, line: LineKey | None) -> Signature:
        name: VerdictName = "free"
        cost = FREE
        if type(verdict) is Formula:
            name, cost = self._apply(verdict, call, line)
        elif type(verdict) is Unknown:
            name = "unknown"
        return Signature(
            operator=call.operator,
            dtype=dtype_of(call),
            shapes=shapes_of(call),
            verdict=name,
            cost=cost,
            bytes=bytes_of(call, pure_move=name == "free"),
        )

    def _apply(
        self, formula: Formula, call: Call, line: LineKey | None
    ) -> tuple[VerdictName, Cost]:
        try:
            return "formula", formula(call)
        except Exception as error:
            # The user's program must not fail because a formula does.
            reason = f"{type(error).__name__}: {error}"
            if call.operator not in self.failures:
                self.failures[call.operator] = reason
                filename, number = line or (__file__, 0)
                warnings.warn_explicit(
                    f"the formula of {call.operator} failed ({reason}); its calls are reported as "
                    "unknown",
                    FormulaWarning,
                    filename,
                    number,
                )
            return "unknown", FREE


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
        return _size(tensor._indices()) + _size(tensor._values())
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        parts = (tensor.crow_indices(), tensor.col_indices(), tensor.values())
    elif tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        parts = (tensor.ccol_indices(), tensor.row_indices(), tensor.values())
    else:
        return tensor.numel() * tensor.element_size()
    return sum(map(_size, parts))
