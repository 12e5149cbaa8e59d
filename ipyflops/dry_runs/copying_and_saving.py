"""What the code of a dry run copies and saves: ``copy.deepcopy(model)``, ``torch.save(…)``.

A fake tensor refers to the run that it belongs to, and may keep a number. PyTorch would copy both,
as attributes of any subclass of a tensor. Here it is copied as the real tensor would be.

Training loops save as they go. Fake tensors hold nothing to save, and PyTorch opens the file, which
empties it, before it finds that out. So nothing is written, and the file keeps what it has.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.conversion import is_of_dry_run
from ipyflops.dry_runs.mode import DryRunMode
from ipyflops.dry_runs.replacement import Replacement
from ipyflops.torch_private import mode_stack


def _as_real(own: Callable[..., Any]) -> Callable[..., Any]:
    def copied(tensor: Tensor, memo: dict[int, Any]) -> Any:
        if not is_of_dry_run(tensor) or not tensor.is_leaf:
            return own(tensor, memo)
        done = memo.get(id(tensor))
        if done is not None:
            return done
        if isinstance(tensor, torch.nn.Parameter):
            # A parameter's copy has neither its gradient nor its attributes.
            made: Tensor = torch.nn.Parameter(tensor.data.clone(), tensor.requires_grad)
            memo[id(tensor)] = made
            return made
        with torch.no_grad():
            made = tensor.clone()
        made.requires_grad_(tensor.requires_grad)
        memo[id(tensor)] = made
        if tensor.grad is not None:
            made.grad = copy.deepcopy(tensor.grad, memo)
        for name, value in vars(tensor).items():
            if name not in vars(made):
                setattr(made, name, copy.deepcopy(value, memo))
        return made

    return copied


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


#: The method by which tensors are copied.
DEEP_COPIES = Replacement(torch.Tensor, "__deepcopy__", _as_real)
#: The function by which programs save tensors.
SAVING = Replacement(torch, "save", _without_writing)
