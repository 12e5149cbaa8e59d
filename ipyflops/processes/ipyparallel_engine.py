"""What the notebook has each engine of an ipyparallel cluster run, for ``%%flops --ranks``.

The order comes as JSON in the text of an ordinary cell, and the report goes back as JSON in an
ordinary output of that cell: nothing of ours is pickled.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from typing import Any

from IPython.core.getipython import get_ipython

from ipyflops.cells import origin, running, tracebacks
from ipyflops.counting.counter import FlopCounter
from ipyflops.processes import ipyparallel_reports
from ipyflops.report.excerpts import Source
from ipyflops.report.last_report import LAST_REPORT

#: The MIME type of a report on its way to the notebook.
MIME = "application/vnd.ipyflops.report+json"


#: What carries out an order that was received; an error's traceback shows it, so it is short.
_ENGINE = f"__import__({__name__!r}).{__name__.partition('.')[2]}"
CALL = f"{_ENGINE}.run()"

_orders: list[dict[str, Any]] = []


def giving(order: dict[str, Any]) -> str:
    """Give the code that hands an order to an engine; it binds no name there."""
    return f"{_ENGINE}.receive({json.dumps(order)!r})"


def receive(order: str) -> None:
    """Take an order for `run`."""
    _orders[:] = [json.loads(order)]


def run() -> object:
    """Count a cell in this engine's shell, as the magic would, and send the report.

    The order has the ``cell``, its ``label`` and the lines ``above`` it, and the ``convention``,
    ``device_time`` and ``follow_methods`` of the counter. With no cell the last report is sent; an
    order that has the token of a collection in ``kept`` sends that instead.
    """
    __tracebackhide__ = True
    order = _orders.pop()
    shell: Any = get_ipython()
    if "kept" in order:
        kept = ipyparallel_reports.end(order["kept"])
        _send(shell, kept=[{"line": one.line, "report": one.report.to_dict()} for one in kept])
        return None
    if order["cell"] is None:
        last = LAST_REPORT.report
        _send(shell, report=None if last is None else last.to_dict())
        return None
    cell = order["cell"]
    place = replace(origin.of_cell(shell, "", cell), above=tuple(order["above"]), raw=cell)
    code = running.compile_cell(shell, cell, place)
    counter = FlopCounter(
        order["convention"],
        device_time=order["device_time"],
        source=Source(code.filename, order["label"]),
        follow_methods=order["follow_methods"],
    )
    try:
        value = running.run(shell, code, counter)
    except BaseException as error:
        tracebacks.trim(error, code.parts)
        raise
    finally:
        report = counter.report
        LAST_REPORT.remember(report)
        _send(shell, report=report.to_dict())
    return None if code.silenced else value


def _send(shell: Any, **content: object) -> None:
    data = {"place": f"{socket.gethostname()}:{os.getpid()}", **content}
    shell.display_pub.publish(data={MIME: data}, metadata={})
