"""What the README shows works as it stands; `tests/rehearsal` does it in a fresh environment."""

import re
import subprocess
import sys
from pathlib import Path

from tests.documentation.readme_blocks import README, of_kind

ROOT = Path(__file__).parents[2]


def test_the_script_runs_and_prints_what_is_quoted(tmp_path: Path) -> None:
    (script,) = of_kind("script")
    path = tmp_path / "script.py"
    path.write_text(script.text, encoding="utf-8")
    result = subprocess.run(
        [sys.executable, path], capture_output=True, text=True, encoding="utf-8", check=True,
        env={"PYTHONIOENCODING": "utf-8", "PATH": ""},
    )  # fmt: skip
    (quoted,) = re.findall(r"`(aten::addmm[^`]*)`", README)
    assert quoted in result.stdout
    assert result.stderr == ""


def test_the_notebook_cells_run(tmp_path: Path) -> None:
    load, cell = (block.text for block in of_kind("cell"))
    program = (
        "from IPython.terminal.interactiveshell import TerminalInteractiveShell\n"
        "shell = TerminalInteractiveShell.instance()\n"
        "prepare = 'import torch; model = torch.nn.Linear(4, 2); x = torch.ones(3, 4)'\n"
        f"for cell in (prepare, {load!r}, {cell!r}):\n"
        "    shell.run_cell(cell, store_history=True).raise_error()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8",
        env={"IPYTHONDIR": str(tmp_path), "PYTHONIOENCODING": "utf-8", "PATH": ""}, check=True,
    )  # fmt: skip
    # Forward: 2·4 for each of 6 outputs; backward the weight's gradient; sums over 3 and over 6.
    assert "model Linear" in result.stdout
    assert "[standard]" in result.stdout


def test_the_configuration_makes_load_ext_needless(tmp_path: Path) -> None:
    (configuration,) = of_kind("configuration")
    profile = tmp_path / "profile_default"
    profile.mkdir()
    (profile / "ipython_config.py").write_text(configuration.text, encoding="utf-8")
    cell = tmp_path / "cell.ipy"
    cell.write_text("%%flops\nimport torch\ntorch.ones(2, 3) @ torch.ones(3)\n", encoding="utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "IPython", f"--ipython-dir={tmp_path}", str(cell)],
        capture_output=True, text=True, encoding="utf-8", check=True,
        env={"PYTHONIOENCODING": "utf-8", "PATH": "", "HOME": str(tmp_path)},
    )  # fmt: skip
    assert "12 FLOPs" in result.stdout


def test_the_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`?make ([\w-]+)", README))
    assert named >= {"demo", "test", "lab"}
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
