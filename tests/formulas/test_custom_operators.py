"""Operators that ipyflops has not heard of, and formulas that users give to operators."""

import contextlib
import ctypes
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, flop_registry, register_flop_formula

from ipyflops import Cost, FlopCounter, FormulaError, register_formula, temporary_formula
from ipyflops.costs import CONVENTIONS, Convention
from ipyflops.formulas.registry import REGISTRY

A, B = torch.randn(3, 4), torch.randn(4, 5)


@pytest.fixture(autouse=True)
def _no_formula_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGISTRY, "user_formulas", dict(REGISTRY.user_formulas))


@pytest.fixture
def product() -> Iterator[Any]:
    """A custom operator in C++'s place: nobody can look inside."""
    with torch.library._scoped_library("ipyflops_custom", "FRAGMENT") as library:
        library.define("product(Tensor a, Tensor b, int times=1) -> Tensor")
        library.define("product.again(Tensor a, Tensor b, float factor) -> Tensor")
        library.impl("product", lambda a, b, times=1: (a @ b) * times, "CPU")
        library.impl("product.again", lambda a, b, factor: (a @ b) * factor, "CPU")
        yield torch.ops.ipyflops_custom.product


def by_hand(call: Any) -> Cost:
    m, k = call["a"].shape
    return Cost.of(contraction="2·m·n·k", m=m, n=call["b"].shape[1], k=k)


def count(function: Callable[[], Any]) -> Any:
    with FlopCounter() as counter:
        result = function()
    return result, counter.report


def test_a_formula_for_all_overloads(product: Any) -> None:
    register_formula(product)(by_hand)
    result, report = count(lambda: product(A, B))
    assert torch.equal(result, A @ B)
    assert (report.flops, report.macs, report.unknown) == (120, 60, {})
    _, report = count(lambda: product(A, B, 0.5))
    assert report.flops == 120


def test_a_formula_for_one_overload(product: Any) -> None:
    register_formula(product.again)(lambda call: 7)
    assert count(lambda: product(A, B, 0.5))[1].flops == 7
    assert count(lambda: product(A, B))[1].unknown == {"ipyflops_custom::product": 1}


def test_a_formula_by_name_as_a_decorator(product: Any) -> None:
    @register_formula("ipyflops_custom::product")
    def formula(call: Any) -> int:
        return 100 * call["times"]

    assert count(lambda: product(A, B, times=3))[1].flops == 300
    assert count(lambda: product(A, B))[1].flops == 100
    assert callable(formula)


def test_a_formula_takes_the_place_of_ours() -> None:
    with temporary_formula(torch.ops.aten.mm, lambda call: 1):
        assert count(lambda: A @ B)[1].flops == 1
        with temporary_formula(torch.ops.aten.mm.default, lambda call: 2):
            assert count(lambda: A @ B)[1].flops == 2
        assert count(lambda: A @ B)[1].flops == 1
    assert count(lambda: A @ B)[1].flops == 120


def test_a_temporary_formula_goes_when_its_block_raises() -> None:
    with pytest.raises(KeyError), temporary_formula(torch.ops.aten.mm, lambda call: 1):
        raise KeyError
    assert count(lambda: A @ B)[1].flops == 120


def test_a_formula_can_look_at_values(product: Any) -> None:
    register_formula(product, by_value=True)(lambda call: int(call["a"].count_nonzero()))
    sparse = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    dense = torch.ones(2, 2)

    def run() -> None:
        for a in (sparse, dense, sparse):
            product(a, dense)

    report = count(run)[1]
    assert report.flops == 1 + 4 + 1
    assert report.by_operator["ipyflops_custom::product"].calls == 3


