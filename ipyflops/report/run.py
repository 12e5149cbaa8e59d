"""What was counted in a run: its tables, and the sums over them.

This is the part of a `Report` that only reads. Trees, differences, merged reports and files are
made of it, so their modules know `Run`, and `ipyflops.report.report` alone knows them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any, Generic, TypeVar

from ipyflops.costs import Convention, Totals, conventions, with_printable_repr
from ipyflops.report.ceilings import Peak, Rate
from ipyflops.report.collectives import COLLECTIVE_OF, COLLECTIVES
from ipyflops.report.excerpts import Excerpt
from ipyflops.report.explanation import Explanation, explain
from ipyflops.report.figures import Figures
from ipyflops.report.memory import Memory
from ipyflops.report.tables import (
    ATTOSECONDS,
    NANOSECONDS,
    PHASES,
    CallAmounts,
    Line,
    Phase,
    Row,
    Scope,
    Signature,
    TotalsSum,
    amounts_of_call,
)
from ipyflops.report.timing import Timing
from ipyflops.report.tree import Node, below, build, find, walk

#: A function that gets a `Report` gives a `Report`, though it knows only what a `Run` has.
AnyRun = TypeVar("AnyRun", bound="Run")
#: The same for a class that holds a report.
HeldRun_co = TypeVar("HeldRun_co", bound="Run", covariant=True)
Self = TypeVar("Self", bound="Run")


@with_printable_repr
@dataclass(frozen=True)
class Rank(Generic[HeldRun_co]):
    """One process of several that ran together.

    Attributes
    ----------
    number : int
        Its rank, or the number of the engine.
    report : Report or None
        What it counted; None if it sent nothing.
    missing : str
        Why there is no report, such as ``no report within 60 s``; empty if there is one.
    place : str
        Where it ran, such as ``host:1234`` with the process's number; may be empty.
    """

    number: int
    report: HeldRun_co | None
    missing: str = ""
    place: str = ""

    @property
    def problem(self) -> str:
        """Why this rank's count is incomplete; empty if it is complete."""
        if self.report is None:
            return self.missing or "no report"
        if self.report.complete:
            return ""
        return self.report.error or "not finished"

    def under(self, convention: str) -> Rank[HeldRun_co]:
        """Return the same rank under another convention."""
        if self.report is None:
            return self
        return replace(self, report=self.report.under(convention))


