"""matplotlib is imported after a widget was shown, when the event loop is free, and only then."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ipyflops.views import chart_import, mime_bundle, shown_views
from ipyflops.views.shown_views import SHOWN_VIEWS
from tests.views import reports

pytestmark = pytest.mark.filterwarnings("ignore:Deprecated in traitlets 4.1:DeprecationWarning")

# For a process of its own, in which nothing has imported matplotlib.
PROGRAM = """
import asyncio, json, sys, threading
from ipyflops.views import mime_bundle
from ipyflops.views.chart_import import DRAWS
from tests.views import reports

seen = []

def look():
    seen.append(DRAWS in sys.modules)

async def cell():
    import time
    mime_bundle(reports.resnet(), view="widget")
    look()
    time.sleep(0.2)  # the cell goes on: nothing is imported beside it
    look()

async def kernel():
    await cell()
    for _ in range(100):
        if DRAWS in sys.modules:
            break
        await asyncio.sleep(0.05)
    look()

asyncio.run(kernel())
import_state = {"seen": seen, "pyplot": "matplotlib.pyplot" in sys.modules,
                "threads": threading.active_count()}
if DRAWS in sys.modules:
    import matplotlib
    # No backend has been chosen, and no setting is another than at the start.
    import_state["backend"] = type(dict.__getitem__(matplotlib.rcParams, "backend")).__name__
    changed = [key for key in matplotlib.rcParams if key != "backend"
               and matplotlib.rcParams[key] != matplotlib.rcParamsOrig[key]]
    import_state["changed"] = changed
print(json.dumps(import_state))
"""


def test_it_is_imported_once_the_cell_is_done() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["seen"] == [False, False, True]
    assert (found["pyplot"], found["changed"], found["threads"]) == (False, [], 1)
    assert found["backend"] == "object"  # matplotlib's mark for one that is not chosen yet


@pytest.mark.parametrize(("view", "times"), [("text", 0), ("html", 0), ("auto", 0), ("widget", 1)])
def test_it_is_wanted_for_a_widget_alone(
    monkeypatch: pytest.MonkeyPatch, view: str, times: int
) -> None:
    asked = []
    monkeypatch.setattr(shown_views, "import_when_idle", lambda: asked.append(True))
    mime_bundle(reports.resnet(), view=view)  # no notebook asks for it here
    assert len(asked) == times
    SHOWN_VIEWS.reset()


def test_without_an_event_loop_the_first_chart_imports_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, chart_import.DRAWS, raising=False)
    assert not chart_import.import_when_idle()
    assert chart_import.DRAWS not in sys.modules
