"""Real kernels for the tests: sends cells as JupyterLab does, and keeps the outputs it would."""

from __future__ import annotations

import ast
import contextlib
import inspect
import itertools
import os
import queue
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from jupyter_client import BlockingKernelClient, KernelManager
from jupyter_client.kernelspec import KernelSpec

#: Seconds that a cell may take on a busy machine.
PATIENCE = 240
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


@dataclass
class Cell:
    """What a cell did, as a front end saw it.

    Attributes
    ----------
    outputs : list of dict
        As they are saved: updates and clearing are done, and streams are joined.
    messages : list of (str, dict)
        Everything that was published for the cell, in its order: type and content.
    reply : dict
        The content of the reply.
    """

    outputs: list[dict[str, Any]] = field(default_factory=list)
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    reply: dict[str, Any] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """All that the cell printed to stdout."""
        return "".join(one["text"] for one in self.outputs if one.get("name") == "stdout")

    @property
    def error(self) -> str:
        """The error of the cell; empty if it had none."""
        if self.reply.get("status") != "error":
            return ""
        return f"{self.reply['ename']}: {self.reply['evalue']}"


class Kernel:
    """A kernel and a front end of it that shows widgets.

    Parameters
    ----------
    client : BlockingKernelClient
    """

    def __init__(self, client: BlockingKernelClient) -> None:
        self._client = client
        self._cells: dict[str, Cell] = {}
        self._idle: dict[str, threading.Event] = {}
        #: Where displays with a name stand.
        self._displays: dict[str, list[dict[str, Any]]] = {}
        self._ids = itertools.count()
        self._replies: dict[str, dict[str, Any]] = {}
        self._clears: set[str] = set()
        self._printed: list[str] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Stop to read what the kernel publishes."""
        self._ended.set()
        self._reader.join(10)

    # --- what is sent ----------------------------------------------------------------------------

    def begin(self, code: str, subshell: str | None = None) -> str:
        """Send a cell; gives the name of its message."""
        content = {
            "code": code, "silent": False, "store_history": True, "user_expressions": {},
            "allow_stdin": False, "stop_on_error": False,
        }  # fmt: skip
        metadata = {"cellId": f"cell-{next(self._ids)}"}
        return self.send("execute_request", content, subshell, metadata)

    def send(
        self,
        kind: str,
        content: Mapping[str, Any],
        subshell: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Send a message to the kernel's shell, or to a subshell."""
        message = self._client.session.msg(kind, dict(content), metadata=dict(metadata or {}))
        name: str = message["header"]["msg_id"]
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self._cells[name], self._idle[name] = Cell(), threading.Event()
        self._client.shell_channel.send(message)
        return name

    def end(self, name: str, *, reply: bool = True) -> Cell:
        """Wait until a message is dealt with."""
        deadline = time.monotonic() + PATIENCE
        cell = self._cells[name]
        while reply and name not in self._replies:
            with contextlib.suppress(queue.Empty):
                answer = self._message("shell", deadline - time.monotonic())
                self._replies[answer["parent_header"]["msg_id"]] = answer["content"]
                continue
            raise AssertionError(f"no reply after {PATIENCE} s: {cell.messages[-5:]}")
        assert self._idle[name].wait(max(0.0, deadline - time.monotonic())), cell.messages[-5:]
        cell.reply = self._replies.get(name, {})
        return cell

    def is_idle(self, name: str, seconds: float) -> bool:
        """Wait so long, or until a message is dealt with; gives whether it is."""
        return self._idle[name].wait(seconds)

    def everything(self) -> str:
        """Give what was printed to stdout since this was asked for last, by whatever cell."""
        with self._lock:
            printed, self._printed = self._printed, []
        return "".join(printed)

    def run(self, code: str, subshell: str | None = None) -> Cell:
        """Run a cell."""
        return self.end(self.begin(code, subshell))

    def value(self, code: str) -> Any:
        """Give the value of an expression that has a literal."""
        content = {
            "code": "", "silent": True, "store_history": False, "allow_stdin": False,
            "user_expressions": {"value": f"repr({code})"},
        }  # fmt: skip
        answer = self.end(self.send("execute_request", content)).reply["user_expressions"]["value"]
        assert answer["status"] == "ok", answer
        return ast.literal_eval(ast.literal_eval(answer["data"]["text/plain"]))

    def subshell(self) -> str:
        """Have the kernel make a subshell, as JupyterLab does for the messages of widgets."""
        message = self._client.session.msg("create_subshell_request", {})
        self._client.control_channel.send(message)
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = self._message("control", deadline - time.monotonic())
            if answer["parent_header"]["msg_id"] == message["header"]["msg_id"]:
                return str(answer["content"]["subshell_id"])

    def widget_message(
        self, model: str, data: Mapping[str, Any], subshell: str | None = None
    ) -> str:
        """Send a message to a widget; gives its name. Such a message has no reply."""
        return self.send("comm_msg", {"comm_id": model, "data": dict(data)}, subshell)

    # --- what is published -----------------------------------------------------------------------

    def _message(self, channel: str, seconds: float) -> Any:
        """Wait for the next message of a channel; queue.Empty is raised if none comes."""
        get = getattr(self._client, f"{channel}_channel").get_msg
        if inspect.iscoroutinefunction(get):
            # In jupyter_client 7. This way leaves an event loop open in each thread.
            get = getattr(self._client, f"get_{channel}_msg")
        return get(timeout=seconds)

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                message = self._message("iopub", 0.2)
            except queue.Empty:
                continue
            parent = message["parent_header"].get("msg_id", "")
            cell = self._cells.get(parent)
            if cell is None:
                continue
            kind, content = message["header"]["msg_type"], message["content"]
            if content.get("name") == "stdout":
                with self._lock:
                    self._printed.append(content["text"])
            if kind == "status":
                if content["execution_state"] == "idle":
                    self._idle[parent].set()
                continue
            cell.messages.append((kind, content))
            self._keep(parent, cell, kind, content)

    def _keep(self, name: str, cell: Cell, kind: str, content: dict[str, Any]) -> None:
        if kind == "clear_output":
            self._clears.add(name)
            if not content["wait"]:
                self._clear(name, cell)
            return
        display = content.get("transient", {}).get("display_id")
        if kind == "update_display_data":
            for output in self._displays.get(display, ()):
                output["data"] = content["data"]
            return
        if kind not in {"stream", "display_data", "execute_result", "error"}:
            return
        self._clear(name, cell)
        output = {"output_type": kind, **content}
        output.pop("transient", None)
        last = cell.outputs[-1] if cell.outputs else {}
        if kind == "stream" and last.get("name") == content["name"]:
            last["text"] += content["text"]
            return
        cell.outputs.append(output)
        if display is not None:
            self._displays.setdefault(display, []).append(output)

    def _clear(self, name: str, cell: Cell) -> None:
        if name in self._clears:
            self._clears.discard(name)
            cell.outputs.clear()


@contextlib.contextmanager
def kernel(
    python: str = sys.executable,
    variables: Mapping[str, str] | None = None,
    folder: str | None = None,
) -> Iterator[Kernel]:
    """Start a kernel, and end it afterwards.

    Parameters
    ----------
    python : str
        The interpreter that has the kernel.
    variables : mapping of str to str, optional
        The environment of its process; that of this one where it is left out.
    folder : str, optional
        Where it starts; here where it is left out.
    """
    manager = KernelManager()
    manager._kernel_spec = KernelSpec(
        argv=[python, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        display_name="tests", language="python",
    )  # fmt: skip
    environment = {**(os.environ if variables is None else variables), "OMP_NUM_THREADS": "1"}
    manager.start_kernel(env=environment, cwd=folder)
    client = manager.client()
    client.start_channels()
    front_end = None
    try:
        client.wait_for_ready(timeout=PATIENCE)
        front_end = Kernel(client)
        yield front_end
    finally:
        if front_end is not None:
            front_end.close()
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
