"""Pooling: the article's formula, windows counted one by one, and what the backward adds."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from ipyflops.costs.conventions import flops
from ipyflops.formulas.families.pooling import adaptive_windows
from tests.formulas.dispatch import costs, total

MAX = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
AVERAGE = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}
ADAPTIVE_AVERAGE = {
    1: F.adaptive_avg_pool1d,
    2: F.adaptive_avg_pool2d,
    3: F.adaptive_avg_pool3d,
}
ADAPTIVE_MAX = {1: F.adaptive_max_pool1d, 2: F.adaptive_max_pool2d, 3: F.adaptive_max_pool3d}


def cost_of(layer):
    ((_, cost),) = costs(layer)
    return cost


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_article_counts_one_for_each_result_of_a_max_pool(dims, batch):
    x = torch.randn(batch, 3, *[6] * dims)
    out = MAX[dims](x, 2)
    cost = cost_of(lambda: MAX[dims](x, 2))
    assert flops(cost, "article") == flops(cost, "standard") == out.numel()


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("kernel", [2, 3, (2, 3, 1)])
@pytest.mark.parametrize("dims", [1, 2, 3])
def test_the_article_counts_window_and_one_for_an_average_pool(dims, kernel, batch):
    sides = kernel[:dims] if isinstance(kernel, tuple) else (kernel,) * dims
    x = torch.randn(batch, 3, *[6] * dims)
    out = AVERAGE[dims](x, sides if isinstance(kernel, tuple) else kernel, stride=2)
    cost = cost_of(lambda: AVERAGE[dims](x, sides, stride=2))
    assert flops(cost, "article") == flops(cost, "standard")
    assert flops(cost, "article") == (math.prod(sides) + 1) * out.numel()


def windows(size, outputs):
    """The window of every output, by the definition of adaptive pooling."""
    return [
        range(math.floor(i * size / outputs), math.ceil((i + 1) * size / outputs))
        for i in range(outputs)
    ]


@pytest.mark.parametrize(("size", "outputs"), [(6, 3), (5, 3), (3, 5), (7, 7), (10, 4)])
def test_adaptive_windows_are_those_that_the_kernel_averages(size, outputs):
    x = torch.arange(size, dtype=torch.float64) ** 2
    expected = [x[window.start : window.stop].mean() for window in windows(size, outputs)]
    pooled = F.adaptive_avg_pool1d(x.reshape(1, 1, -1), outputs)
    torch.testing.assert_close(pooled.reshape(-1), torch.stack(expected))
    assert adaptive_windows(size, outputs) == sum(map(len, windows(size, outputs)))


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("outputs", [(3,), (2, 3), (2, 3, 4)])
def test_an_adaptive_average_pool_adds_up_windows_that_differ(outputs, batch):
    sizes = (5, 7, 6)[: len(outputs)]
    x = torch.randn(batch, 2, *sizes, requires_grad=True)
    sides = [windows(size, count) for size, count in zip(sizes, outputs, strict=True)]
    per_plane = sum(math.prod(map(len, window)) + 1 for window in itertools.product(*sides))
    layer = ADAPTIVE_AVERAGE[len(outputs)]
    assert total(lambda: layer(x, outputs)) == 2 * batch * per_plane
    out = layer(x, outputs)
    gradient = torch.ones_like(out)
    # Backward divides once for each result and adds to each element of its window.
    assert total(lambda: out.backward(gradient)) == 2 * batch * per_plane


def test_an_adaptive_pool_with_equal_windows_is_a_plain_pool():
    x = torch.randn(2, 3, 8, 6)
    assert total(lambda: F.adaptive_avg_pool2d(x, (4, 3))) == total(lambda: F.avg_pool2d(x, 2))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_adaptive_and_fractional_max_pools_are_max_pools(dims):
    x = torch.randn(2, 3, *[6] * dims)
    out = ADAPTIVE_MAX[dims](x, 4)
    assert total(lambda: ADAPTIVE_MAX[dims](x, 4)) == out.numel()
    if dims > 1:
        fractional = {2: F.fractional_max_pool2d, 3: F.fractional_max_pool3d}[dims]
        assert total(lambda: fractional(x, 2, output_size=3)) == 2 * 3 * 3**dims


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_backward_of_max_pools_adds_each_gradient_once(dims):
    x = torch.randn(2, 3, *[6] * dims, requires_grad=True)
    for pool, argument in ((MAX, 2), (ADAPTIVE_MAX, 4)):
        out = pool[dims](x, argument)
        gradient = torch.ones_like(out)
        x.grad = None
        assert total(lambda out=out, gradient=gradient: out.backward(gradient)) == out.numel()


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_backward_of_an_average_pool_adds_each_gradient_to_its_window(dims):
    x = torch.randn(2, 3, *[6] * dims, requires_grad=True)
    out = AVERAGE[dims](x, 3, stride=1)
    gradient = torch.ones_like(out)
    # Every place of a window that a gradient is added to, and the division before.
    places = sum(3**dims for _ in itertools.product(*[range(4)] * dims))
    assert total(lambda: out.backward(gradient)) == 6 * (places + 4**dims)


def test_unpooling_moves_values():
    x = torch.randn(1, 2, 4, 4)
    pooled, indices = F.max_pool2d(x, 2, return_indices=True)
    assert total(lambda: F.max_unpool2d(pooled, indices, 2)) == 0


def test_mkldnn_pools_cost_the_same():
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this build has no oneDNN")
    x = torch.randn(1, 2, 4, 4)
    dense = total(lambda: F.max_pool2d(x, 2))
    assert total(lambda: F.max_pool2d(x.to_mkldnn(), 2)) == dense
    assert total(lambda: F.adaptive_avg_pool2d(x.to_mkldnn(), 2)) == total(
        lambda: F.adaptive_avg_pool2d(x, 2)
    )


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_shapes_alone_decide(device):
    x = torch.empty(2, 3, 9, 9, device=device)
    assert total(lambda: F.max_pool2d(x, 3)) == 2 * 3 * 3 * 3
    assert total(lambda: F.avg_pool2d(x, 3)) == 2 * 3 * 3 * 3 * 10


def test_an_empty_batch_costs_nothing():
    x = torch.empty(0, 3, 6, 6)
    assert total(lambda: F.max_pool2d(x, 2)) == total(lambda: F.avg_pool2d(x, 2)) == 0
