"""Deep copies that the code of a dry run makes: ``copy.deepcopy(model)``, an average of weights.

A fake tensor refers to the run that it belongs to, and may keep a number. PyTorch would copy both,
as attributes of any subclass of a tensor. Here it is copied as the real tensor would be.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipyflops.dry_runs.conversion import is_of_dry_run
from ipyflops.dry_runs.replacement import Replacement


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


#: The method by which tensors are copied.
DEEP_COPIES = Replacement(torch.Tensor, "__deepcopy__", _as_real)
