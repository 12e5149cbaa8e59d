"""The chunked linear cross entropy against the operators that its Python body calls."""

import pytest
import torch
import torch.nn.functional as F

try:
    from torch.nn.modules import linear_cross_entropy as body
except ImportError:  # pragma: no cover
    pytest.skip("this torch has no linear_cross_entropy", allow_module_level=True)

from ipyflops.formulas import Call, lookup
from tests.formulas.dispatch import costs, integer_ops, total

N, V, IN = 7, 6, 5


TARGETS = ["indices"]
if hasattr(body, "_corrected_target"):
    TARGETS.append("probabilities")  # not in chunks by PyTorch 2.13


def arguments(dtype=torch.float32, *, bias=True, weight=True, targets="indices"):
    torch.manual_seed(0)
    return (
        torch.randn(N, IN, dtype=dtype),
        torch.randn(V, IN, dtype=dtype),
        torch.randint(0, V, (N,)) if targets == "indices" else torch.rand(N, V, dtype=dtype),
        torch.randn(V, dtype=dtype) if bias else None,
        torch.rand(V, dtype=dtype) if weight else None,
    )


def both(operator, given, run_body):
    """The formula's cost, and what the operators of the body cost."""
    out = operator(*given)
    call = Call(operator._opoverload, given, {}, out)
    cost = lookup(call.func)(call)
    return (
        (cost.contraction.value, cost.other.value, cost.integer.value),
        (
            total(run_body, "contractions"),
            total(run_body) - total(run_body, "contractions"),
            integer_ops(run_body),
        ),
    )


@pytest.mark.parametrize("policy", ["precise", "compact", "balanced"])
@pytest.mark.parametrize("gradients", [(True, True, True), (False, True, False), (False,) * 3])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"weight": False}])
@pytest.mark.parametrize("chunk", [3, 7])
@pytest.mark.parametrize("targets", TARGETS)
def test_loss_and_gradients(options, reduction, gradients, policy, chunk, targets):
    tensors = arguments(**options, targets=targets)
    of_bias = gradients[2] and tensors[3] is not None
    asked = (*gradients[:2], of_bias)
    common = (reduction, -100, 0.0, chunk, policy, torch.float32)
    formula, operators = both(
        body._linear_cross_entropy_batch_chunked,
        (*tensors, *common, False, *asked),
        lambda: body._linear_cross_entropy_batch_chunked_accumulator(*tensors, *common, *asked),
    )
    assert formula == operators


@pytest.mark.parametrize("policy", ["precise", "compact", "balanced"])
@pytest.mark.parametrize("targets", TARGETS)
def test_half_precision_is_accumulated_in_single(policy, targets):
    for dtype in (torch.bfloat16, torch.float16):
        tensors = arguments(dtype, targets=targets)
        common = ("mean", -100, 0.0, 3, policy, torch.float32)
        formula, operators = both(
            body._linear_cross_entropy_batch_chunked,
            (*tensors, *common, False, True, True, True),
            lambda tensors=tensors, common=common: (
                body._linear_cross_entropy_batch_chunked_accumulator(
                    *tensors, *common, True, True, True
                )
            ),
        )
        assert formula == operators


@pytest.mark.parametrize("options", [{}, {"bias": False}, {"weight": False}])
@pytest.mark.parametrize("targets", TARGETS)
def test_losses_without_a_reduction(options, targets):
    tensors = arguments(**options, targets=targets)
    common = (-100, 3, "precise", torch.float32)
    formula, operators = both(
        body._linear_cross_entropy_batch_chunked_no_reduction,
        (*tensors, *common),
        lambda: body._linear_cross_entropy_batch_chunked_accumulator(
            *tensors, "none", -100, 0.0, *common[1:], False, False, False
        ),
    )
    assert formula == operators


@pytest.mark.parametrize("ignored", [-100, 0, V - 1, V])
def test_a_target_to_ignore_may_be_a_class(ignored):
    tensors = arguments()
    common = ("mean", ignored, 0.0, 3, "precise", torch.float32)
    formula, operators = both(
        body._linear_cross_entropy_batch_chunked,
        (*tensors, *common, False, True, True, True),
        lambda: body._linear_cross_entropy_batch_chunked_accumulator(
            *tensors, *common, *[True] * 3
        ),
    )
    assert formula == operators


def test_the_function_reaches_the_dispatcher_as_one_operator():
    tensors = arguments(bias=False, weight=False)
    names = [
        name
        for name, _ in costs(
            lambda: F.linear_cross_entropy(
                *tensors[:3], options=torch.nn.LinearCrossEntropyOptions(batch_chunk_size=3)
            )
        )
    ]
    assert any(name.startswith("torch_nn::_linear_cross_entropy") for name in names)
