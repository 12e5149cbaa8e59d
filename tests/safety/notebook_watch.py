"""What is watched in a kernel while magics run: a thread that prints, logs and looks at settings.

`WATCH` is code for a kernel. `checks` runs in the tests: it runs a cell in that kernel, clicks in
an older report and moves a slider meanwhile, and asks the watcher what it has seen.
"""

from __future__ import annotations

import re
from typing import Any

from tests.kernels import WIDGET_VIEW, Cell, Kernel

WATCH = '''
import builtins, logging, os, random, signal, sys, threading, time, warnings
import ipywidgets, matplotlib, numpy, torch
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
            if name in self.known
        }
        return found

    def between(self):
        """What a cell may set while it is counted, and has to be back afterwards."""
        return {
            "profile": threading.getprofile(), "SIGINT": signal.getsignal(signal.SIGINT),
            "grad": torch.is_grad_enabled(), "dtype": torch.get_default_dtype(),
            "random": torch.get_rng_state().numpy().tobytes(), "Python's random": random.getstate(),
            "NumPy's random": numpy.random.get_state()[1].tobytes(),
            "own profile": sys.getprofile(), "own trace": sys.gettrace(),
            **{f"variable {name}": id(get_ipython().user_ns[name]) for name in self.apart},
            **self.settings(),
        }

    def begin(self, apart):
        self.apart = apart
        names = [name for name in get_ipython().user_ns if name[0] != "_"]
        self.known = set(names) - set(apart)
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
                "kind": "chart", "of": "inside", "key": str(self._number), "nodes": [0],
                "convention": "standard", "metric": "flops", "width": 400,
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
    kernel.everything()
    assert not kernel.run(f"watch.begin({apart})").error
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


SETUP = """\
%load_ext ipyflops
import tempfile
import sympy  # a first dry run imports it, and it adds a filter of warnings
import torch, torch.utils.benchmark
model = torch.nn.Linear(3, 4)
x = torch.ones(2, 3)
folder = tempfile.mkdtemp()
made = []

def work(x):
    print("<work>")
    print("<work>", file=sys.stderr)
    logging.getLogger("work").warning("<work>")
    warnings.warn("<work>", stacklevel=1)
    display("<work>")
    return model(x)
"""
#: Everything is imported that a magic may import: modules bring settings of their own.
WARM_UP = """\
%flops -t -n1 -r1 --peak --save {folder}/first.json model(x)
%flops --fake model(x)
%flops --ranks model(x)
%flops -q -v base model(x)
"""


def prepare(kernel: Kernel) -> None:
    """Set a kernel up for all of this."""
    for code in (WATCH, SETUP, *WARM_UP.splitlines()):
        cell = kernel.run(code)
        assert not cell.error or "--ranks" in code, cell.reply


def check_repeats(kernel: Kernel) -> None:
    """Repeats show nothing, and leave what the code makes as it would be without them."""
    cell = kernel.run("%%flops -t -n2 -r3\nwork(x)")
    shown = [one for one in cell.outputs if "<work>" in str(one)]
    # The counted run: what it prints twice, its log and its warning, and what it shows.
    assert sum(str(one).count("<work>") for one in shown) <= 6
    assert [one["output_type"] for one in shown].count("display_data") == 1
    printed = "".join(one["text"] for one in shown if one.get("name") == "stdout")
    assert printed.count("<work>") == 1
    # Handlers of repeats write to the stream that a cell has.
    code = "made.append(logging.StreamHandler(sys.stdout)); model(x)"
    assert not kernel.run(f"%%flops -t -n1 -r2 -q\n{code}").error
    assert kernel.value("len(made)") == 5
    cell = kernel.run("for handler in made: handler.emit(logging.makeLogRecord({'msg': 'alive'}))")
    assert cell.text == "alive\n" * 5
    # Figures and widgets of the repeats are gone.
    code = (
        "import matplotlib.pyplot as plt; plt.plot([1, 2]); model(x)\n"
        "display(ipywidgets.HBox([ipywidgets.IntText()]))"
    )
    once = kernel.run(code)
    again = kernel.run(f"%%flops -t -n2 -r3 -q\n{code}")
    for cell in (once, again):
        assert not cell.error, cell.reply
        assert len([one for one in cell.outputs if "image/png" in one.get("data", {})]) == 1
        assert len([one for one in cell.outputs if WIDGET_VIEW in one.get("data", {})]) == 1
    kinds = [kind for kind, _ in again.messages]
    opened, closed = kinds.count("comm_open"), kinds.count("comm_close")
    assert opened - closed == [kind for kind, _ in once.messages].count("comm_open")
    assert opened > closed > 0


def check_progress(kernel: Kernel) -> None:
    """The progress line leaves nothing in the cell, and is not there where outputs are captured."""
    for view, outputs in (("auto", 2), ("html", 1), ("text", 1)):
        cell = kernel.run(f"%%flops --view {view}\nmodel(x); time.sleep(1.6); None")
        assert any("counting: " in str(content) for _, content in cell.messages)
        assert len(cell.outputs) == outputs
        assert "counting: " not in str(cell.outputs)
        assert all(any(one["data"].values()) for one in cell.outputs)
        assert "FLOPs" in cell.outputs[-1]["data"]["text/plain"]
    # A cell that clears its outputs, as plots of a training do, has its report behind them.
    clear = "from IPython.display import clear_output"
    cell = kernel.run(
        f"%%flops\n{clear}\nmodel(x); time.sleep(1.3); clear_output(wait=True); print('plot'); None"
    )
    assert [one["output_type"] for one in cell.outputs] == [
        "stream",
        "display_data",
        "display_data",
    ]
    assert "FLOPs" in cell.outputs[-1]["data"]["text/plain"]
    cell = kernel.run("%%flops --view text\nmodel(x); time.sleep(1.3); 1/0")
    assert [one["output_type"] for one in cell.outputs] == ["display_data", "error"]
    assert "incomplete" in cell.outputs[0]["data"]["text/plain"]
    cell = kernel.run("%%capture captured\n%flops y = (model(x), time.sleep(1.5))")
    assert "counting: " not in str(cell.messages)
    captured = kernel.value("[sorted(one.data) for one in captured.outputs]")
    assert len(captured) == 2
    cell = kernel.run(
        "out = ipywidgets.Output()\nwith out:\n    %flops (model(x), time.sleep(1.5))"
    )
    assert "counting: " not in str(cell.messages)
