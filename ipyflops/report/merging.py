"""Several reports as one: what all ranks did together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ipyflops.report.excerpts import ExcerptTable
from ipyflops.report.ranks import Rank, Replication, problems
from ipyflops.report.tables import Line, Row, Scope, Signature

if TYPE_CHECKING:
    from ipyflops.report.report import Report


def merge(reports: Sequence[Report]) -> Report:
    """Add reports up: scopes of the same path, lines and signatures become one.

    Each report is a rank of the result, by its position. Where one has ranks itself, those are
    the result's, and the others' follow with the numbers after them.

    Raises
    ------
    ValueError
        If there is no report, or if their conventions differ.
    """
    if not reports:
        raise ValueError("there is no report to merge")
    conventions = {report.convention for report in reports}
    if len(conventions) > 1:
        raise ValueError(
            f"the reports are under different conventions ({', '.join(sorted(conventions))}); "
            "bring them under one with report.under(name)"
        )
    if len(reports) == 1:
        return reports[0]
    ranks = _ranks(reports)
    tables = _Tables()
    for rank in ranks:
        if rank.report is not None:
            tables.add(rank.report)
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    return replace(
        reports[0],
        scopes=tuple(tables.scopes),
        lines=tuple(tables.lines),
        signatures=tuple(tables.signatures),
        rows=tuple(tables.rows),
        complete=all(report.complete for report in reports),
        error=problems(ranks),
        notes=tuple(notes),
        timing=None,
        peak=reports[0].peak if len({report.peak for report in reports}) == 1 else None,
        ranks=ranks,
        excerpts=tables.excerpts.excerpts(),
    )


def _ranks(reports: Sequence[Report]) -> tuple[Rank, ...]:
    ranks: list[Rank] = []
    for report in reports:
        for rank in report.ranks or (Rank(0, report),):
            number = max(rank.number, ranks[-1].number + 1) if ranks else rank.number
            ranks.append(replace(rank, number=number))
    return tuple(ranks)


class _Tables:
    """Tables that grow by whole reports, each entry kept once."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.lines: dict[Line, int] = {}
        self.signatures: dict[Signature, int] = {}
        self.rows: list[Row] = []
        self.excerpts = ExcerptTable()
        self._replication = Replication()
        self._scope_of: dict[tuple[int, str, str, str], int] = {}
        self._row_of: dict[tuple[int, int, str, int], int] = {}

    def add(self, report: Report) -> None:
        self._replication.next_rank()
        scopes: list[int] = []
        for scope in report.scopes:
            parent = scopes[scope.parent] if scope.parent >= 0 else -1
            scopes.append(self._scope(replace(scope, parent=parent)))
        for row in report.rows:
            line = -1
            if row.line >= 0:
                line = self.lines.setdefault(report.lines[row.line], len(self.lines))
            signature = self.signatures.setdefault(
                report.signatures[row.signature], len(self.signatures)
            )
            summed = report.signatures[row.signature].summed
            moved = replace(row, scope=scopes[row.scope], line=line, signature=signature)
            repeated = self._replication.repeated(moved)
            self._row(replace(moved, sample=0, replicated=repeated), summed)
        self.excerpts.add(
            report.excerpts,
            [self.signatures.get(one, -1) for one in report.signatures],
        )

    def _scope(self, scope: Scope) -> int:
        key = (scope.parent, scope.kind, scope.name, scope.type)
        index = self._scope_of.get(key)
        if index is None:
            self._scope_of[key] = len(self.scopes)
            self.scopes.append(scope)
            return len(self.scopes) - 1
        known = self.scopes[index]
        self.scopes[index] = replace(known, calls=known.calls + scope.calls)
        return index

    def _row(self, row: Row, summed: bool) -> None:
        key = (row.scope, row.line, row.phase, row.signature)
        # A summed signature stands for all calls of one row, so two such rows stay two.
        index = None if summed else self._row_of.get(key)
        if index is None:
            self._row_of[key] = len(self.rows)
            self.rows.append(row)
            return
        known = self.rows[index]
        self.rows[index] = replace(
            known,
            calls=known.calls + row.calls,
            nanoseconds=known.nanoseconds + row.nanoseconds,
            replicated=known.replicated + row.replicated,
        )
