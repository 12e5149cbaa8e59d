"""Two reports against each other, and several reports as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ipyflops.tables import Line, Row, Scope, Signature, Totals

if TYPE_CHECKING:
    from ipyflops.report import Report


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one place of the tree; `before` or `after` is None where it did not exist."""

    path: str
    type: str
    before: Totals | None
    after: Totals | None

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return (self.after.flops if self.after else 0) - (self.before.flops if self.before else 0)

    @property
    def ratio(self) -> float | None:
        """FLOPs after divided by FLOPs before; None where there were none before."""
        if self.before is None or self.before.flops == 0:
            return None
        return (self.after.flops if self.after else 0) / self.before.flops


@dataclass(frozen=True)
class Difference:
    """What one run did more than another: ``after - before``.

    Attributes
    ----------
    before, after : Report
        Both under the convention of `after`.
    changes : tuple of Change
        Every place of either tree, in the order of `after`, then the places that are gone. The
        outermost module's own name is not part of the match when each run has just one.
    """

    before: Report
    after: Report
    changes: tuple[Change, ...]

    @classmethod
    def between(cls, before: Report, after: Report) -> Difference:
        """Match the places of two reports by their paths."""
        before = before.under(after.convention)
        old, new = _by_path(before), _by_path(after)
        paths = [*new, *(path for path in old if path not in new)]
        return cls(
            before,
            after,
            tuple(
                Change(
                    path=path,
                    type=(new.get(path) or old[path])[0],
                    before=old[path][1] if path in old else None,
                    after=new[path][1] if path in new else None,
                )
                for path in paths
            ),
        )

    @property
    def flops(self) -> int:
        """FLOPs after, less FLOPs before."""
        return self.after.flops - self.before.flops

    @property
    def macs(self) -> int:
        """Multiply-accumulates after, less those before."""
        return self.after.macs - self.before.macs

    @property
    def bytes(self) -> int:
        """Bytes after, less those before."""
        return self.after.bytes - self.before.bytes

    @property
    def int_ops(self) -> int:
        """Integer operations after, less those before."""
        return self.after.int_ops - self.before.int_ops

    @property
    def seconds(self) -> float:
        """Kernel seconds after, less those before."""
        return self.after.seconds - self.before.seconds

    @property
    def ratio(self) -> float | None:
        """FLOPs after divided by FLOPs before; None where there were none before."""
        return self.after.flops / self.before.flops if self.before.flops else None

    def __str__(self) -> str:
        from ipyflops.views.text import difference_to_text

        return difference_to_text(self)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        from ipyflops.views import difference_mime_bundle

        return difference_mime_bundle(self)


def _by_path(report: Report) -> dict[str, tuple[str, Totals]]:
    modules = [node for node in report.tree.children if node.kind == "module"]
    found: dict[str, tuple[str, Totals]] = {}
    for node in report.walk():
        path = node.path
        if len(modules) == 1 and node.kind == "module":
            # A model that was held by another variable is still the same model.
            path = ".".join(["(model)", *node.path.split(".")[1:]])
        found[path] = (node.type, node.totals)
    return found


def merge(reports: Sequence[Report]) -> Report:
    """Add reports up: scopes of the same path, lines and signatures become one.

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
    tables = _Tables()
    for report in reports:
        tables.add(report)
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    return replace(
        reports[0],
        scopes=tuple(tables.scopes),
        lines=tuple(tables.lines),
        signatures=tuple(tables.signatures),
        rows=tuple(tables.rows),
        complete=all(report.complete for report in reports),
        error="; ".join(report.error for report in reports if report.error),
        notes=tuple(notes),
        timing=reports[0].timing if len(reports) == 1 else None,
        peak=reports[0].peak if len({report.peak for report in reports}) == 1 else None,
    )


class _Tables:
    """Tables that grow by whole reports, each entry kept once."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []
        self.lines: dict[Line, int] = {}
        self.signatures: dict[Signature, int] = {}
        self.rows: list[Row] = []
        self._scope_of: dict[tuple[int, str, str, str], int] = {}
        self._row_of: dict[tuple[int, int, str, int], int] = {}

    def add(self, report: Report) -> None:
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
            self._row(replace(row, scope=scopes[row.scope], line=line, signature=signature), summed)

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
        )
