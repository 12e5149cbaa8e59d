"""The magics where people meet them: a Jupyter kernel, and IPython in a terminal."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.shells import IS_OLD

SETUP = """\
%load_ext ipyflops
import torch
model = torch.nn.Linear(3, 4)
x = torch.ones(2, 3)"""


@pytest.fixture(autouse=True)
def _nobodys_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither read nor write the settings of whoever runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))


def notebook(*cells: str, **options: Any) -> Any:
    """The outputs of the cells, run by a kernel."""
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(made, timeout=120, kernel_name="python3", **options)
    client.execute()
    return [cell.outputs for cell in made.cells]


# Of tornado and zmq, which the client talks to the kernel with.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def test_a_notebook_shows_the_report_and_the_result() -> None:
    outputs = notebook(
        SETUP,
        "%%flops\nprint('before')\nmodel(x)",
        "%%flops -o -q\nmodel(x)",
        "import asyncio\nawait asyncio.sleep(0)\nr = %flops -q -o model(x)\nlist(r.by_line)",
        "# a comment\n%flops model(x);",
        "import inspect\nsource = inspect.getsource",
        "%%flops -q\n\ndef own():\n    return 1\nsource(own), own.__code__.co_firstlineno",
    )
    stream, shown, result = outputs[1]
    assert (stream.name, stream.text) == ("stdout", "before\n")
    assert shown.output_type == "display_data"
    assert set(shown.data) == {"text/plain", "text/html"}
    assert "48 FLOPs" in shown.data["text/plain"]
    assert "48 FLOPs" in shown.data["text/html"]
    assert result.output_type == "execute_result"
    assert result.data["text/plain"].startswith("tensor(")
    [result] = outputs[2]
    assert result.output_type == "execute_result"
    assert "48 FLOPs" in result.data["text/plain"]
    assert outputs[3][-1].data["text/plain"] == "['In[4]:3']"
    [shown] = outputs[4]
    assert shown.output_type == "display_data"
    assert outputs[6][0].data["text/plain"] == "('def own():\\n    return 1\\n', 3)"


def test_a_failing_cell_fails_the_notebook() -> None:
    with pytest.raises(CellExecutionError) as caught:
        notebook(SETUP, "%%flops -c article\ny = model(x)\n\n1/0", "print('went on')")
    assert caught.value.ename == "ZeroDivisionError"
    text = re.sub(r"\x1b\[[\d;]*m", "", str(caught.value))
    assert ("----> 4 1/0" if IS_OLD else "In[2], line 4") in text
    assert "ipyflops/" not in text


@pytest.mark.parametrize(
    ("cell", "name", "message"),
    [
        ("%%flops -c bogus\nmodel(x)", "UsageError", "-c takes"),
        ("%%flops\nx = = 1", "SyntaxError", "invalid syntax"),
        (
            "%%flops\nimport asyncio\nawait asyncio.sleep(0)",
            "UsageError",
            "with ipyflops.FlopCounter() as counter",
        ),
    ],
)
def test_a_cell_that_cannot_run_fails_the_notebook(cell: str, name: str, message: str) -> None:
    with pytest.raises(CellExecutionError) as caught:
        notebook(SETUP, cell)
    assert caught.value.ename == name
    assert message in caught.value.evalue


def test_a_failing_cell_shows_its_report_first() -> None:
    outputs = notebook(
        SETUP, "%%flops\ny = model(x)\n1/0", "ipyflops = __import__('ipyflops')", allow_errors=True
    )
    shown, error = outputs[1]
    assert shown.output_type == "display_data"
    assert "incomplete: ZeroDivisionError" in shown.data["text/plain"]
    assert error.output_type == "error"


def test_what_the_no_await_message_recommends_works() -> None:
    outputs = notebook(
        SETUP,
        "import asyncio, ipyflops\n"
        "with ipyflops.FlopCounter() as counter:\n"
        "    await asyncio.sleep(0)\n"
        "    y = model(x)\n"
        "counter.report.flops",
    )
    assert outputs[1][-1].data["text/plain"] == "48"


def test_a_kernel_can_be_interrupted(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    endless = (
        f"%%flops -q\ny = model(x)\nopen({str(ready)!r}, 'w').close()\n__import__('time').sleep(60)"
    )
    made = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in (SETUP, endless, "%flops")]
    )
    client = NotebookClient(made, timeout=120, kernel_name="python3", allow_errors=True)

    async def main() -> None:
        async with client.async_setup_kernel():
            for index, cell in enumerate(made.cells):
                running = asyncio.ensure_future(client.async_execute_cell(cell, index))
                if index == 1:
                    while not ready.exists():
                        await asyncio.sleep(0.1)
                    await client.km.interrupt_kernel()
                await running

    asyncio.run(main())
    [error] = made.cells[1].outputs
    assert error.ename == "KeyboardInterrupt"
    [shown] = made.cells[2].outputs
    assert "incomplete: KeyboardInterrupt" in shown.data["text/plain"]
    assert "48 FLOPs" in shown.data["text/plain"]


# --- a terminal ----------------------------------------------------------------------------------


def ipython(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(sys.executable, "-m", "IPython", "--no-banner", "--colors=nocolor"),
            "--TerminalInteractiveShell.term_title=False",  # IPython 7 sets it without a terminal
            *arguments,
        ],
        capture_output=True,
        text=True,
        timeout=120,
        **options,
    )


def test_a_terminal_shows_the_report_as_text() -> None:
    done = ipython("--ext=ipyflops", "-c", f"{SETUP}\nmodel = model.eval()\n%flops model(x)")
    assert done.returncode == 0, done.stderr
    assert "48 FLOPs" in done.stdout
    assert "<" not in done.stdout.partition("tensor")[0]
    assert "\x1b" not in done.stdout


def test_a_script_runs_and_fails_as_without_counting(tmp_path: Path) -> None:
    script = tmp_path / "run.ipy"
    script.write_text(f"{SETUP}\nr = %flops -q -o model(x)\nprint(r.flops)\n%flops -q 1/0\n")
    done = ipython(str(script))
    assert done.returncode == 1
    assert done.stdout.startswith("48\n")
    assert "ZeroDivisionError" in done.stdout + done.stderr


def test_cells_at_the_prompt() -> None:
    cells = [
        *SETUP.splitlines(),
        "%%flops -q\nimport asyncio\nawait asyncio.sleep(0)\ny = model(x)\n40 + 2\n\n",
        "%flops --by lines",
        "exit",
    ]
    done = ipython("--simple-prompt", "--quick", input="\n".join(cells) + "\n")
    assert done.returncode == 0, done.stderr
    assert ": 42" in done.stdout
    assert "y = model(x)" in done.stdout


def test_a_terminal_can_be_interrupted() -> None:
    cell = (
        "y = model(x)\n"
        "import os, threading, time\n"
        f"threading.Timer(0.5, os.kill, (os.getpid(), {int(signal.SIGINT)})).start()\n"
        "time.sleep(60)"
    )
    done = ipython("-c", f"{SETUP}\nget_ipython().run_cell_magic('flops', '', {cell!r})")
    assert done.returncode == 1
    assert "incomplete: KeyboardInterrupt" in done.stdout
    assert "48 FLOPs" in done.stdout
