"""Losses and their derivatives written out in arithmetic that counts itself."""

import pytest
import torch
import torch.nn.functional as F

from tests.formulas.counted import choose, count, elementwise, f, mean, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import total

ops = torch.ops.aten
torch.manual_seed(0)
X = torch.randn(3, 4, dtype=torch.float64)
Y = torch.randn(3, 4, dtype=torch.float64)
P = torch.rand(3, 4, dtype=torch.float64) * 0.8 + 0.1
T = torch.rand(3, 4, dtype=torch.float64)
S = torch.randn(3, 4, dtype=torch.float64).sign()
W = torch.rand(3, 4, dtype=torch.float64) + 0.5
NONE, MEAN, SUM = 0, 1, 2
REDUCTIONS = {NONE: "none", MEAN: "mean", SUM: "sum"}


def smooth_l1(x, y, beta=1.0):
    z = abs(x - y)
    return choose(z < beta, 0.5 * z * z / beta, z - 0.5 * beta)


def huber(x, y, delta=0.7):
    z = abs(x - y)
    return choose(z <= delta, 0.5 * z * z, delta * (z - 0.5 * delta))


def binary_cross_entropy(x, y, w=None):
    loss = (y - 1) * f.max(f.log1p(-x), -100) - y * f.max(f.log(x), -100)
    return loss if w is None else loss * w


def log_sigmoid(x):
    return f.min(x, 0) - f.log1p(f.exp(-abs(x)))


def with_logits(x, y, w=None):
    loss = (1 - y) * x - log_sigmoid(x)
    return loss if w is None else loss * w


LOSSES = [
    (F.mse_loss, lambda x, y: (d := x - y) * d, (X, Y)),
    (F.l1_loss, lambda x, y: abs(x - y), (X, Y)),
    (F.smooth_l1_loss, smooth_l1, (X, Y)),
    (
        lambda x, y, reduction: F.smooth_l1_loss(x, y, beta=0.5, reduction=reduction),
        lambda x, y: smooth_l1(x, y, 0.5),
        (X, Y),
    ),
    (
        lambda x, y, reduction: F.smooth_l1_loss(x, y, beta=0.0, reduction=reduction),
        lambda x, y: abs(x - y),
        (X, Y),
    ),
    (
        lambda x, y, reduction: F.huber_loss(x, y, delta=0.7, reduction=reduction),
        huber,
        (X, Y),
    ),
    (F.soft_margin_loss, lambda x, y: f.log1p(f.exp(-y * x)), (X, S)),
    (F.binary_cross_entropy, binary_cross_entropy, (P, T)),
    (F.binary_cross_entropy_with_logits, with_logits, (X, T)),
]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize(("loss", "scalar", "inputs"), LOSSES)
def test_forward(loss, scalar, inputs, reduction):
    expected, operations = elementwise(scalar, *inputs)
    if reduction != "none":
        flat = numbers(expected.reshape(-1))
        result, more = count(lambda: mean(flat) if reduction == "mean" else add_up(flat))
        expected, operations = values(result), operations + more
    torch.testing.assert_close(loss(*inputs, reduction=reduction), expected)
    assert total(lambda: loss(*inputs, reduction=reduction)) == operations


@pytest.mark.parametrize(
    ("loss", "scalar", "x"),
    [
        (F.binary_cross_entropy, binary_cross_entropy, P),
        (F.binary_cross_entropy_with_logits, with_logits, X),
    ],
)
def test_weights_are_one_product_each(loss, scalar, x):
    expected, operations = elementwise(scalar, x, T, W)
    torch.testing.assert_close(loss(x, T, W, reduction="none"), expected)
    assert total(lambda: loss(x, T, W, reduction="none")) == operations


def test_weights_of_the_positive_class_scale_the_log_sigmoid():
    weight = torch.rand(4, dtype=torch.float64) + 1
    less_one, setup = elementwise(lambda p: p - 1, weight)

    def scalar(x, y, less):
        return (1 - y) * x - (less * y + 1) * log_sigmoid(x)

    expected, operations = elementwise(scalar, X, T, less_one)

    def loss():
        return F.binary_cross_entropy_with_logits(X, T, pos_weight=weight, reduction="none")

    torch.testing.assert_close(loss(), expected)
    assert total(loss) == setup + operations


def _gradients(k):
    """Gradients of one element by name, k being the factor of the reduction."""

    def smooth(g, x, y, beta=1.0):
        z = x - y
        below, above = z < -beta, z > beta
        outer = k * g
        inner, negative = outer * z / beta, -outer
        return choose(below, negative, choose(above, outer, inner))

    def huber(g, x, y, delta=0.7):
        z = x - y
        below, above = z < -delta, z > delta
        slope = k * g
        outer = slope * delta
        inner, negative = slope * z, -outer
        return choose(below, negative, choose(above, outer, inner))

    def soft_margin(g, x, y):
        z = f.exp(-y * x)
        return y * z * -k / (z + 1) * g

    return {
        "mse": lambda g, x, y: (x - y) * (2 * k) * g,
        "smooth": smooth,
        "huber": huber,
        "soft_margin": soft_margin,
    }


