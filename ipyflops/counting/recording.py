"""Records the calls of a running count: what each costs, and where its sum is kept.

What a call costs is worked out once for each distinct operator, shapes, dtypes and scalars. On the
way of every operator lie only a key, a look-up and two additions.
"""

from __future__ import annotations

import warnings
from threading import RLock
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from ipyflops.attribution import Location
from ipyflops.costs import ZERO_COST, Cost
from ipyflops.counting import sampling
from ipyflops.counting.call_keys import Key
from ipyflops.counting.communication import payload
from ipyflops.counting.entries import CallSums, Entry
from ipyflops.counting.other_paths import TELLING, OtherPaths
from ipyflops.counting.signatures import bytes_of, shapes_of, without_guards
from ipyflops.formulas import (
    Call,
    Formula,
    FormulaError,
    NoFormulaError,
    Unknown,
    Verdict,
    dtype_of,
    noting_missed_values,
    tf32_switches,
    user_formula,
)
from ipyflops.report import Signature, VerdictName

#: Distinct calls kept apart at one location; further ones are kept only as a sum per operator, so
#: that a program whose shapes never repeat does not fill the memory.
MAX_ENTRIES = 1024
#: Distinct calls remembered with their cost, from one count to the next.
MAX_SIGNATURES = 20_000
#: Arguments of these types hold no tensor.
_WITHOUT_TENSORS = frozenset((int, float, bool, str, type(None), torch.dtype))


class FormulaWarning(UserWarning):
    """A formula of this package failed; the operator is reported as unknown."""


class SignatureCache:
    """What each distinct call costs, remembered from one count to the next."""

    def __init__(self) -> None:
        #: With the verdict that it was worked out by, and the operator, so that its id stays its
        #: own: keys have the operator's id.
        self._signatures: dict[Key, tuple[Verdict, Any, Signature]] = {}

    def get(self, key: Key, verdict: Verdict) -> Signature | None:
        """Return the signature of a call, if the operator still has the same verdict."""
        remembered = self._signatures.get(key)
        return remembered[2] if remembered is not None and remembered[0] is verdict else None

    def put(self, key: Key, verdict: Verdict, call: Call, signature: Signature) -> None:
        """Remember the signature of a call."""
        if len(self._signatures) >= MAX_SIGNATURES:
            self._signatures.clear()
        self._signatures[key] = (verdict, call.func, signature)

    def clear(self) -> None:
        """Forget all."""
        self._signatures.clear()


#: That of the process.
SIGNATURES = SignatureCache()


