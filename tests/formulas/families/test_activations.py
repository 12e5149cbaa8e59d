"""Activations and their derivatives written out in arithmetic that counts itself."""

import math

import pytest
import torch
import torch.nn.functional as F

from ipyflops.formulas import Call, lookup
from ipyflops.formulas.families.activation_costs import fused
from tests.formulas.counted import Number, choose, elementwise, f
from tests.formulas.dispatch import costs, total

X = torch.tensor([[-4.0, -1.2, -0.3], [0.2, 0.9, 4.5]], dtype=torch.float64)
G = torch.tensor([[0.7, -0.2, 1.1], [0.4, -0.9, 0.3]], dtype=torch.float64)
ZERO = Number(0)
K = math.sqrt(2 / math.pi)


def relu6(x):
    return f.min(f.max(x, 0), 6)


def softplus(x, beta=1.0, threshold=20):
    scaled = x * beta if beta != 1 else x
    above = scaled > threshold
    smooth = f.log1p(f.exp(scaled))
    return choose(above, x, smooth / beta if beta != 1 else smooth)


def softplus_backward(g, x, beta=1.0, threshold=20):
    scaled = x * beta if beta != 1 else x
    above = scaled > threshold
    z = f.exp(scaled)
    return choose(above, g, g * z / (z + 1))


def elu(x, alpha=1.0, scale=1.0, input_scale=1.0):
    positive = x > 0
    up = x * scale if scale != 1 else x
    down = f.expm1(x * input_scale if input_scale != 1 else x)
    return choose(positive, up, down * (alpha * scale) if alpha * scale != 1 else down)


def elu_backward(g, x, alpha=1.0, scale=1.0, input_scale=1.0, *, is_result=False):
    negative = x <= 0
    up = g * scale if scale != 1 else g
    down = g * input_scale if input_scale != 1 else g
    if is_result:
        return choose(negative, down * (x + alpha * scale), up)
    if alpha * scale != 1:
        down = down * (alpha * scale)
    return choose(negative, down * f.exp(x * input_scale if input_scale != 1 else x), up)


def gelu_tanh(x):
    inner = K * (x + 0.044715 * (x * x * x))
    return 0.5 * x * (1 + f.tanh(inner))


def gelu_tanh_backward(g, x):
    square = x * x
    t = f.tanh(K * (x + 0.044715 * (square * x)))
    slope = K * (1 + 3 * 0.044715 * square)
    return g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * slope)


def gelu_backward(g, x):
    cdf = 0.5 * (1 + f.erf(x * math.sqrt(0.5)))
    pdf = f.exp(-0.5 * (x * x)) * (1 / math.sqrt(2 * math.pi))
    return g * (cdf + x * pdf)


def silu_backward(g, x):
    s = f.sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


def mish_backward(g, x):
    t, s = f.tanh(softplus(x)), f.sigmoid(x)
    return g * (t + x * (s * (1 - t * t)))


def log_sigmoid(x):
    return f.min(x, 0) - f.log1p(f.exp(-abs(x)))


def log_sigmoid_backward(g, x, z=None):
    """With z = exp(−|x|) given, as the forward keeps it on CPU, or made again."""
    z = f.exp(-abs(x)) if z is None else z
    negative = x < 0
    sign = 1.0 if negative else -1.0
    return g * ((1.0 if negative else 0.0) - sign * (z / (1 + z)))


def between(x, low, high):
    """Both comparisons are made, whatever the first one says."""
    return bool((x > low) & (x < high))


def hardswish_backward(g, x):
    low, high = x < -3, x > 3
    middle = g * (x / 3 + 0.5)
    return choose(low, ZERO, choose(high, g, middle))


