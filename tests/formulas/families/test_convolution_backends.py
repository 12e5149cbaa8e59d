"""The convolutions of libraries, against the general ones and what is fused onto them.

The general ones are checked tap by tap in `test_convolutions`. Few of these run on a CPU, and a
formula wants no more than the shapes of the result.
"""

import pytest
import torch
from torch.nn import functional as F

from tests.formulas.plain import cost_of, formulas_of, plain

aten = torch.ops.aten
mkldnn = torch.ops.mkldnn

X, Z = torch.randn(2, 4, 6, 6), torch.randn(2, 6, 4, 4)
W, B = torch.randn(6, 4, 3, 3), torch.randn(6)
GROUPED = torch.randn(6, 2, 3, 3)
DEPTHWISE = torch.randn(8, 1, 3, 3)
X3, W3 = torch.randn(2, 4, 5, 5, 5), torch.randn(6, 4, 2, 2, 2)
WT = torch.randn(4, 6, 3, 3)
ONE, ZERO = [1, 1], [0, 0]
ONE3, ZERO3 = [1, 1, 1], [0, 0, 0]

FORWARD = {
    "mkldnn": (
        aten.mkldnn_convolution.default,
        (X, W, B, ZERO, ONE, ONE, 1),
        lambda: F.conv2d(X, W, B),
    ),
    "mkldnn grouped": (
        aten.mkldnn_convolution.default,
        (X, GROUPED, B, ZERO, ONE, ONE, 2),
        lambda: F.conv2d(X, GROUPED, B, groups=2),
    ),
    "mkldnn packed": (
        aten.mkldnn_convolution.default,
        (X, GROUPED.view(2, 3, 2, 3, 3), B, ZERO, ONE, ONE, 2),
        lambda: F.conv2d(X, GROUPED, B, groups=2),
    ),
    "cudnn": (
        aten.cudnn_convolution.default,
        (X, W, ZERO, ONE, ONE, 1, False, False, False),
        lambda: F.conv2d(X, W),
    ),
    "miopen": (
        aten.miopen_convolution.default,
        (X, W, B, ZERO, ONE, ONE, 1, False, False),
        lambda: F.conv2d(X, W, B),
    ),
    "miopen depthwise": (
        aten.miopen_depthwise_convolution.default,
        (X, DEPTHWISE, None, ZERO, ONE, ONE, 4, False, False),
        lambda: F.conv2d(X, DEPTHWISE, groups=4),
    ),
    "mps": (aten._mps_convolution.default, (X, W, B, ZERO, ONE, ONE, 1), lambda: F.conv2d(X, W, B)),
    "nnpack": (
        aten._nnpack_spatial_convolution.default,
        (X, W, B, ZERO),
        lambda: F.conv2d(X, W, B),
    ),
    "slow 2d": (
        aten._slow_conv2d_forward.default,
        (X, W, [3, 3], B, ONE, ZERO),
        lambda: F.conv2d(X, W, B),
    ),
    "slow 3d": (
        aten.slow_conv3d_forward.default,
        (X3, W3, [2, 2, 2], None, ONE3, ZERO3),
        lambda: F.conv3d(X3, W3),
    ),
    "dilated 2d": (
        aten.slow_conv_dilated2d.default,
        (X, W, [3, 3], B, ONE, ZERO, [2, 2]),
        lambda: F.conv2d(X, W, B, dilation=2),
    ),
    "dilated 3d without a batch": (
        aten.slow_conv_dilated3d.default,
        (X3[0], W3, [2, 2, 2], None, ONE3, ZERO3, ONE3),
        lambda: F.conv3d(X3[0], W3),
    ),
    "depthwise 2d": (
        aten._conv_depthwise2d.default,
        (X, DEPTHWISE, [3, 3], None, ONE, ZERO, ONE),
        lambda: F.conv2d(X, DEPTHWISE, groups=4),
    ),
    "depthwise 3d": (
        aten.conv_depthwise3d.default,
        (X3, torch.randn(4, 1, 2, 2, 2), [2, 2, 2], None, ONE3, ZERO3, ONE3),
        lambda: F.conv3d(X3, torch.ones(4, 1, 2, 2, 2), groups=4),
    ),
    "cudnn transposed": (
        aten.cudnn_convolution_transpose.default,
        (X, WT, ZERO, ZERO, ONE, ONE, 1, False, False, False),
        lambda: F.conv_transpose2d(X, WT),
    ),
    "miopen transposed": (
        aten.miopen_convolution_transpose.default,
        (X, GROUPED[:4], B[:4], ZERO, ZERO, ONE, ONE, 2, False, False),
        lambda: F.conv_transpose2d(X, GROUPED[:4], B[:4], groups=2),
    ),
    "mps transposed": (
        aten._mps_convolution_transpose.default,
        (X, WT, ZERO, ZERO, ONE, ONE, 1),
        lambda: F.conv_transpose2d(X, WT),
    ),
    "slow transposed 2d": (
        aten.slow_conv_transpose2d.default,
        (X, WT, [3, 3], B),
        lambda: F.conv_transpose2d(X, WT, B),
    ),
    "slow transposed 3d": (
        aten.slow_conv_transpose3d.default,
        (X3, torch.randn(4, 6, 2, 2, 2), [2, 2, 2], None),
        lambda: F.conv_transpose3d(X3, torch.ones(4, 6, 2, 2, 2)),
    ),
}


