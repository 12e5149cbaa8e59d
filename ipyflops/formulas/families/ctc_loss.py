"""Connectionist temporal classification (Graves et al., 2006): the forward-backward recursion.

A target of L labels, with blanks between and around them, has 2·L + 1 states. alpha of a state at a
time step is the logarithm of a sum over up to three states before it:

    alpha = log(exp(a − m) + exp(b − m) + exp(c − m)) + m + log_prob, with m = max(a, b, c)

2 comparisons, 3 differences, 3 exponentials, 2 sums, a logarithm, 2 sums: 13. Kernels compute it
for every state of every step after the first, with −∞ for the states that do not exist.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from ipyflops.costs import ZERO_COST, Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.registry import formula
from ipyflops.formulas.special_tensors import has_values


def _lengths(value: Tensor | Sequence[int], longest: int, batch: int) -> list[int]:
    """The lengths of the samples; all are as long as the longest where they cannot be read."""
    if not isinstance(value, Tensor):
        return [int(length) for length in value]
    if has_values(value):
        return [int(length) for length in value.reshape(-1).tolist()]
    return [longest] * batch


_NOTE = "states: of all time steps of all samples; recursions: those after a sample's first step"
_FORWARD = "13·recursions + 9·samples"
_BACKWARD = "13·recursions + 9·states + 6·steps·C"


def _ctc(call: Call, expression: str) -> Cost:
    """Cost from the lengths of the samples, which are values where tensors hold them."""
    log_probs, targets = call["log_probs"], call["targets"]
    batch = log_probs.shape[1] if log_probs.dim() == 3 else 1
    if batch == 0:
        return ZERO_COST
    # Targets are padded (one row for each sample) or put one behind the other.
    longest = targets.shape[-1] if targets.dim() == 2 else targets.numel() // batch
    inputs = _lengths(call["input_lengths"], log_probs.shape[0], batch)
    states = [2 * length + 1 for length in _lengths(call["target_lengths"], longest, batch)]
    return Cost.of(
        other=expression,
        note=_NOTE,
        samples=len(inputs),
        steps=sum(inputs),
        states=sum(steps * count for steps, count in zip(inputs, states, strict=True)),
        recursions=sum(
            max(steps - 1, 0) * count for steps, count in zip(inputs, states, strict=True)
        ),
        C=log_probs.shape[-1],
    )


@formula("aten::_ctc_loss", by_value=True)
def ctc_loss(call: Call) -> Cost:
    """Alpha of all states, and at last the sum over the last two states of each sample.

    That sum is −(log(exp(a − m) + exp(b − m)) + m) with m = max(a, b): a comparison, 2 differences,
    2 exponentials, a sum, a logarithm, a sum, a sign: 9.
    """
    return _ctc(call, _FORWARD)


@formula("aten::_ctc_loss_backward", by_value=True)
def ctc_loss_backward(call: Call) -> Cost:
    """Beta of all states, as alpha but backwards in time, and the gradient from both.

    For each state alpha + beta (1) is added, in logarithms, to what its class has: log(exp(a − m) +
    exp(b − m)) + m, 8. For each class and time step (exp(lp) − exp(sum + loss − lp))·g: 6.
    """
    return _ctc(call, _BACKWARD)


@formula("aten::_cudnn_ctc_loss", "aten::miopen_ctc_loss", by_value=True)
def vendor_ctc_loss(call: Call) -> Cost:
    """The loss and its gradient in one: `ctc_loss` and `ctc_loss_backward`."""
    return _ctc(call, f"{_FORWARD} + {_BACKWARD}")
