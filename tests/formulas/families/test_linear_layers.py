"""Linear layers that arrive whole, against what they are made of."""

import pytest
import torch
from torch.nn import functional as F

from tests.formulas.plain import EACH, cost_of, formulas_of, plain, torch_flops

aten = torch.ops.aten


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("shape", [(5,), (1, 5), (7, 5), (2, 3, 5), (2, 3, 4, 5), (0, 5)])
def test_a_linear_layer_costs_the_same_whole_and_taken_apart(shape, bias):
    x, w = torch.randn(*shape), torch.randn(4, 5)
    b = torch.randn(4) if bias else None
    apart = plain(lambda: F.linear(x, w, b))
    with torch.inference_mode():
        whole = formulas_of(lambda: F.linear(x, w, b))
        assert whole.contraction == torch_flops(lambda: F.linear(x, w, b))
    assert whole.operators == ["aten::linear"]
    assert whole.contraction == apart.contraction
    assert whole.other == 0
    # The article: 2·in − 1 for each output, the bias left out.
    assert whole.article == 9 * F.linear(x, w).numel()


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
def test_a_nested_linear_layer_and_its_gradients():
    w, b = torch.randn(4, 5, requires_grad=True), torch.randn(4, requires_grad=True)
    parts = [torch.randn(3, 5, requires_grad=True), torch.randn(2, 5, requires_grad=True)]
    nested = torch.nested.as_nested_tensor(parts)
    forward = formulas_of(lambda: F.linear(nested, w, b))
    apart = [plain(lambda part=part: F.linear(part, w, b)) for part in parts]
    assert forward.operators == ["aten::linear"]
    assert forward.contraction == sum(count.contraction for count in apart)

    result = F.linear(nested, w, b)
    seed = torch.nested.nested_tensor([torch.ones(3, 4), torch.ones(2, 4)])
    backward = formulas_of(lambda: result.backward(seed)).of("aten::linear_backward")
    # All rows in one plain tensor: the same arithmetic.
    rows = torch.randn(5, 5, requires_grad=True)
    plain_result = F.linear(rows, w, b)
    leaves = (rows, w, b)
    seed = torch.ones(5, 4)
    expected = plain(lambda: torch.autograd.grad(plain_result, leaves, seed))
    assert backward.contraction.value == expected.contraction
    assert backward.other.value == expected.other


@pytest.mark.parametrize(
    "mask", [(True, True, True), (True, False, False), (False, True, False), (False, False, True)]
)
def test_only_the_gradients_asked_for_count(mask):
    x, w, grad = torch.randn(7, 5), torch.randn(4, 5), torch.randn(7, 4)
    cost = cost_of(aten.linear_backward.default, x, grad, w, list(mask), out=(x, w, grad[0]))
    expected = plain(
        lambda: (
            mask[0] and grad @ w,
            mask[1] and grad.T @ x,
            mask[2] and grad.sum(0),
        )
    )
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


ACTIVATIONS = {
    "none": lambda x: x,
    "relu": torch.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "swish": F.silu,
    "hardswish": F.hardswish,
    "hardtanh": F.hardtanh,
    "leaky_relu": F.leaky_relu,
    "gelu": F.gelu,
    "gelu tanh": lambda x: F.gelu(x, approximate="tanh"),
}
SCALARS = {"hardtanh": [-1.0, 1.0], "leaky_relu": [0.01]}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_a_fused_activation_costs_as_much_as_by_itself(name):
    x, w, b = torch.randn(3, 16), torch.randn(8, 16), torch.randn(8)
    attr, _, algorithm = name.partition(" ")
    fused = torch.ops.mkldnn._linear_pointwise
    arguments = (x, w, b, attr, SCALARS.get(name, []), algorithm or "none")
    unfused = ACTIVATIONS[name](F.linear(x, w, b))
    torch.testing.assert_close(fused(*arguments), unfused)
    cost = cost_of(fused.default, *arguments)
    linear = F.linear(x, w, b)
    # The formula of the activation itself is the oracle here: the two must not drift apart.
    alone = formulas_of(lambda: ACTIVATIONS[name](linear))
    assert cost.other.value == alone.other
    assert cost.contraction.value == torch_flops(lambda: F.linear(x, w, b))


def test_a_fused_sum_costs_a_sum():
    x, w, other = torch.randn(3, 16), torch.randn(8, 16), torch.randn(3, 8)
    fused = torch.ops.mkldnn._linear_pointwise.binary
    cost = cost_of(fused, x, other, w, None, "add")
    assert cost.other.value == EACH[aten.add] * other.numel()


def test_backends_agree_with_the_layer():
    x, w, b = torch.randn(3, 16), torch.randn(8, 16), torch.randn(8)
    with torch.inference_mode():
        expected = formulas_of(lambda: F.linear(x, w, b)).of("aten::linear")
    mkldnn = cost_of(aten.mkldnn_linear.default, x.to_mkldnn(), w.to_mkldnn(), b.to_mkldnn())
    assert mkldnn.contraction.value == expected.contraction.value
    packed = torch.empty(1)
    result = F.linear(x, w, b)
    mkl = cost_of(torch.ops.mkl._mkl_linear.default, x, packed, w, b, 3, out=result)
    assert mkl.contraction.value == expected.contraction.value
    grad = torch.randn(3, 8)
    backward = (
        cost_of(aten.mkldnn_linear_backward_input.default, [3, 16], grad, w, out=x),
        cost_of(aten.mkldnn_linear_backward_weights.default, grad, x, w, True, out=(w, b)),
    )
    values = [cost.contraction.value for cost in backward]
    assert values == [expected.contraction.value] * 2
    assert [cost.other.value for cost in backward] == [0, plain(lambda: grad.sum(0)).other]


def test_two_products_in_one():
    a, b, c, d = torch.randn(3, 5), torch.randn(5, 4), torch.randn(3, 6), torch.randn(6, 4)
    cost = cost_of(torch.ops.inductor._mm_plus_mm.default, a, b, c, d, torch.empty(3, 4), out=a @ b)
    assert cost.contraction.value == torch_flops(lambda: (a @ b, c @ d))


@pytest.mark.filterwarnings("ignore:Sparse CSR:UserWarning")
def test_sparse_weights_cost_their_values():
    x, w = torch.randn(3, 5), torch.zeros(4, 5)
    w[0, 1] = w[2, 2] = w[3, 0] = 1.0
    sparse = w.to_sparse_csr()
    with torch.inference_mode():
        cost = formulas_of(lambda: F.linear(x, sparse))
    assert cost.contraction == 2 * 3 * 3


def test_gradients_of_a_complex_layer_by_hand():
    # 7 rows, 5 features to 4: 140 multiply-accumulates of 8 FLOPs for the input's gradient, and as
    # many for the weight's. The bias' gradient is 7 rows of 4 added up: 6·4 complex sums of 2.
    x, w, grad = (torch.zeros(*shape, dtype=torch.complex64) for shape in ((7, 5), (4, 5), (7, 4)))
    cost = cost_of(aten.linear_backward.default, x, grad, w, [True] * 3, out=(x, w, grad[0]))
    assert cost.contraction.value == 2 * 8 * 140
    assert cost.other.value == 2 * 6 * 4
