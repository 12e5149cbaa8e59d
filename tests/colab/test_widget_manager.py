"""What a cell shows in Colab: HTML, and a widget only where one is asked for.

Colab shows other people's widgets with a manager of its own, which ``google.colab.output`` turns on
and which anywidget asks for. The package comes with Colab's image alone. So a small module stands
in for it here, which does what the two functions that anywidget uses do: a hook of the shell's
publisher tells the front end, with each widget, where the manager is. With ``IPYFLOPS_COLABTOOLS``,
a clone of googlecolab/colabtools, the real file runs instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kernels import WIDGET_VIEW, Kernel, kernel

STAND_IN = """\
from types import SimpleNamespace

WIDGETS = "application/vnd.jupyter.widget-view+json"
_widgets = SimpleNamespace(_installed_url=None)


def enable_custom_widget_manager():
    if _widgets._installed_url is None:
        get_ipython().display_pub.register_hook(_tell)
    _widgets._installed_url = "https://colab.invalid/manager.min.js"


def _tell(message):
    content = message["content"]
    if WIDGETS in content.get("data", ()):
        where = {"custom_widget_manager": {"url": _widgets._installed_url}}
        content["metadata"].setdefault(WIDGETS, {})["colab"] = where
    return message
"""
#: Makes a module of a file's text, and puts it where Colab has it.
START = """\
import sys, types
output = types.ModuleType("google.colab.output")
output.get_ipython = get_ipython
exec({code!r}, vars(output))
output._widgets = getattr(output, "_widgets", output)
sys.modules["google.colab"] = types.ModuleType("google.colab")
sys.modules["google.colab.output"] = output
import torch
%load_ext ipyflops
model = torch.nn.Sequential(torch.nn.Linear(4, 2), torch.nn.Linear(2, 2)); x = torch.ones(3, 4)
def url():
    return output._widgets._installed_url"""


def source() -> str:
    """The stand-in, or Colab's own file where its package is at hand."""
    tools = os.environ.get("IPYFLOPS_COLABTOOLS")
    if tools is None:
        return STAND_IN
    return Path(tools, "google/colab/output/_widgets.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def front_end() -> Iterator[Kernel]:
    """It says which cell runs, as those do that show widgets."""
    with kernel() as one:
        assert one.run(START.format(code=source())).error == ""
        yield one


def shown(front_end: Kernel, cell: str) -> list[dict[str, Any]]:
    done = front_end.run(cell)
    assert done.error == ""
    return [one for one in done.outputs if "data" in one]


@pytest.mark.parametrize("cell", ["%%flops\nmodel(x);", "%flops", "ipyflops.last()"])
def test_it_is_html_and_loads_no_manager(front_end: Kernel, cell: str) -> None:
    """So a notebook that is opened again has no widget whose model is gone."""
    shown(front_end, "import ipyflops\n%flops model(x)")
    (output,) = shown(front_end, cell)
    assert set(output["data"]) == {"text/html", "text/plain"}
    assert "<details" in output["data"]["text/html"]
    assert "<svg" in output["data"]["text/html"]
    assert front_end.value("url()") is None


def test_a_widget_that_is_asked_for_turns_the_manager_on(front_end: Kernel) -> None:
    widget, stand_in = shown(front_end, "%%flops --view widget\nmodel(x);")
    url = front_end.value("url()")
    assert url.startswith("https://")
    told = widget["metadata"][WIDGET_VIEW]
    assert told == {"colab": {"custom_widget_manager": {"url": url}}}
    assert "<details" in stand_in["data"]["text/html"]
    # The result of a cell is published on another way, which no hook sees.
    (result,) = shown(front_end, "ipyflops.last().widget()")
    assert result["metadata"][WIDGET_VIEW] == told
