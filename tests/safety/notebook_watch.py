"""What is watched in a kernel while magics run: a thread that prints, logs and looks at settings.

`WATCH` is code for a kernel. `checks` runs in the tests: it runs a cell in that kernel, clicks in
an older report and moves a slider meanwhile, and asks the watcher what it has seen.
"""

from __future__ import annotations

import re
from typing import Any

from tests.kernels import WIDGET_VIEW, Cell, Kernel

WATCH = '''
import builtins, logging, os, signal, sys, threading, time, warnings
import ipywidgets, matplotlib, torch
from IPython.display import display

class Watch:
    """A thread that prints and logs a number every few milliseconds, and compares settings."""

    def __init__(self):
        self.log = logging.getLogger("watch")
        self.log.addHandler(logging.StreamHandler(sys.stdout))
        self.log.propagate = False
        self.idle_displayhook = get_ipython().display_trap.old_hook
        self.idle_excepthook = get_ipython().sys_excepthook
        self.ended, self.started = threading.Event(), threading.Event()

    def settings(self):
        shell, loggers = get_ipython(), logging.root.manager.loggerDict.values()
        handlers = [
            (id(handler), id(getattr(handler, "stream", None)), handler.level)
            for logger in (logging.root, *loggers)
            for handler in list(getattr(logger, "handlers", ()))
        ]
        found = {
            "stdout": id(sys.stdout), "stderr": id(sys.stderr),
            "publisher": id(shell.display_pub), "shell's displayhook": id(shell.displayhook),
            # IPython puts its own two there while a cell runs.
            "displayhook": sys.displayhook in (shell.displayhook, self.idle_displayhook),
            "handlers": handlers,
            "excepthook": sys.excepthook in (shell.excepthook, self.idle_excepthook),
            "thread's excepthook": threading.excepthook, "unraisablehook": sys.unraisablehook,
            "trace": threading.gettrace(),
            "print": id(builtins.print), "import": id(builtins.__import__),
            "environment": dict(os.environ), "directory": os.getcwd(),
            "filters": (id(warnings.filters), list(warnings.filters)),
            "showwarning": id(warnings.showwarning), "threads": torch.get_num_threads(),
            "rcParams": dict(matplotlib.rcParams), "backend": matplotlib.get_backend(),
        }
        found |= {
            f"variable {name}": id(value) for name, value in list(shell.user_ns.items())
            if name[0] != "_" and name not in self.apart
        }
        return found

    def between(self):
        """What a cell may set while it is counted, and has to be back afterwards."""
        return {
            "profile": threading.getprofile(), "SIGINT": signal.getsignal(signal.SIGINT),
            "grad": torch.is_grad_enabled(), "dtype": torch.get_default_dtype(),
            "random": torch.get_rng_state().numpy().tobytes() if self.random else None,
            "own profile": sys.getprofile(), "own trace": sys.gettrace(),
            **{f"variable {name}": id(get_ipython().user_ns[name]) for name in self.apart},
            **self.settings(),
        }

    def begin(self, apart, random):
        self.apart, self.random = apart, random
        self.differences, self.ticks = {}, 0
        self.at_first = self.settings()
        self.cell_at_first = self.between()
        self.ended.clear()
        self.started.clear()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()
        self.started.wait()

    def compare(self, now, at_first):
        for name in {**now, **at_first}:
            if now.get(name) != at_first.get(name):
                before, after = at_first.get(name), now.get(name)
                if isinstance(before, dict):
                    after = {key: one for key, one in after.items() if before.get(key) != one}
                    before = {key: before.get(key) for key in after}
                self.differences[name] = repr((before, after))[:300]

    def run(self):
        while not self.ended.is_set():
            self.ticks += 1
            print(f"<printed {self.ticks}>")
            self.log.warning("<logged %d>", self.ticks)
            self.compare(self.settings(), self.at_first)
            self.started.set()
            time.sleep(0.003)

    def end(self):
        self.ended.set()
        self.thread.join()
        during, self.differences = self.differences, {}
        self.compare(self.between(), self.cell_at_first)
        left = [
            (type(kind).__name__, name)
            for kind in (sys.stdout, sys.stderr, get_ipython().display_pub)
            for name, value in vars(kind).items() if "ipyflops" in type(value).__module__
        ]
        return {"during": during, "after": self.differences, "left": left, "ticks": self.ticks}

watch = Watch()
'''


