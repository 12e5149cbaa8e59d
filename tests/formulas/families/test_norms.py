"""Normalization layers computed by loops that count: same values, same operations."""

import pytest
import torch
import torch.nn.functional as F

from ipyflops.costs.conventions import flops
from ipyflops.formulas import Call, lookup
from ipyflops.formulas.families.norms import RUNNING_STATISTICS
from tests.formulas.counted import count, f, mean, numbers, values
from tests.formulas.counted import total as add_up
from tests.formulas.dispatch import costs, total

ops = torch.ops.aten
EPS = 0.01
torch.manual_seed(0)
X = torch.randn(3, 4, 5, dtype=torch.float64)
WEIGHT = torch.randn(4, dtype=torch.float64)
BIAS = torch.randn(4, dtype=torch.float64)


def rows_of(tensor):
    """Channels first, everything else in one row."""
    return tensor.transpose(0, 1).reshape(tensor.shape[1], -1)


def statistics(row):
    """Mean and 1/√(variance + eps)."""
    average = mean(row)
    differences = [x - average for x in row]
    variance = mean([d * d for d in differences])
    return average, 1, f.rsqrt(variance + EPS), variance


def normalize(row, average, invstd, weight, bias):
    result = []
    for x in row:
        y = (x - average) * invstd
        y = y * weight if weight is not None else y
        result.append(y + bias if bias is not None else y)
    return result


@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, False)])
@pytest.mark.parametrize("running", [True, False])
def test_batch_norm_in_training(affine, running):
    weight = WEIGHT if affine[0] else None
    bias = BIAS if affine[1] else None
    averages = torch.zeros(4, dtype=torch.float64) if running else None
    variances = torch.ones(4, dtype=torch.float64) if running else None
    momentum = 0.1

    def loops():
        rows, new = [], []
        for channel, row in enumerate(numbers(rows_of(X))):
            average, _, invstd, variance = statistics(row)
            w = weight[channel].item() if weight is not None else None
            b = bias[channel].item() if bias is not None else None
            rows.append(normalize(row, average, invstd, w, b))
            if running:
                unbiased = variance * (len(row) / (len(row) - 1))
                old_average, old_variance = numbers(averages[channel]), numbers(variances[channel])
                new.append(
                    [
                        (1 - momentum) * old_average + momentum * average,
                        (1 - momentum) * old_variance + momentum * unbiased,
                    ]
                )
        return rows, new

    (rows, new), operations = count(loops)

    def layer():
        copies = [None if s is None else s.clone() for s in (averages, variances)]
        return ops.native_batch_norm(X, weight, bias, *copies, True, momentum, EPS), copies

    (result, *_), copies = layer()
    torch.testing.assert_close(rows_of(result), values(rows))
    if running:
        torch.testing.assert_close(torch.stack(copies, 1), values(new))
    assert total(layer) == operations


@pytest.mark.parametrize(("affine", "each"), [((WEIGHT, BIAS), 4), ((None, None), 2)])
def test_batch_norm_in_evaluation_is_the_formula_for_each_element(affine, each):
    m, v = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    for layer in (
        lambda: F.batch_norm(X, m, v, *affine),
        lambda: ops._native_batch_norm_legit_no_training(X, *affine, m, v, 0.1, EPS),
        lambda: ops._batch_norm_no_update(X, *affine, m, v, 0.1, EPS),
    ):
        ((_, cost),) = costs(layer)
        assert flops(cost, "standard") == each * X.numel()
        assert flops(cost, "article") == 0


def test_the_article_counts_batch_norm_in_training_only():
    ((_, cost),) = costs(lambda: F.batch_norm(X, None, None, training=True))
    assert flops(cost, "article") == 4 * X.numel()


