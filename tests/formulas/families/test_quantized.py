"""Quantization against loops that give PyTorch's own numbers, integer work told apart."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.ao.nn.quantized as nnq
import torch.ao.nn.quantized.dynamic as nnqd
import torch.ao.quantization.fx._decomposed
import torch.nn.functional as F
from torch import Tensor, nn

from ipyflops import FlopCounter, Report
from tests.formulas.counted import (
    Number,
    Tally,
    f,
    larger,
    numbers,
    plain,
    smaller,
    tally,
    value_of,
)
from tests.formulas.dispatch import costs, integer_ops, total

pytestmark = [
    pytest.mark.filterwarnings("ignore:torch.ao.quantization is deprecated"),
    pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor.*are deprecated"),
]

SCALE, ZERO = 0.125, 10  # powers of 2, so that the loops round as the kernels do
ops = torch.ops.quantized


def quantized(*shape: int, dtype: torch.dtype = torch.quint8) -> Tensor:
    return torch.quantize_per_tensor(torch.randn(shape), SCALE, ZERO, dtype)


def quantize(x: Number, scale: float = SCALE, zero: float = ZERO) -> Number:
    shifted = f.round(x * (1 / scale)) + float(zero)
    return smaller(larger(shifted, 0.0), 255.0)


def dequantize(q: Number, scale: float = SCALE, zero: float = ZERO) -> Number:
    return (q - float(zero)) * scale


def loop(function: Callable[..., Number], *values: Tensor) -> tuple[Tensor, Tally]:
    """Apply a function to every element (of several tensors together), counting."""
    columns = [numbers(value.double().flatten()) for value in values]
    with tally() as count:
        result = [function(*row) for row in zip(*columns, strict=True)]
    return torch.tensor(plain(result), dtype=torch.float64).reshape(values[0].shape), count


def whole(q: Tensor) -> Tensor:
    return q.int_repr().double()


def test_there_and_back() -> None:
    x = torch.randn(5, 7) * 20
    q = torch.quantize_per_tensor(x, SCALE, ZERO, torch.quint8)
    expected, there = loop(quantize, x)
    assert torch.equal(whole(q), expected)
    back, again = loop(dequantize, whole(q))
    assert torch.equal(q.dequantize().double(), back)
    assert total(lambda: torch.quantize_per_tensor(x, SCALE, ZERO, torch.quint8)) == there.flops
    assert total(q.dequantize) == again.flops
    scales, zeros = torch.full((5,), SCALE), torch.full((5,), ZERO)
    by_channel = torch.quantize_per_channel
    assert total(lambda: by_channel(x, scales, zeros, 0, torch.quint8)) == there.flops
    assert costs(x.dequantize)[0][1].other.value == 0
    reference = torch.ops.quantized_decomposed
    arguments = (SCALE, ZERO, 0, 255, torch.uint8)
    integers = reference.quantize_per_tensor(x, *arguments)
    assert torch.equal(integers.double(), expected)
    assert total(lambda: reference.quantize_per_tensor(x, *arguments)) == there.flops
    assert total(lambda: reference.dequantize_per_tensor(integers, *arguments)) == again.flops


def test_whole_numbers_are_looked_at_for_nothing() -> None:
    q = quantized(3, 4)
    assert costs(lambda: (q.int_repr(), q.q_scale(), q.q_zero_point())) == []
    make = torch._make_per_tensor_quantized_tensor
    integers = q.int_repr()
    assert costs(lambda: make(integers, 0.1, 0)) == []


def fake(x: Number) -> Number:
    shifted = f.round(x * (1 / SCALE)) + float(ZERO)
    assert (shifted >= 0.0) in (True, False)  # the mask
    assert (shifted <= 255.0) in (True, False)
    return dequantize(smaller(larger(shifted, 0.0), 255.0))


def test_fake_quantization() -> None:
    x = torch.randn(5, 7) * 20
    expected, count = loop(fake, x)
    fake_quantize = torch.fake_quantize_per_tensor_affine
    assert torch.equal(fake_quantize(x, SCALE, ZERO, 0, 255).double(), expected)
    assert total(lambda: fake_quantize(x, SCALE, ZERO, 0, 255)) == count.flops
    scales, zeros = torch.full((5,), SCALE), torch.full((5,), ZERO, dtype=torch.int32)
    by_channel = torch.fake_quantize_per_channel_affine
    assert total(lambda: by_channel(x, scales, zeros, 0, 0, 255)) == count.flops
    learnable = torch._fake_quantize_learnable_per_tensor_affine
    scale, zero = scales[:1], zeros[:1].float()
    assert total(lambda: learnable(x, scale, zero, 0, 255, 1.0)) == count.flops
    # The gradient is the mask times what comes in.
    x.requires_grad_()
    out = fake_quantize(x, SCALE, ZERO, 0, 255)
    gradient = torch.randn_like(out)
    assert total(lambda: torch.autograd.grad(out, x, gradient)) == x.numel()


def test_the_gradient_of_a_learnable_scale() -> None:
    x = (torch.randn(4, 5) * 3).requires_grad_()  # within the bounds
    scale = torch.tensor([SCALE], requires_grad=True)
    zero = torch.tensor([100.0], requires_grad=True)
    out = torch._fake_quantize_learnable_per_tensor_affine(x, scale, zero, 0, 255, 1.0)
    gradient = torch.randn_like(out)
    sums: list[Number] = []

    def one(x: Number, g: Number) -> Number:
        shifted = f.round(x * (1 / SCALE)) + 100.0
        clamped = smaller(larger(shifted, 0.0), 255.0)
        inside = Number(float(not clamped < shifted))
        back = dequantize(clamped, zero=100.0)
        assert not shifted < 0.0
        assert not shifted > 255.0
        sums.append((back - x) * (1 / SCALE) * g * 1.0)
        return g * inside

    to_x, count = loop(one, x.detach(), gradient)
    with tally() as additions:
        to_scale = sums[0]
        for part in sums[1:]:
            to_scale = to_scale + part

    def run() -> Any:
        return torch.autograd.grad(out, (x, scale, zero), gradient, retain_graph=True)

    expected = run()
    torch.testing.assert_close(expected[0].double(), to_x)
    assert plain([to_scale]) == pytest.approx(expected[1].tolist())
    # The parts of the zero point are all 0 here, but they are added up as well.
    assert total(run) == count.flops + 2 * additions.flops


@pytest.mark.parametrize(("observe", "quantize_too"), [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_an_observer_counts_what_is_switched_on(observe: int, quantize_too: int) -> None:
    x = torch.randn(4, 6)
    lowest, highest = torch.zeros(()), torch.zeros(())
    scale, zero = torch.ones(1), torch.zeros(1, dtype=torch.int32)
    counted = total(
        lambda: torch.fused_moving_avg_obs_fake_quant(
            x,
            torch.tensor([observe]),
            torch.tensor([quantize_too]),
            lowest,
            highest,
            scale,
            zero,
            0.01,
            0,
            255,
            -1,
        )
    )
    range_of = total(lambda: torch.aminmax(x))
    averages = 2 * total(lambda: lowest + 0.01 * (highest - lowest))
    _, faked = loop(fake, x)
    observed = range_of + averages + 9
    assert counted == observe * observed + quantize_too * faked.flops


def test_dynamic_quantization_finds_the_range_first() -> None:
    x = torch.randn(6, 5)
    counted = total(lambda: torch.quantize_per_tensor_dynamic(x, torch.quint8, False))
    assert counted == total(lambda: torch.aminmax(x)) + 9 + 5 * 30


# --------------------------------------------------------------------------- element by element

ELEMENTS: dict[str, tuple[Callable[[Tensor], Any], Callable[[Tensor], Any]]] = {
    "sigmoid": (lambda q: ops.sigmoid(q, 0.1, 0), torch.sigmoid),
    "aten sigmoid": (torch.sigmoid, torch.sigmoid),
    "aten tanh": (torch.tanh, torch.tanh),
    "aten gelu": (F.gelu, F.gelu),
    "hardswish": (lambda q: ops.hardswish(q, 0.1, 0), F.hardswish),
    "elu": (lambda q: ops.elu(q, 0.1, 0), F.elu),
    "celu": (lambda q: ops.celu(q, 0.1, 0), F.celu),
    "leaky_relu": (lambda q: ops.leaky_relu(q, 0.2, False, 0.1, 0), lambda x: F.leaky_relu(x, 0.2)),
    "softmax": (lambda q: ops.softmax(q, 1, 0.1, 0), lambda x: F.softmax(x, 1)),
    "layer_norm": (
        lambda q: ops.layer_norm(q, [6], torch.ones(6), torch.zeros(6), 1e-5, 0.1, 0),
        lambda x: F.layer_norm(x, [6], torch.ones(6), torch.zeros(6)),
    ),
    "group_norm": (
        lambda q: ops.group_norm(q, 2, torch.ones(4), torch.zeros(4), 1e-5, 0.1, 0),
        lambda x: F.group_norm(x, 2, torch.ones(4), torch.zeros(4)),
    ),
    "instance_norm": (
        lambda q: ops.instance_norm(q, torch.ones(4), torch.zeros(4), 1e-5, 0.1, 0),
        lambda x: F.group_norm(x, 4, torch.ones(4), torch.zeros(4)),
    ),
    "batch_norm": (
        lambda q: ops.batch_norm2d(
            q, torch.ones(4), torch.zeros(4), torch.zeros(4), torch.ones(4), 1e-5, 0.1, 0
        ),
        lambda x: F.batch_norm(x, torch.zeros(4), torch.ones(4), torch.ones(4), torch.zeros(4)),
    ),
}


@pytest.mark.parametrize("name", ELEMENTS)
def test_an_operator_between_dequantizing_and_quantizing(name: str) -> None:
    on_quantized, on_plain = ELEMENTS[name]
    q = quantized(2, 4, 3, 6)
    x = q.dequantize()
    around = total(q.dequantize) + total(
        lambda: torch.quantize_per_tensor(x, SCALE, ZERO, torch.quint8)
    )
    assert total(lambda: on_quantized(q)) == around + total(lambda: on_plain(x))
    assert integer_ops(lambda: on_quantized(q)) == 0


@pytest.mark.parametrize(("name", "symbol"), [("add", "+"), ("mul", "*")])
@pytest.mark.parametrize("relu", [False, True])
def test_arithmetic(name: str, symbol: str, relu: bool) -> None:
    a, b = quantized(3, 5), quantized(3, 5)

    def one(a: Number, b: Number) -> Number:
        x, y = dequantize(a), dequantize(b)
        result = x + y if symbol == "+" else x * y
        return quantize(larger(result, 0.0) if relu else result, zero=0)

    expected, count = loop(one, whole(a), whole(b))
    operation = getattr(ops, name + "_relu" * relu)
    # The product is not a multiple of the scale; the kernel rounds in single precision.
    torch.testing.assert_close(whole(operation(a, b, SCALE, 0)), expected, atol=1, rtol=0)
    assert total(lambda: operation(a, b, SCALE, 0)) == count.flops
    integers = a.int_repr()
    if name == "add" or not relu:
        with_onednn = getattr(torch.ops.onednn, f"q{name}{'_relu' * relu}").tensor
        arguments = (integers, SCALE, ZERO, integers, SCALE, ZERO, SCALE, 0, torch.uint8)
        assert total(lambda: with_onednn(*arguments)) == count.flops


def test_numbers_change_the_scale_and_seldom_the_elements() -> None:
    q = quantized(3, 5)
    assert torch.equal(ops.mul_scalar(q, 1.5).int_repr(), q.int_repr())
    assert total(lambda: ops.mul_scalar(q, 1.5)) == integer_ops(lambda: ops.mul_scalar(q, 1.5)) == 0
    assert integer_ops(lambda: ops.mul_scalar(q, -1.5)) == 15
    assert torch.equal(ops.add_scalar(q, -1.0).int_repr(), q.int_repr())
    assert total(lambda: ops.add_scalar(q, -1.0)) == 0
    assert not torch.equal(ops.add_scalar(q, 50.0).int_repr(), q.int_repr())
    assert total(lambda: ops.add_scalar(q, 50.0)) == 8 * 15


def test_comparing_whole_numbers_is_integer_work() -> None:
    q = quantized(2, 3, 4, 6)
    n = q.numel()
    for operation, comparisons in (
        (torch.relu, n),
        (ops.relu6, 2 * n),
        (lambda q: ops.clamp(q, 0, 1), 2 * n),
        (lambda q: ops.threshold(q, 0.0, 0.0), n),
        (lambda q: F.max_pool2d(q, 2), n // 4),
    ):
        assert integer_ops(lambda operation=operation: operation(q)) == comparisons
        assert total(lambda operation=operation: operation(q)) == 0


def test_concatenation_only_touches_what_has_another_scale() -> None:
    same = quantized(3, 5)
    other = torch.quantize_per_tensor(torch.randn(2, 5), 0.3, 3, torch.quint8)
    assert total(lambda: ops.cat([same, same], 0, SCALE, ZERO)) == 0
    counted = total(lambda: ops.cat([same, other], 0, SCALE, ZERO))
    assert counted == total(other.dequantize) + 5 * other.numel()
    assert integer_ops(lambda: ops.cat_relu([same, other], 0, SCALE, ZERO)) == 25


# ------------------------------------------------------------------------------------ products


def linear_loop(x: Tensor, weight: Tensor) -> tuple[list[list[Number]], Tally]:
    """Sums of products of integers, the zero point of the input taken off for nothing."""
    rows = (x.int_repr().to(torch.int64) - ZERO).tolist()
    columns = weight.int_repr().to(torch.int64).tolist()
    sums = []
    with tally() as count:
        for row in rows:
            line = []
            for column in columns:
                accumulator = Number(0)
                for a, b in zip(row, column, strict=True):
                    accumulator = accumulator + Number(a) * b
                line.append(accumulator)
            sums.append(line)
    return sums, count


@pytest.mark.parametrize("relu", [False, True])
def test_a_linear_layer(relu: bool) -> None:
    x = quantized(4, 6)
    weight = torch.quantize_per_tensor(torch.randn(3, 6), 0.0625, 0, torch.qint8)
    packed = ops.linear_prepack(weight, None)
    sums, count = linear_loop(x, weight)
    with tally() as requantized:
        for line in sums:
            for i, accumulator in enumerate(line):
                result = Number(float(value_of(accumulator)))
                if relu:
                    result = larger(result, 0.0)
                line[i] = quantize(result, 0.25 / (SCALE * 0.0625), 0)
    operation = ops.linear_relu if relu else ops.linear
    assert whole(operation(x, packed, 0.25, 0)).tolist() == plain(sums)
    assert integer_ops(lambda: operation(x, packed, 0.25, 0)) == count.integer
    assert total(lambda: operation(x, packed, 0.25, 0)) == requantized.flops


def test_a_dynamic_linear_layer() -> None:
    layer = nnqd.Linear(6, 3)
    x = torch.randn(2, 4, 6)
    n, outputs = x.numel(), 8 * 3
    assert integer_ops(lambda: layer(x)) == 2 * outputs * 6
    quantizing = 5 * n + 2 * n
    assert total(lambda: layer(x)) == quantizing + outputs
    half = nnqd.Linear(6, 3, dtype=torch.float16)
    plain_layer = torch.nn.Linear(6, 3)
    assert total(lambda: half(x), "contractions") == total(lambda: plain_layer(x), "contractions")


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("groups", [1, 2])
def test_convolutions_have_the_products_of_plain_ones(rank: int, groups: int) -> None:
    quantized_layer = (nnq.Conv1d, nnq.Conv2d, nnq.Conv3d)[rank - 1]
    plain_layer = (torch.nn.Conv1d, torch.nn.Conv2d, torch.nn.Conv3d)[rank - 1]
    layer = quantized_layer(4, 6, 3, stride=2, padding=1, groups=groups)
    q = quantized(2, 4, *(7,) * rank)
    reference = plain_layer(4, 6, 3, stride=2, padding=1, groups=groups)
    flops = total(lambda: reference(q.dequantize()), "contractions")
    out = layer(q).numel()
    assert integer_ops(lambda: layer(q)) == flops
    assert total(lambda: layer(q)) == 5 * out
    assert total(lambda: layer(q), "contractions") == 0


def test_transposed_and_dynamic_convolutions() -> None:
    q = quantized(2, 4, 7, 7)
    layer = nnq.ConvTranspose2d(4, 6, 3, stride=2)
    reference = torch.nn.ConvTranspose2d(4, 6, 3, stride=2)
    x = q.dequantize()
    assert integer_ops(lambda: layer(q)) == total(lambda: reference(x), "contractions")
    weight = torch.quantize_per_tensor(torch.randn(6, 4, 3, 3), 0.1, 0, torch.qint8)
    packed = ops.conv2d_prepack(weight, None, [1, 1], [0, 0], [1, 1], 1)
    dynamic = torch.nn.Conv2d(4, 6, 3)
    assert integer_ops(lambda: ops.conv2d_dynamic(x, packed)) == total(
        lambda: dynamic(x), "contractions"
    )
    assert total(lambda: ops.conv2d_dynamic(x, packed)) == 7 * x.numel() + 2 * 6 * 25


def test_products_of_two_quantized_matrices() -> None:
    a, b = quantized(2, 3, 4), quantized(2, 4, 5)
    assert integer_ops(lambda: ops.matmul(a, b, SCALE, ZERO)) == 2 * 2 * 3 * 5 * 4
    assert total(lambda: ops.matmul(a, b, SCALE, ZERO)) == 5 * 2 * 3 * 5


def test_layers_of_onednn() -> None:
    onednn = torch.ops.onednn
    x = torch.randint(0, 10, (4, 8), dtype=torch.uint8)
    weight = torch.randint(-9, 10, (5, 8), dtype=torch.int8)
    packed = onednn.qlinear_prepack(weight, [4, 8])
    scales, zeros = torch.full((5,), 0.1), torch.zeros(5, dtype=torch.int64)

    def linear(dtype: torch.dtype, activation: str) -> Callable[[], Tensor]:
        arguments = (x, 0.1, 0, packed, scales, zeros, None, 1.0, 0, dtype, activation, [], "")
        return lambda: onednn.qlinear_pointwise.default(*arguments)

    for dtype, activation, each in (
        (torch.uint8, "none", 5),
        (torch.float32, "none", 1),
        (torch.float32, "relu", 2),
        (torch.uint8, "relu", 1 + 1 + 5),
    ):
        assert total(linear(dtype, activation)) == each * 4 * 5
        assert integer_ops(linear(dtype, activation)) == 2 * 4 * 5 * 8

    image = torch.randint(0, 10, (1, 3, 8, 8), dtype=torch.uint8)
    kernel = torch.randint(-9, 10, (4, 3, 3, 3), dtype=torch.int8)
    scales, zeros = torch.full((4,), 0.1), torch.zeros(4, dtype=torch.int64)
    geometry = ([1, 1], [0, 0], [1, 1], 1)
    packed_kernel = onednn.qconv_prepack(kernel, scales, 0.1, 0, *geometry, [1, 3, 8, 8])
    arguments = (image, 0.1, 0, packed_kernel, scales, zeros, None, *geometry, 0.2, 0)

    def convolution() -> Tensor:
        return onednn.qconv2d_pointwise.default(*arguments, torch.uint8, "none", [], "")

    plain_flops = total(lambda: F.conv2d(image.float(), kernel.float()), "contractions")
    assert integer_ops(convolution) == plain_flops
    assert total(convolution) == 5 * 4 * 36


# ---------------------------------------------------------------------------------- embeddings


def test_embedding_bags_of_bytes() -> None:
    weight = torch.randn(10, 4)
    rows = ops.embedding_bag_byte_prepack(weight)
    indices, offsets = torch.tensor([1, 2, 5, 7, 1]), torch.tensor([0, 3])
    look_up = ops.embedding_bag_byte_rowwise_offsets

    def run(mode: int = 0, **options: Any) -> Callable[[], Tensor]:
        return lambda: look_up(rows, indices, offsets, False, mode, **options)

    sums = [[Number(0.0)] * 4 for _ in range(2)]
    with tally() as count:
        for bag, index in zip((0, 0, 0, 1, 1), indices.tolist(), strict=True):
            scale, bias = rows[index, 4:].contiguous().view(torch.float32).tolist()
            for i, q in enumerate(rows[index, :4].tolist()):
                sums[bag][i] = sums[bag][i] + (Number(float(q)) * scale + bias)
    torch.testing.assert_close(torch.tensor(plain(sums)), run()())
    assert total(run()) == count.flops
    weights = torch.rand(5)
    assert total(run(per_sample_weights=weights)) == count.flops + 2 * 5
    # Its bag's tensor of bytes takes for each number a product and a sum.
    assert total(lambda: ops.embedding_bag_byte_unpack(rows)) == 2 * weight.numel()


def test_packing_rows_of_bytes() -> None:
    weight = torch.randn(3, 4)
    with tally() as count:
        for row in numbers(weight):
            low = high = row[0]
            # The kernels compare the first number with itself, too.
            for x in row:
                low, high = smaller(x, low.value), larger(x, high.value)
            scale = (high - low) / 255.0
            inverse = 1 / scale
            packed = [f.round((x - low) * inverse) for x in row]
            assert max(plain(packed)) == 255
    assert total(lambda: ops.embedding_bag_byte_prepack(weight)) == count.flops


def test_quantized_embedding_layers() -> None:
    layer = nnq.Embedding(10, 4)
    indices = torch.tensor([1, 2, 5])
    assert total(lambda: layer(indices)) == 2 * 12
    bag = nnq.EmbeddingBag(10, 4, include_last_offset=True)
    assert total(lambda: bag(indices, torch.tensor([0, 3]))) == 3 * 12


@pytest.mark.parametrize("dynamic", [False, True])
def test_a_quantized_model_has_the_macs_of_the_plain_one(dynamic: bool, tmp_path: Path) -> None:
    plain_model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 4, 5))
    x: Tensor = torch.randn(2, 3, 4, 4)
    if dynamic:
        model = torch.ao.quantization.quantize_dynamic(plain_model, {nn.Linear})
    else:
        model = nn.Sequential(
            nnq.Quantize(SCALE, ZERO, torch.quint8),
            nnq.Conv2d(3, 8, 3),
            nn.ReLU(),
            nn.Flatten(),
            nnq.Linear(8 * 4, 5),
        )
    # Of the convolution 8 channels of 2×2 pixels for each of 2 images, 27 weights each.
    macs = 2 * 8 * 2 * 2 * 27 + 2 * 32 * 5
    for counted in (plain_model, model):
        with FlopCounter(device_time=False) as counter:
            counted(x)
        assert counter.report.macs == macs
    report = counter.report
    integer_macs = 2 * 32 * 5 if dynamic else macs
    assert report.under("contractions").flops == 2 * (macs - integer_macs)
    assert sum(one.int_ops for one in report.explain() if one.macs) == 2 * integer_macs
    assert f"{report.macs / 1000:.3g} kMACs" in str(report)
    path = tmp_path / "report.json"
    report.save(path)
    assert Report.load(path) == report


def test_products_of_integer_tensors_are_macs() -> None:
    a, b = torch.ones(32, 16, dtype=torch.int8), torch.ones(16, 8, dtype=torch.int8)
    for function in (
        lambda: torch._int_mm(a, b),
        lambda: a.int() @ b.int(),
        lambda: torch.einsum("ij,jk->ik", a.int(), b.int()),
    ):
        with FlopCounter(device_time=False) as counter:
            function()
        report = counter.report
        assert (report.macs, report.int_ops, report.flops) == (32 * 16 * 8, 2 * 32 * 16 * 8, 0)
