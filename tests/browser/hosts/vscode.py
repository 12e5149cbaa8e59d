"""The page that VS Code shows a notebook's outputs in: its bundle of widgets, its themes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser import jupyter
from tests.browser.hosts import servers

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

#: The page has no background of its own: it lies above the editor, which no script in it can see.
#: Playwright's `color_scheme` may say something else than the theme, as the system may.
PAGE = """\
<!doctype html>
<html><head><meta charset="utf-8"><style>
body { background-color: transparent; color: var(--vscode-editor-foreground); margin: 8px;
  font-family: var(--vscode-font-family); font-size: 13px; }
</style><style id="renderer">{styles}</style>
<script src="/hosts/require.js"></script></head>
<body></body></html>"""

#: What the extension's renderer says of the boxes around a widget, in releases before 2025.
WHITE_BOX = ".cell-output-ipywidget-background { background: white !important; }"
#: Later ones also give JupyterLab's variables inside of it VS Code's colours, but for those of the
#: ground in a high contrast.
BRIDGE = """
.cell-output-ipywidget-background {
  color: var(--vscode-editor-foreground);
  --jp-ui-font-color1: var(--vscode-editor-foreground);
  --jp-ui-font-color2: var(--vscode-editor-foreground);
  --jp-content-font-color1: var(--vscode-editor-foreground);
  --jp-border-color2: var(--vscode-panel-border); }
.vscode-light .cell-output-ipywidget-background {
  --jp-layout-color0: var(--vscode-notebook-cellEditorBackground);
  --jp-layout-color1: var(--vscode-notebook-cellEditorBackground);
  --jp-layout-color2: var(--vscode-notebook-cellEditorBackground); }
.vscode-dark .cell-output-ipywidget-background {
  --jp-layout-color0: var(--vscode-input-background);
  --jp-layout-color1: var(--vscode-input-background);
  --jp-layout-color2: var(--vscode-input-background); }"""

#: Of ipywidgets, to the folder that a kernel takes the package from; None where .venv has it.
BUNDLES = {8: None, 7: servers.FOLDER / "ipywidgets7"}
#: Runs in the kernel before anything else, so that nobody has imported the other release.
TAKE = "import sys\nassert 'ipywidgets' not in sys.modules\nsys.path.insert(0, {folder!r})"

#: VS Code's own: Light Modern, Dark Modern, Dark and Light High Contrast, and one of the many that
#: are neither black nor white (Solarized Dark).
THEMES = {
    "vscode-light": {
        "foreground": "#3b3b3b",
        "editor.foreground": "#3b3b3b",
        "editor.background": "#ffffff",
        "notebook.cellEditorBackground": "#f8f8f8",
        "descriptionForeground": "#3b3b3b",
        "focusBorder": "#005fb8",
        "panel.border": "#e5e5e5",
        "editorWidget.background": "#f8f8f8",
        "input.background": "#ffffff",
        "list.hoverBackground": "#f2f2f2",
        "errorForeground": "#f85149",
        "editorWarning.foreground": "#bf8803",
    },
    "vscode-dark": {
        "foreground": "#cccccc",
        "editor.foreground": "#cccccc",
        "editor.background": "#1f1f1f",
        "descriptionForeground": "#9d9d9d",
        "focusBorder": "#0078d4",
        "panel.border": "#2b2b2b",
        "editorWidget.background": "#202020",
        "input.background": "#313131",
        "list.hoverBackground": "#2a2d2e",
        "errorForeground": "#f85149",
        "editorWarning.foreground": "#cca700",
    },
    "vscode-high-contrast": {
        "foreground": "#ffffff",
        "editor.foreground": "#ffffff",
        "editor.background": "#000000",
        "descriptionForeground": "rgba(255, 255, 255, 0.7)",
        "focusBorder": "#f38518",
        "contrastBorder": "#6fc3df",
        "contrastActiveBorder": "#f38518",
        "panel.border": "#6fc3df",
        "editorWidget.background": "#0c141f",
        "input.background": "#000000",
        "list.hoverBackground": "rgba(255, 255, 255, 0.1)",
        "errorForeground": "#f48771",
    },
    "vscode-high-contrast vscode-high-contrast-light": {
        "foreground": "#292929",
        "editor.foreground": "#292929",
        "editor.background": "#ffffff",
        "descriptionForeground": "rgba(41, 41, 41, 0.7)",
        "focusBorder": "#006bbd",
        "contrastBorder": "#0f4a85",
        "contrastActiveBorder": "#006bbd",
        "panel.border": "#0f4a85",
        "editorWidget.background": "#ffffff",
        "input.background": "#ffffff",
        "list.hoverBackground": "rgba(15, 74, 133, 0.1)",
        "errorForeground": "#b5200d",
    },
    "vscode-dark solarized": {
        "foreground": "#839496",
        "editor.foreground": "#839496",
        "editor.background": "#002b36",
        "descriptionForeground": "rgba(131, 148, 150, 0.7)",
        "focusBorder": "#2aa19899",
        "panel.border": "#2b2b4a",
        "editorWidget.background": "#00212b",
        "input.background": "#003847",
        "list.hoverBackground": "rgba(0, 68, 84, 0.67)",
    },
}


def program(modules: Path, folder: Path) -> str:
    """What plays VS Code's part in a page, in one file, which is made in the folder."""
    target = folder / "vscode.js"
    source = Path(__file__).with_name("vscode.js")
    command = [str(modules / ".bin" / "esbuild"), str(source), "--bundle", "--format=esm"]
    subprocess.run([*command, f"--outfile={target}", "--log-level=error"], check=True)
    return target.read_text(encoding="utf-8")


