"""Convolutions and their gradients against loops over every tap, and against PyTorch's counter."""

import itertools

import pytest
import torch
from torch.nn import functional as F

from tests.formulas.plain import cost_of, formulas_of, plain, torch_flops

aten = torch.ops.aten


class Case:
    """One convolution; `taps` are all pairs of an input and an output that a weight joins."""

    def __init__(
        self,
        spatial,
        kernel,
        *,
        groups=1,
        stride=1,
        padding=0,
        dilation=1,
        transposed=False,
        batch=2,
        channels=(4, 6),
        bias=True,
    ):
        rank = len(spatial)
        self.groups, self.transposed, self.rank = groups, transposed, rank
        self.channels_in, self.channels_out = channels
        self.stride, self.padding, self.dilation = (
            (stride,) * rank,
            (padding,) * rank,
            (dilation,) * rank,
        )
        self.x = torch.randn(batch, channels[0], *spatial, dtype=torch.float64)
        shape = (
            (channels[0], channels[1] // groups)
            if transposed
            else (channels[1], channels[0] // groups)
        )
        self.w = torch.randn(*shape, *kernel, dtype=torch.float64)
        self.b = torch.randn(channels[1], dtype=torch.float64) if bias else None
        self.out = self(self.x, self.w, self.b)

    def arguments(self):
        return (
            self.stride,
            self.padding,
            self.dilation,
            self.transposed,
            (0,) * self.rank,
            self.groups,
        )

    def __call__(self, x, w, b):
        return torch.convolution(x, w, b, *self.arguments())

    def taps(self):
        """(weight index, input index or None for padding, output index) of every product."""
        n = self.x.shape[0]
        per_in, per_out = self.channels_in // self.groups, self.channels_out // self.groups
        kernel = list(itertools.product(*map(range, self.w.shape[2:])))
        walk = self.x.shape[2:] if self.transposed else self.out.shape[2:]
        for batch, position in itertools.product(range(n), itertools.product(*map(range, walk))):
            for group, i, o in itertools.product(range(self.groups), range(per_in), range(per_out)):
                source, target = group * per_in + i, group * per_out + o
                for tap in kernel:
                    moved = tuple(
                        p * s - pad + t * d
                        for p, s, pad, t, d in zip(
                            position, self.stride, self.padding, tap, self.dilation, strict=True
                        )
                    )
                    if self.transposed:
                        yield (
                            (source, o, *tap),
                            (batch, source, *position),
                            self.inside((batch, target, *moved), self.out),
                        )
                    else:
                        yield (
                            (target, i, *tap),
                            self.inside((batch, source, *moved), self.x),
                            (
                                batch,
                                target,
                                *position,
                            ),
                        )

    @staticmethod
    def inside(index, tensor):
        sizes = tensor.shape[2:]
        ok = all(0 <= i < size for i, size in zip(index[2:], sizes, strict=True))
        return index if ok else None


CASES = {
    "1d": Case((7,), (3,)),
    "1d stride dilation": Case((9,), (3,), stride=2, dilation=2, padding=2),
    "2d": Case((5, 4), (3, 2)),
    "2d padded": Case((4, 4), (3, 3), padding=1, stride=2),
    "2d grouped": Case((4, 4), (3, 3), groups=2),
    "2d depthwise": Case((4, 4), (3, 3), groups=4, channels=(4, 4), padding=1),
    "2d depthwise ×2": Case((4, 4), (3, 3), groups=4, channels=(4, 8)),
    "2d pointwise": Case((4, 4), (1, 1)),
    "2d no bias": Case((4, 4), (3, 3), bias=False),
    "2d batch 1": Case((4, 4), (3, 3), batch=1),
    "3d": Case((3, 4, 3), (2, 2, 2), channels=(2, 3)),
    "3d grouped": Case((2, 3, 2), (2, 2, 2), groups=2, padding=1, batch=1, channels=(4, 4)),
    "1d transposed": Case((5,), (3,), transposed=True, stride=2),
    "2d transposed": Case((4, 3), (3, 3), transposed=True, padding=1),
    "2d transposed grouped": Case((4, 3), (2, 2), transposed=True, stride=2, groups=2),
    "3d transposed": Case((2, 3, 2), (2, 2, 2), transposed=True),
}


@pytest.mark.parametrize("name", CASES)
def test_every_tap_is_a_multiply_accumulate(name):
    case = CASES[name]
    result = torch.zeros_like(case.out)
    if case.b is not None:
        result += case.b.view(-1, *[1] * case.rank)
    out, w, x = (tensor.numpy() for tensor in (result, case.w, case.x))
    macs = 0
    for weight, source, target in case.taps():
        macs += 1
        if source is not None and target is not None:
            out[target] += w[weight] * x[source]
    torch.testing.assert_close(result, case.out)
    cost = formulas_of(lambda: case(case.x, case.w, case.b)).of("aten::convolution")
    assert cost.contraction.value == 2 * macs
    assert cost.other.value == 0
    # The article counts multiply-accumulates, and one bias for each output.
    assert cost.article.value == macs + (0 if case.b is None else case.out.numel())
    assert cost.contraction.value == torch_flops(lambda: case(case.x, case.w, case.b))


@pytest.mark.parametrize("name", CASES)
def test_both_gradients_walk_the_same_taps(name):
    case = CASES[name]
    grad = torch.randn_like(case.out)
    grad_x, grad_w = torch.zeros_like(case.x), torch.zeros_like(case.w)
    g, w, x, of_x, of_w = (t.numpy() for t in (grad, case.w, case.x, grad_x, grad_w))
    macs = 0
    for weight, source, target in case.taps():
        macs += 1
        if source is not None and target is not None:
            of_x[source] += g[target] * w[weight]
            of_w[weight] += g[target] * x[source]
    bias_sizes = None if case.b is None else case.b.shape
    arguments = (grad, case.x, case.w, bias_sizes, *case.arguments())
    for mask in itertools.product((True, False), repeat=3):
        if mask[2] and case.b is None:
            continue
        out = aten.convolution_backward(*arguments, mask)
        if mask[0]:
            torch.testing.assert_close(out[0], grad_x)
        if mask[1]:
            torch.testing.assert_close(out[1], grad_w)
        cost = cost_of(aten.convolution_backward.default, *arguments, mask)
        assert cost.contraction.value == 2 * macs * (mask[0] + mask[1])
        sums = plain(lambda: grad.transpose(0, 1).flatten(1).sum(1)).other
        assert cost.other.value == (sums if mask[2] else 0)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.groups == 1])
