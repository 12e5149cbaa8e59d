"""Operators that take functions: what runs is counted, once, and the user's result is right."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest
import torch
from torch._higher_order_ops.associative_scan import associative_scan
from torch._higher_order_ops.map import map
from torch._higher_order_ops.out_dtype import out_dtype
from torch._higher_order_ops.scan import scan
from torch._higher_order_ops.while_loop import while_loop
from torch._ops import HigherOrderOperator, _higher_order_ops
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from torch.utils._pytree import tree_leaves

from ipyflops.counting.counter import FlopCounter
from ipyflops.formulas import noting_missed_values
from tests.formulas.plain import cost_of
from tests.missing import RELEASE, functions_have_gradients, once_for_an_item

# What the compiler itself uses, when an uncounted run loads it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit.script"),
    pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning"),
    # PyTorch 2.12's flex_attention, once, because the counter keeps it from being compiled.
    pytest.mark.filterwarnings("ignore:torch.compile with fullgraph=True found no:UserWarning"),
]

A = torch.randn(4, 4)
PRODUCT = 2 * 4 * 4 * 4


def counted(function: Callable[[], Any]) -> tuple[Any, FlopCounter]:
    """Run a function twice, counted and not; the results have to be the same."""
    plain = function()
    with FlopCounter("contractions", device_time=False) as counter:
        result = function()
    assert counter.report.unknown == {}
    for one, other in zip(tree_leaves(plain), tree_leaves(result), strict=True):
        assert torch.equal(one, other)
    return result, counter


def run_cond(value: float) -> torch.Tensor:
    return torch.cond(  # type: ignore[no-any-return]
        torch.tensor(value) > 0, lambda x: x @ x, lambda x: x @ x @ x @ x, (A,)
    )


@pytest.mark.parametrize(("value", "products"), [(1.0, 1), (-1.0, 3)])
def test_cond_counts_the_taken_branch(value: float, products: int) -> None:
    _, counter = counted(lambda: run_cond(value))
    assert counter.report.flops == products * PRODUCT


@pytest.mark.parametrize("index", [0, 1, 2])
def test_switch_counts_the_taken_branch(index: int) -> None:
    switch = pytest.importorskip("torch._higher_order_ops.switch", reason="newer than 2.13")
    branches = (lambda x: (x.sum(),), lambda x: ((x @ x).sum(),), lambda x: ((x @ x @ x).sum(),))
    _, counter = counted(lambda: switch.switch_op(torch.tensor(index), branches, (A,)))
    assert counter.report.under("contractions").flops == index * PRODUCT


@functions_have_gradients
@pytest.mark.parametrize("value", [1.0, -1.0])
def test_cond_counts_the_gradient_of_the_taken_branch(value: float) -> None:
    a = A.clone().requires_grad_()

    def run() -> torch.Tensor:
        out = torch.cond(
            torch.tensor(value) > 0, lambda x: ((x @ x).sum(),), lambda x: (x.sum(),), (a,)
        )
        return torch.autograd.grad(out[0], a)[0]

    _, counter = counted(run)
    phases = counter.report.by_phase
    assert phases["forward"].flops == (PRODUCT if value > 0 else 0)
    # The graph of the gradient runs the forward once more, though nothing uses its result.
    assert phases["backward"].flops == (3 * PRODUCT if value > 0 else 0)


def test_while_loop_counts_every_turn() -> None:
    _, counter = counted(
        lambda: while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x @ x), (torch.tensor(0), A))
    )
    assert counter.report.flops == 3 * PRODUCT


@functions_have_gradients
def test_scan_counts_every_step_forwards_and_backwards() -> None:
    first, steps = torch.eye(4).requires_grad_(), torch.stack([A] * 5).requires_grad_()

    def run() -> torch.Tensor:
        carry, _ = scan(lambda c, x: (c @ x, c + x), first, steps, dim=0)
        return torch.autograd.grad(carry.sum(), (first, steps))[1]

    _, counter = counted(run)
    # Up to 2.11 PyTorch runs the function once more, and drops all but the shapes.
    times = 5 if RELEASE > (2, 11) else 6
    assert counter.report.by_phase["forward"].flops == times * PRODUCT
    assert counter.report.by_phase["backward"].flops == times * 2 * PRODUCT


@once_for_an_item
def test_map_counts_every_item() -> None:
    _, counter = counted(lambda: map(lambda x, y: x @ y, torch.stack([A] * 3), A))
    assert counter.report.flops == 3 * PRODUCT


@once_for_an_item
def test_associative_scan_counts_its_combinations() -> None:
    x = torch.arange(8.0)
    with FlopCounter() as counter:
        result = associative_scan(lambda a, b: a + b, x, 0, combine_mode="generic")
    assert torch.equal(result, x.cumsum(0))
    # At least the seven sums that are needed, fewer than the work of a sum per pair.
    assert 7 <= counter.report.by_operator["aten::add"].flops <= 16


def test_an_operator_given_to_an_operator_is_counted() -> None:
    a = torch.ones(4, 4, dtype=torch.int8)
    _, counter = counted(lambda: out_dtype(torch.ops.aten.mm.default, torch.int32, a, a))
    assert (counter.report.flops, counter.report.int_ops) == (0, PRODUCT)


class Steps(NamedTuple):
    first: Callable[[torch.Tensor], torch.Tensor]
    others: dict[str, Callable[[torch.Tensor], torch.Tensor]]


class RunAll(HigherOrderOperator):
    """An operator of somebody's own, which takes its functions in containers."""

    def __init__(self) -> None:
        super().__init__("run_all_of_a_test")

    def __call__(self, steps: Steps, x: torch.Tensor) -> Any:
        return super().__call__(steps, x)