@pytest.mark.parametrize(
    "wrong", [-1, float("nan"), float("inf"), 2.5, "10", None, True, [1]], ids=repr
)
def test_a_wrong_count_is_named_and_harms_nothing(product: Any, wrong: Any) -> None:
    register_formula(product)(lambda call: wrong)
    counter = FlopCounter()
    results = []

    def run() -> None:
        with counter:
            results.append(product(A, B))

    with pytest.raises(FormulaError, match="ipyflops_custom::product") as caught:
        run()
    line = run.__code__.co_firstlineno + 2
    assert str(caught.value).startswith(f"test_custom_operators.py:{line}: ")
    assert torch.equal(results[0], A @ B)
    report = counter.report
    assert report.complete
    assert report.unknown == {"ipyflops_custom::product": 1}
    assert report.flops == 0
    assert "ipyflops_custom::product" in report.notes[0]


def test_a_whole_number_may_be_a_float(product: Any) -> None:
    register_formula(product)(lambda call: 1e3)  # type: ignore[arg-type, return-value]
    assert count(lambda: product(A, B))[1].flops == 1000


@pytest.mark.parametrize("convention", CONVENTIONS)
@pytest.mark.parametrize("number", [1001, np.int64(1001), 1001.0], ids=repr)
def test_a_whole_number_counts_the_same_wherever_it_is_given(
    product: Any, number: Any, convention: Convention
) -> None:
    """To PyTorch, to ipyflops, for a block: never zero under a convention."""
    register_flop_formula(product)(lambda *shapes, **rest: number)
    try:
        reports = [count(lambda: product(A, B))[1]]
        with FlopCounterMode(display=False) as theirs:
            product(A, B)
    finally:
        flop_registry.pop(product)
    with temporary_formula(product, lambda call: number):
        reports.append(count(lambda: product(A, B))[1])
    register_formula(product)(lambda call: number)
    reports.append(count(lambda: product(A, B))[1])
    for report in reports:
        assert report.under(convention).flops == theirs.get_total_flops() == 1001
        assert "Cost" in report.explain()[0].note


@pytest.mark.parametrize(
    "wrong", ["product", 5, nn.Linear, torch.mm], ids=["text", "number", "class", "function"]
)
def test_what_is_no_operator_is_refused(wrong: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="operator"):
        register_formula(wrong)


def test_formulas_given_to_torch_are_honoured(product: Any) -> None:
    @register_flop_formula(product)
    def formula(a_shape: Any, b_shape: Any, times: int = 1, *, out_shape: Any, **rest: Any) -> int:
        return 2 * out_shape[0] * out_shape[1] * a_shape[1]  # type: ignore[no-any-return]

    try:
        report = count(lambda: product(A, B))[1]
        assert report.flops == report.under("contractions").flops == 120
        register_formula(product)(lambda call: 5)
        assert count(lambda: product(A, B))[1].flops == 5
    finally:
        flop_registry.pop(product)


# --- custom operators in Python ------------------------------------------------------------------


@torch.library.custom_op("ipyflops_custom::in_python", mutates_args=())
def in_python(x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x @ x) + 1


@torch.library.custom_op("ipyflops_custom::in_place", mutates_args=("x",))
def in_place(x: torch.Tensor) -> None:
    x.mul_(2.0)


@torch.library.custom_op("ipyflops_custom::in_numpy", mutates_args=())
def in_numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.sin(x.numpy())).clone()


def test_an_operator_in_python_counts_as_what_it_runs() -> None:
    class Layer(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return in_python(x)

    model, x = Layer(), torch.randn(4, 4)
    expected = in_python(x)
    result, report = count(lambda: model(x))
    assert torch.equal(result, expected)
    assert (report.flops, report.unknown) == (128 + 16 + 16, {})
    assert report.find("model").flops == 160


def test_an_operator_in_python_that_changes_its_argument() -> None:
    x = torch.ones(3)
    version = x._version
    _, report = count(lambda: in_place(x))
    assert torch.equal(x, torch.full((3,), 2.0))
    assert x._version == version + 1
    assert report.flops == 3


def test_an_operator_that_computes_elsewhere_is_unknown() -> None:
    x = torch.randn(3)
    result, report = count(lambda: [in_numpy(x), in_numpy(x)])
    assert torch.equal(result[0], in_numpy(x))
    assert report.unknown == {"ipyflops_custom::in_numpy": 2}


def through_method(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.sin(x.numpy()))


def through_numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.asarray(x) ** 2)


