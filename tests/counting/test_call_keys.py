"""Calls that cost differently have different keys: a number that decides the cost is in the key.

What a call costs is worked out once for each key. A floating point number would make a new key in
every step of a learning rate's schedule, so only those that formulas look at are in it. Here every
float of a call is replaced by others: where the formula then gives another cost, the key must be
another one too.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, ops
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops.counting import FlopCounter
from ipyflops.counting.call_keys import TELLING_NUMBERS, key_function
from ipyflops.formulas import Call, Formula, lookup, temporary_formula

#: Numbers that formulas look at, as an exponent or the order of a norm; and others around them.
SPECIAL = (0.0, 0.5, 1.0, 2.0, 3.0, -0.5, -1.0, -2.0, math.inf, -math.inf)
ORDINARY = (0.3, 0.25, 0.7, 1.5, 2.5, 4.0, 7.5, 1e-9, -0.3, -1.5, -3.0, -3.5)
NUMBERS = SPECIAL + ORDINARY


def leaf(*shape: int) -> Tensor:
    return torch.rand(*shape, requires_grad=True)


def backward(result: Tensor) -> None:
    result.sum().backward()


def sgd_step() -> None:
    parameter = torch.nn.Parameter(torch.rand(4))
    parameter.grad = torch.rand(4)
    optimizer = torch.optim.SGD(
        [parameter], lr=0.3, momentum=0.7, dampening=0.2, weight_decay=0.6, fused=True
    )
    optimizer.step()
    optimizer.step()


def adam_step() -> None:
    parameter = torch.nn.Parameter(torch.rand(4))
    parameter.grad = torch.rand(4)
    torch.optim.Adam([parameter], lr=0.3, weight_decay=0.6, fused=True).step()


#: Calls whose cost depends on a float, by what the float is.
PROGRAMS: dict[str, Callable[[], object]] = {
    "exponent": lambda: torch.rand(3) ** 0.3,
    "complex exponent": lambda: torch.rand(3, dtype=torch.complex64) ** 0.3,
    "base": lambda: 0.3 ** torch.rand(3),
    "order of a norm": lambda: torch.linalg.vector_norm(torch.rand(3, 4), 0.3, dim=1),
    "complex norm": lambda: torch.linalg.vector_norm(torch.rand(3, dtype=torch.complex64), 0.3),
    "renorm": lambda: torch.renorm(torch.rand(3, 4), 0.3, 0, 0.7),
    "distances": lambda: backward(torch.cdist(leaf(3, 4), leaf(2, 4), p=0.3)),
    "pairs of rows": lambda: backward(torch.pdist(leaf(3, 4), p=0.3)),
    "alpha of add": lambda: torch.add(torch.rand(3), torch.rand(3), alpha=0.3),
    "alpha of sub": lambda: torch.sub(torch.rand(3), torch.rand(3), alpha=0.3),
    "alpha of rsub": lambda: torch.rsub(torch.rand(3), torch.rand(3), alpha=0.3),
    "addcmul": lambda: torch.addcmul(torch.rand(3), torch.rand(3), torch.rand(3), value=0.3),
    "addcdiv": lambda: torch.addcdiv(torch.rand(3), torch.rand(3), torch.rand(3), value=0.3),
    "addmm": lambda: torch.addmm(
        torch.rand(2, 4), torch.rand(2, 3), torch.rand(3, 4), alpha=0.3, beta=0.7
    ),
    "index_add": lambda: torch.rand(3, 2).index_add(
        0, torch.tensor([0, 2]), torch.rand(2, 2), alpha=0.3
    ),
    "sparse sum": lambda: torch.add(torch.eye(3).to_sparse(), torch.eye(3).to_sparse(), alpha=0.3),
    "softplus": lambda: backward(F.softplus(leaf(3), beta=0.3)),  # type: ignore[arg-type]
    "elu": lambda: backward(F.elu(leaf(3), alpha=0.3)),
    "scaled elu": lambda: ops.aten.elu.default(torch.rand(3), 1.0, 0.3, 1.0),
    "input scale of elu": lambda: ops.aten.elu.default(torch.rand(3), 1.0, 1.0, 0.3),
    "factors of elu whose product is 1": lambda: ops.aten.elu.default(torch.rand(3), 4.0, 0.3, 1.0),
    "gradient of elu": lambda: ops.aten.elu_backward.default(
        torch.rand(3), 4.0, 0.3, 1.0, False, torch.rand(3)
    ),
    "gradient of rrelu": lambda: ops.aten.rrelu_with_noise_backward.default(
        torch.rand(3), torch.rand(3), torch.rand(3), 0.3, 0.7, True, False
    ),
    "celu": lambda: backward(F.celu(leaf(3), alpha=0.3)),
    "smooth_l1": lambda: backward(F.smooth_l1_loss(leaf(3), torch.rand(3), beta=0.3)),
    "huber": lambda: backward(F.huber_loss(leaf(3), torch.rand(3), delta=0.3)),
    "margin": lambda: backward(
        ops.aten.multi_margin_loss.default(leaf(2, 3), torch.tensor([0, 1]), 1, 0.3)
    ),
    "dropout of attention": lambda: ops.aten._scaled_dot_product_flash_attention_for_cpu.default(
        torch.rand(1, 1, 4, 8), torch.rand(1, 1, 4, 8), torch.rand(1, 1, 4, 8), 0.0, scale=0.3
    ),
    "dropout": lambda: ops.aten.native_dropout.default(torch.rand(3), 0.3, True),
    "interpolation": lambda: F.interpolate(
        torch.rand(1, 1, 6, 6), scale_factor=(0.3, 0.7), mode="bicubic", antialias=True
    ),
    "clamp": lambda: torch.rand(3).clamp(0.3, 0.7),
    "lerp": lambda: torch.lerp(torch.rand(3), torch.rand(3), 0.3),
    "foreach exponent": lambda: torch._foreach_pow([torch.rand(3)], 0.3),
    "foreach exponents": lambda: torch._foreach_pow([torch.rand(3), torch.rand(2)], [0.3, 0.7]),
    "foreach norm": lambda: torch._foreach_norm([torch.rand(3)], 0.3),
    "foreach alpha": lambda: torch._foreach_add([torch.rand(3)], [torch.rand(3)], alpha=0.3),
    "SGD": sgd_step,
    "Adam": adam_step,
}


class Calls(TorchDispatchMode):
    """Keeps every call that has a formula and a float among its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        has_floats = any(True for _ in with_other_floats([args, kwargs], 0.0))
        if has_floats and isinstance(lookup(func), Formula):
            self.seen.append((func, args, kwargs, out))
        return out


