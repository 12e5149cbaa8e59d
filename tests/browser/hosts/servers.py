"""Starting another program's server on a free port of this machine, from `.venv-hosts`."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.browser import jupyter

#: The environment; it holds an old ipywidgets, too, in a folder of its own.
FOLDER = Path(os.environ.get("IPYFLOPS_HOSTS", ""))
PYTHON = FOLDER / "bin" / "python"


def environment() -> dict[str, str]:
    """Variables under which the data files of both environments are found."""
    prefixes = (str(PYTHON.parents[1]), sys.prefix)
    data = os.pathsep.join(os.path.join(prefix, "share", "jupyter") for prefix in prefixes)
    return jupyter.environment(JUPYTER_PATH=data)


@contextmanager
def serving(command: Sequence[str], folder: Path, log: Path) -> Iterator[str]:
    """Start a module of Python that serves pages; gives its address once it answers.

    Parameters
    ----------
    command : sequence of str
        The module and its arguments; ``{port}`` in one is replaced.
    folder : Path
    log : Path
        Where what it prints goes.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    arguments = [one.replace("{port}", port) for one in command]
    with log.open("w") as out:
        process = subprocess.Popen(
            [str(PYTHON), "-m", *arguments], cwd=folder, env=environment(), stdout=out, stderr=out
        )
        try:
            _wait_for(port, process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def _wait_for(port: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            # A page that is not there: none is rendered for this.
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/not-there", timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(f"the server does not answer:\n{log.read_text()[-3000:]}")
