"""What becomes of a report: the parts that need a process of their own."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """\
import random
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
shell.extension_manager.load_extension("ipyflops")
shell.run_cell("import torch; x = torch.ones(2, 3)")
shell.run_cell("%flops -q -v base x @ x.T")
for options in ("--view html", "--view text", "--view widget", "--view auto --against base"):
    before = random.getstate()
    shell.run_cell(f"%flops {options} x @ x.T").raise_error()
    print(options, "same" if random.getstate() == before else "other")
"""


def test_showing_a_report_takes_none_of_the_programs_random_numbers() -> None:
    # In a new process, because libraries may take one when they are imported, as rich does.
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=300, check=True
    )
    for options in ("html", "text", "widget", "auto --against base"):
        assert f"--view {options} same\n" in done.stdout