FORWARD = [
    (F.relu, lambda x: f.max(x, 0)),
    (F.relu6, relu6),
    (lambda x: F.threshold(x, 0.5, 9.0), lambda x: choose(x > 0.5, x, Number(9))),
    (F.hardtanh, lambda x: f.min(f.max(x, -1), 1)),
    (F.hardswish, lambda x: x * relu6(x + 3) / 6),
    (F.hardsigmoid, lambda x: relu6(x + 3) / 6),
    (lambda x: F.leaky_relu(x, 0.1), lambda x: choose(x > 0, x, x * 0.1)),
    (
        lambda x: F.prelu(x, torch.tensor([0.3], dtype=torch.float64)),
        lambda x: choose(x > 0, x, x * 0.3),
    ),
    (F.elu, elu),
    (lambda x: F.elu(x, 0.7), lambda x: elu(x, 0.7)),
    (
        F.selu,
        lambda x: elu(x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946),
    ),
    (F.celu, elu),
    (lambda x: F.celu(x, 0.5), lambda x: elu(x, 0.5, 1.0, 2.0)),
    (F.gelu, lambda x: 0.5 * x * (1 + f.erf(x * math.sqrt(0.5)))),
    (lambda x: F.gelu(x, approximate="tanh"), gelu_tanh),
    (F.silu, lambda x: x * f.sigmoid(x)),
    (F.mish, lambda x: x * f.tanh(softplus(x))),
    (F.softplus, softplus),
    (lambda x: F.softplus(x, 2.0), lambda x: softplus(x, 2.0)),
    (F.logsigmoid, log_sigmoid),
    (F.hardshrink, lambda x: choose(between(x, -0.5, 0.5), ZERO, x)),
    (
        F.softshrink,
        lambda x: choose((x > 0.5) | (x < -0.5), x - math.copysign(0.5, x.value), ZERO),
    ),
    (F.tanhshrink, lambda x: x - f.tanh(x)),
    (F.softsign, lambda x: x / (abs(x) + 1)),
    (lambda x: F.rrelu(x, 0.2, 0.2), lambda x: choose(x > 0, x, x * 0.2)),
    (torch.sigmoid, f.sigmoid),
    (torch.tanh, f.tanh),
]
ops = torch.ops.aten
BACKWARD = [
    (
        lambda g, x: ops.threshold_backward(g, x, 0.5),
        lambda g, x: choose(x > 0.5, g, ZERO),
    ),
    (
        lambda g, x: ops.hardtanh_backward(g, x, -1, 1),
        lambda g, x: choose(between(x, -1, 1), g, ZERO),
    ),
    (ops.hardsigmoid_backward, lambda g, x: choose(between(x, -3, 3), g * (1 / 6), ZERO)),
    (ops.hardswish_backward, hardswish_backward),
    (
        lambda g, x: ops.leaky_relu_backward(g, x, 0.1, False),
        lambda g, x: choose(x > 0, g, g * 0.1),
    ),
    (
        lambda g, x: ops.elu_backward(g, 1.0, 1.0, 1.0, False, x),
        elu_backward,
    ),
    (
        lambda g, x: ops.elu_backward(g, 0.5, 1.3, 2.0, False, x),
        lambda g, x: elu_backward(g, x, 0.5, 1.3, 2.0),
    ),
    (
        lambda g, x: ops.elu_backward(g, 1.0, 1.3, 1.0, True, x),
        lambda g, x: elu_backward(g, x, 1.0, 1.3, is_result=True),
    ),
    (lambda g, x: ops.gelu_backward(g, x), gelu_backward),
    (lambda g, x: ops.gelu_backward(g, x, approximate="tanh"), gelu_tanh_backward),
    (ops.silu_backward, silu_backward),
    (ops.mish_backward, mish_backward),
    (lambda g, x: ops.softplus_backward(g, x, 1, 20), softplus_backward),
    (
        lambda g, x: ops.softplus_backward(g, x, 2, 20),
        lambda g, x: softplus_backward(g, x, 2.0),
    ),
    (
        lambda g, x: ops.hardshrink_backward(g, x, 0.5),
        lambda g, x: choose(between(x, -0.5, 0.5), ZERO, g),
    ),
    (
        lambda g, x: ops.softshrink_backward(g, x, 0.5),
        lambda g, x: choose(between(x, -0.5, 0.5), ZERO, g),
    ),
    (ops.sigmoid_backward, lambda g, y: g * (1 - y) * y),
    (ops.tanh_backward, lambda g, y: g * (1 - y * y)),
]


@pytest.mark.parametrize(("operator", "scalar"), FORWARD)
def test_forward(operator, scalar):
    expected, operations = elementwise(scalar, X)
    torch.testing.assert_close(operator(X), expected)
    assert total(lambda: operator(X)) == operations


@pytest.mark.parametrize(("operator", "scalar"), BACKWARD)
def test_backward(operator, scalar):
    inputs = (G, X)
    expected, operations = elementwise(scalar, *inputs)
    torch.testing.assert_close(operator(*inputs), expected)
    assert total(lambda: operator(*inputs)) == operations


def test_complex_silu():
    x = torch.complex(X, G)
    assert total(lambda: F.silu(x)) == total(lambda: x * torch.sigmoid(x))


def test_rrelu_in_training_scales_with_its_noise():
    x = X.clone().requires_grad_()
    noise = torch.ones_like(X)
    assert total(lambda: ops.rrelu_with_noise(X, noise, 0.1, 0.3, True)) == 2 * 6
    assert total(lambda: ops.rrelu_with_noise_backward(G, X, noise, 0.1, 0.3, True, False)) == 6
    assert total(lambda: ops.rrelu_with_noise_backward(G, X, noise, 0.2, 0.2, True, False)) == 12
    assert total(lambda: F.rrelu(x, 0.1, 0.3, training=True).sum().backward()) == 12 + 5 + 6


def test_prelu_backward_makes_both_gradients():
    w = torch.full((), 0.3, dtype=torch.float64)

    def both(g, x):
        positive = x > 0
        return choose(positive, g, g * 0.3), choose(positive, ZERO, x * g)

    result = ops._prelu_kernel_backward(G, X, w)
    for position in (0, 1):
        expected, operations = elementwise(lambda g, x, i=position: both(g, x)[i], G, X)
        torch.testing.assert_close(result[position], expected)
    assert total(lambda: ops._prelu_kernel_backward(G, X, w)) == operations