def test_all_forms_of_batch_norm_agree():
    m, v = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    expected = total(lambda: ops.native_batch_norm(X, WEIGHT, BIAS, m, v, True, 0.1, EPS))
    for layer in (
        lambda: ops._native_batch_norm_legit(X, WEIGHT, BIAS, m, v, True, 0.1, EPS),
        lambda: ops._native_batch_norm_legit_functional(X, WEIGHT, BIAS, m, v, True, 0.1, EPS),
        lambda: ops._batch_norm_with_update(X, WEIGHT, BIAS, m, v, 0.1, EPS),
        lambda: ops._batch_norm_with_update_functional(X, WEIGHT, BIAS, m, v, 0.1, EPS),
    ):
        assert total(layer) == expected
    without = total(lambda: ops._native_batch_norm_legit(X, WEIGHT, BIAS, True, 0.1, EPS))
    assert expected - without == RUNNING_STATISTICS * 4


def test_instance_norm_is_a_batch_norm_of_every_sample_and_channel():
    as_batch = X.reshape(1, 12, 5)
    expected = total(lambda: F.batch_norm(as_batch, None, None, training=True))
    assert total(lambda: F.instance_norm(X)) == expected


@pytest.mark.parametrize("affine", [(True, True), (True, False), (False, False)])
def test_layer_norm(affine):
    x = X.reshape(6, 10)
    weight = torch.randn(10, dtype=torch.float64) if affine[0] else None
    bias = torch.randn(10, dtype=torch.float64) if affine[1] else None

    def loops():
        result = []
        for row in numbers(x):
            average, _, invstd, _ = statistics(row)
            normal = normalize(row, average, invstd, None, None)
            if weight is not None:
                normal = [y * w.item() for y, w in zip(normal, weight, strict=True)]
            if bias is not None:
                normal = [y + b.item() for y, b in zip(normal, bias, strict=True)]
            result.append(normal)
        return result

    rows, operations = count(loops)
    layer = lambda: F.layer_norm(x, (10,), weight, bias, EPS)  # noqa: E731
    torch.testing.assert_close(layer(), values(rows))
    # The loop takes x − mean twice; the layer needs it once for each use as well.
    assert total(layer) == operations


def test_group_norm():
    def loops():
        result = []
        for sample in numbers(X):
            for group in range(2):
                parts = sample[2 * group : 2 * group + 2]
                average, _, invstd, _ = statistics([x for part in parts for x in part])
                for channel, part in enumerate(parts, 2 * group):
                    w, b = WEIGHT[channel].item(), BIAS[channel].item()
                    result.append(normalize(part, average, invstd, w, b))
        return result

    rows, operations = count(loops)
    layer = lambda: F.group_norm(X, 2, WEIGHT, BIAS, EPS)  # noqa: E731
    torch.testing.assert_close(layer(), values(rows).reshape(X.shape))
    assert total(layer) == operations


@pytest.mark.parametrize("weighted", [True, False])
def test_rms_norm(weighted):
    x = X.reshape(6, 10)
    weight = torch.randn(10, dtype=torch.float64) if weighted else None

    def loops():
        result = []
        for row in numbers(x):
            invstd = f.rsqrt(mean([a * a for a in row]) + EPS)
            normal = [a * invstd for a in row]
            if weight is not None:
                normal = [a * w.item() for a, w in zip(normal, weight, strict=True)]
            result.append(normal)
        return result

    rows, operations = count(loops)
    layer = lambda: F.rms_norm(x, (10,), weight, EPS)  # noqa: E731
    torch.testing.assert_close(layer(), values(rows))
    assert total(layer) == operations
    # On a GPU it is one operator; on CPU it is taken apart. Both say the same.
    fused = Call(
        ops._fused_rms_norm.default, (x, [10], weight, EPS), {}, (layer(), x.new_empty(6, 1))
    )
    assert lookup(fused.func)(fused).other.value == operations