def with_other_floats(value: Any, number: float) -> Iterator[Any]:
    """The same, with one of its floats replaced: once for each of them."""
    if type(value) is float:
        yield number
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            for other in with_other_floats(item, number):
                yield [*value[:index], other, *value[index + 1 :]]
    elif isinstance(value, Mapping):
        for name, item in value.items():
            for other in with_other_floats(item, number):
                yield {**value, name: other}


def keys_and_costs(name: str) -> Iterator[list[tuple[float, Any, Any]]]:
    """For each float of each call: the key and the cost with each number in its place."""
    with Calls() as calls:
        PROGRAMS[name]()
    assert calls.seen, "no call has a float"
    for func, args, kwargs, out in calls.seen:
        formula = lookup(func)
        assert isinstance(formula, Formula)
        key = key_function(func, formula)
        for place in range(len([*with_other_floats([args, kwargs], 0.0)])):
            table = []
            for number in NUMBERS:
                other, named = [*with_other_floats([args, kwargs], number)][place]
                cost = formula(Call(func, tuple(other), named, out))
                table.append((number, key(func, other, named, out), cost))
            yield table


@pytest.mark.parametrize("name", PROGRAMS)
def test_calls_of_one_key_cost_the_same(name: str) -> None:
    for table in keys_and_costs(name):
        costs: dict[Any, tuple[float, Any]] = {}
        for number, key, cost in table:
            if key[0] is None:
                continue  # the cost is worked out for every call
            other, known = costs.setdefault(key, (number, cost))
            assert cost == known, f"{number} and {other} have one key"


def test_each_number_in_the_key_decides_what_some_call_costs() -> None:
    """Otherwise the test above would not notice that one of them is left out of the key."""
    deciding = set()
    for name in PROGRAMS:
        for table in keys_and_costs(name):
            if len({key for _, key, _ in table}) == len(table):
                continue  # every number is in the key
            ordinary = [cost for number, _, cost in table if number in ORDINARY]
            deciding |= {
                number for number, key, cost in table if key[0] is not None and cost not in ordinary
            }
    assert deciding == set(SPECIAL) == TELLING_NUMBERS


def test_calls_with_other_floats_are_counted_apart_in_one_block() -> None:
    x = torch.rand(4)
    alone = []
    exponents = (1.0, 2.0, 3.0, 0.3, -2.0, 0.5)
    for exponent in exponents:
        with FlopCounter() as counter:
            x**exponent
        alone.append(counter.report.flops)
    assert alone == [0, 4, 8, 4, 8, 4]
    with FlopCounter() as counter:
        for exponent in exponents:
            x**exponent
    assert counter.report.flops == sum(alone)
    explained = {one.substituted: one.calls for one in counter.report.explain()}
    assert explained == {"0": 1, "4": 3, "2·4": 2}, "and each is explained"


