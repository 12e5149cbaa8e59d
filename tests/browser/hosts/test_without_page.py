"""Consoles and apps by their own packages' shells and servers, with no page or window of theirs.

Spyder's shell, the older ipykernel that it needs and PyCharm's console class (of pydevd) lie in a
folder of `.venv-hosts`, because that ipykernel must not be the one of the other tests.
"""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.browser.hosts import servers

#: Each prints the FLOPs that it counted: 2·4·3·5 of a layer, and 19 additions of its 20 outputs.
FLOPS = 139
MODEL = "import torch; layer = torch.nn.Linear(3, 5); rows = torch.ones(4, 3)"
CELLS = ["%load_ext ipyflops", MODEL, "%flops layer(rows)", "%%flops\nz = layer(rows)\nz.sum()"]

PYCHARM = f"""\
from _pydev_bundle.pydev_ipython_console_011 import PyDevTerminalInteractiveShell as Shell
shell = Shell.instance(colors="nocolor")  # its own default is none of IPython 9's
for cell in {CELLS!r}:
    assert shell.run_cell(cell).success, cell
import ipyflops
print("\\nlast", ipyflops.last().flops, type(shell).__name__)
"""
SPYDER = f"""\
import sys
from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpec
manager = KernelManager()
command = [sys.executable, "-m", "spyder_kernels.console", "-f", "{{connection_file}}"]
manager._kernel_spec = KernelSpec(argv=command, display_name="Spyder", language="python")
manager.start_kernel()
client = manager.client()
client.start_channels()
try:
    client.wait_for_ready(timeout=100)
    kind = "type(get_ipython()).__name__"
    last = f"import ipyflops; print('\\\\nlast', ipyflops.last().flops, {{kind}})"
    for cell in [*{CELLS!r}, last]:
        assert client.execute_interactive(cell, timeout=100)["content"]["status"] == "ok", cell
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
"""
COUNTED = f"""\
import ipyflops
{MODEL}
with ipyflops.FlopCounter() as counter:
    layer(rows).sum()
"""
PANEL = f"""\
import panel
panel.extension("ipywidgets")
{COUNTED}
pane = panel.panel(counter.report.widget())
assert pane.get_root() is not None
print("last", counter.report.flops, type(pane).__name__)
"""
#: `get_ipython()` gives a thin object there, in the context of a page.
SOLARA = f"""\
import solara.server.app
from solara.server import kernel, kernel_context
import IPython, reacton, solara
context = kernel_context.VirtualKernelContext(id="1", kernel=kernel.Kernel(), session_id="1")
with context:
    {COUNTED.replace(chr(10), chr(10) + "    ")}
    view = counter.report.widget()
    @solara.component
    def Page():
        solara.display(view)
    reacton.render(Page(), handle_error=False)
    assert view in context.widgets.values()
    print("last", counter.report.flops, type(IPython.get_ipython()).__name__)
"""
HOSTS = {
    "PyCharm": (PYCHARM, "PyDevTerminalInteractiveShell"),
    "Spyder": (SPYDER, "SpyderShell"),
    "Panel": (PANEL, "IPyWidget"),
    "Solara": (SOLARA, "FakeIPython"),
}


@pytest.mark.parametrize("host", HOSTS)
def test_it_counts_and_shows_in(host: str) -> None:
    code, kind = HOSTS[host]
    variables = dict(os.environ)
    if host in {"PyCharm", "Spyder"}:
        paths = [str(servers.FOLDER / "consoles"), os.environ.get("PYTHONPATH", os.getcwd())]
        variables["PYTHONPATH"] = os.pathsep.join(paths)
    done = subprocess.run(
        [str(servers.PYTHON), "-c", code],
        env=variables,
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"last {FLOPS} {kind}" in done.stdout, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