def batch_norm_gradients(x, g, weight, *, training, mean_, invstd_):
    """dx, dweight and dbias of one channel, in the operations of the derivative."""
    differences = [a - mean_ for a in x]
    of_bias = add_up(g)
    dot = add_up([a * b for a, b in zip(g, differences, strict=True)])
    of_weight = dot * invstd_
    if training:
        k = dot * (invstd_ * invstd_) / len(x)
        average = of_bias / len(x)
        scale = invstd_ * weight if weight is not None else invstd_
        of_x = [(a - d * k - average) * scale for a, d in zip(g, differences, strict=True)]
    else:
        scale = invstd_ * weight if weight is not None else invstd_
        of_x = [a * scale for a in g]
    return of_x, of_weight, of_bias


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_backward(training, weighted):
    torch.manual_seed(1)
    gradient = torch.randn_like(X)
    weight = WEIGHT if weighted else None
    rows, gradients = rows_of(X), rows_of(gradient)
    saved_mean = rows.mean(1)
    saved_invstd = (rows.var(1, correction=0) + EPS).rsqrt()
    running = (saved_mean, rows.var(1, correction=0))

    def loops():
        result = []
        for c in range(4):
            invstd = numbers(saved_invstd[c]) if training else f.rsqrt(numbers(running[1][c]) + EPS)
            result.append(
                batch_norm_gradients(
                    numbers(rows[c]),
                    numbers(gradients[c]),
                    weight[c].item() if weight is not None else None,
                    training=training,
                    mean_=saved_mean[c].item(),
                    invstd_=invstd,
                )
            )
        return result

    result, operations = count(loops)

    def backward(mask=(True, True, True)):
        return ops.native_batch_norm_backward(
            gradient, X, weight, *running, saved_mean, saved_invstd, training, EPS, mask
        )

    of_x, of_weight, of_bias = backward()
    torch.testing.assert_close(rows_of(of_x), values([r[0] for r in result]))
    if weighted:
        torch.testing.assert_close(of_weight, values([r[1] for r in result]))
        torch.testing.assert_close(of_bias, values([r[2] for r in result]))
    assert total(backward) == operations


def test_only_the_gradients_that_are_asked_for_are_counted():
    gradient = torch.randn_like(X)
    stats = (torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64))
    n, c = X.numel(), 4

    def cost(training, *mask):
        return total(
            lambda: ops.native_batch_norm_backward(
                gradient, X, WEIGHT, *stats, *stats, training, EPS, mask
            )
        )

    assert cost(True, False, False, False) == 0
    assert cost(True, False, False, True) == n - c
    assert cost(True, False, True, False) == 3 * n - c + c
    assert cost(True, True, True, True) == cost(True, True, True, False)
    # dy·(invstd·weight), and invstd from the running variance.
    assert cost(False, True, False, False) == n + 3 * c


def test_vendor_and_unified_backward_agree_with_the_native_one():
    gradient = torch.randn_like(X)
    stats = (torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64))
    mask, reserve = [True, True, True], torch.empty(0)
    native = total(
        lambda: ops.native_batch_norm_backward(gradient, X, WEIGHT, *stats, *stats, True, EPS, mask)
    )
    out = (X, WEIGHT, BIAS)
    calls = [
        Call(
            ops.cudnn_batch_norm_backward.default,
            (X, gradient, WEIGHT, *stats, *stats, EPS, reserve),
            {},
            out,
        ),
        Call(
            ops.miopen_batch_norm_backward.default,
            (X, gradient, WEIGHT, *stats, *stats, EPS),
            {},
            out,
        ),
        Call(
            ops.batch_norm_backward.default,
            (gradient, X, WEIGHT, *stats, *stats, True, EPS, mask, reserve),
            {},
            out,
        ),
    ]
    assert [lookup(call.func)(call).other.value for call in calls] == [native] * 3


def test_vendor_batch_norm_agrees_with_the_native_one():
    stats = (torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64))
    for training in (True, False):
        native = total(lambda training=training: F.batch_norm(X, *stats, WEIGHT, BIAS, training))
        for operator in (ops.cudnn_batch_norm.default, ops.miopen_batch_norm.default):
            call = Call(operator, (X, WEIGHT, BIAS, *stats, training, 0.1, EPS), {}, (X,))
            assert lookup(operator)(call).other.value == native