@pytest.mark.parametrize("name", FORWARD)
def test_a_backend_costs_what_the_convolution_costs(name):
    func, arguments, general = FORWARD[name]
    expected = formulas_of(general).of("aten::convolution")
    cost = cost_of(func, *arguments, out=general())
    assert cost.contraction.value == expected.contraction.value > 0
    assert cost.other.value == 0
    assert cost.article.value == expected.article.value


FUSED = {
    "cudnn relu": (
        aten.cudnn_convolution_relu.default,
        (X, W, B, ONE, ZERO, ONE, 1),
        lambda y: torch.relu(y),
    ),
    "miopen sum": (
        aten.miopen_convolution_add_relu.default,
        (X, W, Z, 1.0, B, ONE, ZERO, ONE, 1),
        lambda y: torch.relu(y + Z),
    ),
    "cudnn scaled sum": (
        aten.cudnn_convolution_add_relu.default,
        (X, W, Z, 0.5, B, ONE, ZERO, ONE, 1),
        lambda y: torch.relu(y + Z * 0.5),
    ),
    "mkldnn tanh": (
        mkldnn._convolution_pointwise.default,
        (X, W, B, ZERO, ONE, ONE, 1, "tanh", [], ""),
        lambda y: torch.tanh(y),
    ),
    "mkldnn sum": (
        mkldnn._convolution_pointwise.binary,
        (X, Z, W, B, ZERO, ONE, ONE, 1, "add", 1.0, "relu", [], ""),
        lambda y: torch.relu(y + Z),
    ),
    "mkldnn sum in place": (
        mkldnn._convolution_pointwise_.binary,
        (Z.clone(), X, W, B, ZERO, ONE, ONE, 1, "add", None, None, [], None),
        lambda y: y + Z,
    ),
}


@pytest.mark.parametrize("name", FUSED)
def test_what_is_fused_on_costs_as_much_as_behind_it(name):
    func, arguments, behind = FUSED[name]
    convolved = F.conv2d(X, W, B)
    expected = plain(lambda: behind(convolved))
    cost = cost_of(func, *arguments, out=behind(convolved))
    assert cost.other.value == expected.other > 0
    assert cost.contraction.value == formulas_of(lambda: F.conv2d(X, W, B)).contraction
    # The article names the convolution, not what these are.
    assert cost.article is None


def test_a_fused_transposed_convolution():
    convolved = F.conv_transpose2d(X, WT, B)
    arguments = (X, WT, B, ZERO, ZERO, ONE, ONE, 1, "sigmoid", [], "")
    cost = cost_of(mkldnn._convolution_transpose_pointwise.default, *arguments, out=convolved)
    assert cost.other.value == plain(lambda: torch.sigmoid(convolved)).other
    general = formulas_of(lambda: F.conv_transpose2d(X, WT, B))
    assert cost.contraction.value == general.contraction


@pytest.mark.parametrize("mask", [(True, True, True), (False, True, False)])
def test_gradients_by_backends(mask):
    grad = torch.randn(2, 6, 4, 4)
    general = cost_of(
        aten.convolution_backward.default, grad, X, W, [6], ONE, ZERO, ONE, False, ZERO, 1, mask
    )
    out = (X, W, B)
    slow = (grad, X, W, [3, 3], ONE, ZERO, mask)
    mps = (X, grad, W, ZERO, ONE, ONE, 1, mask)
    for func, arguments in (
        (aten._slow_conv2d_backward.output_mask, slow),
        (aten.mps_convolution_backward.default, mps),
    ):
        cost = cost_of(func, *arguments, out=out)
        assert cost.contraction.value == general.contraction.value
        assert cost.other.value == general.other.value


def test_gradients_of_transposed_convolutions_by_backends():
    grad = torch.randn(2, 6, 8, 8)
    general = cost_of(
        aten.convolution_backward.default,
        *(grad, X, WT, None, ONE, ZERO, ONE, True, ZERO, 1, (True, True, False)),
    )
    cost = cost_of(
        aten.mps_convolution_transpose_backward.default,
        *(X, grad, WT, ZERO, ZERO, ONE, ONE, 1, (True, True)),
        out=(X, WT),
    )
    assert cost.contraction.value == general.contraction.value
    assert cost.other.value == 0


def test_a_packed_convolution():
    packed = torch.ops.mkldnn_prepacked.conv2d_prepack(
        GROUPED, B, ONE, ZERO, ONE, 2, [2, 4, 6, 6], "none"
    )
    general = formulas_of(lambda: F.conv2d(X, GROUPED, B, groups=2))
    cost = cost_of(torch.ops.mkldnn_prepacked.conv2d_run.default, X, packed)
    assert cost.contraction.value == general.contraction