def test_not_a_number_is_an_ordinary_float() -> None:
    x = torch.rand(4)
    with FlopCounter() as counter:
        for exponent in (math.nan, 0.3, math.nan):
            x**exponent
    assert counter.report.flops == 12


# --- the size of a result ------------------------------------------------------------------------


def bytes_and_flops(function: Callable[[], object]) -> tuple[int, int]:
    with FlopCounter() as counter:
        function()
    return counter.report.bytes, counter.report.flops


def mask(ones: int) -> Tensor:
    return torch.arange(8) < ones


def values(different: int) -> Tensor:
    return torch.arange(8.0).clamp(max=different - 1.0)


#: Calls whose result is as large as a number or the values say, and what one with k elements moves.
SIZED_BY_VALUES: dict[str, tuple[Callable[[int], Callable[[], object]], Callable[[int], int]]] = {
    # 8 numbers of 4 bytes and 8 of 1 are read, k of 4 are written.
    "index": (
        lambda k: partial(ops.aten.index.Tensor, torch.rand(8), [mask(k)]),
        lambda k: 40 + 4 * k,
    ),
    "masked_select": (
        lambda k: partial(torch.rand(8).masked_select, mask(k)),
        lambda k: 40 + 4 * k,
    ),
    # 8 truth values are read, k places of 8 bytes are written.
    "nonzero": (lambda k: mask(k).nonzero, lambda k: 8 + 8 * k),
    "argwhere": (lambda k: partial(ops.aten.nonzero.default, mask(k)), lambda k: 8 + 8 * k),
    "bincount": (
        lambda k: partial(torch.bincount, torch.full((8,), k - 1)),
        lambda k: 64 + 8 * k,
    ),
    "repeat_interleave": (
        lambda k: partial(torch.repeat_interleave, torch.tensor([k - 1, 1])),
        lambda k: 16 + 8 * k,
    ),
    "unique_consecutive": (
        lambda k: partial(torch.unique_consecutive, values(k)),
        lambda k: 32 + 4 * k,
    ),
    "unique": (
        lambda k: partial(torch.unique, values(k), return_counts=True),
        # The different values, and how often each occurs.
        lambda k: 32 + 4 * k + 8 * k,
    ),
    "unique_dim": (
        lambda k: partial(torch.unique, values(k), dim=0),
        # This kernel also writes for each of the 8 which it is, and how often each occurs.
        lambda k: 32 + 4 * k + 8 * 8 + 8 * k,
    ),
    "arange": (lambda k: partial(torch.arange, 0.0, k - 0.5), lambda k: 4 * k),
    "range of steps": (lambda k: partial(torch.arange, 0.0, 8.0, 8.0 / k), lambda k: 4 * k),
    "to_sparse": (
        # Places of 8 bytes and values of 4.
        lambda k: partial(mask(k).float().to_sparse),
        lambda k: 32 + 12 * k,
    ),
    "pack_padded_sequence": (
        lambda k: partial(
            ops.aten._pack_padded_sequence.default,
            torch.rand(1, 8, 1),
            torch.tensor([k]),
            batch_first=True,
        ),
        # 8 numbers and a length are read, k numbers and k sizes of a batch are written.
        lambda k: 32 + 8 + 4 * k + 8 * k,
    ),
}


@pytest.mark.parametrize("name", SIZED_BY_VALUES)
def test_a_result_as_large_as_the_values_say_moves_its_own_bytes(name: str) -> None:
    prepare, moved = SIZED_BY_VALUES[name]
    for size in (2, 5, 7, 2):
        found, _ = bytes_and_flops(prepare(size))
        assert found == moved(size), size


def test_an_image_resized_by_a_factor_costs_what_its_own_size_says() -> None:
    """Between 4 pixels are 3 interpolations of 3 operations: 9 for each of 3·(8·s)² results."""
    image = torch.rand(1, 3, 8, 8)
    with torch.inference_mode():  # the operator with the factor is not taken apart
        for factor, flops in ((1.5, 3_888), (2.5, 10_800), (3.5, 21_168)):
            resize = partial(F.interpolate, image, scale_factor=factor, mode="bilinear")
            found, expected = bytes_and_flops(resize), 4 * 3 * (64 + (8 * factor) ** 2)
            assert found == (expected, flops)