def rows_backward(x, g, weight, *, average, invstd, centred=True):
    """dx of one row, and its share of dweight, in the operations of the derivative."""
    normal = [(a - average) * invstd if centred else a * invstd for a in x]
    shares = [a * b for a, b in zip(g, normal, strict=True)]
    scaled = g if weight is None else [a * w.item() for a, w in zip(g, weight, strict=True)]
    k = mean([a * b for a, b in zip(scaled, normal, strict=True)])
    if centred:
        shift = mean(scaled)
        of_x = [(a - shift - b * k) * invstd for a, b in zip(scaled, normal, strict=True)]
    else:
        of_x = [(a - b * k) * invstd for a, b in zip(scaled, normal, strict=True)]
    return of_x, shares


@pytest.mark.parametrize("weighted", [True, False])
def test_layer_norm_backward(weighted):
    x, g = X.reshape(6, 10), torch.randn(6, 10, dtype=torch.float64)
    weight = torch.randn(10, dtype=torch.float64) if weighted else None
    average = x.mean(1, keepdim=True)
    invstd = (x.var(1, correction=0, keepdim=True) + EPS).rsqrt()

    def loops():
        rows = [
            rows_backward(
                numbers(x[i]),
                numbers(g[i]),
                weight,
                average=average[i].item(),
                invstd=invstd[i].item(),
            )
            for i in range(6)
        ]
        of_x = [row[0] for row in rows]
        if not weighted:
            return of_x, None, None
        of_weight = [add_up([row[1][j] for row in rows]) for j in range(10)]
        of_bias = [add_up([numbers(g[i, j]) for i in range(6)]) for j in range(10)]
        return of_x, of_weight, of_bias

    (of_x, of_weight, of_bias), operations = count(loops)
    mask = [True, weighted, weighted]

    def backward():
        return ops.native_layer_norm_backward(g, x, [10], average, invstd, weight, weight, mask)

    result = backward()
    torch.testing.assert_close(result[0], values(of_x))
    if weighted:
        torch.testing.assert_close(result[1], values(of_weight))
        torch.testing.assert_close(result[2], values(of_bias))
    # Without a weight the loop made shares of a gradient that nobody asked for.
    assert total(backward) == operations - (0 if weighted else x.numel())


def test_group_norm_backward_is_that_of_its_rows():
    g = torch.randn_like(X)
    mask = [True, True, True]
    average = torch.zeros(3, 2, dtype=torch.float64)
    invstd = torch.ones(3, 2, dtype=torch.float64)
    # As a layer norm of rows with a weight of as many elements as a row.
    n, row = X.numel(), 10
    as_layer = total(
        lambda: ops.native_layer_norm_backward(
            g.reshape(6, 10),
            X.reshape(6, 10),
            [row],
            average.reshape(6, 1),
            invstd.reshape(6, 1),
            torch.ones(10, dtype=torch.float64),
            torch.ones(10, dtype=torch.float64),
            mask,
        )
    )
    as_group = total(
        lambda: ops.native_group_norm_backward(g, X, average, invstd, WEIGHT, 3, 4, 5, 2, mask)
    )
    # The sums of the weight's and the bias's gradients end in 4 numbers each and not in 10.
    assert as_group - as_layer == 2 * (10 - 4)
    assert as_group > 9 * n


@pytest.mark.parametrize("weighted", [True, False])
def test_fused_rms_norm_backward(weighted):
    x, g = X.reshape(6, 10), torch.randn(6, 10, dtype=torch.float64)
    weight = torch.randn(10, dtype=torch.float64) if weighted else None
    invstd = (x.square().mean(1, keepdim=True) + EPS).rsqrt()

    def loops():
        rows = [
            rows_backward(
                numbers(x[i]),
                numbers(g[i]),
                weight,
                average=0.0,
                invstd=invstd[i].item(),
                centred=False,
            )
            for i in range(6)
        ]
        of_weight = [add_up([row[1][j] for row in rows]) for j in range(10)]
        return [row[0] for row in rows], of_weight

    (of_x, of_weight), operations = count(loops)
    leaf = x.clone().requires_grad_()
    scale = torch.ones(10, dtype=torch.float64) if weight is None else weight.clone()
    scale.requires_grad_()
    F.rms_norm(leaf, (10,), scale, EPS).backward(g)
    torch.testing.assert_close(leaf.grad, values(of_x))
    torch.testing.assert_close(scale.grad, values(of_weight))
    call = Call(
        ops._fused_rms_norm_backward.default,
        (g, x, [10], invstd, weight, [True, True]),
        {},
        (leaf.grad, scale.grad),
    )
    assert lookup(call.func)(call).other.value == operations


