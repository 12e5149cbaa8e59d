"""Matrix products against textbook loops and against PyTorch's own counter."""

import contextlib

import pytest
import torch

from tests.formulas.counted import Complex, Number, numbers, tally, total
from tests.formulas.plain import cost_of, formulas_of, plain, torch_flops

aten = torch.ops.aten
REAL, COMPLEX = torch.float64, torch.complex128


def sums_of_products(rows, columns):
    """FLOPs of the dot product of each row with each column, begun at zero and begun at nothing."""
    results = []
    with tally() as filled:
        for row in rows:
            for column in columns:
                accumulator = Complex.of(0) if isinstance(row[0], Complex) else Number(0.0)
                for a, b in zip(row, column, strict=True):
                    accumulator = accumulator + a * b
                results.append(accumulator.value)
    with tally() as article:
        for row in rows:
            for column in columns:
                total([a * b for a, b in zip(row, column, strict=True)])
    return filled.flops, article.flops, torch.tensor(results).to(COMPLEX)


def columns(matrix):
    return numbers(matrix.mT)


A, B = (torch.randn(3, 5, dtype=REAL), torch.randn(5, 4, dtype=REAL))
CA, CB = (torch.randn(3, 5, dtype=COMPLEX), torch.randn(5, 4, dtype=COMPLEX))


@pytest.mark.parametrize(("a", "b"), [(A, B), (CA, CB)], ids=["real", "complex"])
def test_mm_is_a_loop_over_rows_and_columns(a, b):
    filled, article, result = sums_of_products(numbers(a), columns(b))
    torch.testing.assert_close(
        result.view(3, 4), (a @ b).to(COMPLEX), check_dtype=False, atol=1e-6, rtol=1e-6
    )
    cost = cost_of(aten.mm.default, a, b)
    assert cost.contraction.value == filled
    assert cost.other.value == 0
    assert cost.article.value == article


@pytest.mark.parametrize(("a", "b"), [(A, B), (CA, CB)], ids=["real", "complex"])
@pytest.mark.parametrize(
    "call",
    [
        lambda a, b: cost_of(aten.mv.default, a, b[:, 0]),
        lambda a, b: cost_of(aten.addmv.default, b[:3, 1], a, b[:, 0]),
    ],
    ids=["mv", "addmv"],
)
def test_matrix_times_vector(call, a, b):
    filled, article, _ = sums_of_products(numbers(a), columns(b[:, :1]))
    cost = call(a, b)
    assert (cost.contraction.value, cost.other.value) == (filled, 0)
    assert cost.article.value == article


@pytest.mark.parametrize(("a", "b"), [(A, B), (CA, CB)], ids=["real", "complex"])
@pytest.mark.parametrize("operator", [aten.dot.default, aten.vdot.default], ids=["dot", "vdot"])
def test_dot(operator, a, b):
    filled, article, _ = sums_of_products(numbers(a[:1]), columns(b[:, :1]))
    cost = cost_of(operator, a[0], b[:, 0])
    assert cost.contraction.value == filled
    assert cost.article.value == article


def test_addr_adds_a_product_to_each_element():
    x, y, c = torch.randn(3), torch.randn(4), torch.randn(3, 4)
    with tally() as count:
        result = [
            [element + a * b for element, b in zip(row, numbers(y), strict=True)]
            for row, a in zip(numbers(c), numbers(x), strict=True)
        ]
    torch.testing.assert_close(
        torch.tensor([[n.value for n in row] for row in result]), torch.addr(c, x, y)
    )
    assert cost_of(aten.addr.default, c, x, y).contraction.value == count.flops


def test_addbmm_sums_over_the_batch_too():
    a, b, c = torch.randn(2, 3, 5), torch.randn(2, 5, 4), torch.randn(3, 4)
    # One long product: the batch is laid side by side.
    long_a, long_b = torch.cat(list(a), dim=1), torch.cat(list(b), dim=0)
    torch.testing.assert_close(c + long_a @ long_b, torch.addbmm(c, a, b))
    filled, article, _ = sums_of_products(numbers(long_a), columns(long_b))
    cost = cost_of(aten.addbmm.default, c, a, b)
    assert cost.contraction.value == filled
    assert cost.article.value == article


@pytest.mark.parametrize("alpha", [1, 3, 0.5])
@pytest.mark.parametrize("beta", [0, 1, 2])
@pytest.mark.parametrize("dtype", [REAL, COMPLEX], ids=["real", "complex"])
@pytest.mark.parametrize("name", ["addmm", "addmv", "addr", "baddbmm", "addbmm"])
def test_scalings_cost_what_multiplying_the_outputs_costs(name, dtype, alpha, beta):
    def random(*shape):
        return torch.randn(*shape, dtype=dtype)

    operands = {
        "addmm": (random(3, 4), random(3, 5), random(5, 4)),
        "addmv": (random(3), random(3, 5), random(5)),
        "addr": (random(3, 4), random(3), random(4)),
        "baddbmm": (random(2, 3, 4), random(2, 3, 5), random(2, 5, 4)),
        "addbmm": (random(3, 4), random(2, 3, 5), random(2, 5, 4)),
    }[name]
    operator = getattr(aten, name).default
    cost = cost_of(operator, *operands, alpha=alpha, beta=beta)
    outputs = numbers(operands[0].flatten())
    with tally() as count:
        for output in outputs:
            if alpha != 1:
                output * alpha
            if beta not in (0, 1):
                output * beta
    assert cost.other.value == count.flops
    assert cost.contraction == cost_of(operator, *operands).contraction


