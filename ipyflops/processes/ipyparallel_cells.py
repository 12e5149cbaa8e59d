"""Shows one merged report behind a ``%%px`` cell with ``%%flops`` inside.

IPython calls us before and after each cell. Before such a cell, the engines are told to collect
their reports instead of showing them. After it, the reports are fetched from the engines, merged
and shown. Ipyparallel does the rest, as without ipyflops: it sends the cell to the engines and
shows their output and errors. Of other cells only the text is looked at.
"""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from IPython.core.magic_arguments import parse_argstring

from ipyflops.cells import Shell
from ipyflops.processes import ipyparallel_collection, ipyparallel_engines
from ipyflops.processes.ipyparallel_engines import Task
from ipyflops.report import Rank, Report, ReportFormatError

#: Shows the ranks of one run of the magic. The second argument is the magic's line.
Show: TypeAlias = Callable[[Sequence[Rank[Report]], str], None]

#: Why the report of a busy engine is not fetched.
NOT_DONE = "not done when the cell was interrupted"
#: Why an engine without an error may have no report.
NOTHING_COUNTED = "nothing has been counted there in this cell"

_FLOPS = re.compile(r"^[ \t]*(?:\w+[ \t]*=[ \t]*)?%{1,2}flops\b", re.MULTILINE)
_CELL = re.compile(r"\s*%%(\w+)([^\n]*)\n(.*)", re.DOTALL)
_LINE = re.compile(r"^[ \t]*(?:\w+[ \t]*=[ \t]*)?%(px\w*)[ \t]+(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class PendingCell:
    """A cell whose reports are to be fetched from the engines.

    Attributes
    ----------
    info : object
        IPython's, of the cell.
    token : str
        Identifies the cell to the engines.
    magics : ipyparallel.client.magics.ParallelMagics
        Sends the cell to the engines.
    previous_result : ipyparallel.AsyncResult or None
        What was sent to the engines before the cell.
    collecting : list of int
        The engines that were told to collect their reports.
    """

    info: object
    token: str
    magics: Any
    previous_result: Any
    collecting: list[int]


class ParallelCells:
    """Watches the cells of a shell for those that count on engines.

    Parameters
    ----------
    shell : IPython.core.interactiveshell.InteractiveShell
    show : callable
        Merges and shows what the engines have counted.
    """

    def __init__(self, shell: Shell, show: Show) -> None:
        self._shell = shell
        self._show = show
        self._pending: PendingCell | None = None
        self._number = 1

    def start(self) -> None:
        """Begin to watch."""
        self._number = self._shell.execution_count
        self._shell.events.register("pre_run_cell", self._before)
        self._shell.events.register("post_run_cell", self._after)

    def stop(self) -> None:
        """Watch no longer."""
        self._shell.events.unregister("pre_run_cell", self._before)
        self._shell.events.unregister("post_run_cell", self._after)

    def _before(self, info: Any) -> None:
        text = info.raw_cell
        if not isinstance(text, str) or "flops" not in text:
            return
        # Errors in the options or of the engines are suppressed: the cell itself will raise them.
        with suppress(Exception):
            pending = _begin_collecting(self._shell, info, text, self._number)
            self._pending = pending or self._pending

    def _after(self, result: Any) -> None:
        # The next cell's number. It is kept now, because recent versions of IPython have raised
        # execution_count already when that cell begins.
        self._number = self._shell.execution_count
        pending = self._pending
        # A cell may run others, as %%px --local does.
        if pending is None or getattr(result, "info", None) is not pending.info:
            return
        self._pending = None
        try:
            for ranks, line in _fetch_runs(pending):
                self._show(ranks, line)
        except Exception as error:
            # Printed, because a traceback from here would lead through IPython's events.
            print(f"ipyflops: {type(error).__name__}: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print(
                "ipyflops: interrupted; %flops --ranks fetches what the engines have counted",
                file=sys.stderr,
            )


# --- before the cell ----------------------------------------------------------------------------


def _begin_collecting(shell: Shell, info: object, text: str, number: int) -> PendingCell | None:
    """Tell the engines to collect their reports, if the cell is one that counts on them."""
    call = _parallel_call(shell, text)
    if call is None:
        return None
    magics = call.magics
    parse: Any = parse_argstring
    options = None if call.line is None else parse(magics.cell_px, call.line)
    block = magics.view.block
    if options is not None and options.block is not None:
        block = options.block
    if not block:
        return None  # nobody knows when the cell is done; the engines show their own reports
    if type(magics.view).__name__ != "DirectView":
        return None  # the cell goes another way than this order, and may arrive before it
    # What --targets means is known once ipyparallel has evaluated it. Evaluating it here would be a
    # second time, so all engines are told.
    targets = "all" if options is not None and options.targets else None
    token = uuid.uuid4().hex
    code = ipyparallel_collection.begin_code(token, f"In[{number}]", call.above)
    sent = magics.view.execute(code, silent=True, targets=targets, block=False)
    return PendingCell(info, token, magics, magics.last_result, list(sent._targets))


@dataclass(frozen=True)
class ParallelCall:
    """A call of ipyparallel's magics that sends a cell, or a part of it, to engines.

    Attributes
    ----------
    magics : ipyparallel.client.magics.ParallelMagics
    line : str or None
        Of a ``%%px``; None for ``%px`` and ``%autopx``, which take no options.
    above : list of str
        The lines of the cell above what is sent.
    """

    magics: Any
    line: str | None
    above: list[str]


def _parallel_call(shell: Shell, text: str) -> ParallelCall | None:
    """The call that sends code with our magic to engines; None if there is none in the cell."""
    tables = shell.magics_manager.magics
    automatic = shell.magics_manager.registry.get("ParallelMagics")
    if automatic is not None and automatic._autopx:
        return ParallelCall(automatic, None, []) if _FLOPS.search(text) else None
    cell = _CELL.match(text)
    if cell is not None:
        name, line, body = cell.groups()
        magics = _parallel_magics(tables["cell"].get(name))
        if magics is None or not _FLOPS.search(body):
            return None
        return ParallelCall(magics, line, _lines(text[: cell.start(3)]))
    calls = [match for match in _LINE.finditer(text) if _FLOPS.search(match[2])]
    for call in calls:
        magics = _parallel_magics(tables["line"].get(call[1]))
        if magics is not None:
            # An engine does not know which of several calls is running, so it gets no lines then.
            above = _lines(text[: call.start()]) if len(calls) == 1 else []
            return ParallelCall(magics, None, above)
    return None


def _lines(above: str) -> list[str]:
    return above.split("\n")[:-1]


def _parallel_magics(magic: object) -> Any:
    """The ParallelMagics that a magic is a method of; None if it is of another class."""
    # Compared by name, because ipyparallel is not imported here.
    owner = getattr(magic, "__self__", None)
    return owner if type(owner).__name__ == "ParallelMagics" else None


# --- after the cell -----------------------------------------------------------------------------


@dataclass
class EngineReports:
    """What was fetched from one engine.

    Attributes
    ----------
    number : int
        Of the engine.
    missing : str
        Why there are no reports, or no more of them.
    reports : list of (str, Report)
        What it has counted in the cell, with the line of each magic.
    place : str
        The engine's host and process.
    """

    number: int
    missing: str
    reports: list[tuple[str, Report]] = field(default_factory=list)
    place: str = ""

    def rank(self, index: int) -> Rank[Report]:
        """Give the engine's part in one run of the magic, the first of which is 0."""
        if index < len(self.reports):
            return Rank(self.number, self.reports[index][1], place=self.place)
        return Rank(self.number, None, self.missing, self.place)


def _fetch_runs(pending: PendingCell) -> list[tuple[list[Rank[Report]], str]]:
    """Fetch what the engines have counted in the cell: ranks and line of each run of the magic."""
    sent = pending.magics.last_result
    queried: list[int] = []
    client = pending.magics.view.client
    timeout = ipyparallel_engines.REPORT_TIMEOUT
    try:
        if sent is None or sent is pending.previous_result:
            return []  # the cell failed before it was sent
        sent.wait(timeout)  # after an interrupt the engines are still at work
        engines = [EngineReports(number, missing) for number, missing in _engines(sent, client)]
        done = {one.number: one for one in engines if one.missing != NOT_DONE}
        queried = [number for number in done if number in client.ids]
        order = {"collected": pending.token}
        for task in ipyparallel_engines.query(client, queried, order, timeout=timeout):
            _read(task, done[task.number])
    finally:
        others = [
            number
            for number in pending.collecting
            if number not in queried and number in client.ids
        ]
        if others:
            code = ipyparallel_collection.end_code(pending.token)
            pending.magics.view.execute(code, silent=True, targets=others, block=False)
    return [
        (
            [one.rank(index) for one in engines],
            next(one.reports[index][0] for one in engines if index < len(one.reports)),
        )
        for index in range(max((len(one.reports) for one in engines), default=0))
    ]


def _engines(sent: Any, client: Any) -> Iterator[tuple[int, str]]:
    """The engines that a cell was sent to, and why each may have no report."""
    if not sent.ready():
        for number, message in zip(sent._targets, sent.msg_ids, strict=True):
            yield number, NOT_DONE if message in client.outstanding else NOTHING_COUNTED
        return
    results = sent.get(return_exceptions=True)
    for number, result in zip(
        sent._targets, results if isinstance(results, list) else [results], strict=True
    ):
        failed = isinstance(result, BaseException)
        yield number, ipyparallel_engines.error_text(result) if failed else NOTHING_COUNTED


def _read(task: Task, engine: EngineReports) -> None:
    """Add the reports that an engine has sent."""
    content = ipyparallel_engines.received_content(task)
    if content is None:
        engine.missing = ipyparallel_engines.missing_reason(task)
        return
    try:
        engine.place = str(content["place"])[:200]
        for one in content["collected"]:
            engine.reports.append((str(one["line"]), Report.from_dict(one["report"])))
    except (ReportFormatError, KeyError, TypeError) as error:
        engine.missing = f"its report cannot be read: {error}"