@dataclass
class Notebook:
    """A notebook's outputs; `version` is that of ipywidgets."""

    page: Page
    errors: list[str]
    version: int

    def run(self, code: str) -> None:
        """Run a cell; its outputs come below those of the cells before it."""
        error = self.page.evaluate("code => window.notebook.run(code)", code)
        assert not error, error

    def dress(self, theme: str) -> None:
        self.page.evaluate("([kind, colors]) => window.dress(kind, colors)", [theme, THEMES[theme]])

    def style(self, rules: str) -> None:
        """Let the extension's renderer have other rules."""
        self.page.evaluate(
            "rules => { document.getElementById('renderer').textContent = rules; }", rules
        )

    @property
    def widget(self) -> Locator:
        return self.page.locator(jupyter.WIDGET).last


@contextmanager
def notebook(
    server: jupyter.Server, browser: Browser, modules: Path, program: str, *,
    version: int = 8, styles: str = WHITE_BOX, system: str = "light", width: int = 1000,
) -> Iterator[Notebook]:  # fmt: skip
    """Open the page on the server's address, so that it may talk to the server's kernels.

    Parameters
    ----------
    server : Server
    browser : Browser
    modules : Path
        What npm has installed.
    program : str
        `vscode.js`, bundled.
    version : {7, 8}
        Of ipywidgets, that the bundle is for and the kernel has.
    styles : str
        Of the extension's renderer.
    system : {"light", "dark"}
        What the system says that it prefers.
    width : int
    """
    files = {
        "/hosts/": PAGE.replace("{styles}", styles),
        "/hosts/vscode.js": program,
        f"/hosts/ipywidgets{version}.js": modules
        / f"@vscode/jupyter-ipywidgets{version}/dist/ipywidgets.js",
        "/hosts/require.js": modules / "requirejs/require.js",
        "/hosts/nbextensions/anywidget/index.js": Path(sys.prefix)
        / "share/jupyter/nbextensions/anywidget/index.js",
    }
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=system,  # type: ignore[arg-type]
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error.stack)))
    texts = {
        path: what if isinstance(what, str) else what.read_text(encoding="utf-8")
        for path, what in files.items()
    }

    def serve(route) -> None:  # type: ignore[no-untyped-def]
        path = route.request.url.removeprefix(server.url)
        kind = "text/html" if path == "/hosts/" else "text/javascript"
        route.fulfill(body=texts[path], content_type=kind)

    page.route(f"{server.url}/hosts/**", serve)
    page.request.get(f"{server.url}/lab")  # sets the cookie that the server asks for
    page.goto(f"{server.url}/hosts/")
    page.evaluate(
        """async version => {
            const { start, dress } = await import('/hosts/vscode.js');
            Object.assign(window, { dress, notebook: await start(version) });
        }""",
        version,
    )
    opened = Notebook(page, errors, version)
    if folder := BUNDLES[version]:
        opened.run(TAKE.format(folder=str(folder)))
    try:
        yield opened
    finally:
        page.evaluate("window.notebook.shutdown()")
        context.close()