def test_every_form_of_addmm_costs_the_same():
    a, b, c = A, B, torch.randn(3, 4, dtype=REAL)
    expected = cost_of(aten.addmm.default, c, a, b)
    assert cost_of(aten.addmm_.default, c.clone(), a, b) == expected
    assert cost_of(aten.addmm.out, c, a, b, out=torch.empty_like(c)) == expected
    assert expected.contraction.value == torch_flops(lambda: torch.addmm(c, a, b))


def test_pytorch_misses_products_in_place():
    # The difference is on purpose: an in-place product runs all the same.
    c = torch.zeros(3, 4, dtype=REAL)
    assert torch_flops(lambda: c.addmm_(A, B)) == 0
    assert formulas_of(lambda: c.addmm_(A, B)).contraction == 2 * 3 * 4 * 5


def test_integers_are_not_floating_point():
    a, b = torch.ones(3, 5, dtype=torch.int64), torch.ones(5, 4, dtype=torch.int64)
    cost = cost_of(aten.mm.default, a, b)
    assert (cost.contraction.value, cost.other.value) == (0, 0)
    assert cost.integer.value == 2 * 60


def test_empty_products_cost_nothing():
    for m, k, n in ((0, 3, 4), (3, 0, 4), (3, 4, 0), (0, 0, 0)):
        cost = cost_of(aten.mm.default, torch.ones(m, k), torch.ones(k, n))
        assert cost.contraction.value == 0
        assert cost.article.value == 0
    assert cost_of(aten.dot.default, torch.ones(0), torch.ones(0)).article.value == 0


MODES = {
    "gradients": contextlib.nullcontext,
    "no_grad": torch.no_grad,
    "inference": torch.inference_mode,
}


def operand(*shape):
    return torch.randn(*shape, requires_grad=True)


PRODUCTS = {
    "mm": lambda: (torch.mm, operand(3, 5), operand(5, 4)),
    "bmm": lambda: (torch.bmm, operand(2, 3, 5), operand(2, 5, 4)),
    "baddbmm": lambda: (torch.baddbmm, operand(4), operand(2, 3, 5), operand(2, 5, 4)),
    "matmul broadcast": lambda: (torch.matmul, operand(7, 1, 3, 5), operand(2, 5, 4)),
    "matmul 3 × 2": lambda: (torch.matmul, operand(2, 3, 5), operand(5, 4)),
    "linear 2": lambda: (torch.nn.functional.linear, operand(3, 5), operand(4, 5), operand(4)),
    "linear 4": lambda: (torch.nn.functional.linear, operand(2, 3, 6, 5), operand(4, 5)),
    "linear bias": lambda: (
        torch.nn.functional.linear,
        operand(2, 3, 5),
        operand(4, 5),
        operand(4),
    ),
    "einsum": lambda: (
        lambda a, b: torch.einsum("bij,bjk->bik", a, b),
        operand(2, 3, 5),
        operand(2, 5, 4),
    ),
    "einsum of three": lambda: (
        lambda a, b, c: torch.einsum("bij,bjk,bk->bi", a, b, c),
        operand(2, 3, 5),
        operand(2, 5, 4),
        operand(2, 4),
    ),
    "tensordot": lambda: (
        lambda a, b: torch.tensordot(a, b, ([1, 2], [1, 0])),
        operand(2, 3, 4),
        operand(4, 3, 5),
    ),
    "multi_dot": lambda: (torch.linalg.multi_dot, [operand(3, 5), operand(5, 4), operand(4, 6)]),
    "inner": lambda: (torch.inner, operand(3, 5), operand(4, 5)),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PRODUCTS)
def test_products_agree_with_pytorch_in_every_mode(name, mode):
    function, *operands = PRODUCTS[name]()
    with MODES[mode]():
        ours = formulas_of(lambda: function(*operands)).contraction
        theirs = torch_flops(lambda: function(*operands))
    assert ours == theirs > 0


@pytest.mark.parametrize("name", PRODUCTS)
def test_gradients_of_products_agree_with_pytorch(name):
    function, *operands = PRODUCTS[name]()
    leaves = operands[0] if isinstance(operands[0], list) else operands
    seed = torch.ones_like(function(*operands))

    def gradients():
        torch.autograd.grad(function(*operands), leaves, seed)

    assert formulas_of(gradients).contraction == torch_flops(gradients)


@pytest.mark.parametrize(("m", "n"), [((), ()), ((3,), ()), ((), (4,))], ids=["dot", "mv", "vm"])
def test_matmul_with_vectors(m, n):
    a, b = torch.randn(*m, 5), torch.randn(5, *n)
    with torch.inference_mode():
        ours = formulas_of(lambda: a @ b)
    assert ours.operators == ["aten::matmul"]
    filled, article, _ = sums_of_products(numbers(a.view(-1, 5)), columns(b.view(5, -1)))
    assert ours.contraction == filled
    assert ours.article == article


