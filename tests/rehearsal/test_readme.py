"""The README from top to bottom, each command and block, in a fresh clone and environment.

Commands of ``make`` are the exception. The two that it shows set up an environment for development
and take minutes; `.ci/run` calls both, in its own fresh clone, and a test holds it to that.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.documentation.readme_blocks import Block, blocks
from tests.rehearsal.environments import ROOT, Environment

#: What a notebook has before the README's cells: they count the reader's own model.
PREPARE = "import torch; model = torch.nn.Linear(4, 2); x = torch.ones(3, 4)"


def test_from_top_to_bottom(environment: Environment, clone: Path, tmp_path: Path) -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    done = []
    cells = [PREPARE]
    for block in blocks():
        if block.kind == "commands":
            for command in block.commands:
                if command.startswith("make "):
                    assert re.search(rf"^{command}$", ci, re.M), f"nobody runs {command}"
                else:
                    environment.run(["bash", "-euc", command], clone)
        elif block.kind == "cell":
            cells.append(block.text)
            _run_cells(environment, cells, tmp_path)
        elif block.kind == "script":
            script = tmp_path / "script.py"
            script.write_text(block.text, encoding="utf-8")
            assert "FLOPs" in environment.run([environment.python, str(script)], tmp_path)
        elif block.kind == "configuration":
            _run_configured(environment, block, tmp_path)
        done.append(block.kind)
    assert {"commands", "cell", "script", "configuration"} <= set(done)


def _run_cells(environment: Environment, cells: list[str], folder: Path) -> None:
    program = (
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell\n"
        "shell = TerminalInteractiveShell.instance()\n"
        f"for cell in {cells!r}:\n"
        "    shell.run_cell(cell, store_history=True).raise_error()\n"
    )
    environment.run([environment.python, "-c", program], folder)


def _run_configured(environment: Environment, block: Block, folder: Path) -> None:
    profile = folder / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_config.py").write_text(block.text, encoding="utf-8")
    cell = folder / "cell.ipy"
    cell.write_text("%%flops\nimport torch\ntorch.ones(2, 3) @ torch.ones(3)\n", encoding="utf-8")
    command = ["ipython", f"--ipython-dir={folder / 'ipython'}", str(cell)]
    assert "12 FLOPs" in environment.run(command, folder)