@pytest.fixture
def run_all() -> Iterator[RunAll]:
    operator = RunAll()
    operator.fallthrough(torch._C.DispatchKey.AutogradCPU)

    @operator.py_impl(torch._C.DispatchKey.CompositeExplicitAutograd)
    def compute(steps: Steps, x: torch.Tensor) -> torch.Tensor:
        x = steps.first(x)
        for step in steps.others.values():
            x = step(x)
        return x

    yield operator
    del _higher_order_ops[operator.name()]  # PyTorch lists them all


def test_functions_in_containers_are_counted(run_all: RunAll) -> None:
    steps = Steps(lambda x: x @ x, {"then": lambda x: x @ x, "at last": lambda x: x + x})
    _, counter = counted(lambda: run_all(steps, A))
    assert counter.report.flops == 2 * PRODUCT


def test_work_inside_a_branch_is_in_its_module() -> None:
    class Gated(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cond(  # type: ignore[no-any-return]
                x.sum() > 1e9, lambda y: self.first(y), lambda y: self.second(y), (x,)
            )

    model = Gated()
    with torch.no_grad():
        _, counter = counted(lambda: model(A))
    report = counter.report
    assert report.find("model.second").flops == PRODUCT
    assert [node.path for node in report.walk() if node.type == "Linear"] == ["model.second"]


# --- flexible attention --------------------------------------------------------------------------

B, H, S, D = 2, 3, 300, 16


def causal(b: Any, h: Any, q: Any, k: Any) -> Any:
    return q >= k


def attend(**options: Any) -> FlopCounter:
    torch.manual_seed(0)
    q, k, v = (torch.randn(B, H, S, D) for _ in range(3))
    with torch.no_grad():
        plain = flex_attention(q, k, v, **options)
        with FlopCounter(device_time=False) as counter:
            result = flex_attention(q, k, v, **options)
    assert torch.equal(plain, result)  # type: ignore[arg-type]
    assert counter.report.unknown == {}
    return counter


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
def test_flex_attention_counts_all_pairs_without_a_mask() -> None:
    report = attend().report
    assert report.under("contractions").flops == 2 * 2 * B * H * S * S * D


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("block", [64, 128])
def test_flex_attention_counts_the_blocks_of_its_mask(block: int) -> None:
    mask = create_block_mask(causal, None, None, S, S, device="cpu", BLOCK_SIZE=block)
    report = attend(block_mask=mask).report
    # By hand: every block that holds a pair on or below the diagonal, cut off at the end.
    pairs = 0
    for row in range(0, S, block):
        for column in range(0, S, block):
            if row + block - 1 >= column:
                pairs += min(block, S - row) * min(block, S - column)
    assert S * S / 2 < pairs < S * S
    assert report.under("contractions").flops == 2 * 2 * B * H * pairs * D


def test_flex_attention_and_its_gradients_by_hand() -> None:
    # 2 heads, 32 queries and keys in blocks of 16. A causal mask keeps 3 of the 4 blocks:
    # 2·3·16·16 = 1536 pairs, of 2·32 = 64 rows. Keys have 8 numbers, values 4.
    mask = create_block_mask(causal, None, None, 32, 32, device="cpu", BLOCK_SIZE=16).as_tuple()
    q, k, v = torch.zeros(1, 2, 32, 8), torch.zeros(1, 2, 32, 8), torch.zeros(1, 2, 32, 4)
    flex = torch.ops.higher_order.flex_attention
    score = (q, k, v, lambda score, b, h, q, k: score)
    forward = cost_of(flex, *score, mask, 1.0, {}, (), (), out=(v,))
    # A dot product of 8 and the sum of 4 weighted values for each pair.
    assert forward.contraction.value == 1536 * 2 * (8 + 4) == 36_864
    # Each pair is scaled (1), and in the softmax (3, one sum less in each row).
    assert forward.other.value == 1536 * 4 - 64 == 6_080
    backward = cost_of(
        torch.ops.higher_order.flex_attention_backward,
        *(q, k, v, v, q[..., 0], v, q[..., 0], None, None, mask),
        out=(q, k, v, ()),
    )
    # Five products: the scores again and the gradients of queries and keys are 8 long, the
    # gradients of the values and of the probabilities 4.
    assert backward.contraction.value == 1536 * 2 * (3 * 8 + 2 * 4) == 98_304
    # Scale, exponential, difference, product, scale; and for each row a dot product of 4.
    assert backward.other.value == 1536 * 5 + 64 * 2 * 4 == 8_192
    # All pairs where the mask has no values, and the report is told.
    nothing = tuple(one.to("meta") if isinstance(one, torch.Tensor) else one for one in mask)
    with noting_missed_values() as missed:
        whole = cost_of(flex, *score, nothing, 1.0, {}, (), (), out=(v,))
    assert whole.contraction.value == 2 * 32 * 32 * 2 * (8 + 4)
    assert missed


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
def test_flex_attention_counts_the_score_function() -> None:
    def bias(score: Any, b: Any, h: Any, q: Any, k: Any) -> Any:
        return torch.tanh(score * 0.5) + 1.0

    plain = attend().report.by_operator["higher_order::flex_attention"]
    with_bias = attend(score_mod=bias).report.by_operator["higher_order::flex_attention"]
    assert with_bias.flops - plain.flops == B * H * S * S * (1 + 5 + 1)


# --- as they are written in real programs: closures over modules, one tensor back, gradients -----

LINEAR = torch.nn.Linear(4, 4, bias=False)


def gradients(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[], Any]:
    """Of a function: its result and all gradients."""

    def run() -> Any:
        x = A.clone().requires_grad_()
        LINEAR.weight.grad = None
        out = function(x)
        out.sum().backward()
        return out, x.grad, LINEAR.weight.grad

    return run


def branch(x: torch.Tensor) -> torch.Tensor:
    return torch.cond(x.sum() > 1e9, lambda y: y.sin(), lambda y: LINEAR(y).tanh(), (x,))  # type: ignore[no-any-return]


def branch_in_branch(x: torch.Tensor) -> torch.Tensor:
    return torch.cond(  # type: ignore[no-any-return]
        x.sum() < 1e9,
        lambda y: torch.cond(y.max() > 1e9, lambda z: z * 2, lambda z: LINEAR(z), (y,)),
        lambda y: y.exp(),
        (x,),
    )


def steps(x: torch.Tensor) -> torch.Tensor:
    return scan(lambda c, row: (torch.tanh(LINEAR(c) + row), c + 1), x[0], x)[0]  # type: ignore[no-any-return]


def rows(x: torch.Tensor) -> torch.Tensor:
    return map(lambda row, weight: torch.tanh(weight @ row), x, LINEAR.weight)  # type: ignore[no-any-return]


def prefix(x: torch.Tensor) -> torch.Tensor:
    return associative_scan(lambda a, b: a * b, LINEAR(x), dim=0, combine_mode="generic")


@functions_have_gradients
@pytest.mark.parametrize("function", [branch, branch_in_branch, steps, rows, prefix])
def test_results_and_gradients_are_those_of_the_uncounted_program(function: Any) -> None:
    _, counter = counted(gradients(function))
    report = counter.report
    assert report.notes == ()
    phases = report.under("standard").by_phase
    assert phases["forward"].flops > 0
    assert phases["backward"].flops > 0
    assert phases["recompute"].calls == phases["optimizer"].calls == 0


@functions_have_gradients
def test_a_branch_that_closes_over_a_module_counts_once() -> None:
    _, counter = counted(gradients(branch))
    phases = counter.report.by_phase
    assert phases["forward"].flops == PRODUCT
    # The gradient's graph runs the forward once more, and a product for each of the two gradients.
    assert phases["backward"].flops == 3 * PRODUCT


@functions_have_gradients
def test_what_was_compiled_stays_compiled_around_such_a_branch() -> None:
    graphs = 0

    def backend(graph: Any, inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return graph.forward

    compiled = torch.compile(lambda x: LINEAR(x) + 1, backend=backend)
    run = gradients(lambda x: compiled(branch(x)))
    run()
    assert graphs == 1
    with FlopCounter("contractions") as counter:
        run()
    assert counter.report.by_phase["forward"].flops == 2 * PRODUCT
    run()
    assert graphs == 1
