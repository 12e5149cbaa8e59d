"""A Jupyter server on loopback and a Chromium that looks at it, for tests and benchmarks.

Nothing of the user's is read or written: configuration, runtime files and the browser's profile
live in a folder that is thrown away. Every request that the page makes to anywhere else than this
server is refused and noted.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that a test makes itself may talk to the server, too.
    "--disable-features=LocalNetworkAccessChecks",
)
ROOT = Path(__file__).parents[2]
WIDGET = ".ipyflops-widget"


def missing() -> str:
    """What these tests lack here; empty if nothing."""
    for module in ("playwright", "jupyterlab", "notebook"):
        try:
            __import__(module)
        except ImportError:
            return f"{module} is not installed"
    return "" if chromium() else "there is no Chromium"


def chromium() -> str | None:
    return next(filter(None, map(shutil.which, CHROMIUM)), None)


@dataclass
class Server:
    """A running Jupyter server."""

    url: str
    folder: Path

    def notebook(self, name: str, cells: Sequence[str]) -> str:
        """Write a notebook; gives its file name."""
        notebook = new_notebook(cells=[new_code_cell(cell) for cell in cells])
        notebook.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(notebook, self.folder / name)
        return name


def environment(**more: str) -> dict[str, str]:
    """Variables under which the package and the notebooks' networks can be imported."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "notebooks")])
    return {**os.environ, "PYTHONPATH": path, **more}


@contextmanager
def running_server(folder: Path) -> Iterator[Server]:
    """JupyterLab and Notebook 7, served by one process."""
    work = folder / "work"
    work.mkdir(parents=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    paths = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")
    }
    variables = environment(**paths, MPLCONFIGDIR=str(folder / "mpl"))
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *("--IdentityProvider.token=", f"--ServerApp.root_dir={work}"),
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.extension_manager=readonly",
        f"--LabApp.user_settings_dir={folder / 'settings'}",
        f"--LabApp.workspaces_dir={folder / 'workspaces'}",
    ]
    settings = folder / "settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    quiet = '{"fetchNews": "false", "checkForUpdates": false}'
    (settings / "notification.jupyterlab-settings").write_text(quiet)
    log = (folder / "server.log").open("w")
    process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, cwd=work)
    server = Server(f"http://127.0.0.1:{port}", work)
    try:
        _wait_for(server, process, folder / "server.log")
        yield server
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
        log.close()


def _wait_for(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"{server.url}/api", timeout=5):
                return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.2)
    raise RuntimeError(f"the Jupyter server does not answer:\n{log.read_text()[-3000:]}")


@contextmanager
def running_browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class Session:
    """A page of the browser with its guard against connections to elsewhere."""

    server: Server
    page: Page
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, name: str, app: str = "lab") -> None:
        """Open a notebook in JupyterLab (lab) or Notebook 7 (notebook) and wait for its kernel."""
        path = f"/lab/tree/{name}?reset" if app == "lab" else f"/notebooks/{name}"
        self.page.goto(self.server.url + path)
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        self.page.wait_for_function(
            """() => {
                const panel = window.jupyterapp?.shell.currentWidget;
                const kernel = panel?.sessionContext?.session?.kernel;
                return !!kernel && kernel.status === 'idle';
            }""",
            timeout=60_000,
        )

    def command(self, name: str, **arguments: object) -> None:
        """Start a command of JupyterLab's; what it gives is not waited for."""
        script = "([name, arguments]) => void window.jupyterapp.commands.execute(name, arguments)"
        self.page.evaluate(script, [name, arguments])

    def run(self, timeout: float = 120) -> None:
        """Run all cells and wait for the end of the last one."""
        self.page.evaluate(
            "() => void window.jupyterapp.commands.execute('notebook:run-all-cells')"
        )
        self.page.wait_for_function(
            """() => {
                const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
                const { session } = window.jupyterapp.shell.currentWidget.sessionContext;
                return session?.kernel?.status === 'idle' && prompts.length > 0 &&
                    prompts.every((one) => /\\[\\d+\\]/.test(one.textContent));
            }""",
            timeout=timeout * 1000,
        )

    def fill(self, cells: Sequence[str]) -> None:
        """Give the open notebook other cells."""
        script = """cells => {
            const notebook = window.jupyterapp.shell.currentWidget.content;
            const shared = notebook.model.sharedModel;
            shared.deleteCellRange(0, shared.cells.length);
            for (const source of cells) shared.addCell({ cell_type: 'code', source });
        }"""
        self.page.evaluate(script, list(cells))

    def again(self, cells: Sequence[str]) -> Locator:
        """Run other cells in the notebook that is open, and give the last widget."""
        self.fill(cells)
        self.run()
        widget = self.page.locator(WIDGET).last
        widget.wait_for(timeout=30_000)
        return widget

    def show(self, name: str, cells: Sequence[str], app: str = "lab") -> Locator:
        """Open a notebook of these cells, run it, and give its last widget."""
        self.open(self.server.notebook(name, cells), app)
        self.run()
        widget = self.page.locator(WIDGET).last
        widget.wait_for(timeout=30_000)
        return widget


@contextmanager
def session(
    server: Server, browser: Browser, width: int = 1400, height: int = 1000
) -> Iterator[Session]:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    opened = Session(server, page)

    def guard(route) -> None:  # type: ignore[no-untyped-def]
        url = route.request.url
        if url.startswith((server.url, "data:", "blob:", "file:")):
            route.continue_()
        else:
            opened.outside.append(url)
            route.abort()

    context.route("**/*", guard)
    page.on(
        "websocket",
        lambda socket: (
            None
            if socket.url.startswith(server.url.replace("http", "ws"))
            else opened.outside.append(socket.url)
        ),
    )

    def note(error: Any) -> None:
        # The widget's program comes from a blob; JupyterLab has errors of its own.
        if "blob:" in (error.stack or ""):
            opened.errors.append(str(error.stack))

    page.on("pageerror", note)
    try:
        yield opened
    finally:
        context.close()
