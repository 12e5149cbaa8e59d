"""Runs a cell on every engine of an ipyparallel view and collects what they counted.

Each engine gets a message of its own, so that the notebook can give up on one that dies or hangs.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from IPython.core.error import UsageError

from ipyflops.processes import ipyparallel_engine
from ipyflops.report import Rank, Report, ReportFormatError, merge_ranks

#: ipyparallel's classes; the package is there only where it is used, and has no types.
View: TypeAlias = Any
Publish: TypeAlias = Callable[[Mapping[str, Any]], None]

#: Seconds between two looks at the engines.
POLL_INTERVAL = 0.02
#: Seconds that an engine has to report after an interrupt, and to send its last output.
REPORT_TIMEOUT = 10.0

NO_VIEW = (
    "--ranks runs the cell on the engines of a connected ipyparallel view, and there is none. "
    "Start a cluster first: import ipyparallel; "
    "view = ipyparallel.Cluster(n=2).start_and_connect_sync()[:]; view.activate()"
)


def find_view(shell: Any) -> View:
    """Give the view that ``%px`` would use, else the one view or client that a variable holds.

    Raises
    ------
    UsageError
        If there is none, or more than one to choose from.
    """
    magics = shell.magics_manager.registry.get("ParallelMagics")
    if magics is not None and magics.view is not None:
        return _check_view(magics.view)
    candidates = {
        id(value): (name, value)
        for name, value in shell.user_ns.items()
        if not name.startswith("_") and _is_view(value)
    }
    if not candidates:
        raise UsageError(NO_VIEW)
    if len(candidates) > 1:
        names = ", ".join(name for name, _ in candidates.values())
        raise UsageError(
            f"--ranks: there are several views and clients ({names}); "
            "choose one of the views with its activate()"
        )
    (_, value), *_ = candidates.values()
    return _check_view(value[:] if type(value).__name__ == "Client" else value)


def _is_view(value: object) -> bool:
    kind = type(value)
    return kind.__module__.startswith("ipyparallel.client.") and (
        kind.__name__ == "Client" or hasattr(kind, "activate")
    )


def _check_view(view: View) -> View:
    if not hasattr(view, "targets") or type(view).__name__ == "LoadBalancedView":
        raise UsageError("--ranks needs a DirectView, which runs a cell on each of its engines")
    if not _targets(view):
        raise UsageError(
            "--ranks: the view has no engines; wait for them with client.wait_for_engines(n)"
        )
    return view


def _targets(view: View) -> list[int]:
    targets = view.targets
    if targets == "all" or targets is None:
        return list(view.client.ids)
    return [targets] if isinstance(targets, int) else list(targets)


@dataclass
class Task:
    """What one engine was asked to do.

    Attributes
    ----------
    number : int
        Of the engine.
    result : ipyparallel.AsyncResult
    late : str
        Why it is no longer waited for; empty where it was on time.
    printed : dict of str to int
        Characters already shown, of ``stdout`` and ``stderr``.
    """

    number: int
    result: Any
    late: str = ""
    printed: dict[str, int] = field(default_factory=dict)


def run(view: View, order: dict[str, Any], *, timeout: float | None, publish: Publish) -> Outcome:
    """Carry out an order on each engine of a view, showing what they print meanwhile.

    Parameters
    ----------
    view : ipyparallel.DirectView
    order : dict
        See `ipyflops.processes.ipyparallel_engine.run`.
    timeout : float or None
        Seconds after which engines that are still at work are interrupted.
    publish : callable
        Shows a bundle by MIME type.

    Returns
    -------
    Outcome
    """
    tasks = [_begin(view.client[number], number, order) for number in _targets(view)]
    interrupt: KeyboardInterrupt | None = None
    try:
        _wait(tasks, timeout)
        reason = f"not done within {timeout:g} s" if timeout is not None else ""
    except KeyboardInterrupt as error:
        interrupt, reason = error, "not done when the cell was interrupted"
    working = [task for task in tasks if not task.result.ready()]
    if working:
        for task in working:
            task.late = reason
        # They then report what they have counted so far, as any interrupted cell does.
        view.client.send_signal("SIGINT", targets=[task.number for task in working], block=False)
        _wait(working, REPORT_TIMEOUT)
    for task in tasks:
        if task.result.ready():
            task.result.wait_for_output(REPORT_TIMEOUT)
    ranks = tuple(_rank(task) for task in tasks)
    for task in tasks:
        _show(task, publish)
    return Outcome(ranks, tuple(tasks), interrupt)


def query(client: Any, numbers: list[int], order: dict[str, Any], *, timeout: float) -> list[Task]:
    """Have engines carry out an order that takes no time; their work is not interrupted.

    Parameters
    ----------
    client : ipyparallel.Client
    numbers : list of int
        Of the engines.
    order : dict
        See `ipyflops.processes.ipyparallel_engine.run`.
    timeout : float
        Seconds to wait for an engine.

    Returns
    -------
    list of Task
        `received_content` reads what they answered.
    """
    # Silent, so that the engines' input numbers and history do not change.
    tasks = [_begin(client[number], number, order, silent=True) for number in numbers]
    _wait(tasks, timeout)
    for task in tasks:
        if task.result.ready():
            task.result.wait_for_output(REPORT_TIMEOUT)
        else:
            task.late = f"no answer within {timeout:g} s"
    return tasks


def _begin(one: View, number: int, order: dict[str, Any], *, silent: bool = False) -> Task:
    one.execute(ipyparallel_engine.order_code(order), silent=True, block=False)
    return Task(number, one.execute(ipyparallel_engine.CALL, silent=silent, block=False))


@dataclass(frozen=True)
class Outcome:
    """What became of an order.

    Attributes
    ----------
    ranks : tuple of Rank
        Of every engine.
    tasks : tuple of Task
    interrupt : KeyboardInterrupt or None
        The user's, while the engines were at work.
    """

    ranks: tuple[Rank[Report], ...]
    tasks: tuple[Task, ...]
    interrupt: KeyboardInterrupt | None

    def report(self, convention: str) -> Report | None:
        """Merge the engines' reports under one convention; None if no engine has reported."""
        ranks = [rank.under(convention) for rank in self.ranks]
        return merge_ranks(ranks) if any(rank.report is not None for rank in ranks) else None

    def raise_errors(self) -> None:
        """Raise what went wrong: the user's interrupt, an engine's error, or an engine's delay.

        Raises
        ------
        KeyboardInterrupt, ipyparallel.error.CompositeError, TimeoutError, UsageError
        """
        # Only here: ipyparallel is optional.
        from ipyparallel import error

        if self.interrupt is not None:
            raise self.interrupt
        on_time = [task for task in self.tasks if not task.late and task.result.ready()]
        problems = [task.result.exception() for task in on_time]
        error.collect_exceptions([one for one in problems if one is not None], "%%flops --ranks")
        late = [task for task in self.tasks if task.late]
        if all(rank.report is None for rank in self.ranks) and not late:
            raise UsageError("no engine has counted anything yet: put %%flops into a %%px cell")
        if late:
            names = ", ".join(str(task.number) for task in late)
            raise TimeoutError(
                f"engine{'s' if len(late) > 1 else ''} {names}: {late[0].late}, "
                "so interrupted; the report is of what was counted"
            )


