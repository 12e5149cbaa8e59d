"""Loading in a dry run: a `torch.utils.data.DataLoader` gives the samples in the order they have.

A loader reads two values: a seed, and which samples are in a batch. Any seed does. In which order
the samples come makes no difference to a count, unless their sizes differ, so they come in order.
Workers are other processes, which a dry run does not reach.
"""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

from torch.utils.data import DataLoader

from ipyflops.cells import PYTORCH_FOLDER, is_the_users
from ipyflops.dry_runs.errors import DryRunError
from ipyflops.torch_private import FakeTensor

_FOLDER = os.path.join(PYTORCH_FOLDER, "utils", "data", "")
#: What reads values to choose samples, and none of the user's.
_FILES = tuple(os.path.join(_FOLDER, one) for one in ("sampler.py", "dataloader.py", "dataset.py"))


def number_of_a_loader(tensor: Any) -> int | None:
    """Return a number in the place of the one that a data loader reads; None if none does.

    A list of indices is read one by one, each from a view: where that begins is its place.

    Raises
    ------
    DryRunError
        If the loader has workers.
    """
    if not isinstance(tensor, FakeTensor) or tensor.is_floating_point():
        return None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not is_the_users(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith(_FILES):
            loader = frame.f_locals.get("loader")
            if isinstance(loader, DataLoader) and loader.num_workers:
                raise DryRunError(
                    "a DataLoader with workers loads in other processes, which a dry run does not "
                    "reach. Give it num_workers=0"
                )
            return int(tensor.storage_offset())
        frame = frame.f_back
    return None
