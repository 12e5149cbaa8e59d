"""The tables that a report is made of, and sums over them: plain data.

The tables refer to each other by index, so they stay small however large the model is, and they
are written to JSON as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import add as plus
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

from ipyflops.costs import OF_CALL, SUMMED, Cost, Totals, with_printable_repr

Phase: TypeAlias = Literal["forward", "backward", "recompute", "optimizer"]
PHASES: tuple[Phase, ...] = get_args(Phase)
ScopeKind: TypeAlias = Literal["root", "module", "code", "optimizer", "function"]
#: In a second.
NANOSECONDS, ATTOSECONDS = 1e9, 10**18
VerdictName: TypeAlias = Literal["formula", "free", "unknown"]


class ModuleShapes(NamedTuple):
    """Inputs and outputs of a module's calls, if requested.

    Attributes
    ----------
    input, output : str
        Shapes of the tensors that went into its first call and came out, such as ``1×3×224×224``;
        ``varies`` where later calls differ.
    kernel : str
        Its kernel size, such as ``3×3``.
    trainable : int
        Those elements of its parameters that require a gradient, children's included; -1 where this
        is not known.
    """

    input: str = ""
    output: str = ""
    kernel: str = ""
    trainable: int = -1

    def merged(self, other: ModuleShapes) -> ModuleShapes:
        """Return what the calls of both have in common."""
        if self == other:
            return self
        return ModuleShapes(
            _common(self.input, other.input),
            _common(self.output, other.output),
            _common(self.kernel, other.kernel),
            max(self.trainable, other.trainable),
        )


NO_SHAPES = ModuleShapes()
#: A note of a run in which operators made views alone.
VIEWS_ONLY = "only views were made, which computes nothing"
#: A note of a run in which NumPy may have computed, and PyTorch has not.
NUMPY_UNSEEN = "NumPy's work is not seen"
#: The shapes of calls that differ.
VARIES = "varies"


def _common(first: str, second: str) -> str:
    return VARIES if first and second and first != second else first or second


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Scope:
    """A place of the module tree.

    Attributes
    ----------
    parent : int
        Index of the scope that holds it, always smaller than its own; -1 for the root.
    name : str
        Its own name: ``attn``, ``0``, or the variable of an outermost module.
    type : str
        Class of the module or optimizer, ``function`` or ``function (scipy)`` for one of a library;
        empty for the root and for code.
    kind : {"root", "module", "code", "optimizer", "function"}
        ``code`` is a source line outside any module, ``function`` a function that was called there.
    calls : int
        How often it was called; 0 for a container whose children were called. Calls of a function
        count if operators ran in them.
    parameters : int
        Elements of the module's parameters, children's included, each counted once.
    instances : int
        How many modules of this name and class it stands for, as those that are made anew in each
        call; the parameters are those of the first.
    shapes : ModuleShapes
        What went into it and came out, with ``shapes=True``.
    """

    parent: int
    name: str
    type: str = ""
    kind: ScopeKind = "module"
    calls: int = 0
    parameters: int = 0
    instances: int = 1
    shapes: ModuleShapes = NO_SHAPES


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Line:
    """A source line.

    Attributes
    ----------
    file : str
        ``In[5]`` for a cell, else the name of the file.
    number : int
        Counted from 1.
    text : str
        The line itself, empty where it cannot be had.
    """

    file: str
    number: int
    text: str = ""

    @property
    def name(self) -> str:
        """For example ``In[5]:3``."""
        return f"{self.file}:{self.number}"


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Signature:
    """A distinct operator call and what it costs.

    Attributes
    ----------
    operator : str
        Without the overload, such as ``aten::mm``.
    dtype : str
        Of the arithmetic, such as ``float32``.
    shapes : str
        Of the input tensors, such as ``128×768, 768×3072``.
    verdict : {"formula", "free", "unknown"}
        What is known about the operator.
    cost : Cost
        Of one call, or, where `summed`, of all calls of the row together.
    bytes : int
        Of the tensors read and written once each, likewise.
    summed : bool
        Whether cost and bytes are sums over calls that differ.
    communicated : int
        Bytes of payload that a collective exchanges with other processes, likewise: what this one
        hands in or what it gets, whichever is more. 0 for all else.
    activations : int
        Elements of the first output of a matrix product, convolution or attention, likewise; 0 for
        all else.
    """

    operator: str
    dtype: str
    shapes: str
    verdict: VerdictName
    cost: Cost
    bytes: int
    summed: bool = False
    communicated: int = 0
    activations: int = 0


@with_printable_repr
@dataclass(frozen=True, slots=True)
class Row:
    """How often a signature ran at a place, and how long; the indices are into the report's tables.

    Attributes
    ----------
    scope, line, signature : int
        Indices; `line` is -1 where no source line is known.
    phase : {"forward", "backward", "recompute", "optimizer"}
    calls : int
    nanoseconds : int
        Time inside the kernels.
    sample : int
        A hash of some of the values that went in and came out, where other processes may have
        computed the same (see `ipyflops.counting.sampling`); 0 where there is none.
    replicated : int
        In a report of several ranks, how many of the calls another rank had made already, on the
        same values.
    """

    scope: int
    line: int
    phase: Phase
    signature: int
    calls: int
    nanoseconds: int
    sample: int = 0
    replicated: int = 0


class CallAmounts(NamedTuple):
    """What one call of a signature adds to a sum; all calls together where `summed`.

    Attributes
    ----------
    amounts : tuple of (int, int)
        The place of each number in a sum, and how much is added there; zeros are left out.
    flops : int
    summed : bool
    product_time : int
        Of its products alone at the peak, in attoseconds.
    activations : int
        Elements of its output, which count in the forward pass alone.
    """

    amounts: tuple[tuple[int, int], ...]
    flops: int
    summed: bool
    product_time: int = 0
    activations: int = 0


def amounts_of_call(
    signature: Signature, flops: int, peak_time: int = 0, product_time: int = 0
) -> CallAmounts:
    """Return what one call of a signature adds to a sum.

    Parameters
    ----------
    signature : Signature
    flops : int
        Under the report's convention.
    peak_time, product_time : int
        Of all FLOPs at the peak, and of products alone, in attoseconds.
    """
    amounts = {"flops": flops, "peak_seconds": peak_time}
    amounts |= {name: of_call(signature) for name, of_call in OF_CALL.items()}
    added = tuple((SUMMED.index(name), amount) for name, amount in amounts.items() if amount)
    return CallAmounts(added, flops, signature.summed, product_time, signature.activations)


class TotalsSum(list[int]):
    """Adds rows up; times stay whole so that parts add up to the same total in any order.

    It is the list of the amounts, in the order of `ipyflops.costs.metrics.SUMMED`: one object, as
    a large report has very many sums. Kernel time is in nanoseconds, the time at the peak in
    attoseconds.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_ZEROS)

    def add(self, other: TotalsSum) -> None:
        """Add another sum."""
        self[:] = map(plus, self, other)

    def add_row(self, row: Row, call: CallAmounts) -> None:
        """Add a row whose calls add so much each."""
        added, flops, summed, product_time, activations = call
        times = 1 if summed else row.calls
        for place, amount in added:
            self[place] += amount * times
        self[_CALLS] += row.calls
        self[_TIME] += row.nanoseconds
        if product_time and row.phase != "optimizer":
            self[_HFU_TIME] += product_time * times
            if row.phase != "recompute":
                self[_MFU_TIME] += product_time * times
        if activations and row.phase == "forward":
            self[_ACTIVATIONS] += activations * times
        if row.replicated:
            self[_REPLICATED] += flops * (1 if summed else row.replicated)

    def amount(self, name: str) -> int:
        """Give one of the numbers, times in the units of this sum."""
        return self[SUMMED.index(name)]

    def totals(self) -> Totals:
        """Return the sum as plain data."""
        amounts: list[Any] = [*self]
        amounts[_TIME] /= NANOSECONDS
        for place in (_PEAK_TIME, _MFU_TIME, _HFU_TIME):
            amounts[place] /= ATTOSECONDS
        return Totals(*amounts)


_ZEROS = (0,) * len(SUMMED)
_CALLS, _TIME = SUMMED.index("calls"), SUMMED.index("seconds")
_MFU_TIME, _HFU_TIME = SUMMED.index("mfu_seconds"), SUMMED.index("hfu_seconds")
_ACTIVATIONS = SUMMED.index("activations")
_PEAK_TIME, _REPLICATED = SUMMED.index("peak_seconds"), SUMMED.index("replicated")