def test_gradients_without_groups_agree_with_pytorch(name):
    case = CASES[name]
    x, w = case.x.clone().requires_grad_(), case.w.clone().requires_grad_()
    seed = torch.randn_like(case.out)

    def gradients():
        torch.autograd.grad(case(x, w, case.b), (x, w), seed)

    assert formulas_of(gradients).contraction == torch_flops(gradients) > 0


def test_pytorch_counts_grouped_weight_gradients_too_high():
    # The difference is on purpose: each weight of a group meets the channels of its group only.
    case = CASES["2d depthwise"]
    w = case.w.clone().requires_grad_()
    out = case(case.x, w, None)
    seed = torch.randn_like(out)

    def gradient():
        torch.autograd.grad(out, w, seed, retain_graph=True)

    forward = torch_flops(lambda: case(case.x, case.w, None))
    assert formulas_of(gradient).contraction == forward
    assert torch_flops(gradient) == case.groups * forward


def test_gradients_of_gradients():
    x = torch.randn(2, 4, 6, 6, requires_grad=True)
    w = torch.randn(6, 4, 3, 3, requires_grad=True)
    seed = torch.ones(2, 6, 4, 4)

    def twice():
        (grad,) = torch.autograd.grad(F.conv2d(x, w), x, seed, create_graph=True)
        torch.autograd.grad(grad, w, torch.ones_like(grad))

    run = formulas_of(twice)
    assert run.contraction == torch_flops(twice) > 0
    assert run.operators.count("aten::convolution_backward") == 1


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize("padding", ["valid", "same", 1])
def test_convolutions_cost_the_same_in_every_mode(mode, padding):
    x, w, b = torch.randn(2, 4, 6, 6), torch.randn(6, 4, 3, 3), torch.randn(6)
    expected = formulas_of(lambda: F.conv2d(x, w, b, padding=padding))
    with mode():
        run = formulas_of(lambda: F.conv2d(x, w, b, padding=padding))
    assert run.contraction == expected.contraction > 0
    assert run.article == expected.article


