"""On an engine of an ipyparallel cluster: carries out the order of ``%%flops --ranks``.

The notebook sends the order as JSON in the text of an ordinary cell. The report goes back as JSON
in an ordinary output of the next cell. Nothing of ours is pickled.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from typing import Any

from IPython.core.getipython import get_ipython

from ipyflops.cells import origin, running, tracebacks
from ipyflops.counting import FlopCounter
from ipyflops.processes.ipyparallel_collection import STATE
from ipyflops.report import LAST_REPORT, Source

#: The MIME type of a report on its way to the notebook.
MIME = "application/vnd.ipyflops.report+json"

#: The code that carries out the order which an engine has received. It is short, because the
#: traceback of an error on an engine shows it.
CALL = f"__import__({__name__!r}, fromlist=['run']).run()"


class OrderState:
    """The order that this engine has received and not yet carried out."""

    def __init__(self) -> None:
        self._order: dict[str, Any] | None = None

    def receive(self, order: str) -> None:
        """Keep an order, in the place of an older one.

        Parameters
        ----------
        order : str
            As JSON.
        """
        self._order = json.loads(order)

    def take(self) -> dict[str, Any]:
        """Give the order, once.

        Raises
        ------
        LookupError
            If there is none.
        """
        order = self._order
        if order is None:
            raise LookupError("this engine has received no order")
        self.reset()
        return order

    def reset(self) -> None:
        """Forget the order, as in a new process."""
        self._order = None


#: Of this process, which is an engine.
ORDERS = OrderState()


def order_code(order: dict[str, Any]) -> str:
    """Give the code that hands an order to an engine; it binds no name there."""
    return f"__import__({__name__!r}, fromlist=['ORDERS']).ORDERS.receive({json.dumps(order)!r})"


def run() -> object:
    """Count a cell in this engine's shell, as the magic would, and send the report.

    An order is one of three:

    - ``cell``, ``label`` and ``above`` (the lines above the cell), and the counter's
      ``convention``, ``device_time`` and ``follow_methods``: the cell is run.
    - ``cell`` is None: the last report is sent.
    - ``collected`` is the token of a collection: the reports of that collection are sent.
    """
    __tracebackhide__ = True
    order = ORDERS.take()
    shell: Any = get_ipython()
    if "collected" in order:
        collected = STATE.end(order["collected"])
        _send(
            shell,
            collected=[{"line": one.line, "report": one.report.to_dict()} for one in collected],
        )
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
        memory=order.get("memory", False),
        shapes=order.get("shapes", False),
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
