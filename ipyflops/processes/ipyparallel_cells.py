"""Shows one merged report behind a ``%%px`` cell with ``%%flops`` inside.

IPython says when a cell begins and when it is through. Before such a cell the engines are told to
keep their reports to themselves, afterwards they are asked for them. All else is ipyparallel's: the
cell goes to the engines, and their output and errors come back, as without ipyflops. In other cells
a look at the text is all that happens.
"""

from __future__ import annotations

import re
import sys
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from IPython.core.magic_arguments import parse_argstring

from ipyflops.cells.origin import Shell
from ipyflops.processes import ipyparallel_reports
from ipyflops.report.report import Report
from ipyflops.report.run import Rank
from ipyflops.report.serialization.reading import ReportFormatError

if TYPE_CHECKING:
    from ipyflops.processes.ipyparallel_engines import Task

#: Shows the ranks of one run of the magic, which had this line.
Show: TypeAlias = Callable[[Sequence[Rank[Report]], str], None]

#: Why an engine is not asked.
LATE = "not done when the cell was interrupted"
#: Why an engine that failed in nothing has no report.
NOTHING = "nothing has been counted there in this cell"

_FLOPS = re.compile(r"^[ \t]*(?:\w+[ \t]*=[ \t]*)?%{1,2}flops\b", re.MULTILINE)
_CELL = re.compile(r"\s*%%(\w+)([^\n]*)\n(.*)", re.DOTALL)
_LINE = re.compile(r"^[ \t]*(?:\w+[ \t]*=[ \t]*)?%(px\w*)[ \t]+(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Asked:
    """A cell whose reports are to be fetched.

    Attributes
    ----------
    info : object
        IPython's, of the cell.
    token : str
        By which the engines know it.
    magics : ipyparallel.client.magics.ParallelMagics
        Which sends it to the engines.
    before : ipyparallel.AsyncResult or None
        What they had sent last before it.
    told : list of int
        The engines that keep their reports.
    """

    info: object
    token: str
    magics: Any
    before: Any
    told: list[int]


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
        self._asked: Asked | None = None
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
        # What is wrong with the options or the engines, the cell itself will say.
        with suppress(Exception):
            self._asked = _ask(self._shell, info, text, self._number) or self._asked

    def _after(self, result: Any) -> None:
        # Of the next cell. Once that runs, recent versions of IPython have raised it already.
        self._number = self._shell.execution_count
        asked = self._asked
        # A cell may run others, as %%px --local does.
        if asked is None or getattr(result, "info", None) is not asked.info:
            return
        self._asked = None
        try:
            runs = _collected(asked)
            for ranks, line in runs:
                self._show(ranks, line)
        except Exception as error:
            # Raised from here it would be a traceback through IPython's events.
            print(f"ipyflops: {type(error).__name__}: {error}", file=sys.stderr)
        except KeyboardInterrupt:
            print(
                "ipyflops: interrupted; %flops --ranks fetches what the engines have counted",
                file=sys.stderr,
            )


# --- before the cell ----------------------------------------------------------------------------


def _ask(shell: Shell, info: object, text: str, number: int) -> Asked | None:
    """Tell the engines to keep their reports, if the cell is one that counts on them."""
    found = _sender(shell, text)
    if found is None:
        return None
    magics = found.magics
    parse: Any = parse_argstring
    options = None if found.line is None else parse(magics.cell_px, found.line)
    block = magics.view.block
    if options is not None and options.block is not None:
        block = options.block
    if not block:
        return None  # nobody knows when it is through; the engines' own reports can be seen
    if type(magics.view).__name__ != "DirectView":
        return None  # a cell that takes another way may overtake what the engines are told
    # Which engines --targets means is known when it has been evaluated; that is not done twice.
    targets = "all" if options is not None and options.targets else None
    token = uuid.uuid4().hex
    order = ipyparallel_reports.beginning(token, f"In[{number}]", found.above)
    told = magics.view.execute(order, silent=True, targets=targets, block=False)
    return Asked(info, token, magics, magics.last_result, list(told._targets))


@dataclass(frozen=True)
class Sender:
    """What sends a cell, or a part of it, to engines.

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


def _sender(shell: Shell, text: str) -> Sender | None:
    """What sends code with the magic to engines; None if nothing does."""
    tables = shell.magics_manager.magics
    automatic = shell.magics_manager.registry.get("ParallelMagics")
    if automatic is not None and automatic._autopx:
        return Sender(automatic, None, []) if _FLOPS.search(text) else None
    cell = _CELL.match(text)
    if cell is not None:
        name, line, body = cell.groups()
        magics = _owner(tables["cell"].get(name))
        if magics is None or not _FLOPS.search(body):
            return None
        return Sender(magics, line, _lines(text[: cell.start(3)]))
    found = [one for one in _LINE.finditer(text) if _FLOPS.search(one[2])]
    for one in found:
        magics = _owner(tables["line"].get(one[1]))
        if magics is not None:
            # Which of several is running, an engine does not know.
            return Sender(magics, None, _lines(text[: one.start()]) if len(found) == 1 else [])
    return None


def _lines(above: str) -> list[str]:
    return above.split("\n")[:-1]


def _owner(magic: object) -> Any:
    # By name, for ipyparallel is not imported here.
    owner = getattr(magic, "__self__", None)
    return owner if type(owner).__name__ == "ParallelMagics" else None


# --- after the cell -----------------------------------------------------------------------------


@dataclass
class Answer:
    """What came from one engine.

    Attributes
    ----------
    number : int
        Of the engine.
    missing : str
        Why there is not more.
    kept : list of (str, Report)
        What it has counted in the cell, with the line of each magic.
    place : str
    """

    number: int
    missing: str
    kept: list[tuple[str, Report]] = field(default_factory=list)
    place: str = ""

    def rank(self, index: int) -> Rank[Report]:
        """Give the engine's part in the run of the magic that has this index."""
        if index < len(self.kept):
            return Rank(self.number, self.kept[index][1], place=self.place)
        return Rank(self.number, None, self.missing, self.place)


def _collected(asked: Asked) -> list[tuple[list[Rank[Report]], str]]:
    """Fetch what the engines have counted in the cell: the ranks of each run of the magic."""
    from ipyflops.processes import ipyparallel_engines

    sent = asked.magics.last_result
    ran: list[int] = []
    client = asked.magics.view.client
    try:
        if sent is None or sent is asked.before:
            return []  # it failed before it was sent
        sent.wait(ipyparallel_engines.PATIENCE)  # after an interrupt the engines are still at work
        answers = [Answer(number, missing) for number, missing in _engines(sent, client)]
        done = {one.number: one for one in answers if one.missing != LATE}
        ran = [number for number in done if number in client.ids]
        for task in ipyparallel_engines.ask(
            client, ran, {"kept": asked.token}, timeout=ipyparallel_engines.PATIENCE
        ):
            _read(task, done[task.number])
    finally:
        rest = [number for number in asked.told if number not in ran and number in client.ids]
        if rest:
            code = ipyparallel_reports.ending(asked.token)
            asked.magics.view.execute(code, silent=True, targets=rest, block=False)
    runs = max((len(answer.kept) for answer in answers), default=0)
    return [
        (
            [answer.rank(index) for answer in answers],
            next(answer.kept[index][0] for answer in answers if index < len(answer.kept)),
        )
        for index in range(runs)
    ]


def _engines(sent: Any, client: Any) -> Iterator[tuple[int, str]]:
    """The engines that a cell was sent to, and why each may have no report."""
    from ipyflops.processes import ipyparallel_engines

    if not sent.ready():
        for number, message in zip(sent._targets, sent.msg_ids, strict=True):
            yield number, LATE if message in client.outstanding else NOTHING
        return
    results = sent.get(return_exceptions=True)
    for number, result in zip(
        sent._targets, results if isinstance(results, list) else [results], strict=True
    ):
        failed = isinstance(result, BaseException)
        yield number, ipyparallel_engines.described(result) if failed else NOTHING


def _read(task: Task, answer: Answer) -> None:
    """Add what an engine has sent to what is known of it."""
    from ipyflops.processes import ipyparallel_engines

    content = ipyparallel_engines.sent(task)
    if content is None:
        answer.missing = ipyparallel_engines.why(task)
        return
    try:
        answer.place = str(content["place"])[:200]
        for one in content["kept"]:
            answer.kept.append((str(one["line"]), Report.from_dict(one["report"])))
    except (ReportFormatError, KeyError, TypeError) as error:
        answer.missing = f"its report cannot be read: {error}"