def older_report(kernel: Kernel) -> str:
    """Show a report; gives the name of its widget's model."""
    cell = kernel.run("%flops model(x)")
    (model,) = (
        one["data"][WIDGET_VIEW]["model_id"]
        for one in cell.outputs
        if WIDGET_VIEW in one.get("data", {})
    )
    return str(model)


def slider(kernel: Kernel) -> str:
    """Show a slider; gives the name of its model."""
    assert not kernel.run("slider = ipywidgets.IntSlider()").error
    return str(kernel.value("slider.model_id"))


class Beside:
    """What a user does beside a cell that runs: clicks in a report, a slider, a console.

    Parameters
    ----------
    kernel : Kernel
    subshell : str or None
        That takes the messages; without one they wait until the cell has ended.
    """

    def __init__(self, kernel: Kernel, subshell: str | None) -> None:
        self._kernel, self._subshell = kernel, subshell
        self._report, self._slider = older_report(kernel), slider(kernel)
        self._number = 0

    def run(self, code: str) -> Cell:
        """Run a cell, and do all of that while it runs; it has to work."""
        kernel = self._kernel
        name = kernel.begin(code)
        clicks: list[str] = []
        typed: list[str] = []
        while not kernel.is_idle(name, seconds=0.05):
            self._number += 1
            click = {
                "kind": "chart", "key": str(self._number), "convention": "standard", "nodes": [0],
                "metric": "flops", "dark": bool(self._number % 2), "width": 400,
            }  # fmt: skip
            clicks.append(self._send(self._report, {"method": "custom", "content": click}))
            state = {"value": self._number % 100}
            update = {"method": "update", "state": state, "buffer_paths": []}
            clicks.append(self._send(self._slider, update))
            typed.append(kernel.begin(f"print('typed', {self._number})", self._subshell))
            if len(typed) > 40:
                kernel.is_idle(name, seconds=300)
        cell = kernel.end(name)
        for one in clicks:
            messages = kernel.end(one, reply=False).messages
            # What the watcher prints goes to whatever the kernel was asked for last.
            assert [one for one in messages if one[0] == "error" or "Error" in str(one)] == []
        for one in typed:
            assert "typed" in kernel.end(one).text
        if clicks:
            assert kernel.value("slider.value") == self._number % 100
        return cell

    def _send(self, model: str, data: dict[str, Any]) -> str:
        return self._kernel.widget_message(model, data, self._subshell)


def check(beside: Beside, kernel: Kernel, code: str, *, fake: bool = False) -> Cell:
    """Run a cell, watched; gives what it did.

    Parameters
    ----------
    beside : Beside
    kernel : Kernel
    code : str
    fake : bool
        Whether it is a dry run, which puts copies in the place of what the code names.
    """
    apart = "('model', 'x', 'work')" if fake else "()"
    assert not kernel.run(f"watch.begin({apart}, random={fake})").error
    cell = beside.run(code)
    seen = kernel.value("watch.end()")
    assert seen["during"] == {}, (code, seen)
    assert seen["after"] == {}, (code, seen)
    assert seen["left"] == [], (code, seen)
    # The thread is that of the cell which has started it; whatever it has said has come through.
    printed = kernel.everything()
    for kind in ("printed", "logged"):
        numbers = [int(one) for one in re.findall(rf"<{kind} (\d+)>", printed)]
        assert numbers == list(range(1, seen["ticks"] + 1)), (code, kind)
    return cell
