"""Pictures of what people see, for the README, the tour and for looking at: ``make pictures``.

It takes those that are shown on a page, all in one session, and writes PNGs into `.github/images`.
It also writes what ``make demo`` prints into the tour, with the day, so that the times on one page
are those of one machine on one day. ``python -m tests.browser.gallery --out FOLDER NAME …`` takes
single ones, also those that are shown nowhere.
"""

from __future__ import annotations

import argparse
import datetime
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import jupyter
from tests.browser.looking import CHART, expand, menu
from tests.browser.networks import BY_HAND, MANY

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

ROOT = Path(__file__).parents[2]
OUT = ROOT / ".github" / "images"
TOUR = ROOT / "ipyflops" / "TOUR.md"
HEADING = "## What a report looks like\n\n"
INTRODUCTION = """\
This is what `make demo` prints. `make pictures` took this text and the pictures below in one
session on {day}. Each model had run once before. The counts agree everywhere. The times are from
one run each, so they vary.

"""
#: The pictures of the README and of the tour.
SHOWN = ("resnet50", "gpt2-dark", "lines", "roofline", "terminal", "vscode", "marimo")
RESNET = """\
%load_ext ipyflops
import torch
from models.resnet import resnet50

torch.manual_seed(0)
resnet = resnet50().eval()
image = torch.randn(1, 3, 224, 224)
with torch.no_grad():
    resnet(image)  # the first call of some operators takes longer
"""
FORWARD = "%%flops{options}\nwith torch.no_grad():\n    scores = resnet(image)"
GPT = """\
%load_ext ipyflops
import torch
import torch.nn.functional as F
from models.gpt2 import gpt2_small

torch.manual_seed(0)
gpt = gpt2_small()
optimizer = torch.optim.AdamW(gpt.parameters())
tokens = torch.randint(50257, (1, 129))
def step():
    logits = gpt(tokens[:, :-1])
    F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
    optimizer.step()
    optimizer.zero_grad()
step()
"""
STEP = """\
%%flops{options}
logits = gpt(tokens[:, :-1])
loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
loss.backward()
optimizer.step()
optimizer.zero_grad()
"""
FAILED = "%%flops\nscores = resnet(image)\nresnet.fc(scores)"
TERMINAL = """\
import sys
from IPython.terminal.interactiveshell import TerminalInteractiveShell
shell = TerminalInteractiveShell.instance()
for cell in {cells!r}:
    shell.run_cell(cell)
import ipyflops
from ipyflops.views import to_text
sys.stdout.write("\\f" + to_text(ipyflops.last(), width=80, color=True))
"""


class Gallery:
    """Takes pictures in JupyterLab and elsewhere."""

    def __init__(self, server: jupyter.Server, browser: Browser, out: Path) -> None:
        self.server = server
        self.browser = browser
        self.out = out

    def save(self, name: str, png: bytes) -> None:
        """Write a picture in few colours, which these have: a tenth of the size."""
        from PIL import Image

        image = Image.open(BytesIO(png)).convert("RGB")
        path = self.out / f"{name}.png"
        few = image.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
        few.save(path, optimize=True)
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)

    def lab(
        self,
        name: str,
        cells: list[str],
        *,
        width: int = 1240,
        dark: bool = False,
        then: Callable[[Locator], object] | None = None,
    ) -> None:
        """The widget of the last cell in JupyterLab, with a page as wide as given."""
        with jupyter.session(self.server, self.browser, width, 2000) as session:
            session.open(self.server.notebook(f"{name}.ipynb", cells))
            session.command("application:toggle-left-area")
            if dark:
                session.command("apputils:change-theme", theme="JupyterLab Dark")
            session.run(timeout=300)
            widget = session.page.locator(jupyter.WIDGET).last
            widget.wait_for()
            if dark:
                widget.locator("xpath=self::*[@data-theme='dark']").wait_for()
            if then is not None:
                then(widget)
            if widget.locator(".fw-chart:visible").count():
                session.page.wait_for_timeout(500)
                widget.locator(CHART).wait_for()
            session.page.mouse.move(0, 0)
            self.save(name, widget.screenshot())
            if dark:
                session.command("apputils:change-theme", theme="JupyterLab Light")
                session.page.wait_for_timeout(1000)

    def converted(self, name: str, cells: list[str]) -> None:
        """What nbconvert makes of a notebook."""
        notebook = self.server.folder / self.server.notebook(f"{name}.ipynb", cells)
        command = [sys.executable, "-m", "nbconvert", "--execute", "--to", "html", str(notebook)]
        subprocess.run(command, check=True, capture_output=True, env=jupyter.environment())
        page = self.browser.new_page(viewport={"width": 1100, "height": 800})
        page.goto(notebook.with_suffix(".html").as_uri())
        page.wait_for_selector(".ipyflops")
        self.save(name, page.locator(".ipyflops").last.screenshot())
        page.close()

    def terminal(self, name: str, cells: list[str]) -> None:
        """What a terminal of 80 columns shows."""
        from rich.console import Console
        from rich.text import Text

        code = TERMINAL.format(cells=cells)
        command = [sys.executable, "-c", code]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, env=jupyter.environment()
        )
        console = Console(record=True, width=80, file=StringIO())
        console.print(Text.from_ansi(done.stdout.rpartition("\f")[2]))
        page = self.browser.new_page(viewport={"width": 1000, "height": 1200})
        page.set_content(console.export_svg(title="%%flops"))
        self.save(name, page.locator("svg").first.screenshot())
        page.close()

    def vscode(self, name: str, cells: list[str]) -> None:
        """The widget in VS Code's bundle, dark; `make test-hosts` tests the same page."""
        from tests.browser.hosts import pictures

        self.save(name, pictures.in_vscode(self.server, self.browser, cells))

    def marimo(self, name: str) -> None:
        """A marimo app with the widget and a cell that follows it."""
        from tests.browser.hosts import pictures

        self.save(name, pictures.in_marimo(self.browser, self.server.folder))


