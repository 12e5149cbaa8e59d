"""Products of few bits, against loops over what they multiply."""

import pytest
import torch

from tests.formulas import schemas
from tests.formulas.plain import cost_of, plain, torch_flops
from tests.missing import RELEASE, needs, needs_float8

aten = torch.ops.aten
FLOAT8 = torch.float8_e4m3fn


def test_int8_products_are_integer_operations():
    a, b = torch.ones(32, 16, dtype=torch.int8), torch.ones(16, 8, dtype=torch.int8)
    cost = cost_of(aten._int_mm.default, a, b)
    assert (cost.contraction.value, cost.other.value) == (0, 0)
    assert cost.integer.value == torch_flops(lambda: a.float() @ b.float())


@pytest.mark.parametrize("granularity", ["tensor", "row"])
def test_float8_products_scale_their_outputs(granularity):
    needs_float8()
    needs(granularity == "tensor" or RELEASE > (2, 11), "a scale for each row on the CPU")
    a, b = torch.randn(32, 64).to(FLOAT8), torch.randn(48, 64).to(FLOAT8).t()
    scales = {
        "tensor": (torch.tensor(0.5), torch.tensor(2.0)),
        "row": (torch.rand(32, 1), torch.rand(1, 48)),
    }[granularity]
    dtype = torch.float32 if granularity == "tensor" else torch.bfloat16
    cost = cost_of(aten._scaled_mm.default, a, b, *scales, out_dtype=dtype)
    assert cost.contraction.value == torch_flops(
        lambda: torch._scaled_mm(a, b, *scales, out_dtype=dtype)
    )
    product = a.float() @ b.float()
    if granularity == "tensor":
        factor = scales[0] * scales[1]
        expected = plain(lambda: product * factor)
    else:
        expected = plain(lambda: product * scales[0] * scales[1])
    assert cost.other.value == expected.other


def test_float8_products_with_blocks_of_k():
    a, b = torch.randn(32, 256).to(FLOAT8), torch.randn(48, 256).to(FLOAT8).t()
    scale_a, scale_b = torch.rand(32, 2), torch.rand(2, 1)
    result = torch.empty(32, 48)
    cost = cost_of(aten._scaled_mm.default, a, b, scale_a, scale_b, out=result)

    first, second = torch.randn(32, 48), torch.randn(32, 48)
    expected = plain(
        lambda: first * scale_a[:, :1] * scale_b[0] + second * scale_a[:, 1:] * scale_b[1]
    )
    assert cost.other.value == expected.other
    assert cost.contraction.value == torch_flops(lambda: a.float() @ b.float())


def test_float8_products_that_are_added():
    """An operator of PyTorch 2.15; the schema is that release's own."""
    first, second = torch.empty(4, 32).to(torch.float8_e4m3fn), torch.empty(32, 6)
    one, rows, columns = torch.ones(1), torch.ones(4, 1), torch.ones(1, 6)
    (func,) = schemas.released("aten::_scaled_addmm").values()
    for scales, each in (((one, one), 1), ((rows, columns), 2)):
        rest = ([scales[0]], [0], [0], [scales[1]], [0], [0])
        arguments = (torch.empty(4, 6), first, second, *rest)
        cost = cost_of(func, *arguments, out=torch.empty(4, 6))
        assert cost.contraction.value == 2 * 4 * 6 * 32
        assert cost.other.value == each * 4 * 6
        cost = cost_of(func, *arguments, alpha=2, beta=3, out=torch.empty(4, 6))
        assert cost.other.value == (each + 2) * 4 * 6


def test_int8_weights_are_scaled_by_output():
    x, w = torch.randn(4, 64).bfloat16(), torch.randint(-9, 9, (32, 64), dtype=torch.int8)
    scales = torch.rand(32).bfloat16()
    cost = cost_of(aten._weight_int8pack_mm.default, x, w, scales)
    expected = plain(lambda: (x @ w.bfloat16().t()) * scales)
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


def test_int4_weights_are_unpacked_first():
    x = torch.randn(4, 64).bfloat16()
    w = torch.randint(0, 15, (32, 64), dtype=torch.int32)
    packed = aten._convert_weight_to_int4pack_for_cpu(w, 1)
    scales_and_zeros = torch.rand(2, 32, 2).bfloat16()
    cost = cost_of(aten._weight_int4pack_mm_for_cpu.default, x, packed, 32, scales_and_zeros)
    scale, zero = scales_and_zeros[0, :1, 0], scales_and_zeros[0, :1, 1]
    expected = plain(lambda: x @ (w.bfloat16() * scale + zero).t())
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


def test_int4_weights_with_rows_quantized_on_the_way():
    x = torch.randn(4, 64)
    weights = torch.randint(0, 255, (32, 32), dtype=torch.uint8)
    pack = aten._dyn_quant_pack_4bit_weight
    packed = pack(weights, torch.rand(32, 1), None, 64, 64, 32)
    cost = cost_of(aten._dyn_quant_matmul_4bit.default, x, packed, 64, 64, 32)
    assert cost.contraction.value == 0
    assert cost.integer.value == torch_flops(lambda: x @ torch.randn(64, 32))
    result = torch.randn(4, 32)

    def in_floating_point():
        # Minimum, maximum, scaled and rounded; then a scale and a sum for each output.
        x + 0, x + 0, x * 2.0, x + 0
        return result * 2.0 + 1.0

    assert cost.other.value == plain(in_floating_point).other


def test_linear_layers_of_mixed_dtypes():
    x, w, scale = torch.randn(4, 64), torch.randn(64, 32), torch.rand(32)
    result = torch.empty(4, 32)
    cost = cost_of(
        aten._mixed_dtypes_linear.default, x, w.char(), scale, activation="relu", out=result
    )
    expected = plain(lambda: torch.relu(x @ (w * scale)))
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other