# --- waiting, and what the engines show meanwhile -----------------------------------------------


def _wait(tasks: list[Task], timeout: float | None) -> None:
    end = None if timeout is None else time.monotonic() + timeout
    while not all(task.result.ready() for task in tasks):
        for task in tasks:
            _print(task)
        if end is not None and time.monotonic() >= end:
            return
        time.sleep(POLL_INTERVAL)


def _print(task: Task, *, rest: bool = False) -> None:
    """Print what an engine has printed since: whole lines and, with `rest`, a part of a line."""
    for name, stream in (("stdout", sys.stdout), ("stderr", sys.stderr)):
        text = str(_metadata(task).get(name) or "")
        start = task.printed.get(name, 0)
        end = len(text) if rest else text.rfind("\n") + 1
        if end > start:
            task.printed[name] = end
            for line in text[start:end].splitlines():
                print(f"[{name}:{task.number}] {line}", file=stream)


def _show(task: Task, publish: Publish) -> None:
    """Show what an engine has displayed, and its result."""
    _print(task, rest=True)
    metadata = _metadata(task)
    for output in metadata.get("outputs") or ():
        data = {
            kind: value for kind, value in output["data"].items() if kind != ipyparallel_engine.MIME
        }
        if data:
            print(f"[output:{task.number}]")
            publish(data)
    result = metadata.get("execute_result")
    if result:
        text = result["data"].get("text/plain", "")
        print(f"Out[{task.number}:{result['execution_count']}]: {text}")


def _metadata(task: Task) -> Mapping[str, Any]:
    # A list where the view has several engines.
    metadata: Any = task.result.metadata
    one_engine: Mapping[str, Any] = metadata[0] if isinstance(metadata, list) else metadata
    return one_engine


# --- the reports --------------------------------------------------------------------------------


def received_content(task: Task) -> Mapping[str, Any] | None:
    """Give what an engine has sent (see `ipyparallel_engine`); None where nothing came."""
    contents: list[Mapping[str, Any]] = [
        output["data"][ipyparallel_engine.MIME]
        for output in _metadata(task).get("outputs") or ()
        if ipyparallel_engine.MIME in output["data"]
    ]
    return contents[-1] if contents else None


def _rank(task: Task) -> Rank[Report]:
    content = received_content(task)
    if content is None:
        return Rank(task.number, None, missing_reason(task))
    try:
        place = str(content["place"])[:200]
        if content["report"] is None:
            return Rank(task.number, None, "nothing has been counted there", place)
        report = Report.from_dict(content["report"])
    except (ReportFormatError, KeyError, TypeError) as error:
        return Rank(task.number, None, f"its report cannot be read: {error}")
    if task.late and report.error.startswith("KeyboardInterrupt"):
        report = replace(report, error=f"{task.late}, so it was interrupted")
    return Rank(task.number, report, place=place)


def missing_reason(task: Task) -> str:
    """Say why an engine has sent nothing."""
    if task.late:
        return f"{task.late}, and gave no report"
    error = task.result.exception() if task.result.ready() else None
    return "no report" if error is None else error_text(error)


def error_text(error: BaseException) -> str:
    """Give an engine's error in a line."""
    name = getattr(error, "ename", None) or type(error).__name__
    return f"{name}: {getattr(error, 'evalue', error)}"
