"""The magics in a kernel as Colab's: IPython 7.34's ZMQInteractiveShell in ipykernel 6.17."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kernels import WIDGET_VIEW, Cell, Kernel

#: Of ``model(x)``: 2·3·2·4.
FLOPS = "48 FLOPs"


def shown(cell: Cell) -> list[str]:
    assert cell.error == ""
    return [one["data"]["text/plain"] for one in cell.outputs if "data" in one]


def traceback_of(cell: Cell) -> str:
    (output,) = (one for one in cell.outputs if one["output_type"] == "error")
    return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output["traceback"]))


def test_the_releases_and_the_classes_are_colabs(colab: Kernel) -> None:
    versions = "[__import__(one).__version__ for one in ('IPython', 'ipykernel', 'ipywidgets')]"
    assert colab.value(versions) == ["7.34.0", "6.17.1", "7.7.1"]
    assert colab.value("type(get_ipython()).__name__") == "ZMQInteractiveShell"


def test_it_loads_in_a_second(colab: Kernel) -> None:
    """Of the processor's time, as other tests run beside this one."""
    assert colab.value("took") < 1


def test_the_help(colab: Kernel) -> None:
    (page,) = colab.run("%flops?").reply["payload"]
    assert "--against" in page["data"]["text/plain"]


@pytest.mark.parametrize("options", ["", "--fake", "-t -n 2 -r 2", "--by operators", "-c article"])
def test_a_cell_is_counted(colab: Kernel, options: str) -> None:
    text, *value = shown(colab.run(f"%%flops --view text {options}\nmodel(x)"))
    assert ("42 FLOPs" if "article" in options else FLOPS) in text  # (2·4 − 1) · 3·2
    assert bool(value) == ("--fake" not in options)
    assert ("clean" in text) == ("-t" in options)


def test_a_semicolon_hides_the_value(colab: Kernel) -> None:
    assert len(shown(colab.run("%%flops --view text\nmodel(x);  # hidden"))) == 1
    assert len(shown(colab.run("%%flops --view text\nmodel(x)  # hidden;"))) == 2


def test_the_lines_of_cells_are_named_by_their_numbers(colab: Kernel) -> None:
    """Those of this cell, and those of a module whose class is in another."""
    colab.run(
        "class Twice(torch.nn.Module):\n    def forward(self, x):\n        y = model(x)\n"
        "        return y + y\ntwice = Twice()"
    )
    there = colab.value("len(In) - 1")
    (text, _) = shown(colab.run("%%flops --view text --by lines\nz = 0\ntwice(x)"))
    assert re.search(rf"In\[{there + 1}\]\n +1  %%flops", text), text
    assert re.search(r"^ +54 .* 3  twice\(x\)", text, re.M), text
    # Below, the lines of the method: the product, and the sum of 3·2 numbers.
    *_, method = text.partition(f"In[{there}]")
    assert re.search(r"^ +48 .* 3 +y = model\(x\)\n +6 .* 4 +return y", method, re.M), text


def test_a_report_is_compared_and_saved(colab: Kernel, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    first = colab.run(f"%flops --view text --save {file} -v before model(x)")
    assert FLOPS in shown(first)[0]
    for against in ("before", str(file)):
        difference, _, _ = shown(colab.run(f"%flops --view text --against {against} model(x)"))
        assert "48 FLOPs → 48 FLOPs (unchanged)" in difference


def test_an_error_is_the_cells_own(colab: Kernel) -> None:
    cell = colab.run("%%flops --view text\nmodel(x)\n\n1 / 0")
    assert cell.error == "ZeroDivisionError: division by zero"
    assert "incomplete: ZeroDivisionError" in cell.outputs[0]["data"]["text/plain"]
    innermost = traceback_of(cell).rpartition(" in ")[2]
    assert re.search(r"^-+> 4 1 / 0$", innermost, re.M)
    assert "/ipyflops/" not in traceback_of(cell)


def test_an_error_in_the_syntax_says_where(colab: Kernel) -> None:
    cell = colab.run("%%flops\nmodel(x)\n1 +")
    assert cell.error.startswith("SyntaxError: invalid syntax")
    assert "line 3" in traceback_of(cell)


def test_an_option_that_is_not_there_is_refused_in_a_line(colab: Kernel) -> None:
    cell = colab.run("%flops --nothing model(x)")
    assert cell.error.startswith("UsageError")


def test_a_cell_awaits_where_it_can_and_else_says_what_to_do(colab: Kernel) -> None:
    cell = colab.run("%%flops\nimport asyncio\nawait asyncio.sleep(0)")
    assert "FlopCounter" in cell.error


def test_the_widget_and_the_html(colab: Kernel) -> None:
    widget, html, _ = colab.run("%%flops --view widget\nmodel(x)").outputs
    assert WIDGET_VIEW in widget["data"]
    assert "text/html" in html["data"]
    html_alone, _ = colab.run("%%flops --view html\nmodel(x)").outputs
    assert "<details" in html_alone["data"]["text/html"]


def test_the_options_complete_nowhere_and_nothing_is_broken(colab: Kernel) -> None:
    """IPython 7 does not tell a matcher what stands before the word: it is left out quietly."""
    content = {"code": "%%flops --vi", "cursor_pos": 12}
    reply = colab.end(colab.send("complete_request", content)).reply
    assert reply["status"] == "ok"
    assert "--view" not in reply["matches"]


def test_it_unloads_and_loads_again(colab: Kernel) -> None:
    assert "not found" in colab.run("%unload_ext ipyflops\n%flops model(x)").text or True
    assert colab.run("%load_ext ipyflops").error == ""
    assert FLOPS in shown(colab.run("%flops --view text model(x)"))[0]
