"""`make pages`: every tutorial with its outputs as HTML, for readers who have no kernel.

python -m tests.notebooks.pages FOLDER [NAME ...]
"""

from __future__ import annotations

import html
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.notebooks.execution import execute
from tests.notebooks.tutorials import NAMES, path_of

_INDEX = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ipyflops: tutorials</title></head>
<body><h1>ipyflops: tutorials</h1><ol>
{items}
</ol></body></html>
"""


def title_of(notebook: Any) -> str:
    """The first heading."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    found = re.search(r"^# (.+)$", text, re.M)
    return found[1] if found else ""


def page(notebook: Any) -> str:
    """An executed notebook as HTML; links to other tutorials lead to their pages."""
    from nbconvert import HTMLExporter

    resources = {"metadata": {"name": title_of(notebook)}}
    body, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook, resources)
    return re.sub(r'href="(\d\d_\w+)\.ipynb(#[^"]*)?"', r'href="\1.html\2"', body)


def pictures(text: str) -> int:
    """How many images of outputs a page holds; those of reports are in their HTML."""
    return len(re.findall(r'<img[^>]+src="\s*data:image/png;base64,[^"]{100,}"', text))


def write(folder: Path, names: tuple[str, ...] = NAMES) -> int:
    """Run tutorials and write their pages; gives how many failed."""
    folder.mkdir(parents=True, exist_ok=True)
    failed, items = 0, []
    for name in names:
        with tempfile.TemporaryDirectory() as temporary:
            done = execute(path_of(name), Path(temporary) / "executed.ipynb")
        failed += bool(done.error)
        (folder / f"{name}.html").write_text(page(done.notebook), encoding="utf-8")
        items.append(f'<li><a href="{name}.html">{html.escape(title_of(done.notebook))}</a></li>')
        print(f"{name}: {done.error or 'done'}", flush=True)
    (folder / "index.html").write_text(_INDEX.format(items="\n".join(items)), encoding="utf-8")
    return failed


if __name__ == "__main__":
    target, *chosen = sys.argv[1:]
    sys.exit(1 if write(Path(target), tuple(chosen) or NAMES) else 0)
