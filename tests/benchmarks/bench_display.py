"""How long a report of 1,000, 10,000 and 100,000 modules takes to be seen in JupyterLab.

Prints, for each size, the time from the arrival of the widget's message in the browser to the first
rows on the screen, and the usual and the slowest of sixty frames while everything is open and is
scrolled.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from statistics import median

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.browser import jupyter
from tests.browser.looking import expand
from tests.browser.networks import BY_HAND, MANY

SIZES = (1_000, 10_000, 100_000)
# The message that opens the widget is by far the largest; when it has come is noted.
ARRIVAL = """
    const { addEventListener } = WebSocket.prototype;
    const note = event => {
        const size = event.data.byteLength ?? event.data.length ?? 0;
        if (size > 50000) window.arrived = performance.now();
    };
    const Socket = window.WebSocket;
    window.WebSocket = class extends Socket {
        constructor(...values) {
            super(...values);
            addEventListener.call(this, 'message', note);
        }
    };
    new MutationObserver((_, observer) => {
        if (!document.querySelector('.fw-body > .fw-row')) return;
        observer.disconnect();
        requestAnimationFrame(() => setTimeout(() => { window.seen = performance.now(); }));
    }).observe(document, { childList: true, subtree: true });
"""
SCROLL = """async () => {
    const grid = document.querySelector('.fw-grid');
    const took = [];
    for (let step = 0; step < 60; step++) {
        const start = performance.now();
        grid.scrollTop += 160;
        grid.dispatchEvent(new Event('scroll'));
        grid.getBoundingClientRect();
        took.push(performance.now() - start);
        await new Promise(requestAnimationFrame);
    }
    return took;
}"""


def measure(server: jupyter.Server, count: int) -> tuple[float, list[float]]:
    """Milliseconds to the first rows, and of each frame."""
    with jupyter.running_browser() as browser, jupyter.session(server, browser) as session:
        session.page.add_init_script(ARRIVAL)
        session.open(server.notebook(f"bench{count}.ipynb", [BY_HAND + MANY, f"r = many({count})"]))
        session.run()
        widget = session.again(["FlopsView(r)"])
        session.page.wait_for_function("() => window.seen && window.arrived")
        shown = session.page.evaluate("() => window.seen - window.arrived")
        expand(widget, "Expand all")
        return shown, session.page.evaluate(SCROLL)


def main() -> None:
    lack = jupyter.missing()
    if lack:
        print(f"skipped: display times need a browser, and {lack}")
        return
    print(f"{'modules':>8}  {'shown after':>11}  {'usual frame':>11}  {'slowest frame':>13}")
    with tempfile.TemporaryDirectory() as folder, jupyter.running_server(Path(folder)) as server:
        for count in SIZES:
            shown, frames = measure(server, count)
            print(
                f"{count:8,}  {shown:8.0f} ms  {median(frames):8.0f} ms  {max(frames):10.0f} ms",
                flush=True,
            )


if __name__ == "__main__":
    main()
