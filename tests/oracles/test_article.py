"""The article's table, line by line, under ``article`` and ``standard``.

The expected numbers are the article's own code, written out here from the sizes of the layer, its
input and its output; nothing of ipyflops is used to get them.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops.counting import FlopCounter
from ipyflops.report import Report

BATCHES = [1, 7]
SPATIAL = {1: (12,), 2: (12, 10), 3: (8, 6, 10)}


def count(layer: nn.Module, x: torch.Tensor, *, backward: bool = False) -> tuple[Report, Any]:
    """The report of one forward (and backward), and the output."""
    with torch.enable_grad() if backward else torch.no_grad(), FlopCounter() as counter:
        out = layer(x)
        if backward:
            out.sum().backward()
    report = counter.report
    assert report.unknown == {}
    return report, out


def flops(layer: nn.Module, x: torch.Tensor) -> tuple[int, int, int]:
    """FLOPs under ``article``, ``standard`` and ``contractions``."""
    report, _ = count(layer, x)
    return tuple(report.under(name).flops for name in ("article", "standard", "contractions"))  # type: ignore[return-value]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(), (3,), (3, 5)])
def test_linear(mode: Callable[[], Any], batch: int, bias: bool, shape: tuple[int, ...]) -> None:
    layer = nn.Linear(20, 30, bias=bias)
    x = torch.randn(batch, *shape, 20)
    with mode(), FlopCounter() as counter:
        out = layer(x)
    report = counter.report
    assert report.under("article").flops == (20 + 20 - 1) * out.numel()
    assert report.under("standard").flops == 2 * 20 * out.numel()
    assert report.under("contractions").flops == 2 * 20 * out.numel()
    assert report.macs == 20 * out.numel()


@pytest.mark.parametrize("bias", [True, False])
def test_linear_on_strides_that_need_a_separate_bias(bias: bool) -> None:
    layer = nn.Linear(20, 30, bias=bias)
    for x in (torch.randn(5, 7, 20).transpose(0, 1), torch.randn(20), torch.randn(5, 40)[:, ::2]):
        article, standard, contractions = flops(layer, x)
        outputs = x.numel() // 20 * 30
        assert (article, standard, contractions) == (39 * outputs, 40 * outputs, 40 * outputs)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    ("layer", "per_element"),
    [
        (nn.ReLU(), 1),
        (nn.ReLU(inplace=True), 1),
        (nn.Tanh(), 5),
        (nn.Sigmoid(), 4),
    ],
    ids=str,
)
def test_activations(layer: nn.Module, per_element: int, batch: int) -> None:
    x = torch.randn(batch, 6, 5)
    assert flops(layer, x) == (per_element * x.numel(), per_element * x.numel(), 0)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("dimension", "options"),
    [
        (dimension, options)
        for dimension in (1, 2, 3)
        for options in (
            {"kernel_size": 2},
            {"kernel_size": 3, "stride": 1, "padding": 1},
            {"kernel_size": 3, "stride": 2, "ceil_mode": True},
        )
    ],
)
def test_pooling(dimension: int, options: dict[str, Any], batch: int, training: bool) -> None:
    x = torch.randn(batch, 3, *SPATIAL[dimension])
    average = getattr(nn, f"AvgPool{dimension}d")(**options).train(training)
    report, out = count(average, x)
    window = options["kernel_size"] ** dimension
    assert report.under("article").flops == (window + 1) * out.numel()
    assert report.under("standard").flops == (window + 1) * out.numel()
    maximum = getattr(nn, f"MaxPool{dimension}d")(**options).train(training)
    report, out = count(maximum, x)
    assert report.under("article").flops == out.numel()
    assert report.under("standard").flops == out.numel()
    assert report.macs == 0


def test_max_pooling_that_needs_a_gradient_costs_the_same() -> None:
    x = torch.randn(2, 3, 12, requires_grad=True)
    with FlopCounter() as counter:
        out = nn.MaxPool1d(3)(x)
    assert counter.report.flops == out.numel()


def test_average_pooling_takes_the_square_of_a_square_window() -> None:
    # The article's code takes prod([kernel_size]), which misses the square of a whole number.
    x = torch.randn(1, 3, 12, 12)
    assert flops(nn.AvgPool2d(3), x) == flops(nn.AvgPool2d((3, 3)), x)


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(
    "layer", [nn.Dropout(0.3), nn.Dropout1d(0.3), nn.Dropout2d(0.3), nn.Dropout3d(0.3)], ids=str
)
def test_dropout(layer: nn.Module, batch: int) -> None:
    size = {"Dropout1d": 1, "Dropout2d": 2, "Dropout3d": 3}.get(type(layer).__name__, 2)
    x = torch.randn(batch, 4, *SPATIAL[size])
    layer.train()
    report, _ = count(layer, x)
    assert report.under("article").flops == 0
    # The mask is one number per channel in Dropout1d and its siblings, one per element in Dropout.
    mask = x.numel() if type(layer) is nn.Dropout else batch * 4
    assert report.under("standard").flops == mask + x.numel()
    layer.eval()
    assert flops(layer, x) == (0, 0, 0)


def test_dropout_is_zero_in_the_article_wherever_it_is_called_and_backwards() -> None:
    class Net(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return nn.functional.dropout(x, 0.5, self.training)

    x = torch.randn(4, 5, requires_grad=True)
    with FlopCounter() as counter:
        out = Net()(x)
        nn.functional.dropout(out, 0.5)
        out.backward(torch.ones(4, 5))
    report = counter.report
    assert report.under("article").flops == 0
    assert report.under("standard").flops == 20 * (2 + 2 + 1)


def test_a_product_outside_dropout_is_no_dropout() -> None:
    x = torch.randn(4, 5)
    with FlopCounter() as counter:
        x * x
    assert counter.report.under("article").flops == 20


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("dimension", [1, 2, 3])
def test_batch_norm(dimension: int, batch: int) -> None:
    x = torch.randn(batch, 5, *SPATIAL[dimension])
    layer = getattr(nn, f"BatchNorm{dimension}d")(5)
    layer.eval()
    assert flops(layer, x) == (0, 4 * x.numel(), 0)
    layer.train()
    article, standard, contractions = flops(layer, x)
    assert article == 4 * x.numel()
    # On top: mean and variance, each element subtracted, squared and added; per channel a few more.
    assert 8 * x.numel() <= standard <= 8 * x.numel() + 20 * 5
    assert contractions == 0


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("shape", [(6,), (3, 6), (3, 4, 6)])
@pytest.mark.parametrize("dim", [0, -1, 1])
def test_softmax(shape: tuple[int, ...], dim: int, batch: int) -> None:
    x = torch.randn(batch, *shape)
    features = x.shape[dim]
    expected = x.numel() // features * (3 * features - 1)
    assert flops(nn.Softmax(dim), x) == (expected, expected, 0)


def convolutions() -> list[Any]:
    cases = []
    for dimension in (1, 2, 3):
        for bias in (True, False):
            for name, options in {
                "plain": {"kernel_size": 3},
                "strided": {"kernel_size": 3, "stride": 2, "padding": 1},
                "dilated": {"kernel_size": 3, "dilation": 2},
                "pointwise": {"kernel_size": 1},
                "grouped": {"kernel_size": 3, "groups": 2},
                "depthwise": {"kernel_size": 3, "groups": 4},
            }.items():
                case_id = f"{dimension}d-{name}-{'bias' if bias else 'no bias'}"
                cases.append(pytest.param(dimension, bias, options, id=case_id))
    return cases


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize(("dimension", "bias", "options"), convolutions())
def test_convolution(dimension: int, bias: bool, options: dict[str, Any], batch: int) -> None:
    layer = getattr(nn, f"Conv{dimension}d")(4, 8, bias=bias, **options)
    x = torch.randn(batch, 4, *SPATIAL[dimension])
    report, out = count(layer, x)
    kernel = math.prod(layer.weight.shape[2:])
    per_output = 4 // layer.groups * kernel
    assert report.under("article").flops == out.numel() * (per_output + (1 if bias else 0))
    assert report.under("standard").flops == 2 * out.numel() * per_output
    assert report.under("contractions").flops == 2 * out.numel() * per_output
    assert report.macs == out.numel() * per_output


@pytest.mark.parametrize("bias", [True, False])
def test_a_batch_costs_as_much_as_its_items(bias: bool) -> None:
    # "If the batch size increases, the flops also linearly increases."
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, bias=bias), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(100, 6, bias=bias), nn.Tanh(), nn.Softmax(-1),
    ).eval()  # fmt: skip
    one = flops(model, torch.randn(1, 3, 12, 12))
    seven = flops(model, torch.randn(7, 3, 12, 12))
    assert seven == tuple(7 * value for value in one)


def test_what_the_article_does_not_name_costs_what_standard_says() -> None:
    x = torch.randn(3, 8)
    for layer in (nn.LayerNorm(8), nn.GELU(), nn.SiLU(), nn.LogSoftmax(-1)):
        article, standard, _ = flops(layer, x)
        assert article == standard > 0