def test_kron_multiplies_all_pairs():
    a, b = torch.randn(2, 3), torch.randn(4, 5)
    with tally() as count:
        [x * y for row in numbers(a) for x in row for line in numbers(b) for y in line]
    assert formulas_of(lambda: torch.kron(a, b)).other == count.flops
    assert formulas_of(lambda: torch.outer(a[0], b[0])).other == 3 * 5


@pytest.mark.parametrize("use_gelu", [False, True], ids=["relu", "gelu"])
def test_an_activation_on_a_product_costs_as_much_as_behind_it(use_gelu):
    bias, a, b = torch.randn(4), torch.randn(3, 5), torch.randn(5, 4)
    activation = torch.nn.functional.gelu if use_gelu else torch.relu
    expected = plain(lambda: activation(torch.addmm(bias, a, b)))
    torch.testing.assert_close(
        torch._addmm_activation(bias, a, b, use_gelu=use_gelu),
        activation(torch.addmm(bias, a, b)),
    )
    cost = cost_of(aten._addmm_activation.default, bias, a, b, use_gelu=use_gelu)
    assert cost.contraction.value == expected.contraction
    assert cost.other.value == expected.other


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
def test_nested_products_are_those_of_their_components():
    parts = [torch.randn(2, 3), torch.randn(4, 3)]
    nested = torch.nested.nested_tensor(parts)
    turned = nested.transpose(1, 2)
    expected = sum(torch_flops(lambda part=part: part @ part.mT) for part in parts)
    for function in (lambda: torch.matmul(nested, turned), lambda: torch.bmm(nested, turned)):
        ours = formulas_of(function)
        assert ours.contraction == expected
        assert ours.article == expected - (2 * 2 + 4 * 4)


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
def test_gradients_of_nested_products():
    parts = [torch.randn(2, 3), torch.randn(4, 3)]
    nested = torch.nested.nested_tensor(parts, requires_grad=True)
    result = torch.matmul(nested, nested.transpose(1, 2))
    seed = torch.nested.nested_tensor([torch.ones(2, 2), torch.ones(4, 4)])
    ours = formulas_of(lambda: result.backward(seed))
    forward = sum(torch_flops(lambda part=part: part @ part.mT) for part in parts)
    assert ours.of("aten::matmul_backward").contraction.value == 2 * forward


def test_meta_tensors():
    a, b = torch.empty(3, 5, device="meta"), torch.empty(5, 4, device="meta")
    assert cost_of(aten.mm.default, a, b).contraction.value == 2 * 60


def complex_zeros(*shape):
    return torch.zeros(*shape, dtype=torch.complex64)


@pytest.mark.parametrize(
    ("mask", "gradients"), [((True, True), 2), ((True, False), 1), ((False, True), 1)]
)
def test_gradients_of_whole_products_by_hand(mask, gradients):
    # (2, 3) @ (3, 4) is 2·4·3 = 24 multiply-accumulates, and so is each of the two gradients. Real
    # ones are 2 FLOPs; complex ones are 4 products and 4 sums, 8 FLOPs.
    for zeros, flops_of_a_mac in ((torch.zeros, 2), (complex_zeros, 8)):
        a, b, grad = zeros(2, 3), zeros(3, 4), zeros(2, 4)
        cost = cost_of(aten.matmul_backward.default, grad, a, b, list(mask), out=(a, b))
        assert cost.contraction.value == gradients * flops_of_a_mac * 24
        assert cost.other.value == 0


def test_gradients_of_a_batch_of_complex_products_by_hand():
    # 5 products (2, 3) @ (3, 4): 5·24 multiply-accumulates, 8 FLOPs each, for both gradients.
    a, b, grad = complex_zeros(5, 2, 3), complex_zeros(3, 4), complex_zeros(5, 2, 4)
    cost = cost_of(aten.matmul_backward.default, grad, a, b, [True, True], out=(a, b))
    assert cost.contraction.value == 2 * 8 * 5 * 24 == 1920


@pytest.mark.filterwarnings("ignore:.*nested tensors.*:UserWarning")
def test_complex_nested_products_by_hand():
    # (2, 3) @ (3, 2) and (4, 3) @ (3, 4): 12 + 48 = 60 complex multiply-accumulates into 4 + 16
    # outputs. The article begins each output with its first product: one complex sum (2) less.
    nested = torch.nested.nested_tensor([complex_zeros(2, 3), complex_zeros(4, 3)])
    turned = nested.transpose(1, 2)
    cost = cost_of(aten.matmul.default, nested, turned, out=nested)
    assert cost.contraction.value == 8 * 60
    assert cost.article.value == 8 * 60 - 2 * 20
    both = cost_of(
        aten.matmul_backward.default, nested, nested, turned, [True, True], out=(nested, turned)
    )
    assert both.contraction.value == 2 * 8 * 60
