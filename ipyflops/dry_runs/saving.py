"""Saving in a dry run: ``torch.save`` writes nothing, and the file keeps what it has.

Training loops save as they go. Fake tensors hold nothing to save, and PyTorch opens the file, which
empties it, before it finds that out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.dry_runs.replacement import Replacement
from ipyflops.torch_private import mode_stack


def _without_writing(save: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(save)
    def saved(*args: Any, **kwargs: Any) -> Any:
        modes = [mode for mode in mode_stack() if isinstance(mode, DryRunMode)]
        if not modes:  # another thread, that does no dry run
            return save(*args, **kwargs)
        for mode in modes:
            mode.skipped_saving = True
        return None

    return saved


#: The function by which programs save tensors.
SAVING = Replacement(torch, "save", _without_writing)
