"""Dropout where it reaches the dispatcher whole, and where it is taken apart."""

import pytest
import torch
import torch.nn.functional as F

from ipyflops.costs.conventions import flops
from ipyflops.formulas import Call, lookup
from tests.formulas.dispatch import costs, total

ops = torch.ops.aten
X = torch.randn(3, 4)


@pytest.mark.parametrize("train", [True, None])
def test_in_training_the_mask_and_the_scale_multiply_each_element(train):
    ((name, cost),) = costs(lambda: ops.native_dropout(X, 0.5, train))
    assert name == "aten::native_dropout"
    # The mask is drawn, then x·mask·scale.
    assert flops(cost, "standard") == total(lambda: X * (X > 0).float() * 2.0) - X.numel()
    assert flops(cost, "article") == 0


def test_in_evaluation_nothing_is_computed():
    assert total(lambda: ops.native_dropout(X, 0.5, False)) == 0
    assert total(lambda: F.dropout(X, 0.5, training=False)) == 0


def test_backward_multiplies_the_gradient_by_both():
    _, mask = ops.native_dropout(X, 0.5, True)
    ((_, cost),) = costs(lambda: ops.native_dropout_backward(X, mask, 2.0))
    assert flops(cost, "standard") == 2 * X.numel()
    assert flops(cost, "article") == 0


def test_operators_that_other_devices_have():
    mask = torch.ones(3, 4, dtype=torch.uint8)
    for operator, arguments, out in (
        (ops._fused_dropout.default, (X, 0.5), (X, mask)),
        (ops._masked_scale.default, (X, mask, 2.0), X),
    ):
        call = Call(operator, arguments, {}, out)
        assert flops(lookup(operator)(call), "standard") == 2 * X.numel()


@pytest.mark.parametrize(
    "layer", [F.dropout, F.dropout1d, F.feature_alpha_dropout, F.alpha_dropout]
)
def test_layers_that_are_taken_apart_draw_for_free(layer):
    names = [name for name, _ in costs(lambda: layer(X, 0.5, training=True))]
    assert not any("bernoulli" in name for name in names)
    assert names
