"""Fused steps of optimizers, and the scaling of gradients in mixed precision.

A fused step is what `torch.optim` computes tensor by tensor, in one kernel. The operations on the
few numbers of a step (bias corrections, the step size) are not counted, as they are not when Python
computes them. A step that is skipped because a gradient is not finite is counted as if it had run:
only the device knows.
"""

from __future__ import annotations

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.registry import formula


def _step(call: Call, each: int) -> Cost:
    n = sum(parameter.numel() for parameter in call["self"])
    return Cost.of(other=f"{each}·n", note="n: elements of all parameters", n=n)


def _gradient(call: Call) -> int:
    """What is done to an element of the gradient first: unscaled, negated."""
    return int(call["grad_scale"] is not None) + bool(call["maximize"])


@formula("aten::_fused_adam", "aten::_fused_adamw")
def adam(call: Call) -> Cost:
    """Adam, for each element.

    =====================================  ====
    grad + weight_decay·param              2 (AdamW: param·(1 − lr·weight_decay), 1)
    m + (1 − β₁)·(grad − m)                3
    β₂·v + (1 − β₂)·grad·grad              4
    max(v, largest v so far)               1, with amsgrad
    √v / correction + ε                    3
    param − step·m/denominator             3
    =====================================  ====
    """
    each = _gradient(call) + 13 + bool(call["amsgrad"])
    if call["weight_decay"] != 0:
        each += 1 if "adamw" in call.operator else 2
    return _step(call, each)


@formula("aten::_fused_sgd")
def sgd(call: Call) -> Cost:
    """Stochastic gradient descent, for each element.

    =================================  ====
    grad + weight_decay·param          2
    μ·buffer + (1 − dampening)·grad    3, without dampening 2; the first time a copy
    grad + μ·buffer                    2, with nesterov
    param − lr·grad                    2
    =================================  ====
    """
    each = _gradient(call) + 2 + 2 * (call["weight_decay"] != 0)
    if call["momentum"] != 0:
        if not call["is_first_step"]:
            each += 2 + (call["dampening"] != 0)
        each += 2 * bool(call["nesterov"])
    return _step(call, each)


@formula("aten::_fused_adagrad")
def adagrad(call: Call) -> Cost:
    """Adagrad, for each element.

    =========================  ====
    grad + weight_decay·param  2
    sum + grad·grad            2
    √sum + ε                   2
    param − step·grad/root     3
    =========================  ====
    """
    return _step(call, _gradient(call) + 7 + 2 * (call["weight_decay"] != 0))


@formula("aten::_amp_foreach_non_finite_check_and_unscale")
def unscale_gradients(call: Call) -> Cost:
    """Every gradient is tested for being finite, and multiplied by the inverse scale."""
    n = sum(gradient.numel() for gradient in call["self"])
    return Cost.of(other="2·n", note="n: elements of all gradients", n=n)


@formula("aten::_amp_update_scale")
def update_scale(call: Call) -> Cost:
    """The scale is multiplied by the factor of growth or of backoff, and tested for being finite.

    Between two changes the steps are counted in integers only; which of these a call does is known
    to the device alone, so it is counted as a change.
    """
    return Cost.of(other="2", note="one change of one number")
