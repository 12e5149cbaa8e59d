"""A report as the one message that the widget gets: columns of its tables as binary buffers.

Sums are left to the browser. It gets the numbers of all three conventions for each distinct call,
and so switches between them, folds, sorts and explains without asking again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from ipyflops.costs import METRICS, OF_CALL, Metric, conventions
from ipyflops.report import NO_SHAPES, PHASES, Excerpt, Report, ScopeKind, Signature
from ipyflops.views.rows.bars import MEMORY_BARS
from ipyflops.views.rows.columns import BROWSER, OPTIONAL, chosen, that_matter
from ipyflops.views.rows.headline import headline
from ipyflops.views.rows.headline_item import Headline
from ipyflops.views.rows.tree import OF_MEMORY, OF_SHAPES
from ipyflops.views.rows.visible import source_line, visible
from ipyflops.views.widget.estimate_packing import Devices, estimate_columns

KINDS: tuple[ScopeKind, ...] = get_args(ScopeKind)
#: The largest whole number up to which JavaScript has all.
MAX_SAFE = 2**53 - 1
#: The metrics that bars and charts can show, in the order of the browser's choice.
BARS = ("flops", "macs", "seconds", "bytes", "int_ops", *MEMORY_BARS)
#: Longer texts are cut: nobody reads them, and a table row has no room.
TEXT_LENGTH = 2000
#: A row of the ranks' selector has less room.
RANK_TEXT_LENGTH = 300


def pack(
    report: Report,
    *,
    per: tuple[int, str] | None = None,
    columns: Sequence[str] = (),
    devices: Devices = (),
) -> dict[str, Any]:
    """Give a report as JSON with binary columns; every text in it is visible on a screen.

    Parameters
    ----------
    report : Report
    per : (int, str), optional
        As for `ipyflops.views.rows.headline.headline`.
    columns : sequence of str
        What the tables show besides, as for `ipyflops.views.rows.columns.columns`.
    devices : sequence of (Device, float)
        Those whose least times the modules have, with the share of their peaks that is reached.

    Returns
    -------
    dict
        What ``static/message.d.ts`` describes.
    """
    texts = Texts()
    estimated = estimate_columns(report, devices)
    on_devices = [one for both in estimated for one in (both.time, both.bound)]
    metrics = [*METRICS.values(), *on_devices]
    tables = {name: _table(report, layout.keys) for name, layout in BROWSER.items()}
    tables["modules"] += [one.key for one in on_devices]
    return {
        "columns": {column_name(one): _pack_column(one) for one in metrics},
        "tables": tables,
        "bars": [key for key in BARS if key == "flops" or getattr(_whole(report, key), key)],
        "scopes": _scopes(report, texts),
        "held": {**_held(report), **{one.time.key: _floats(one.seconds) for one in estimated}},
        "shapes": {
            **_shapes(report, texts),
            **{one.bound.key: ints(map(texts.index, one.bounds)) for one in estimated},
        },
        "asked": [
            *(column_name(METRICS[key]) for key in chosen(columns)),
            *(one.key for one in on_devices),
        ],
        "names": texts.all,
        "lines": [
            [_text(line.file), line.number, source_line(line.text)[:TEXT_LENGTH]]
            for line in report.lines
        ],
        "excerpts": [_excerpt(one) for one in report.excerpts],
        "signatures": _signatures(report),
        "rows": _rows(report),
        "headlines": {
            name: pack_headline(headline(report.under(name), per=per))
            for name in conventions.CONVENTIONS
        },
    }


def _whole(report: Report, key: str) -> object:
    """What has a number of the whole run: its root, of the memory of places."""
    return report.tree if METRICS[key].of_place else report.totals


def column_name(metric: Metric) -> str:
    """What the browser knows a column by."""
    return metric.column or metric.key


def _table(report: Report, keys: tuple[str, ...]) -> list[str]:
    """The columns of a table that say something; its bars show whatever metric is chosen."""
    of_modules = keys == BROWSER["modules"].keys
    optional = [key for key in OPTIONAL if of_modules or not METRICS[key].of_place]
    matter = [metric.key for metric in that_matter(report, (*keys, *optional))]
    return [column_name(METRICS[key]) for key in (*keys, *optional) if key in {*matter, "share"}]


def _pack_column(metric: Metric) -> dict[str, Any]:
    """Give what the browser knows of a metric; it takes what is empty or false as not there."""
    told = {
        "key": metric.key,
        "title": metric.title,
        "explanation": metric.explanation or metric.tip,
        "format": metric.format,
        "unit": metric.unit,
        "name": metric.name,
        "quantity": metric.quantity,
        "phrase": metric.phrase,
        "ratio": metric.ratio,
        "of_whole": metric.of_whole,
        "of_place": metric.of_place,
        "optional": metric.optional,
    }
    return {key: value for key, value in told.items() if value}


class Texts:
    """Texts, each kept once and known by its number."""

    def __init__(self) -> None:
        self.all: list[str] = []
        self._index: dict[str, int] = {}

    def index(self, text: str) -> int:
        """Give the number of a text."""
        index = self._index.get(text)
        if index is None:
            index = self._index[text] = len(self.all)
            self.all.append(_text(text))
        return index


def _text(text: str) -> str:
    return visible(text)[:TEXT_LENGTH]


def _scopes(report: Report, texts: Texts) -> dict[str, bytes]:
    scopes = report.scopes
    return {
        "parent": ints(scope.parent for scope in scopes),
        "name": ints(texts.index(scope.name) for scope in scopes),
        "type": ints(texts.index(scope.type) for scope in scopes),
        "kind": bytes(KINDS.index(scope.kind) for scope in scopes),
        "calls": _floats(scope.calls for scope in scopes),
        "parameters": _floats(scope.parameters for scope in scopes),
        "instances": _floats(scope.instances for scope in scopes),
    }


def _shapes(report: Report, texts: Texts) -> dict[str, bytes]:
    """What was recorded of the calls of each scope, where that was asked for."""
    shapes = [scope.shapes for scope in report.scopes]
    if all(one == NO_SHAPES for one in shapes):
        return {}
    return {
        **{name: ints(texts.index(getattr(one, name)) for one in shapes) for name in OF_SHAPES},
        "trainable": _floats(one.trainable for one in shapes),
    }


def _held(report: Report) -> dict[str, bytes]:
    """What was asked for of the memory of each scope, with what is inside it."""
    if report.memory is None:
        return {}
    nodes = {node.scope: node for node in report.walk()}
    every = range(len(report.scopes))
    return {
        name: _floats(getattr(nodes[index], name) if index in nodes else 0 for index in every)
        for name in OF_MEMORY
    }


def _excerpt(excerpt: Excerpt) -> dict[str, Any]:
    phases = {phase: index for index, phase in enumerate(PHASES)}
    counts = excerpt.counts
    return {
        "file": _text(excerpt.file),
        "name": _text(excerpt.name),
        "first": excerpt.first,
        "lines": [source_line(line)[:TEXT_LENGTH] for line in excerpt.lines],
        "number": ints(one.number for one in counts),
        "phase": bytes(phases[one.phase] for one in counts),
        "signature": ints(one.signature for one in counts),
        "calls": _floats(one.calls for one in counts),
        "nanoseconds": _floats(one.nanoseconds for one in counts),
    }


def _rows(report: Report) -> dict[str, bytes]:
    phases = {phase: index for index, phase in enumerate(PHASES)}
    rows = report.rows
    packed = {
        "scope": ints(row.scope for row in rows),
        "line": ints(row.line for row in rows),
        "phase": bytes(phases[row.phase] for row in rows),
        "signature": ints(row.signature for row in rows),
        "calls": _floats(row.calls for row in rows),
        "nanoseconds": _floats(row.nanoseconds for row in rows),
    }
    if report.replicated_flops:
        packed["replicated"] = _floats(row.replicated for row in rows)
    return packed


def _signatures(report: Report) -> dict[str, Any]:
    signatures = report.signatures
    packed: dict[str, Any] = {
        "text": [_signature(signature) for signature in signatures],
        "summed": bytes(signature.summed for signature in signatures),
    }
    costs = {
        key: _floats(of_call(signature) for signature in signatures)
        for key, of_call in OF_CALL.items()
        if getattr(report.totals, key)
    }
    if report.totals.activations:
        costs["activations"] = _floats(one.activations for one in signatures)
    if report.peak is not None:
        rates = {one.dtype: report.peak.rate(one.dtype) for one in signatures}
        of_each = (rates[signature.dtype] for signature in signatures)
        packed["peak"] = _floats(rate.flops_per_second if rate else 0.0 for rate in of_each)
        costs["products"] = _floats(report.product_time(one) / 1e9 for one in signatures)
    exact: dict[str, dict[int, str]] = {}
    standard: list[int] = []
    for name in conventions.CONVENTIONS:
        values = [conventions.flops(signature.cost, name) for signature in signatures]
        # A convention that says what standard says is left out.
        if name == "standard" or values != standard:
            costs[name] = _floats(values)
            exact[name] = {
                index: str(value) for index, value in enumerate(values) if value > MAX_SAFE
            }
        if name == "standard":
            standard = values
    packed["costs"] = costs
    packed["exact"] = exact
    return packed


def _signature(signature: Signature) -> list[Any]:
    """Operator, dtype, shapes, verdict, formula by convention, symbols, note."""
    cost = signature.cost
    standard, *others = (
        _text(conventions.expression(cost, name)) for name in conventions.CONVENTIONS
    )
    return [
        _text(signature.operator),
        _text(signature.dtype),
        _text(signature.shapes),
        signature.verdict,
        [standard, *(None if other == standard else other for other in others)],
        [
            [_text(name), value if abs(value) <= MAX_SAFE else str(value)]
            for name, value in cost.symbols
        ],
        _text(cost.note),
    ]


def pack_headline(said: Headline) -> dict[str, Any]:
    """Give what ``static/headline.js`` reads."""
    return {
        "figures": [
            {"text": item.text, "definition": item.definition, "tone": item.tone}
            for item in said.items
        ],
        "convention": {"text": said.convention.text, "definition": said.convention.definition},
        "notes": [note[:TEXT_LENGTH] for note in said.notes],
    }


def ints(values: Iterable[int]) -> bytes:
    """Give a column of whole numbers."""
    return array("i", values).tobytes()


def _floats(values: Iterable[float]) -> bytes:
    column = array("d")
    for value in values:
        try:
            column.append(value)
        except OverflowError:
            column.append(float("inf"))
    return column.tobytes()


def pack_ranks(report: Report, shown: int | None) -> dict[str, Any]:
    """Give what ``static/ranks.js`` reads; nothing where there are no ranks to choose from.

    Parameters
    ----------
    report : Report
        Of all ranks.
    shown : int or None
        The number of the rank that the widget shows; None for all together.
    """
    if len(report.ranks) < 2:
        return {}
    ranks = []
    for rank in report.ranks:
        one: dict[str, Any] = {
            "number": rank.number,
            "place": visible(rank.place)[:RANK_TEXT_LENGTH],
            "problem": visible(rank.problem)[:RANK_TEXT_LENGTH],
            "there": rank.report is not None,
        }
        if rank.report is not None:
            one["flops"] = {
                name: float(rank.report.under(name).flops) for name in conventions.CONVENTIONS
            }
            one["seconds"] = rank.report.seconds
            one["communicated"] = float(rank.report.communicated)
        ranks.append(one)
    return {"ranks": ranks, "shown": shown}