def test_the_pieces_of_a_synchronized_batch_norm():
    """They run on GPUs only; on one worker they come to what the whole layer does."""
    n, c = X.numel(), 4
    stats = (torch.zeros(c, dtype=torch.float64), torch.ones(c, dtype=torch.float64))

    def cost(operator, *arguments, out=(X, X)):
        call = Call(operator, arguments, {}, out)
        return lookup(operator)(call).other.value

    whole = total(lambda: F.batch_norm(X, None, None, WEIGHT, BIAS, training=True))
    pieces = cost(ops.batch_norm_stats.default, X, EPS) + cost(
        ops.batch_norm_elemt.default, X, WEIGHT, BIAS, *stats, EPS, out=X
    )
    assert pieces == whole

    updated = cost(ops.batch_norm_update_stats.default, X, *stats, 0.1)
    assert updated == 4 * n + RUNNING_STATISTICS * c

    gradient = torch.randn_like(X)
    reduce = cost(
        ops.batch_norm_backward_reduce.default, gradient, X, *stats, WEIGHT, True, True, True
    )
    elementwise = cost(
        ops.batch_norm_backward_elemt.default, gradient, X, *stats, WEIGHT, *stats, stats[0]
    )
    backward = total(
        lambda: ops.native_batch_norm_backward(
            gradient, X, WEIGHT, None, None, *stats, True, EPS, [True, True, True]
        )
    )
    # x − mean is made in both pieces.
    assert reduce + elementwise == backward + n


def test_statistics_of_workers_are_merged_one_after_the_other():
    workers, c, eps = 3, 2, 0.01
    means = torch.randn(workers, c, dtype=torch.float64)
    invstds = torch.rand(workers, c, dtype=torch.float64) + 0.5
    counts = [4.0, 7.0, 5.0]

    def loops():
        result = []
        for channel in range(c):
            average, squares, seen = numbers(torch.zeros(())), numbers(torch.zeros(())), 0.0
            for worker in range(workers):
                size = counts[worker]
                other = numbers(means[worker, channel])
                std = 1 / numbers(invstds[worker, channel])
                own = (std * std - eps) * size
                together = numbers(torch.tensor(seen)) + size
                factor = 1 / together
                difference = average - other
                squares = squares + own + difference * difference * seen * size * factor
                average = factor * seen * average + factor * size * other
                seen += size
            result.append([average, f.rsqrt(squares / seen + eps)])
        return result

    result, operations = count(loops)
    # Against the moments of the whole: E[x²] − E[x]².
    weights = torch.tensor(counts, dtype=torch.float64)[:, None] / sum(counts)
    mean_ = (weights * means).sum(0)
    second = (weights * (invstds**-2 - eps + means**2)).sum(0)
    torch.testing.assert_close(
        values(result), torch.stack([mean_, (second - mean_**2 + eps).rsqrt()], 1)
    )
    call = Call(
        ops.batch_norm_gather_stats_with_counts.default,
        (X, means, invstds, None, None, 0.1, eps, torch.tensor(counts)),
        {},
        (means[0], invstds[0]),
    )
    assert lookup(call.func)(call).other.value == operations


@pytest.mark.parametrize("shape", [(0, 4, 5), (3, 4, 0)])
def test_nothing_to_normalize_costs_nothing(shape):
    x = torch.zeros(shape)
    assert total(lambda: F.layer_norm(x, shape[1:])) == 0
    m, v = torch.zeros(4), torch.ones(4)
    assert total(lambda: ops.native_batch_norm(x, None, None, m, v, False, 0.1, EPS)) == 0