@dataclass(frozen=True)
class Run(Figures):
    """The tables of a counted run and what is summed up from them.

    `Report`, which has the same attributes, describes them.
    """

    scopes: tuple[Scope, ...]
    lines: tuple[Line, ...]
    signatures: tuple[Signature, ...]
    rows: tuple[Row, ...]
    convention: Convention = "standard"
    complete: bool = True
    error: str = ""
    notes: tuple[str, ...] = field(default=())
    device: str = "cpu"
    timing: Timing | None = None
    peak: Peak | None = None
    ranks: tuple[Rank[Any], ...] = ()
    excerpts: tuple[Excerpt, ...] = ()
    memory: Memory | None = None
    busy_share: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        # What is cached can be computed again, and a deep tree of nodes cannot be pickled.
        return {item.name: getattr(self, item.name) for item in fields(self)}

    # --- the whole run -----------------------------------------------------------------------

    @cached_property
    def totals(self) -> Totals:
        """Sums over all rows."""
        return self.sum_rows(self.rows)

    @property
    def communicated(self) -> int:
        """Bytes of payload that collectives exchanged (see `by_collective`)."""
        return self.totals.communicated

    @property
    def replicated_flops(self) -> int:
        """FLOPs that another rank had already computed, on the same values.

        A sample of the values is compared. ``flops - replicated_flops`` is the work without
        repetitions. It is 0 in the report of one process.
        """
        return self.totals.replicated

    @property
    def share_known(self) -> float:
        """Share of the operator calls that have a formula or are known to be free."""
        calls = self.totals.calls
        return 1 - sum(self.unknown.values()) / calls if calls else 1.0

    @cached_property
    def unknown(self) -> dict[str, int]:
        """Calls of the operators without a formula: ``{"ns::op": calls}``."""
        calls: dict[str, int] = defaultdict(int)
        for row in self.rows:
            signature = self.signatures[row.signature]
            if signature.verdict == "unknown":
                calls[signature.operator] += row.calls
        return dict(sorted(calls.items(), key=lambda item: (-item[1], item[0])))

    # --- by something ------------------------------------------------------------------------

    @cached_property
    def by_operator(self) -> Mapping[str, Totals]:
        """Totals by operator name, the most FLOPs first."""
        return self._by(lambda row: self.signatures[row.signature].operator)

    @cached_property
    def by_dtype(self) -> Mapping[str, Totals]:
        """Totals by the dtype of the arithmetic, the most FLOPs first."""
        return self._by(lambda row: self.signatures[row.signature].dtype)

    @cached_property
    def by_collective(self) -> Mapping[str, Totals]:
        """Totals by collective (``all_reduce``, ``send``, …); ``communicated`` has its bytes.

        The bytes of a call are those that the rank passes in or those that it gets, whichever is
        more. This is the payload, not the traffic on the wire. The seconds are those of the call,
        which often only starts the transfer.
        """
        totals = self._by(
            lambda row: COLLECTIVE_OF.get(self.signatures[row.signature].operator),
            [row for row in self.rows if self._is_collective[row.signature]],
        )
        return {name: totals[name] for name in COLLECTIVES if name in totals}

    @cached_property
    def _is_collective(self) -> list[bool]:
        return [signature.operator in COLLECTIVE_OF for signature in self.signatures]

    @cached_property
    def by_phase(self) -> Mapping[str, Totals]:
        """Totals of the four phases, in their order; a phase that did not run has zeros.

        - ``forward``: the model, and all that belongs to no other phase; also the loss that an
          optimizer has computed in its step.
        - ``backward``: what the autograd engine runs, with the hooks for gradients and the modules
          that these call.
        - ``recompute``: a forward that is run again in the backward pass, by checkpointing or in
          the backward of a custom function.
        - ``optimizer``: what changes parameters and gradients beside autograd: the optimizer's
          step, the clipping functions of `torch.nn.utils`, ``unscale_``, ``step`` and ``update`` of
          a `torch.amp.GradScaler`, and `torch.optim.swa_utils.AveragedModel.update_parameters`.
          Scaling the loss is forward. What you write by hand, an average of parameters say, runs
          where it stands, so mostly in ``forward``.
        """
        totals = self._by(lambda row: row.phase)
        return {phase: totals.get(phase, Totals()) for phase in PHASES}

    @cached_property
    def by_line(self) -> Mapping[str, Totals]:
        """Totals by source line, such as ``In[5]:3``, in the order of the lines."""
        totals = self._by(lambda row: row.line)
        order = sorted(totals, key=lambda line: (line < 0, self._line_key(line)))
        return {self.line_name(line): totals[line] for line in order}

    def _line_key(self, line: int) -> tuple[str, int]:
        return (self.lines[line].file, self.lines[line].number) if line >= 0 else ("", 0)

    def line_name(self, line: int) -> str:
        """The name of the line at an index of `lines`; ``(unknown line)`` for -1."""
        return self.lines[line].name if line >= 0 else "(unknown line)"

    def _by(
        self, key: Callable[[Row], Any], rows: Iterable[Row] | None = None
    ) -> dict[Any, Totals]:
        groups: dict[Any, TotalsSum] = defaultdict(TotalsSum)
        amounts = self._amounts
        for row in self.rows if rows is None else rows:
            groups[key(row)].add_row(row, amounts[row.signature])
        ordered = sorted(groups.items(), key=lambda item: -item[1].amount("flops"))
        return {name: group.totals() for name, group in ordered}

    @cached_property
    def _amounts(self) -> list[CallAmounts]:
        """What one call adds to a sum, by signature."""
        return [
            amounts_of_call(
                signature,
                flops := conventions.flops(signature.cost, self.convention),
                # Nothing where no peak is known for its dtype.
                flops * ATTOSECONDS // round(rate.flops_per_second) if rate else 0,
                self.product_time(signature),
            )
            for signature, rate in zip(self.signatures, self._rates, strict=True)
        ]

    def product_time(self, signature: Signature) -> int:
        """Attoseconds of the products of one call at the peak, scaled to `step_seconds`.

        Clean repeats time only the whole run, so a place's share of it is that of its kernel time.
        """
        rate = self.peak.rate(signature.dtype) if self.peak else None
        products = signature.cost.contraction.value
        if rate is None or not products:
            return 0
        time = products * ATTOSECONDS // round(rate.flops_per_second)
        kernels, step = self._kernel_seconds, self.step_seconds
        return time if kernels in (0.0, step) else round(time * kernels / step)

    @cached_property
    def _kernel_seconds(self) -> float:
        return sum(row.nanoseconds for row in self.rows) / NANOSECONDS

    @property
    def step_seconds(self) -> float:
        """Time of the run: of clean repeats if there were any, else in kernels; 0 if unknown."""
        timing = self.timing
        if timing is not None and not timing.refusal and timing.median:
            return timing.median
        return self._kernel_seconds

    @property
    def mfu(self) -> float | None:
        """Model FLOPs utilisation, as PaLM defines it; None without a time and a peak.

        The time that the products of the forward and backward pass take at the peak of their
        dtypes, as a share of `step_seconds`. Recomputed work does not count, and neither do other
        operations and the optimizer.
        """
        return self._utilisation(("forward", "backward"))

    @property
    def hfu(self) -> float | None:
        """Hardware FLOPs utilisation: like `mfu`, with recomputed work."""
        return self._utilisation(("forward", "backward", "recompute"))

    def _utilisation(self, phases: tuple[Phase, ...]) -> float | None:
        if self.peak is None or not self.step_seconds:
            return None
        times = [self.product_time(signature) for signature in self.signatures]
        total = sum(
            times[row.signature] * (1 if self.signatures[row.signature].summed else row.calls)
            for row in self.rows
            if row.phase in phases
        )
        return total / ATTOSECONDS / (self._kernel_seconds or self.step_seconds)

    @property
    def _rates(self) -> list[Rate | None]:
        """The rate of each signature's dtype at the peak."""
        peak = self.peak
        rates = {
            dtype: peak.rate(dtype) if peak else None
            for dtype in {signature.dtype for signature in self.signatures}
        }
        return [rates[signature.dtype] for signature in self.signatures]

    def sum_rows(self, rows: Iterable[Row]) -> Totals:
        """Sums over some of the rows."""
        return self.accumulate(rows).totals()

    def accumulate(self, rows: Iterable[Row]) -> TotalsSum:
        """Sums over some of the rows, to which more rows can be added."""
        total = TotalsSum()
        amounts = self._amounts
        for row in rows:
            total.add_row(row, amounts[row.signature])
        return total

    # --- the tree ----------------------------------------------------------------------------

    @cached_property
    def tree(self) -> Node:
        """The tree of modules; its root stands for the whole run."""
        return build(self.scopes, self.rows, self.accumulate, self.memory)

    def find(self, path: str) -> Node:
        """Return the node at a path: ``model.layers.0``, or ``layers.0`` in a single model.

        Raises
        ------
        KeyError
            If there is none, or if several outermost modules have one; the message lists some.
        """
        return find(self.tree, path)

    def walk(self) -> Iterator[Node]:
        """Every node of the tree, parents before their children."""
        return walk(self.tree)

    def explain(self, path: str = "") -> tuple[Explanation, ...]:
        """Return a node's operators: formula, shapes, calls and FLOPs; the most FLOPs first.

        Their FLOPs add up to the node's.

        Raises
        ------
        KeyError
            As `find`.
        """
        scopes = below(self.scopes, self.find(path).scope)
        rows = [row for row in self.rows if row.scope in scopes]
        return explain(rows, self.signatures, self.convention)

    # --- the same counts, read otherwise -----------------------------------------------------

    def under(self: Self, convention: str) -> Self:  # noqa: PYI019 - from Python 3.11 on
        """Return the same run under another convention.

        Raises
        ------
        ValueError
            If there is no such convention.
        """
        return replace(
            self,
            convention=conventions.check(convention),
            ranks=tuple(rank.under(convention) for rank in self.ranks),
        )
