"""`report.widget()` in marimo, which runs the cells that read a trait when it changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import jupyter
from tests.browser.hosts import servers
from tests.browser.looking import chart, row, rows, weak_texts

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("marimo")
    command = (
        *("marimo", "-q", "run", str(HERE / "marimo_app.py"), "--headless", "--no-token"),
        *("--host=127.0.0.1", "--port={port}"),
    )
    with servers.serving(command, folder, folder / "log") as address:
        yield address


@pytest.mark.parametrize("session", ["first", "second"])
def test_a_cell_follows_what_is_selected(browser: Browser, address: str, session: str) -> None:
    """In the second session the program's model belongs to the first: Python is asked for it."""
    page = browser.new_page(viewport={"width": 1000, "height": 800})
    page.goto(address)
    widget = page.locator(jupyter.WIDGET)
    widget.wait_for(timeout=60_000)
    assert rows(widget)[2:] == ["model", "0", "1", "2"]
    # Linear(16, 64) of 4 rows: 2·4·16·64 forward and as many for its weights; the gradient of its
    # bias is the sum of 4 rows of 64, 3·64 additions. ReLU: 4·64 both ways. Linear(64, 16): three
    # products and 3·16. The sum of 4·16 outputs: 63.
    first = 2 * 2 * 4 * 16 * 64 + 3 * 64
    whole = first + 2 * 4 * 64 + 3 * 2 * 4 * 64 * 16 + 3 * 16 + 63
    page.get_by_text(f"selected : {whole:,} FLOPs").wait_for()
    row(widget, "0").click()
    page.get_by_text(f"selected model.0: {first:,} FLOPs").wait_for()
    assert "svg" in chart(widget)
    # It stands in a shadow tree, which no style sheet of the page reaches.
    assert widget.evaluate("one => one.getRootNode() instanceof ShadowRoot")
    assert weak_texts(widget) == []
    page.close()