class Recorder:
    """Makes the entries of a count and remembers what each distinct call costs."""

    def __init__(self) -> None:
        #: What the file is called whose lines errors name.
        self.file_label = ""
        #: What formulas failed with, by operator.
        self.failures: dict[str, str] = {}
        #: Operators whose cost was worked out without the values that tell it.
        self.without_values: dict[str, None] = {}
        #: Whether a view was made: that is no call, and has no row.
        self.saw_views = False
        #: Custom operators that hand values to code other than PyTorch's, beside what is counted.
        self.partly_outside: dict[str, None] = {}
        #: What formulas of the user's failed with; raised where the block ends.
        self.errors: list[FormulaError] = []
        #: All entries whose calls are alike, and the first entry of each operator.
        self.entries: list[Entry] = []
        self.first_entry_of: dict[str, Entry] = {}
        #: What runs in another way than without a count.
        self.other_paths = OtherPaths()
        self._adding = RLock()

    def record(self, location: Location, key: Key, call: Call, verdict: Verdict) -> Entry:
        """Return the entry of a call: a new one, or one that sees every call."""
        entry = self._entry(location, key, call, verdict)
        if entry.sample is not None and sampling.due(entry.calls):
            entry.sample = sampling.add(entry.sample, call) or None
        return entry

    def _entry(self, location: Location, key: Key, call: Call, verdict: Verdict) -> Entry:
        entries = location.entries
        known: Entry | None = entries.get(key)
        if known is not None:
            return known
        if key[0] is not None and len(entries) < MAX_ENTRIES:
            signature = self._remembered(key, call, verdict, location)
            entry, is_new = self._kept(entries, key, signature, device_of(call))
        else:
            signature = self.signature_of(location, key, call, verdict)
            entry, is_new = self._summed(entries, signature, device_of(call))
        operator = entry.signature.operator
        if is_new and operator in TELLING:
            in_backward = location.phase == "backward"
            self.other_paths.notice(call, operator, entries.values(), in_backward=in_backward)
        return entry

    def signature_of(self, location: Location, key: Key, call: Call, verdict: Verdict) -> Signature:
        """What a call costs, without counting it."""
        if key[0] is None:
            return self._signature(call, verdict, location)
        return self._remembered(key, call, verdict, location)

    def add(
        self, location: Location, key: Key, signature: Signature, device: str, calls: int
    ) -> Entry:
        """Count calls whose cost is known, as those of a graph that is replayed."""
        entries = location.entries
        entry: Entry | None = entries.get(key)
        if entry is None and key[0] is not None and len(entries) < MAX_ENTRIES:
            entry, _ = self._kept(entries, key, signature, device)
        if entry is None:
            for _ in range(calls):
                entry, _ = self._summed(entries, signature, device)
        assert entry is not None
        entry.calls += calls
        return entry

    def _kept(
        self, entries: dict[Any, Any], key: Key, signature: Signature, device: str
    ) -> tuple[Entry, bool]:
        """Return the entry of calls that are all alike, and whether it is new."""
        made = Entry(signature, None, sampling.wanted() and _computes(signature), device)
        # In one step: another thread may have made it meanwhile, and counts there.
        entry: Entry = entries.setdefault(key, made)
        if entry is made:
            self.entries.append(entry)
            self.first_entry_of.setdefault(signature.operator, entry)
        return entry, entry is made

    def _summed(
        self, entries: dict[Any, Any], signature: Signature, device: str
    ) -> tuple[Entry, bool]:
        """Add a call to the entry of calls that may differ; gives it, and whether it is new."""
        # The verdict is part of the key: a formula that fails now and then makes two entries.
        key = (signature.operator, signature.verdict, signature.dtype)
        known = entries.get(key)
        summed: Entry = known or entries.setdefault(
            key,
            Entry(
                signature,
                CallSums(signature),
                sampling.wanted() and _computes(signature),
                device,
            ),
        )
        assert summed.sums is not None
        # A formula may wait for a device, so that it is not called with the lock held.
        with self._adding:
            summed.sums.add(signature)
        return summed, known is None

    def _remembered(self, key: Key, call: Call, verdict: Verdict, location: Location) -> Signature:
        switches = tf32_switches()
        if switches:
            key = (*key, *switches)
        signature = SIGNATURES.get(key, verdict)
        if signature is None:
            signature = self._signature(call, verdict, location)
            if call.operator not in self.failures and call.operator not in self.without_values:
                SIGNATURES.put(key, verdict, call, signature)
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
                activations=_activations(call) if cost.macs else 0,
            )

    def _apply(self, formula: Formula, call: Call, location: Location) -> tuple[VerdictName, Cost]:
        try:
            with noting_missed_values() as missed:
                cost = formula(call)
        except NoFormulaError:
            return "unknown", ZERO_COST
        except Exception as error:
            # The user's program must not fail because a formula does: not here, half-way.
            if call.operator not in self.failures:
                self.failures[call.operator] = f"{type(error).__name__}: {error}"
                self._report_failure(formula, call.operator, error, location)
            return "unknown", ZERO_COST
        if missed:
            self.without_values[call.operator] = None
        return "formula", cost

    def _report_failure(
        self, formula: Formula, operator: str, error: Exception, location: Location
    ) -> None:
        """Say that a formula failed: a user's in an error later, one of ours in a warning now."""
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
        failure = FormulaError(f"{at}{what}. The result is unharmed; its calls count as unknown")
        failure.__cause__ = error
        self.errors.append(failure)


def _computes(signature: Signature) -> bool:
    """Whether other processes may do the work of this call as well."""
    cost = signature.cost
    return bool(cost.contraction or cost.other or cost.article)


def _activations(call: Call) -> int:
    """Elements of a call's first output; the others are statistics, states or room to work."""
    return next((int(tensor.numel()) for tensor in call.outputs()), 0)


def device_of(call: Call) -> str:
    """The accelerator that a call runs on; the CPU if it has no tensor on one."""
    # Asked for each new entry: what most arguments are is dealt with right here.
    for value in (call.out, *call.args, *call.kwargs.values()):
        kind = type(value)
        if not (value.is_cpu if kind is Tensor or kind is Parameter else _is_on_cpu(value)):
            break
    else:
        return "cpu"
    for tensor in (*call.inputs(), *call.outputs()):
        if tensor.device.type not in ("cpu", "meta"):
            return str(tensor.device)
    return "cpu"


def _is_on_cpu(value: Any) -> bool:
    """Whether an argument or a result is of the CPU, or holds no tensor; False where it may not."""
    kind = type(value)
    # Only plain tensors are asked like this: a subclass may answer with code of its own.
    if kind is Tensor or kind is Parameter:
        return bool(value.is_cpu)
    if kind is list or kind is tuple:
        return all(map(_is_on_cpu, value))
    return kind in _WITHOUT_TENSORS


def on_device(device: str, location: Location, key: Key, entry: Entry) -> tuple[Key, Entry | None]:
    """Tell a call on one device from those on another one, which may be alike in all else."""
    if entry.device == device:
        return key, entry
    key = (*key[:-1], device, key[-1])
    return key, location.entries.get(key)