@pytest.mark.parametrize("on_cpu", [True, False])
def test_log_sigmoid_backward_uses_what_the_forward_kept(on_cpu):
    z = torch.exp(-X.abs()) if on_cpu else X.new_empty(0)

    def scalar(g, x, *kept):
        return log_sigmoid_backward(g, x, *kept)

    kept = (z,) if on_cpu else ()
    expected, operations = elementwise(scalar, G, X, *kept)
    out = ops.log_sigmoid_backward(G, X, torch.exp(-X.abs()))
    torch.testing.assert_close(out, expected)
    # Devices that keep nothing give an empty buffer; the CPU kernel cannot run with one.
    call = Call(ops.log_sigmoid_backward.default, (G, X, z), {}, out)
    assert lookup(call.func)(call).other.value == operations


def test_glu_and_its_backward():
    a, b = X, X.flip(0)
    x = torch.cat([a, b], dim=1)
    expected, operations = elementwise(lambda a, b: a * f.sigmoid(b), a, b)
    torch.testing.assert_close(F.glu(x, 1), expected)
    assert total(lambda: F.glu(x, 1)) == operations

    def backward(g, a, b):
        s = f.sigmoid(b)
        of_a = g * s
        return [of_a, of_a * a * (1 - s)]

    _, operations = elementwise(lambda *values: backward(*values)[0], G, a, b)
    of_b, _ = elementwise(lambda *values: backward(*values)[1], G, a, b)
    torch.testing.assert_close(ops.glu_backward(G, x, 1)[:, 3:], of_b)
    assert total(lambda: ops.glu_backward(G, x, 1)) == operations


def test_derivatives_of_glu():
    a, b, da, db, dg = (torch.randn(2, 3, dtype=torch.float64) for _ in range(5))
    x, dx = torch.cat([a, b], 1), torch.cat([da, db], 1)

    def jvp(a, b, da, db):
        # The sigmoid is made, the value of glu is given.
        glu = Number(a.value / (1 + math.exp(-b.value)))
        s = f.sigmoid(b)
        return da * s + glu * (db - s * db)

    expected, operations = elementwise(jvp, a, b, da, db)
    glu = F.glu(x, 1)
    torch.testing.assert_close(ops.glu_jvp(glu, x, dx, 1), expected)
    assert total(lambda: ops.glu_jvp(glu, x, dx, 1)) == operations

    def backward_jvp(g, a, b, da, db, dg):
        sigma = 1 / (1 + math.exp(-b.value))
        of_a = Number(g.value * sigma)
        of_b = Number(of_a.value * a.value * (1 - sigma))
        s = f.sigmoid(b)
        t = s * db
        first = dg * s + of_a * (db - t)
        return [first, (first * a + of_a * da) * (1 - s) - of_b * t]

    arguments = (G, a, b, da, db, dg)
    _, operations = elementwise(lambda *v: backward_jvp(*v)[0], *arguments)
    halves = [elementwise(lambda *v, i=i: backward_jvp(*v)[i], *arguments)[0] for i in (0, 1)]
    grad = ops.glu_backward(G, x, 1)
    result = ops.glu_backward_jvp(grad, G, x, dg, dx, 1)
    torch.testing.assert_close(result, torch.cat(halves, 1))
    assert total(lambda: ops.glu_backward_jvp(grad, G, x, dg, dx, 1)) == operations


@pytest.mark.parametrize("eps", [None, 0.3])
def test_logit_backward(eps):
    x = torch.tensor([0.2, 0.5, 0.9], dtype=torch.float64)
    g = torch.ones(3, dtype=torch.float64)
    low, high = (0.0, 1.0) if eps is None else (eps, 1 - eps)

    def scalar(g, x):
        inside = (x >= low) & (x <= high)
        slope = g / (x * (1 - x))
        return choose(bool(inside), slope, ZERO)

    expected, operations = elementwise(scalar, g, x)
    torch.testing.assert_close(ops.logit_backward(g, x, eps), expected)
    assert total(lambda: ops.logit_backward(g, x, eps)) == operations


@pytest.mark.parametrize("name", ["silu_backward", "mish_backward"])
def test_kernels_and_decompositions_agree(name):
    """On CPU one kernel, on other devices what the operator is composed of."""
    real = total(lambda: getattr(ops, name)(G, X))
    meta = total(lambda: getattr(ops, name)(G.to("meta"), X.to("meta")))
    assert real == meta


def test_fused_prices_are_those_of_the_activations_themselves():
    for name, operator in (
        ("relu", F.relu),
        ("sigmoid", torch.sigmoid),
        ("tanh", torch.tanh),
        ("silu", F.silu),
        ("gelu", F.gelu),
        ("hardswish", F.hardswish),
        ("hardtanh", F.hardtanh),
        ("leaky_relu", F.leaky_relu),
        ("hardsigmoid", F.hardsigmoid),
    ):
        assert total(lambda operator=operator: operator(X)) == 6 * fused(name)
    assert total(lambda: F.gelu(X, approximate="tanh")) == 6 * fused("gelu", "tanh")


def test_the_article_prices_relu():
    ((_, cost),) = costs(lambda: F.relu(X))
    assert cost.article is not None
    assert cost.article.value == 6
