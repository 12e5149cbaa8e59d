"""`torch.vmap` costs what a loop costs, `torch.func.grad` what `torch.autograd.grad` costs."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_leaves

from tests.pytorch_databases.counting import Inapplicable, count
from tests.pytorch_databases.exceptions import GRAD_DIFFERS, VMAP_DIFFERS
from tests.pytorch_databases.running import WARNINGS, one_thread, seed
from tests.pytorch_databases.test_consistency import ENTRIES, Run, few_samples

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

#: How many inputs are mapped over.
BATCH = 2
LEAST = {"vmap": 1000, "grad": 850}
MADE: Counter[str] = Counter()


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        yield


def mapped(op: Any, sample: Any) -> tuple[Run, Run]:
    """The operator mapped over copies of its input, and a loop over them."""
    if sample.input.layout != torch.strided:
        raise Inapplicable("sparse tensors cannot be mapped over")
    inputs = torch.stack([sample.input] * BATCH)

    def one(value: Tensor) -> Any:
        return op(value, *sample.args, **sample.kwargs)

    def at_once() -> object:
        seed()
        return torch.vmap(one, randomness="different")(inputs)

    def loop() -> object:
        seed()
        return [one(value) for value in inputs.unbind()]

    return at_once, loop


def differentiated(op: Any, sample: Any) -> tuple[Run, Run]:
    """The gradient of the sum of the results, in both ways."""
    if not op.supports_autograd or torch.float32 not in op.supported_backward_dtypes("cpu"):
        raise Inapplicable("no gradient")

    def scalar(value: Tensor) -> Tensor:
        seed()
        output = op(value, *sample.args, **sample.kwargs)
        sums = [
            leaf.sum() for leaf in tree_leaves(output) if isinstance(leaf, Tensor) and leaf.grad_fn
        ]
        return torch.stack([value.real if value.is_complex() else value for value in sums]).sum()

    def classic() -> object:
        leaf = sample.input.detach().requires_grad_()
        return torch.autograd.grad(scalar(leaf), leaf)

    return lambda: torch.func.grad(scalar)(sample.input.detach()), classic


def check(
    form: str, name: str, make: Callable[[Any, Any], tuple[Run, Run]], differs: dict[str, str]
) -> None:
    op = ENTRIES[name]
    lines = []
    for sample in few_samples(name):
        if isinstance(sample.input, Tensor):
            with contextlib.suppress(Inapplicable):
                transformed, plain = make(op, sample)
                expected = count(plain)
                found = count(transformed)
                MADE[form] += 1
                if found != expected:
                    lines.append(f"{form}: {found} instead of {expected}")
    assert not lines or name in differs, "\n".join(lines)
    assert lines or name not in differs, "the table of transforms that differ is out of date"


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_vmap_costs_what_a_loop_costs(name: str) -> None:
    check("vmap", name, mapped, VMAP_DIFFERS)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_func_grad_costs_what_autograd_costs(name: str) -> None:
    check("grad", name, differentiated, GRAD_DIFFERS)


def test_the_comparisons_are_not_over_nothing(request: pytest.FixtureRequest) -> None:
    selected = [item for item in request.session.items if item.fspath == request.node.fspath]
    if len(selected) < 2 * len(ENTRIES):
        pytest.skip("only a part of the sweep was selected")
    assert {form: MADE[form] for form in LEAST if MADE[form] < LEAST[form]} == {}


# --- forward derivatives -------------------------------------------------------------------------

X = torch.rand(3, 4)
IMAGE = torch.rand(1, 2, 6, 6)
HEADS = torch.rand(1, 2, 4, 4)

#: A function and an input. Not over the database: some of its samples end Python with a
#: segmentation fault under `torch.func.jvp` and any dispatch mode, one that does nothing too.
FORWARD: dict[str, tuple[Callable[[Tensor], Tensor], Tensor]] = {
    "sin": (torch.sin, X),
    "mul": (lambda x: x * x, X),
    "gelu": (F.gelu, X),
    "matmul": (lambda x: x @ x.mT, X),
    "linear": (lambda x: F.linear(x, torch.ones(5, 4)), X),
    "conv2d": (lambda x: F.conv2d(x, torch.ones(3, 2, 3, 3)), IMAGE),
    "max_pool2d": (lambda x: F.max_pool2d(x, 2), IMAGE),
    "softmax": (lambda x: x.softmax(-1), X),
    "layer_norm": (lambda x: F.layer_norm(x, (4,)), X),
    "group_norm": (lambda x: F.group_norm(x, 2), IMAGE),
    "attention": (lambda x: (x @ x.mT).softmax(-1) @ x, HEADS),
    "fft": (lambda x: torch.fft.rfft(x).abs(), X),
    "inv": (lambda x: torch.linalg.inv(x @ x.mT + torch.eye(3)), X),
    "logsumexp": (lambda x: x.logsumexp(-1), X),
    "cumsum": (lambda x: x.cumsum(-1), X),
}


@pytest.mark.parametrize("name", FORWARD)
def test_jvp_leaves_nothing_unknown_and_costs_more(name: str) -> None:
    function, x = FORWARD[name]
    alone = count(lambda: function(x))
    both = count(lambda: torch.func.jvp(function, (x,), (torch.ones_like(x),)))
    # The derivative of a maximum only picks values.
    assert (both.flops > alone.flops > 0) or name == "max_pool2d"
    assert both.flops <= 8 * alone.flops


def test_jvp_of_a_product_costs_the_product_and_the_product_rule() -> None:
    w = torch.rand(4, 5)
    product = count(lambda: X @ w)
    both = count(lambda: torch.func.jvp(lambda x: x @ w, (X,), (torch.ones_like(X),)))
    # dX·W + X·dW: torch computes the second one too, with zeros for dW.
    assert both.macs == 3 * product.macs
    assert both.flops == 3 * product.flops + 3 * 5