@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM])
@pytest.mark.parametrize(
    ("backward", "name", "y"),
    [
        (ops.mse_loss_backward, "mse", Y),
        (lambda g, x, y, r: ops.smooth_l1_loss_backward(g, x, y, r, 1.0), "smooth", Y),
        (lambda g, x, y, r: ops.huber_loss_backward(g, x, y, r, 0.7), "huber", Y),
        (ops.soft_margin_loss_backward, "soft_margin", S),
    ],
)
def test_backward(backward, name, y, reduction):
    g = torch.randn_like(X) if reduction == NONE else torch.tensor(0.7, dtype=torch.float64)
    k = 1 / X.numel() if reduction == MEAN else 1
    expected, operations = elementwise(_gradients(k)[name], g, X, y)
    torch.testing.assert_close(backward(g, X, y, reduction), expected)
    assert total(lambda: backward(g, X, y, reduction)) == operations


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM])
def test_binary_cross_entropy_backward(reduction, weighted):
    g = torch.randn_like(X) if reduction == NONE else torch.tensor(0.7, dtype=torch.float64)

    def scalar(g, x, y, w):
        result = g * (x - y) / f.max((1 - x) * x, 1e-12)
        result = result * w if weighted else result
        return result / 12 if reduction == MEAN else result

    expected, operations = elementwise(scalar, g, P, T, W)

    def backward():
        return ops.binary_cross_entropy_backward(g, P, T, W if weighted else None, reduction)

    torch.testing.assert_close(backward(), expected)
    assert total(backward) == operations


CLASSES = torch.tensor([2, 0, 3])
CLASS_WEIGHTS = torch.rand(4, dtype=torch.float64) + 0.5


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM])
def test_nll_loss(reduction, weighted):
    weight = CLASS_WEIGHTS if weighted else None

    def loops():
        rows, chosen = numbers(X), [weight[t].item() if weighted else 1 for t in CLASSES]
        each = [-row[t] for row, t in zip(rows, CLASSES, strict=True)]
        if weighted:
            each = [loss * w for loss, w in zip(each, chosen, strict=True)]
        if reduction == NONE:
            return each
        # The sum of the weights is made for both reductions.
        whole = add_up(numbers(torch.tensor(chosen))) if weighted else 3
        return add_up(each) / whole if reduction == MEAN else add_up(each)

    result, operations = count(loops)

    def loss():
        return F.nll_loss(X, CLASSES, weight, reduction=REDUCTIONS[reduction])

    torch.testing.assert_close(loss(), values(result))
    assert total(loss) == operations
    # The same pixels of an image.
    image = X.T.reshape(1, 4, 3, 1)

    def loss2d():
        return F.nll_loss(image, CLASSES.reshape(1, 3, 1), weight, reduction=REDUCTIONS[reduction])

    assert total(loss2d) == operations


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("reduction", [NONE, MEAN, SUM])
def test_nll_loss_backward_sets_one_gradient_for_each_sample(reduction, weighted):
    weight = CLASS_WEIGHTS if weighted else None
    g = torch.randn(3, dtype=torch.float64) if reduction == NONE else torch.tensor(0.7).double()
    whole = CLASS_WEIGHTS[CLASSES].sum() if weighted else torch.tensor(3.0).double()

    def scalar(g, w):
        result = -g
        result = result * w if weighted else result
        return result / whole.item() if reduction == MEAN else result

    expected, operations = elementwise(scalar, g, CLASS_WEIGHTS[CLASSES])

    def backward():
        return ops.nll_loss_backward(g, X, CLASSES, weight, reduction, -100, whole)

    torch.testing.assert_close(backward().gather(1, CLASSES[:, None])[:, 0], expected)
    assert total(backward) == operations


def test_losses_that_are_composed_cost_what_they_are_composed_of():
    def kl():
        return F.kl_div(X, T, reduction="sum")

    def written_out():
        return (torch.xlogy(T, T) - T * X).sum()

    torch.testing.assert_close(kl(), written_out())
    assert total(kl) == total(written_out)


def test_losses_of_nothing():
    empty = torch.zeros(0, 4)
    for loss in (F.mse_loss, F.smooth_l1_loss, F.huber_loss, F.binary_cross_entropy_with_logits):
        for reduction in ("none", "sum"):
            assert (
                total(
                    lambda loss=loss, reduction=reduction: loss(empty, empty, reduction=reduction)
                )
                == 0
            )


def test_meta_tensors_cost_the_same():
    for loss in (F.mse_loss, F.huber_loss, F.binary_cross_entropy_with_logits):
        assert total(lambda loss=loss: loss(X, T)) == total(
            lambda loss=loss: loss(X.to("meta"), T.to("meta"))
        )


def test_the_numbers_of_the_reductions_are_those_of_torch():
    for number, name in REDUCTIONS.items():
        assert torch.nn._reduction.get_enum(name) == number
