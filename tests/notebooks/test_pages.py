"""Pages of tutorials hold their pictures and lead to each other."""

from __future__ import annotations

import base64
from typing import Any

from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.notebooks.pages import page, pictures

PNG = base64.b64encode(b"\x89PNG" + bytes(300)).decode()


def executed() -> Any:
    shown = new_output("display_data", {"image/png": PNG, "text/plain": "<Figure>"})
    report = new_output("display_data", {"text/html": "<div class='ipyflops'>8.24 GFLOPs</div>"})
    return new_notebook(
        cells=[
            new_markdown_cell(
                "[![badge](x.svg)](y)\n\n# Layers & FLOPs\n\n[03](03_convolutions.ipynb#a)"
            ),
            new_code_cell("draw();", outputs=[shown], execution_count=1),
            new_code_cell("%flops f()", outputs=[report], execution_count=2),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )


def test_a_page_has_the_pictures_and_the_reports() -> None:
    text = page(executed())
    assert pictures(text) == 1
    assert "8.24 GFLOPs" in text
    assert "<title>Layers &amp; FLOPs</title>" in text
    assert 'href="03_convolutions.html#a"' in text


def test_a_page_without_outputs_has_none() -> None:
    notebook = executed()
    for cell in notebook.cells[1:]:
        cell.outputs = []
    assert pictures(page(notebook)) == 0