def test_whole_and_floating_point_numbers_are_told_apart() -> None:
    """Otherwise 1 and 1.0 and True are one key."""
    x = torch.arange(4)
    for other, flops, int_ops in ((1, 0, 4), (1.0, 4, 0), (True, 0, 4), (2.0, 4, 0), (2, 0, 4)):
        with FlopCounter() as counter:
            x + other
        assert (counter.report.flops, counter.report.int_ops) == (flops, int_ops), other


def test_a_quotient_of_whole_numbers_has_the_default_dtype() -> None:
    x, y = torch.arange(1, 5), torch.arange(1, 5)
    assert bytes_and_flops(lambda: x / y) == (2 * 32 + 4 * 4, 4)
    torch.set_default_dtype(torch.float64)
    try:
        assert bytes_and_flops(lambda: x / y) == (2 * 32 + 4 * 8, 4)
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_tensor_that_is_given_twice_is_read_once() -> None:
    """Wherever it stands; each of 4 numbers takes 16 bytes, and so does a result."""
    a, b, c, d = (torch.rand(4) for _ in range(4))
    for tensors in ([a, b, c], [a, b, a], [a, a, b], [b, a, a], [a, a, a], [a, b, c]):
        different = len({id(tensor) for tensor in tensors})
        moved, _ = bytes_and_flops(partial(torch.addcmul, *tensors))
        assert moved == 16 * (different + 1), "among the arguments"
        moved, _ = bytes_and_flops(partial(torch.cat, tensors))
        assert moved == 16 * (different + 3), "in a list"
        moved, _ = bytes_and_flops(partial(torch._foreach_mul, tensors, [a, b, d]))
        assert moved == 16 * (len({id(one) for one in (*tensors, a, b, d)}) + 3), "in two lists"
    weight, bias = torch.ones(4), torch.zeros(4)
    for mean, variance in ((bias, weight), (a, b), (weight, weight), (bias, weight)):
        norm = partial(ops.aten._native_batch_norm_legit_no_training.default, torch.rand(2, 4))
        moved, _ = bytes_and_flops(partial(norm, weight, bias, mean, variance, 0.1, 1e-5))
        different = len({id(one) for one in (weight, bias, mean, variance)})
        assert moved == 2 * 32 + 16 * different, "among many"


def test_a_complex_factor_of_one_is_left_out() -> None:
    """A complex product takes 6 operations, a sum 2; so each of 3 takes 8, or 14 with a factor."""
    x, y, z = (torch.rand(3, dtype=torch.complex64) for _ in range(3))
    for value, each in ((2 + 1j, 14), (1 + 0j, 8), (3j, 14), (1.0, 8), (0.3, 14)):
        assert bytes_and_flops(partial(torch.addcmul, x, y, z, value=value))[1] == 3 * each


def test_a_formula_of_a_user_may_look_at_any_number() -> None:
    def by_alpha(call: Call) -> int:
        return round(call["alpha"] * 100)

    x = torch.rand(3)
    with temporary_formula(torch.ops.aten.add.Tensor, by_alpha):
        for alpha, flops in ((0.25, 25), (0.75, 75), (0.3, 30), (0.25, 25)):
            assert bytes_and_flops(partial(torch.add, x, x, alpha=alpha))[1] == flops


@pytest.mark.filterwarnings("ignore:.*quantized tensor creation:UserWarning")
def test_a_quantized_product_with_a_number_depends_on_its_sign() -> None:
    """A negative factor mirrors each of the 8 whole numbers; any other only scales."""
    x = torch.quantize_per_tensor(torch.rand(8), 0.1, 10, torch.quint8)
    for factor, int_ops in ((0.3, 0), (-0.3, 8), (0.7, 0), (-0.7, 8)):
        with FlopCounter() as counter:
            ops.quantized.mul(x, factor)
        assert counter.report.int_ops == int_ops, factor
    for number, moved in ((0.3, False), (90.0, True), (0.3, False)):
        with FlopCounter() as counter:
            ops.quantized.add(x, number)
        # Dequantized (2), shifted (1) and quantized again (4), where the zero point has no room.
        assert bool(counter.report.flops) == moved, number


def test_batch_norm_gives_no_statistics_on_a_cpu_in_evaluation() -> None:
    """4 numbers for each channel go in; two more for each come out, but only on other devices."""
    for device, statistics in (("meta", 2 * 16), ("cpu", 0), ("meta", 2 * 16)):
        x, channels = torch.zeros(2, 4, 3, device=device), torch.ones(4, device=device)
        norm = partial(ops.aten.native_batch_norm.default, x, *[channels] * 4, False, 0.1, 1e-5)
        assert bytes_and_flops(norm)[0] == 2 * 96 + 16 + statistics, device
