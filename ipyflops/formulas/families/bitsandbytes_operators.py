"""Operators of bitsandbytes, by their names: it need not be installed.

Numbers of 8 or 4 bits are stored with a scale for each row, column or block of them. Finding the
scales, rounding to the nearest value and multiplying by the scales again is counted beside the
products. A value of a table is found by comparisons: 4 for 4 bits, 8 for 8 bits.
"""

from __future__ import annotations

import math

import torch

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.cost_expressions import cost, times, total
from ipyflops.formulas.families.products import product
from ipyflops.formulas.registry import RESULT, NoFormulaError, formula

#: Of each number: its absolute value, compared with the largest so far.
_LARGEST = 2
#: Of each number: multiplied by the inverse of the scale, and rounded.
_ROUNDED = 2
_COMPARISONS_4_BITS, _COMPARISONS_8_BITS = 4, 8


def _rows(shape: tuple[int, ...]) -> int:
    return math.prod(shape[:-1])


@formula("bitsandbytes::int8_linear_matmul", dtype_from="A")
def int8_linear(call: Call) -> Cost:
    """A @ Bᵀ of int8 into int32: integer operations, 2·m·n·k of them."""
    a, n = call["A"], call["B"].shape[0]
    return product(call, outputs="m·n", length="k", m=_rows(a.shape), n=n, k=a.shape[-1])


@formula("bitsandbytes::int8_mm_dequant", dtype_from=RESULT)
def int8_dequantized(call: Call) -> Cost:
    """Each output times its row's scale, its column's scale and a constant, plus the bias."""
    n, biased = call["A"].numel(), call["bias"] is not None
    return Cost.of(other=times(3 + biased), n=n)


def _int8_linear(call: Call, m: int, n: int, k: int, outliers: int = 0) -> Cost:
    """A product of int8, scaled, and one of the columns whose numbers are too large for int8."""
    each = 3 + (call["bias"] is not None)
    symbols = {"m": m, "n": n, "k": k, "large": outliers}
    return cost(
        symbols,
        contraction="2·m·n·large" if outliers else "0",
        # The weights of those columns are scaled back: by their row's scale and a constant.
        other=total(times(each, "m·n"), "m·n + 2·n·large" if outliers else "0"),
        integer_contraction="2·m·n·k",
        note="large: columns with numbers too large for int8" if outliers else "",
    )


@formula("bitsandbytes::int8_scaled_mm", dtype_from=torch.int8)
def int8_scaled(call: Call) -> Cost:
    """A product of int8, then scales of rows and columns, and a bias."""
    a, n = call["A"], call["B"].shape[0]
    return _int8_linear(call, _rows(a.shape), n, a.shape[-1])


@formula("bitsandbytes::int8_mixed_scaled_mm", by_number=True, dtype_from=torch.int8)
def int8_mixed(call: Call) -> Cost:
    """LLM.int8(): most columns in int8, those with large numbers in the dtype of A."""
    ca, n, columns = call["CA"], call["CB"].shape[0], call["outlier_cols"]
    outliers = 0 if columns is None else columns.numel()
    return _int8_linear(call, _rows(ca.shape), n, ca.shape[-1], outliers)


@formula("bitsandbytes::int8_vectorwise_quant", dtype_from="A")
def int8_quantized(call: Call) -> Cost:
    """A scale for each row: its largest number by value; numbers are divided by it and rounded."""
    return _quantized_rows(call, _LARGEST + _ROUNDED, ways=1)


@formula("bitsandbytes::int8_double_quant", dtype_from="A")
def int8_quantized_twice(call: Call) -> Cost:
    """By rows and by columns: the absolute value is taken once."""
    return _quantized_rows(call, 2 * (_LARGEST + _ROUNDED) - 1, ways=2)


def _quantized_rows(call: Call, each: int, ways: int) -> Cost:
    a = call["A"]
    scales = _rows(a.shape) + (a.shape[-1] if ways == 2 else 0)
    # With a threshold every number is compared with it.
    symbols = {"n": a.numel(), "scales": scales}
    return cost(symbols, other=f"{each + (call['threshold'] > 0)}·n + scales")


