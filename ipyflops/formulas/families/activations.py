"""Activation functions and their backward operators, element by element.

A fused activation costs what it costs written out with plain operators: a sigmoid in it is 4 and a
tanh 5, a rectifier is one comparison, a choice between two values is free once the comparison is
made, and where a kernel blends two branches both are computed. See
`formulas.per_element` for what counts as one operation; tanh and sigmoid themselves are in
`families.special_functions`.
"""

from __future__ import annotations

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.per_element import PerElement, enter_table, per_element
from ipyflops.formulas.registry import formula

_FORWARD = {
    "relu": PerElement(1, None, "max(x, 0): one comparison.", article=True),
    "threshold": PerElement(1, None, "x > threshold: one comparison."),
    "hardtanh": PerElement(2, None, "Compared with both bounds."),
    "hardsigmoid": PerElement(4, None, "relu6(x + 3)/6: a sum, 2 comparisons, a division."),
    "hardswish": PerElement(
        5, None, "x·relu6(x + 3)/6: a sum, 2 comparisons, a product, a division."
    ),
    "leaky_relu": PerElement(2, None, "x > 0 and slope·x: a comparison and a product."),
    "_prelu_kernel": PerElement(2, None, "x > 0 and weight·x: a comparison and a product."),
    "rrelu_with_noise": PerElement(
        2, None, "x > 0 and slope·x: a comparison and a product; the random slope is free."
    ),
    "rrelu_with_noise_functional": PerElement(
        2, None, "x > 0 and slope·x: a comparison and a product; the random slope is free."
    ),
    "hardshrink": PerElement(2, None, "−λ ≤ x ≤ λ: 2 comparisons."),
    "softshrink": PerElement(3, None, "x > λ, x < −λ, and x ∓ λ: 2 comparisons and a sum."),
    "silu": PerElement(5, 20, "x·sigmoid(x): 4 and a product; complex: 14 and 6."),
    "mish": PerElement(9, None, "x·tanh(softplus(x)): softplus 3, tanh 5, a product."),
    "log_sigmoid_forward": PerElement(
        6, None, "min(x, 0) − log1p(exp(−|x|)): a comparison, |·|, −, exp, log1p, a difference."
    ),
}

_BACKWARD = {
    "threshold_backward": PerElement(1, None, "x > threshold lets the gradient through."),
    "hardtanh_backward": PerElement(2, None, "min < x < max lets the gradient through."),
    "hardsigmoid_backward": PerElement(3, None, "g/6 where −3 < x < 3: 2 comparisons, a product."),
    "hardswish_backward": PerElement(
        5, None, "g·(x/3 + ½) where −3 ≤ x ≤ 3: 2 comparisons, a division, a sum, a product."
    ),
    "leaky_relu_backward": PerElement(2, None, "g or slope·g: a comparison and a product."),
    "_prelu_kernel_backward": PerElement(
        3, None, "x > 0; weight·g for the input and x·g for the weight: a comparison, 2 products."
    ),
    "hardshrink_backward": PerElement(2, None, "−λ ≤ x ≤ λ stops the gradient: 2 comparisons."),
    "softshrink_backward": PerElement(2, None, "−λ ≤ x ≤ λ stops the gradient: 2 comparisons."),
    "sigmoid_backward": PerElement(
        3, 15, "g·(1 − y)·y; complex: g·conj((1 − y)·y), a difference 2, products 12, a sign."
    ),
    "tanh_backward": PerElement(
        3, 15, "g·(1 − y²); complex: g·conj(1 − y²), products 12, a difference 2, a sign."
    ),
    "logit_backward": PerElement(
        5, None, "g/(x·(1 − x)) where x is within the bounds: 2 comparisons, 3 operations."
    ),
    "silu_backward": PerElement(
        9, 36, "g·(s·(1 + x·(1 − s))): s = sigmoid(x) 4, 2 sums, 3 products; complex 14 + 4 + 18."
    ),
    "mish_backward": PerElement(
        18,
        None,
        "g·(t + x·(s·(1 − t²))) with t = tanh(softplus(x)): 8, s = sigmoid(x): 4, then 4 products "
        "and 2 sums.",
    ),
}

enter_table(_FORWARD, __name__)
enter_table(_BACKWARD, __name__)


@formula("aten::gelu")
def gelu(call: Call) -> Cost:
    """Two forms.

    - none: ½·x·(1 + erf(x/√2)): x/√2, erf, a sum, 2 products: 5.
    - tanh: ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))): x³ 2, ·0.044715, + x, ·√(2/π), tanh 5, 1 +,
      2 products: 13.
    """
    return per_element(call, 13 if call["approximate"] == "tanh" else 5)