def through_list(x: torch.Tensor) -> torch.Tensor:
    return torch.tensor([value**2 for value in x.tolist()])


def through_interface(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.from_dlpack(x) * 2)


def through_memory(x: torch.Tensor) -> torch.Tensor:
    array = (ctypes.c_float * x.numel()).from_address(x.data_ptr())
    return torch.tensor([2 * value for value in array])


def not_outside(x: torch.Tensor) -> torch.Tensor:
    size = int(np.prod(x.shape))  # of sizes, not of values
    return x * size if x.sum().item() > 0 else -x


@pytest.mark.parametrize(
    "outside",
    [through_method, through_numpy, through_list, through_interface, through_memory, not_outside],
)
def test_an_operator_that_is_half_outside_is_named(
    outside: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    with torch.library._scoped_library("ipyflops_custom", "FRAGMENT"):

        @torch.library.custom_op(f"ipyflops_custom::half_{outside.__name__}", mutates_args=())
        def half(x: torch.Tensor) -> torch.Tensor:
            return outside(x) + x

        x = torch.tensor([1.0, 2.0, 3.0])
        expected = half(x)
        result, report = count(lambda: half(x))
    assert torch.equal(result, expected)
    notes = [note for note in report.notes if "outside PyTorch" in note]
    if outside is not_outside:
        assert notes == []
    else:
        assert report.flops == 3
        assert f"ipyflops_custom::half_{outside.__name__}" in notes[0]
        assert "note: counted without what they compute outside PyTorch" in str(report)


def test_arguments_may_have_any_name() -> None:
    with torch.library._scoped_library("ipyflops_custom", "FRAGMENT"):

        @torch.library.custom_op("ipyflops_custom::names", mutates_args=())
        def names(x: torch.Tensor, *, function: int, kernel: int) -> torch.Tensor:
            return x * function * kernel

        _, report = count(lambda: names(torch.ones(3), function=2, kernel=3))
    assert (report.flops, report.unknown) == (6, {})


@pytest.mark.parametrize("fails", [False, True])
def test_the_profile_function_of_the_user_stays(fails: bool) -> None:
    seen = []

    def profile(frame: Any, event: str, argument: Any) -> None:
        seen.append(frame.f_code.co_name)

    def half(x: torch.Tensor) -> torch.Tensor:
        if fails:
            raise KeyError
        return torch.from_numpy(np.sin(x.numpy())) + x

    with torch.library._scoped_library("ipyflops_custom", "FRAGMENT"):
        operator = torch.library.custom_op("ipyflops_custom::profiled", half, mutates_args=())
        before = sys.getprofile()
        sys.setprofile(profile)
        try:
            with contextlib.suppress(KeyError):
                count(lambda: operator(torch.ones(3)))
            assert sys.getprofile() is profile
        finally:
            sys.setprofile(before)
    assert "half" in seen


def test_a_formula_comes_before_looking_inside() -> None:
    with temporary_formula("ipyflops_custom::in_python", lambda call: 3):
        assert count(lambda: in_python(torch.randn(4, 4)))[1].flops == 3


def test_gradients_of_an_operator_in_python() -> None:
    x = torch.randn(4, 4, requires_grad=True)

    def setup(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(inputs[0])

    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        (saved,) = context.saved_tensors
        return gradient @ saved  # type: ignore[no-any-return]

    in_python.register_autograd(backward, setup_context=setup)
    report = count(lambda: in_python(x).sum().backward())[1]
    assert report.by_phase["backward"].macs == 64
    assert report.unknown == {}
