"""Several reports as one: what all ranks did together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from ipyflops.report.excerpts import ExcerptTable
from ipyflops.report.memory import DeviceMemory, Memory, PlaceMemory
from ipyflops.report.ranks import Replication, problems
from ipyflops.report.run import AnyRun, Rank, Run
from ipyflops.report.tables import Line, Row, Scope, Signature


def merge(reports: Sequence[AnyRun]) -> AnyRun:
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
    tables = _MergedTables()
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
        memory=tables.memory(),
        busy_share=None,
    )


def merge_ranks(ranks: Iterable[Rank[AnyRun]]) -> AnyRun:
    """Make one report of several ranks; those with no report are named in it.

    Parameters
    ----------
    ranks : iterable of Rank

    Returns
    -------
    Report
        Its totals are sums over the ranks; ``ranks`` has each of them, by number.

    Raises
    ------
    ValueError
        If no rank has a report, if two have the same number, or as `Report.merge`.
    """
    ordered = tuple(sorted(ranks, key=lambda rank: rank.number))
    numbers = [rank.number for rank in ordered]
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"two ranks have the same number: {', '.join(map(str, numbers))}")
    reports = [rank.report for rank in ordered if rank.report is not None]
    if not reports:
        raise ValueError(f"no rank gave a report: {problems(ordered)}")
    return replace(
        merge([replace(report, ranks=()) for report in reports]),
        complete=not any(rank.problem for rank in ordered),
        error=problems(ordered),
        ranks=ordered,
    )


def _ranks(reports: Sequence[AnyRun]) -> tuple[Rank[AnyRun], ...]:
    ranks: list[Rank[AnyRun]] = []
    for report in reports:
        for rank in report.ranks or (Rank(0, report),):
            number = max(rank.number, ranks[-1].number + 1) if ranks else rank.number
            ranks.append(replace(rank, number=number))
    return tuple(ranks)


class _MergedTables:
    """Tables to which whole reports are added; equal entries become one."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.lines: dict[Line, int] = {}
        self.signatures: dict[Signature, int] = {}
        self.rows: list[Row] = []
        self.excerpts = ExcerptTable()
        self._replication = Replication()
        self._scope_of: dict[tuple[int, str, str, str], int] = {}
        self._row_of: dict[tuple[int, int, str, int], int] = {}
        self._devices: dict[str, DeviceMemory] = {}
        self._places: dict[int, PlaceMemory] = {}
        self._has_memory = False

    def add(self, report: Run) -> None:
        self._replication.next_rank()
        scopes: list[int] = []
        for scope in report.scopes:
            parent = scopes[scope.parent] if scope.parent >= 0 else -1
            scopes.append(self._scope(replace(scope, parent=parent)))
        for row in report.rows:
            line = self._line(report, row.line)
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
        if report.memory is not None:
            self._add_memory(report, report.memory, scopes)

    def memory(self) -> Memory | None:
        """Of each device, and of each place, the rank that has the most.

        Every process has devices of its own, so what the ranks have is not added up.
        """
        if not self._has_memory:
            return None
        devices = sorted(self._devices.values(), key=lambda device: -device.peak)
        places = [self._places.get(scope, PlaceMemory()) for scope in range(len(self.scopes))]
        return Memory(tuple(devices), tuple(places))

    def _add_memory(self, report: Run, memory: Memory, scopes: Sequence[int]) -> None:
        self._has_memory = True
        for device in memory.devices:
            known = self._devices.get(device.name)
            if known is not None and known.peak >= device.peak:
                continue
            self._devices[device.name] = replace(
                device,
                scope=scopes[device.scope],
                line=self._line(report, device.line),
                holdings=tuple(
                    replace(one, scope=scopes[one.scope], line=self._line(report, one.line))
                    for one in device.holdings
                ),
            )
        for index, place in enumerate(memory.places):
            before = self._places.get(scopes[index], PlaceMemory())
            self._places[scopes[index]] = PlaceMemory(*map(max, before, place))

    def _line(self, report: Run, line: int) -> int:
        return -1 if line < 0 else self.lines.setdefault(report.lines[line], len(self.lines))

    def _scope(self, scope: Scope) -> int:
        key = (scope.parent, scope.kind, scope.name, scope.type)
        index = self._scope_of.get(key)
        if index is None:
            self._scope_of[key] = len(self.scopes)
            self.scopes.append(scope)
            return len(self.scopes) - 1
        known = self.scopes[index]
        self.scopes[index] = replace(
            known,
            calls=known.calls + scope.calls,
            instances=max(known.instances, scope.instances),
            shapes=known.shapes.merged(scope.shapes),
        )
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