@formula("aten::gelu_backward")
def gelu_backward(call: Call) -> Cost:
    """Two forms.

    - none: g·(Φ + x·φ). Φ = ½·(1 + erf(x/√2)): 4. φ = exp(−½·x²)/√(2π): x², ·−½, exp, ·1/√(2π): 4.
      x·φ, a sum, ·g: 3. Together 11.
    - tanh: with u = √(2/π)·(x + 0.044715·x³) (x², ·x, ·0.044715, + x, ·√(2/π): 5) and t = tanh(u)
      (5): g·(½·(1 + t) + ½·x·(1 − t²)·v), v = √(2/π)·(1 + 3·0.044715·x²) (3). ½·(1 + t) 2, ½·x 1,
      1 − t² 2, 2 products, a sum, ·g: 9. Together 22.
    """
    return per_element(call, 22 if call["approximate"] == "tanh" else 11)


@formula("aten::softplus")
def softplus(call: Call) -> Cost:
    """Smooth rectifier log1p(exp(β·x))/β, or x above the threshold.

    A comparison, exp, log1p; a product and a division more where β is not 1.
    """
    return per_element(call, 3 + 2 * (call["beta"] != 1))


@formula("aten::softplus_backward")
def softplus_backward(call: Call) -> Cost:
    """Gradient g·z/(z + 1) with z = exp(β·x), or g above the threshold.

    A comparison, exp, a product, a sum, a division; a product more where β is not 1.
    """
    return per_element(call, 5 + (call["beta"] != 1))


@formula("aten::elu", "aten::celu", by_number=True)
def elu(call: Call) -> Cost:
    """Two branches: scale·x, or alpha·scale·(exp(input_scale·x) − 1): a comparison, an expm1.

    One product more for each factor that is not 1: scale, alpha·scale, input_scale. celu is elu
    with input_scale = 1/alpha; selu is elu with an alpha and a scale of its own.
    """
    alpha, scale = call["alpha"], call.get("scale", 1)
    input_scale = alpha if call.operator.startswith("aten::celu") else call["input_scale"]
    return per_element(call, 2 + (scale != 1) + (alpha * scale != 1) + (input_scale != 1))


@formula("aten::elu_backward", by_number=True)
def elu_backward(call: Call) -> Cost:
    """The derivative of elu, from its input or from its result y.

    g·scale where x > 0; else from the input g·input_scale·(alpha·scale)·exp(input_scale·x), from
    the result g·input_scale·(y + alpha·scale). A comparison, an exponential or a sum, a product
    with g; one product more for each factor that is not 1 (input_scale twice if it is in the
    exponent).
    """
    scale, input_scale = call["scale"], call["input_scale"]
    count = 3 + (scale != 1) + (input_scale != 1)
    if not call["is_result"]:
        count += (input_scale != 1) + (call["alpha"] * scale != 1)
    return per_element(call, count)


@formula("aten::rrelu_with_noise_backward", by_number=True)
def rrelu_with_noise_backward(call: Call) -> Cost:
    """In training g·noise, one product; else as leaky_relu, a comparison and a product."""
    # The kernel's own test for slopes that are random at all.
    random = call["training"] and call["upper"] - call["lower"] > 1e-6
    return per_element(call, 1 if random else 2)


@formula("aten::log_sigmoid_backward")
def log_sigmoid_backward(call: Call) -> Cost:
    """Gradient g·(d − sign·z/(1 + z)) with z = exp(−|x|), d and the sign by x < 0.

    A comparison, 1 + z, a division, the sign, a difference, ·g: 6. On CPU z is the buffer that the
    forward kept; elsewhere the buffer is empty and z is computed again: |·|, −, exp.
    """
    return per_element(call, 9 if call["buffer"].numel() == 0 else 6)


@formula("aten::glu")
def glu(call: Call) -> Cost:
    """The product a·sigmoid(b) of the halves of the input: 4 and a product for each result."""
    return per_element(call, 5)


def _half(call: Call, count: int) -> Cost:
    """So many operations for every pair of elements of the two halves."""
    n = first_output(call).numel() // 2
    return Cost.of(other=times(count), n=n)


@formula("aten::glu_backward")
def glu_backward(call: Call) -> Cost:
    """Gradients g·s for a and g·s·a·(1 − s) for b, with s = sigmoid(b): 4, 1 − s, 3 products."""
    return _half(call, 8)


@formula("aten::glu_jvp")
def glu_jvp(call: Call) -> Cost:
    """Tangent da·s + glu·(db − s·db), s = sigmoid(b): 4, 3 products, a difference, a sum."""
    return per_element(call, 9)


@formula("aten::glu_backward_jvp")
def glu_backward_jvp(call: Call) -> Cost:
    """The derivative of `glu_backward` along dg and (da, db), s = sigmoid(b) 4.

    For a: u = dg·s + p·(db − s·db), where p = g·s is at hand: 3 products, a difference, a sum. For
    b: (u·a + p·da)·(1 − s) − q·s·db, where q = p·a·(1 − s) is at hand and s·db was made above: 4
    products, 1 − s, a sum, a difference.
    """
    return _half(call, 16)
