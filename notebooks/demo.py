"""Two counted cells in a real IPython shell, as somebody types them: what ``make demo`` runs.

IPython gives a whole ``.ipy`` script to one cell, where ``%%flops`` can stand only once and only at
the very top. So the cells are listed here and handed to the shell one by one. The shell lives in a
throw-away folder: nobody's IPython configuration or history is read or written. The exit status is
1 if a cell fails, and the cells after it are not run.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable

from IPython.terminal.interactiveshell import TerminalInteractiveShell
from traitlets.config import Config

CELLS = (
    """\
%load_ext ipyflops
import torch
import torch.nn.functional as F
from models import TransformerLM, resnet50""",
    """\
resnet = resnet50().eval()
image = torch.randn(1, 3, 224, 224)
with torch.no_grad():
    scores = resnet(image)  # the first run also pays for set-up""",
    """\
%%flops
with torch.no_grad():
    scores = resnet(image)""",
    """\
model = TransformerLM()
optimizer = torch.optim.AdamW(model.parameters())
tokens = torch.randint(4096, (8, 129))
F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten()).backward()
optimizer.step()
optimizer.zero_grad()""",
    """\
%%flops
scores = model(tokens[:, :-1])
loss = F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten())
loss.backward()
optimizer.step()
optimizer.zero_grad()""",
)


def run(cells: Iterable[str]) -> int:
    """Run the cells in a fresh shell, each printed before its output.

    Parameters
    ----------
    cells : iterable of str
        The sources, magics and all.

    Returns
    -------
    int
        The exit status: 0 if every cell ran, 1 if one failed.
    """
    config = Config()
    config.HistoryManager.enabled = False
    with tempfile.TemporaryDirectory() as folder:
        shell = TerminalInteractiveShell.instance(config=config, ipython_dir=folder)
        for cell in cells:
            print(prompted(cell, shell.execution_count), flush=True)
            result = shell.run_cell(cell, store_history=True)
            print(flush=True)
            if not result.success:
                return 1
    return 0


def prompted(cell: str, number: int) -> str:
    """Return the source the way a terminal shows it, behind IPython's prompts."""
    first = f"In [{number}]: "
    continuation = "...: ".rjust(len(first))
    return first + cell.replace("\n", "\n" + continuation)


if __name__ == "__main__":
    sys.exit(run(CELLS))