@formula("bitsandbytes::int8_vectorwise_dequant", dtype_from=RESULT)
def int8_back(call: Call) -> Cost:
    """Each number times its row's scale, and times a constant."""
    return Cost.of(other="2·n", n=call["A"].numel())


@formula("bitsandbytes::quantize_4bit", dtype_from="A")
def quantized_4_bits(call: Call) -> Cost:
    """A scale for each block; each number times its inverse, and the nearest of 16 values."""
    return _quantized_blocks(call, _COMPARISONS_4_BITS)


@formula("bitsandbytes::quantize_blockwise", dtype_from="A")
def quantized_8_bits(call: Call) -> Cost:
    """A scale for each block; each number times its inverse, and the nearest of 256 values."""
    return _quantized_blocks(call, _COMPARISONS_8_BITS)


def _quantized_blocks(call: Call, comparisons: int) -> Cost:
    n = call["A"].numel()
    blocks = math.ceil(n / call["blocksize"])
    return Cost.of(other=f"{_LARGEST + 1 + comparisons}·n + blocks", n=n, blocks=blocks)


@formula("bitsandbytes::dequantize_4bit", "bitsandbytes::dequantize_blockwise", dtype_from="dtype")
def dequantized(call: Call) -> Cost:
    """A value of the table for each number, times the scale of its block."""
    # Two numbers of 4 bits are one byte; the result has them all.
    shape = call.get("shape")
    n = math.prod(shape) if shape is not None else call["A"].numel()
    return Cost.of(other="n", n=n)


@formula("bitsandbytes::gemm_4bit", "bitsandbytes::gemv_4bit", dtype_from="A")
def product_4_bits(call: Call) -> Cost:
    """X @ Wᵀ with weights of 4 bits, each of which is first multiplied by the scale of its block.

    Scales may be stored in 8 bits themselves: then each is a product and a sum. The bias is the
    first number in the accumulator, and free.
    """
    a, (n, k) = call["A"], call["shapeB"]
    nested = call.get("absmax_8bit")
    return product(
        call,
        outputs="m·n",
        length="k",
        other=total("n·k", "0" if nested is None else "2·blocks"),
        m=_rows(a.shape),
        n=n,
        k=k,
        blocks=0 if nested is None else nested.numel(),
    )


#: Of each element, beside the scaling of the gradient (1): how many states an optimizer has, and
#: what it does to them and to the parameter.
_OPTIMIZERS = {
    "adam": (2, 3 + 4 + 6),  # both averages; then √v, + ε, a quotient, two products, a difference
    "momentum": (1, 2 + 2),  # μ·buffer + grad; param − lr·buffer
    "rmsprop": (1, 4 + 5),  # the average of squares; √v, + ε, a quotient, a product, a difference
    "adagrad": (1, 2 + 5),  # v + grad·grad; as above
    "lion": (1, 3 + 1 + 2 + 3),  # an average and its sign; param − lr·sign; another average
}


@formula("bitsandbytes::optimizer_update_32bit", dtype_from="g")
def optimizer_32_bits(call: Call) -> Cost:
    """A step of adam, momentum, rmsprop, adagrad or lion; others have no formula."""
    return _step(call, bits=32)


@formula("bitsandbytes::optimizer_update_8bit_blockwise", dtype_from="g")
def optimizer_8_bits(call: Call) -> Cost:
    """The same with states of 8 bits: each is scaled back first, and quantized by blocks again."""
    return _step(call, bits=8)


def _step(call: Call, bits: int) -> Cost:
    known = _OPTIMIZERS.get(call["optimizer_name"])
    if known is None:
        raise NoFormulaError(f"{call.operator} of {call['optimizer_name']}")
    states, each = known
    each += 1  # the gradient's scale
    if call["weight_decay"] > 0:
        # adam and lion shrink the parameter, the others add a multiple of it to the gradient.
        each += 1 if call["optimizer_name"] in ("adam", "lion") else 2
    if bits == 8:
        each += states * (1 + _LARGEST + 1 + _COMPARISONS_8_BITS)
    return Cost.of(other=times(each), n=call["p"].numel())