def test_complex_convolutions_are_three_real_ones():
    x, w = torch.randn(2, 4, 6, dtype=torch.complex64), torch.randn(6, 4, 3, dtype=torch.complex64)
    real = torch_flops(lambda: F.conv1d(x.real, w.real))
    run = formulas_of(lambda: F.conv1d(x, w))
    assert run.operators.count("aten::convolution") == 3
    assert run.contraction == 3 * real


def test_convolution_along_time():
    x, w, b = torch.randn(7, 2, 3), torch.randn(3, 3, 5), torch.randn(5)
    same = formulas_of(lambda: F.conv1d(x.permute(1, 2, 0), w.permute(2, 1, 0), b, padding=1))
    torch.testing.assert_close(
        torch.conv_tbc(x, w, b, 1),
        F.conv1d(x.permute(1, 2, 0), w.permute(2, 1, 0), b, padding=1).permute(2, 0, 1),
    )
    cost = formulas_of(lambda: torch.conv_tbc(x, w, b, 1)).of("aten::conv_tbc")
    assert cost.contraction.value == same.contraction
    assert cost.article.value == same.article


@pytest.mark.parametrize("shape", [(0, 4, 6, 6), (2, 4, 6, 6)])
def test_empty_and_meta(shape):
    x = torch.empty(*shape, device="meta", requires_grad=True)
    w = torch.empty(6, 4, 3, 3, device="meta", requires_grad=True)
    b = torch.empty(6, device="meta", requires_grad=True)
    out = F.conv2d(x, w, b)
    run = formulas_of(
        lambda: torch.autograd.grad(F.conv2d(x, w, b), (x, w, b), torch.empty_like(out))
    )
    assert run.contraction == 3 * 2 * out.numel() * 4 * 9
    backward = run.of("aten::convolution_backward")
    assert backward.other.value == max(out.numel() - 6, 0)


def complex_zeros(*shape):
    return torch.zeros(*shape, dtype=torch.complex64)


def test_a_complex_convolution_by_hand():
    # A backend that is given complex numbers as they are. 3·3·3 outputs of 2·3·3 taps each:
    # 27·18 = 486 complex multiply-accumulates, 8 FLOPs each. The article has no complex numbers.
    x, w, b, out = (
        complex_zeros(*shape) for shape in ((1, 2, 5, 5), (3, 2, 3, 3), (3,), (1, 3, 3, 3))
    )
    settings = ([1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    cost = cost_of(aten.convolution.default, x, w, b, *settings, out=out)
    assert cost.contraction.value == 8 * 486
    assert cost.other.value == 0
    assert cost.article is None
    # Two gradients as dear as the convolution. The bias' sums 9 numbers for each of 3 channels: 8
    # complex sums, 2 FLOPs each.
    gradients = cost_of(
        aten.convolution_backward.default, out, x, w, [3], *settings, [True] * 3, out=(x, w, b)
    )
    assert gradients.contraction.value == 2 * 8 * 486
    assert gradients.other.value == 2 * 3 * 8


def test_a_complex_convolution_along_time_by_hand():
    # (5, 2, 3) with a kernel (2, 3, 4) gives 4·2·4 outputs of 2·3 taps: 192 multiply-accumulates.
    x, w, b, out = (complex_zeros(*shape) for shape in ((5, 2, 3), (2, 3, 4), (4,), (4, 2, 4)))
    cost = cost_of(aten.conv_tbc.default, x, w, b, out=out)
    assert cost.contraction.value == 8 * 192
