"""Margin losses by loops over classes that count."""

import pytest
import torch
import torch.nn.functional as F

from tests.formulas.counted import Number, choose, count, mean, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import costs, total

ops = torch.ops.aten
torch.manual_seed(0)
X = torch.randn(3, 5, dtype=torch.float64)
CLASSES = torch.tensor([2, 0, 4])
WEIGHT = torch.rand(5, dtype=torch.float64) + 0.5
LABELS = torch.tensor([[1, 3, -1, 0, 0], [0, -1, 0, 0, 0], [2, 4, 0, 1, -1]])
ZERO = Number(0)


def reduce(losses, reduction):
    if reduction == "none":
        return losses
    return mean(losses) if reduction == "mean" else add_up(losses)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weight", [WEIGHT, None])
@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_loss(p, weight, reduction):
    def loops():
        losses = []
        for row, t in zip(numbers(X), CLASSES.tolist(), strict=True):
            terms = []
            for j, x in enumerate(row):
                if j == t:
                    continue
                z = 1.0 - row[t] + x
                positive = z > 0
                term = z * z if p == 2 else z
                term = term * weight[t].item() if weight is not None else term
                terms.append(choose(positive, term, ZERO))
            losses.append(add_up(terms) / len(row))
        return reduce(losses, reduction)

    result, operations = count(loops)

    def loss():
        return F.multi_margin_loss(X, CLASSES, p=p, weight=weight, reduction=reduction)

    torch.testing.assert_close(loss(), values(result))
    assert total(loss) == operations


@pytest.mark.parametrize("weight", [WEIGHT, None])
@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_loss_backward(p, weight):
    g = torch.randn(3, dtype=torch.float64)
    k = 1 / 5

    def loops():
        result = []
        for row, t, slope in zip(numbers(X), CLASSES.tolist(), numbers(g), strict=True):
            gradients = [ZERO] * 5
            for j, x in enumerate(row):
                if j == t:
                    continue
                z = 1.0 - row[t] + x
                positive = z > 0
                h = z * 2 * k if p == 2 else Number(k)
                h = h * weight[t].item() if weight is not None else h
                gradients[j] = choose(positive, h, ZERO)
                gradients[t] = gradients[t] - gradients[j]
            result.append([h * slope for h in gradients])
        return result

    result, operations = count(loops)

    def backward():
        return ops.multi_margin_loss_backward(g, X, CLASSES, p, 1, weight, 0)

    torch.testing.assert_close(backward(), values(result))
    assert total(backward) == operations


def pairs(row, labels):
    """Each label with each class that is none."""
    chosen = labels[: labels.index(-1)]
    return [(t, j) for t in chosen for j in range(len(row)) if j not in chosen]


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_multilabel_margin_loss(reduction):
    def loops():
        losses = []
        for row, labels in zip(numbers(X), LABELS.tolist(), strict=True):
            terms = []
            for t, j in pairs(row, labels):
                z = 1 - row[t] + row[j]
                terms.append(choose(z > 0, z, ZERO))
            losses.append(add_up(terms) / len(row))
        return reduce(losses, reduction)

    result, operations = count(loops)

    def loss():
        return F.multilabel_margin_loss(X, LABELS, reduction=reduction)

    torch.testing.assert_close(loss(), values(result))
    assert total(loss) == operations


def test_multilabel_margin_loss_backward():
    g = torch.randn(3, dtype=torch.float64)
    _, is_target = ops.multilabel_margin_loss_forward(X, LABELS, 0)

    def loops():
        result = []
        for row, labels, slope in zip(numbers(X), LABELS.tolist(), numbers(g), strict=True):
            gradients = [ZERO] * 5
            for t, j in pairs(row, labels):
                z = 1 - row[t] + row[j]
                h = 0.2 * (z > 0)
                gradients[t] = gradients[t] - h
                gradients[j] = gradients[j] + h
            result.append([h * slope for h in gradients])
        return result

    result, operations = count(loops)

    def backward():
        return ops.multilabel_margin_loss_backward(g, X, LABELS, 0, is_target)

    torch.testing.assert_close(backward(), values(result))
    assert total(backward) == operations


def test_without_values_the_pairs_are_bounded():
    ((_, real),) = costs(lambda: ops.multilabel_margin_loss_forward(X, LABELS, 0))
    ((_, meta),) = costs(
        lambda: ops.multilabel_margin_loss_forward(X.to("meta"), LABELS.to("meta"), 0)
    )
    twice = torch.zeros(3, 5, dtype=torch.int64)
    ((_, most),) = costs(lambda: ops.multilabel_margin_loss_forward(X, twice, 0))
    assert real.other.value < most.other.value == meta.other.value
    assert meta.note


def test_one_sample_without_a_batch():
    assert 3 * total(lambda: F.multi_margin_loss(X[0], CLASSES[0], reduction="none")) == total(
        lambda: F.multi_margin_loss(X, CLASSES, reduction="none")
    )


def test_losses_composed_of_plain_operators():
    a, b = torch.randn(3, 5), torch.randn(3, 5)
    y = torch.tensor([1.0, -1.0, 1.0])

    def written_out():
        return torch.clamp_min(-y[:, None] * (a - b) + 0.5, 0).mean()

    def loss():
        return F.margin_ranking_loss(a, b, y[:, None], margin=0.5)

    torch.testing.assert_close(loss(), written_out())
    assert total(loss) == total(written_out)
