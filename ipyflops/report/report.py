"""The result of a counted run, as plain data.

A `Report` knows nothing of torch, IPython or any view. It holds four flat tables (see
`ipyflops.report.tables`) and computes from them whatever is asked for, under its convention:

- *scopes*: the places of the module tree (a module, a line of code outside modules, …);
- *lines*: the source lines that ran operators;
- *signatures*: each distinct operator call, an operator with its shapes and dtype, and its cost;
- *rows*: how often each signature ran in which scope, on which line, in which phase, and how long.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ipyflops.costs import conventions
from ipyflops.costs.conventions import Convention
from ipyflops.costs.metrics import Totals
from ipyflops.report.ceilings import Peak, Rate
from ipyflops.report.collectives import COLLECTIVE_OF, COLLECTIVES
from ipyflops.report.exports import Exports
from ipyflops.report.figures import Figures
from ipyflops.report.rank_methods import RankMethods
from ipyflops.report.tables import (
    ATTO,
    PHASES,
    CallAmounts,
    Line,
    Row,
    Scope,
    Signature,
    TotalsSum,
    amounts_of_call,
)
from ipyflops.report.timing import Timing

if TYPE_CHECKING:
    from ipyflops.report.difference import Difference
    from ipyflops.report.excerpts import Excerpt
    from ipyflops.report.explanation import Explanation
    from ipyflops.report.ranks import Rank
    from ipyflops.report.tree import Node


@dataclass(frozen=True)
class Report(Figures, Exports, RankMethods):
    """What a counted run did, as plain data; see the module's docstring for the tables.

    Attributes
    ----------
    scopes, lines, signatures, rows : tuple
        The tables; scope 0 is the root.
    convention : {"standard", "contractions", "article"}
        Under which FLOPs are read; `under` gives the same run under another.
    complete : bool
        False where the run was cut short or is still going on.
    error : str
        What cut it short, as ``ValueError: …``; empty otherwise.
    notes : tuple of str
        What a reader has to know about this run.
    device : str
        Where its kernels ran, as ``cuda:0``: what their rate is set against.
    timing : Timing or None
        What clean repeats took, where there were any.
    peak : Peak or None
        What the device can do at most, where that was asked for.
    ranks : tuple of Rank
        The processes that this report is the sum of, by their number; empty for a single one.
    excerpts : tuple of Excerpt
        The source of the counted code and, where ``FlopCounter(follow_methods=True)`` asked for
        them, of the modules' methods with what ran on each of their lines.
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
    ranks: tuple[Rank, ...] = ()
    excerpts: tuple[Excerpt, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        # What is cached can be computed again, and a deep tree of nodes cannot be pickled.
        return {item.name: getattr(self, item.name) for item in fields(self)}

    # --- the whole run -----------------------------------------------------------------------

    @cached_property
    def totals(self) -> Totals:
        """Sums over all rows."""
        return self.sum_rows(self.rows)

    @property
    def share_known(self) -> float:
        """Share of the operator calls with a verdict: a formula, or known to be free."""
        calls = self.totals.calls
        return 1 - sum(self.unknown.values()) / calls if calls else 1.0

    @cached_property
    def unknown(self) -> dict[str, int]:
        """Calls of the operators that nobody has described: ``{"ns::op": calls}``."""
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

        The bytes of a call are what the rank hands in or what it gets, whichever is more: the
        payload, not the traffic on the wire. The seconds are those of the call, which often only
        starts the transfer.
        """
        found = self._by(
            lambda row: COLLECTIVE_OF.get(self.signatures[row.signature].operator),
            [row for row in self.rows if self._is_collective[row.signature]],
        )
        return {name: found[name] for name in COLLECTIVES if name in found}

    @cached_property
    def _is_collective(self) -> list[bool]:
        return [signature.operator in COLLECTIVE_OF for signature in self.signatures]

    @cached_property
    def by_phase(self) -> Mapping[str, Totals]:
        """Totals of the four phases, in their order; a phase that did not run has zeros."""
        found = self._by(lambda row: row.phase)
        return {phase: found.get(phase, Totals()) for phase in PHASES}

    @cached_property
    def by_line(self) -> Mapping[str, Totals]:
        """Totals by source line, as ``In[5]:3``, in the order of the lines."""
        found = self._by(lambda row: row.line)
        order = sorted(found, key=lambda line: (line < 0, self._line_key(line)))
        return {self.line_name(line): found[line] for line in order}

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
                flops * ATTO // round(rate.flops_per_second) if rate else 0,
            )
            for signature, rate in zip(self.signatures, self._rates, strict=True)
        ]

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
        """Sums over some of the rows, open for more."""
        total = TotalsSum()
        amounts = self._amounts
        for row in rows:
            total.add_row(row, amounts[row.signature])
        return total

    # --- the tree ----------------------------------------------------------------------------

    @cached_property
    def tree(self) -> Node:
        """The tree of modules; its root stands for the whole run."""
        from ipyflops.report.tree import build

        return build(self)

    def find(self, path: str) -> Node:
        """Give the node at a path: ``model.layers.0``, or ``layers.0`` in the one outermost module.

        Raises
        ------
        KeyError
            If there is none, or if several outermost modules have one; the message names some.
        """
        from ipyflops.report.tree import find

        return find(self.tree, path)

    def walk(self) -> Iterator[Node]:
        """Every node of the tree, parents before their children."""
        from ipyflops.report.tree import walk

        return walk(self.tree)

    def explain(self, path: str = "") -> tuple[Explanation, ...]:
        """Give the operators below a node: formula, shapes, calls and FLOPs; the most FLOPs first.

        Their FLOPs add up to the node's.

        Raises
        ------
        KeyError
            As `find`.
        """
        from ipyflops.report.explanation import explain

        return explain(self, self.find(path))

    # --- other reports -----------------------------------------------------------------------

    def under(self, convention: str) -> Report:
        """Give the same run under another convention.

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

    def __sub__(self, other: Report) -> Difference:
        """Give what this run did more than the other."""
        from ipyflops.report.difference import Difference

        return Difference.between(before=other, after=self)

    @staticmethod
    def merge(reports: Iterable[Report]) -> Report:
        """Give one report of several ranks: places of the same path are one, all counts are sums.

        Each report becomes a rank of the result, by its position (see `ranks`).

        Raises
        ------
        ValueError
            If there is no report, or if their conventions differ.
        """
        from ipyflops.report.merging import merge

        return merge(list(reports))

    # --- in and out --------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Give the report as data that JSON can hold; `from_dict` reads it."""
        from ipyflops.report.serialization.reports import to_dict

        return to_dict(self)

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Report:
        """Read what `to_dict` gave.

        Raises
        ------
        ReportFormatError
            If it is something else, damaged, or of a version that this one cannot read.
        """
        from ipyflops.report.serialization.reports import from_dict

        return from_dict(data)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report as JSON; an existing file is replaced only once all is written."""
        from ipyflops.report.serialization.reports import save

        save(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Report:
        """Read a file that `save` wrote.

        Raises
        ------
        ReportFormatError
            As `from_dict`.
        OSError
            If the file cannot be read.
        """
        from ipyflops.report.serialization.reports import load

        return load(path)

    # --- shown -------------------------------------------------------------------------------

    def __str__(self) -> str:
        from ipyflops.views.text.report import to_text

        return to_text(self)

    def __repr__(self) -> str:
        from ipyflops.views.rows.headline import headline

        return f"<Report {headline(self).text}>"

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        from ipyflops.views import mime_bundle
        from ipyflops.views.frontend import preferred_view

        return mime_bundle(self, view=preferred_view())

    def _ipython_display_(self) -> None:
        from ipyflops.views.displays import displays
        from ipyflops.views.frontend import preferred_view, publish

        bundles = displays(self, view=preferred_view())
        if len(bundles) == 1:
            raise NotImplementedError  # one bundle is enough: IPython asks for it
        for bundle in bundles:
            publish(bundle)