def write_demo(tour: Path) -> None:
    """Put what ``make demo`` prints, and the day, into the tour."""
    command = [sys.executable, str(ROOT / "notebooks" / "demo.py")]
    done = subprocess.run(
        command, check=True, capture_output=True, encoding="utf-8", env=jupyter.environment()
    )
    counted = done.stdout[done.stdout.index("In [3]:") :].strip()
    lines = "\n".join(line.rstrip() for line in counted.split("\n"))
    today = datetime.datetime.now(datetime.timezone.utc).date()
    text = tour.read_text(encoding="utf-8")
    before, heading, rest = text.partition(HEADING)
    _, start, block = rest.partition("```text\n")
    _, end, after = block.partition("```\n")
    if not (heading and start and end):
        raise ValueError(f"{tour} has no text below {HEADING.strip()!r} to be replaced")
    text = f"{before}{heading}{INTRODUCTION.format(day=today)}{start}{lines}\n{end}{after}"
    tour.write_text(text, encoding="utf-8")


def take(gallery: Gallery, wanted: list[str]) -> None:
    """Take the pictures that are named."""

    def lines(widget: Locator) -> None:
        menu(widget, "View").get_by_label("methods").click()
        widget.page.keyboard.press("Escape")

    def roofline(widget: Locator) -> None:
        widget.get_by_role("tab", name="Roofline").click()
        widget.locator(".fw-words p").first.wait_for()

    def layer(widget: Locator) -> None:
        widget.locator(".fw-row", has_text="layer2").first.click()

    def levels(widget: Locator) -> None:
        expand(widget, "3 levels")

    step = STEP.format(options="")
    pictures: dict[str, Callable[[str], None]] = {
        "resnet50": lambda name: gallery.lab(
            name, [RESNET, FORWARD.format(options="")], then=layer
        ),
        "gpt2": lambda name: gallery.lab(name, [GPT, step]),
        "gpt2-dark": lambda name: gallery.lab(name, [GPT, step], dark=True),
        "lines": lambda name: gallery.lab(
            name, [GPT, STEP.format(options=" --by lines")], then=lines
        ),
        "roofline": lambda name: gallery.lab(
            name, [RESNET, FORWARD.format(options=" --peak")], then=roofline
        ),
        "empty": lambda name: gallery.lab(name, [RESNET, "%%flops\nx = 1"]),
        "failed": lambda name: gallery.lab(name, [RESNET, FAILED]),
        "modules-10000": lambda name: gallery.lab(
            name, [BY_HAND + MANY, "FlopsView(many(10_000))"], then=levels
        ),
        "narrow": lambda name: gallery.lab(name, [RESNET, FORWARD.format(options="")], width=520),
        "nbconvert": lambda name: gallery.converted(name, [GPT, step]),
        "terminal": lambda name: gallery.terminal(name, [GPT, step]),
        "vscode": lambda name: gallery.vscode(name, [RESNET, FORWARD.format(options="")]),
        "marimo": lambda name: gallery.marimo(name),
    }
    for name in wanted:
        pictures[name](name)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.gallery", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("picture", nargs="*", help="all of a page if none is named")
    options = parser.parse_args()
    wanted = options.picture or list(SHOWN)
    lack = jupyter.missing()
    if {"vscode", "marimo"} & set(wanted) and not os.environ.get("IPYFLOPS_HOSTS"):
        lack = lack or "IPYFLOPS_HOSTS names no environment of hosts: `make pictures` makes one"
    if lack:
        sys.exit(f"pictures need a browser, and {lack}")
    options.out.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        jupyter.running_server(Path(folder)) as server,
        jupyter.running_browser() as browser,
    ):
        take(Gallery(server, browser, options.out), wanted)
    if not options.picture:
        write_demo(TOUR)


if __name__ == "__main__":
    main()
