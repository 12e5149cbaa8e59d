"""Which additions are free: those of a bias by which PyTorch itself completes its product.

Expected counts are worked out by hand. Rows of `IN` features become rows of `OUT` features at
2·rows·IN·OUT FLOPs, with the bias or without. Every other addition costs one FLOP an element.
"""

from __future__ import annotations

import functools
import operator
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import parametrize
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.checkpoint import checkpoint

from ipyflops.counting import FlopCounter

IN, OUT, ROWS = 8, 24, 12
PRODUCT = 2 * ROWS * IN * OUT  # 4,608
SUM = ROWS * OUT  # 288
LAYER = nn.Linear(IN, OUT)
WEIGHT, BIAS = LAYER.weight, LAYER.bias
assert BIAS is not None


def flops(run: Callable[[], Any]) -> int:
    with FlopCounter() as counter:
        run()
    assert not counter.report.unknown
    return counter.report.flops


def flat() -> Tensor:
    return torch.randn(ROWS, IN)


def strided() -> Tensor:
    return torch.randn(3, IN, ROWS // 3).transpose(1, 2)


INPUTS: dict[str, Callable[[], Tensor]] = {
    "2-D": flat,
    "2-D strided": lambda: torch.randn(IN, ROWS).t(),
    "3-D": lambda: torch.randn(3, ROWS // 3, IN),
    "3-D strided": strided,
    "4-D strided": lambda: torch.randn(2, IN, 3, 2).permute(0, 2, 3, 1),
}
LAYERS: dict[str, Callable[[Tensor], Tensor]] = {
    "nn.Linear": LAYER,
    "F.linear": lambda x: F.linear(x, WEIGHT, BIAS),
    "F.linear without gradients": lambda x: F.linear(x, WEIGHT.detach(), BIAS.detach()),
    "a view of the bias": lambda x: F.linear(x, WEIGHT, torch.stack([BIAS, BIAS])[1]),
    "in a helper": lambda x: helper(F.linear, x, WEIGHT, BIAS),
    "as a partial": lambda x: functools.partial(F.linear, weight=WEIGHT, bias=BIAS)(x),
    "from map": lambda x: next(map(F.linear, [x], [WEIGHT], [BIAS])),
    "by its name": lambda x: torch.ops.aten.linear(x, WEIGHT, BIAS),
}
#: The same by hand: the user's own addition counts.
WRITTEN_OUT: dict[str, Callable[[Tensor], Tensor]] = {
    "@ and +": lambda x: x @ WEIGHT.t() + BIAS,
    "+ and @": lambda x: BIAS + x @ WEIGHT.t(),
    "in place": lambda x: (x @ WEIGHT.t()).add_(BIAS),
    "nested calls": lambda x: torch.add(torch.matmul(x, WEIGHT.t()), BIAS),
    "out=": lambda x: torch.add((x @ WEIGHT.t()).detach(), BIAS.detach(), out=torch.empty(0)),
    "F.linear without its bias": lambda x: F.linear(x, WEIGHT) + BIAS,
    "in a helper": lambda x: helper(operator.add, helper(torch.matmul, x, WEIGHT.t()), BIAS),
    "by their names": lambda x: torch.ops.aten.add(torch.ops.aten.matmul(x, WEIGHT.t()), BIAS),
    "in a loop": lambda x: functools.reduce(
        lambda held, step: helper(step[0], held, step[1]),
        [(torch.matmul, WEIGHT.t()), (torch.add, BIAS)],
        x,
    ),
}


def helper(function: Callable[..., Any], *args: Any) -> Any:
    """Calls anything from one line: two calls of it have equal frames."""
    return function(*args)


@pytest.mark.parametrize("shape", INPUTS)
@pytest.mark.parametrize("layer", LAYERS)
def test_the_bias_of_a_linear_layer_is_free_wherever_it_runs(layer: str, shape: str) -> None:
    x = INPUTS[shape]()
    assert flops(lambda: LAYERS[layer](x)) == PRODUCT


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_the_bias_of_a_traced_layer_is_free() -> None:
    for make in INPUTS.values():
        x = make()
        traced = torch.jit.trace(LAYER, x)
        assert flops(lambda traced=traced, x=x: traced(x)) == PRODUCT  # type: ignore[misc]


@pytest.mark.parametrize("shape", INPUTS)
@pytest.mark.parametrize("way", WRITTEN_OUT)
def test_an_addition_of_the_users_own_counts(way: str, shape: str) -> None:
    x = INPUTS[shape]()
    assert flops(lambda: WRITTEN_OUT[way](x)) == PRODUCT + SUM


class PassesOn(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


def stacked(*modes: Callable[[], AbstractContextManager[Any]]) -> AbstractContextManager[Any]:
    stack = ExitStack()
    for mode in modes:
        stack.enter_context(mode())
    return stack


CONTEXTS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    "plain": nullcontext,
    "under another counter": FlopCounter,
    "under another mode": PassesOn,
    "under three others": lambda: stacked(PassesOn, FlopCounter, PassesOn),
    "in inference mode": torch.inference_mode,
    "without gradients": torch.no_grad,
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_other_modes_change_nothing(context: str) -> None:
    x = strided()

    def run() -> None:
        with CONTEXTS[context]():
            F.linear(x, WEIGHT, BIAS)
            x @ WEIGHT.t() + BIAS
            helper(torch.add, helper(torch.matmul, x, WEIGHT.t()), BIAS)

    assert flops(run) == 3 * PRODUCT + 2 * SUM


def test_counters_one_in_the_other_agree() -> None:
    x = strided()
    with FlopCounter() as outer, FlopCounter() as inner:
        LAYER(x)
        LAYER(x) + BIAS
    assert outer.report.flops == inner.report.flops == 2 * PRODUCT + SUM


# --- mapped, and along a direction ----------------------------------------------------------------


def test_mapped_layers() -> None:
    # vmap writes addmm out as mm and beta·bias + product, and multiplies the bias by its beta of 1.
    scaled = OUT
    assert flops(lambda: torch.vmap(LAYER)(flat())) == PRODUCT
    assert flops(lambda: torch.vmap(LAYER)(torch.randn(3, ROWS // 3, IN))) == PRODUCT + scaled
    written = torch.vmap(lambda x: x @ WEIGHT.t() + BIAS)
    assert flops(lambda: written(flat())) == PRODUCT + SUM
    weights, biases = torch.randn(3, OUT, IN), torch.randn(3, OUT)
    ensemble = torch.vmap(F.linear)
    parts = torch.randn(3, ROWS // 3, IN)
    assert flops(lambda: ensemble(parts, weights, biases)) == PRODUCT + 3 * scaled
    assert flops(lambda: ensemble(parts[:, 0], weights, biases)) == 2 * 3 * IN * OUT
    over_biases = torch.vmap(lambda bias: F.linear(strided(), WEIGHT, bias), randomness="same")
    assert flops(lambda: over_biases(biases)) == PRODUCT


@pytest.mark.parametrize("name", ["addmm", "addmv", "baddbmm"])
def test_mapped_products_with_a_summand(name: str) -> None:
    m, n, k = 4, 5, 6
    shapes = {
        "addmm": [(3, m, n), (3, m, k), (3, k, n)],
        "addmv": [(3, m), (3, m, k), (3, k)],
        "baddbmm": [(3, 2, m, n), (3, 2, m, k), (3, 2, k, n)],
    }[name]
    given = [torch.randn(shape) for shape in shapes]
    outputs = given[0].numel()
    mapped = torch.vmap(getattr(torch, name))
    # The products, and the summand times beta, which is 1.
    assert flops(lambda: mapped(*given)) == 2 * outputs * k + outputs
    doubled = torch.vmap(functools.partial(getattr(torch, name), beta=2, alpha=3))
    # alpha multiplies each output where it is added.
    assert flops(lambda: doubled(*given)) == 2 * outputs * k + 2 * outputs


# PyTorch loads derivatives that it has written in TorchScript.
@pytest.mark.filterwarnings("ignore:`torch.jit")
@pytest.mark.parametrize("shape", ["2-D", "3-D strided"])
def test_along_a_direction_only_the_layers_own_bias_is_free(shape: str) -> None:
    x = INPUTS[shape]()
    given = (x, WEIGHT.detach(), BIAS.detach())
    along = tuple(map(torch.randn_like, given))
    # x·W + b, beside it dx·W + x·dW + db: three products, and two sums of the derivative.
    assert flops(lambda: torch.func.jvp(F.linear, given, along)) == 3 * PRODUCT + 2 * SUM


def test_the_gradient_of_a_mapped_layer() -> None:
    # The same with and without mapping: of 12 samples one weight's gradient each.
    def loss(weight: Tensor, bias: Tensor, x: Tensor) -> Tensor:
        return F.linear(x, weight, bias).sum()

    def each() -> Any:
        return torch.vmap(torch.func.grad(loss, argnums=(0, 1)), (None, None, 0))(
            WEIGHT.detach(), BIAS.detach(), flat()
        )

    # Forward; the sum of 24 values a sample; gradients: an outer product a sample.
    assert flops(each) == PRODUCT + ROWS * (OUT - 1) + PRODUCT


# --- what else adds inside of PyTorch -------------------------------------------------------------


@pytest.mark.parametrize("scale", [None, 1.0, 0.3])
@pytest.mark.parametrize("mask", [(5, 5), (5,), (2, 3, 5, 5), (1, 5)])
@pytest.mark.parametrize("transposed", [False, True])
def test_a_mask_of_attention_is_no_bias(
    mask: tuple[int, ...], scale: float | None, transposed: bool
) -> None:
    q = torch.randn(2, 5, 3, 8).transpose(1, 2) if transposed else torch.randn(2, 3, 5, 8)

    def attention(attn_mask: Tensor | None) -> int:
        with sdpa_kernel(SDPBackend.MATH):
            return flops(
                lambda: F.scaled_dot_product_attention(q, q, q, attn_mask=attn_mask, scale=scale)
            )

    assert attention(torch.randn(mask)) == attention(None) + 2 * 3 * 5 * 5


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", [nn.GRU, nn.RNN])
def test_the_order_of_a_recurrent_layers_input_costs_nothing(kind: Any, bias: bool) -> None:
    """With the batch first, the input is strided, and each layer's product and bias are apart."""
    first = kind(8, 8, num_layers=2, batch_first=True, bidirectional=True, bias=bias)
    second = kind(8, 8, num_layers=2, bidirectional=True, bias=bias)
    x = torch.randn(3, 5, 8)
    other = x.transpose(0, 1).contiguous()
    assert flops(lambda: first(x)) == flops(lambda: second(other))


def test_convolutions() -> None:
    layer = nn.Conv2d(4, 6, 3)
    x, positions = torch.randn(2, 4, 5, 5), 3 * 3
    product, outputs = 2 * 2 * 6 * positions * 4 * 9, 2 * 6 * positions
    assert flops(lambda: layer(x)) == product
    assert flops(lambda: layer(x) + 1) == product + outputs
    assert flops(lambda: F.conv2d(x, layer.weight) + layer.bias.view(-1, 1, 1)) == product + outputs
    handle = layer.register_forward_hook(lambda module, args, out: out + out.detach())
    assert flops(lambda: layer(x)) == product + outputs
    handle.remove()
    # Three of them at once: vmap convolves in groups and adds the biases afterwards.
    weights, biases = torch.randn(3, 6, 4, 3, 3), torch.randn(3, 6)
    assert flops(lambda: torch.vmap(F.conv2d, (None, 0, 0))(x, weights, biases)) == 3 * product


def test_sums_of_gradients_count() -> None:
    shared = nn.Linear(IN, IN)
    x = torch.randn(3, IN, 4).transpose(1, 2).requires_grad_()

    def run() -> None:
        (shared(shared(x)) + shared(x)).sum().backward()

    rows, forward = ROWS, 3 * 2 * ROWS * IN * IN
    # Backward: two products a call; of the bias the sum over the rows a call. Weight and bias get
    # three gradients each, and x two: added up.
    backward = 2 * forward + 3 * (rows - 1) * IN + 2 * (IN * IN + IN) + rows * IN
    total = rows * IN - 1  # of all outputs
    assert flops(run) == forward + rows * IN + total + backward


# --- tensor subclasses ----------------------------------------------------------------------------


class Dequantized(Tensor):
    """A weight of whole numbers with a zero point, which makes itself a float one where needed."""

    numbers: Tensor
    zero: Tensor

    @staticmethod
    def __new__(cls, numbers: Tensor, zero: Tensor) -> Dequantized:
        made = Tensor._make_wrapper_subclass(cls, numbers.shape, dtype=torch.float32)
        made.numbers, made.zero = numbers, zero
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.ops.aten.t.default, torch.ops.aten.detach.default):
            one = args[0]
            return Dequantized(func(one.numbers), one.zero)
        if func is torch.ops.aten.mm.default and isinstance(args[1], Dequantized):
            # (x @ numbers) + a correction: the zero point times the sum of the row.
            rows = args[0].sum(1, keepdim=True)
            return torch.mm(args[0], args[1].numbers.float()) + rows * args[1].zero
        if func is torch.ops.aten.addmm.default and isinstance(args[2], Dequantized):
            weight = args[2].numbers.float() + args[2].zero
            return func(args[0], args[1], weight)
        unwrapped = [
            one.numbers.float() + one.zero if isinstance(one, Dequantized) else one for one in args
        ]
        return func(*unwrapped, **(kwargs or {}))


def dequantized_layer() -> nn.Linear:
    layer = nn.Linear(IN, OUT).requires_grad_(False)
    numbers = torch.randint(-8, 8, (OUT, IN), dtype=torch.int8)
    layer.weight = nn.Parameter(Dequantized(numbers, torch.ones(())), requires_grad=False)
    return layer


def test_a_weight_that_dequantizes_itself() -> None:
    # In one product with the bias: one addition for each value of the weight.
    assert flops(lambda: dequantized_layer()(flat())) == PRODUCT + IN * OUT
    # In a product and a sum: of each row IN − 1 additions and a product, then a correction of each
    # output. Then PyTorch adds the layer's bias, for nothing.
    product = nn.Linear(IN, OUT, bias=False).requires_grad_(False)
    product.weight = dequantized_layer().weight
    with_correction = PRODUCT + ROWS * (IN - 1) + ROWS + SUM
    assert flops(lambda: product(flat())) == with_correction


class ScaledLinear(Tensor):
    """A weight that takes over the whole linear layer, as libraries for quantization do."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is F.linear:
            x, weight, bias = args
            with torch._C.DisableTorchFunctionSubclass():
                y = torch.mm(x, weight.t()) * 0.5
                y = y + x.sum()  # a correction
                return y if bias is None else y + bias
        return super().__torch_function__(func, types, args, kwargs or {})


def test_a_layers_own_bias_is_free_where_a_weight_adds_it() -> None:
    layer = nn.Linear(IN, OUT).requires_grad_(False)
    layer.weight = nn.Parameter(layer.weight.as_subclass(ScaledLinear), requires_grad=False)
    # The product, the scale, the sum of the input, the correction.
    counted = PRODUCT + SUM + (ROWS * IN - 1) + SUM
    assert flops(lambda: layer(flat())) == counted
    layer.register_forward_hook(lambda module, args, out: out + module.bias)
    assert flops(lambda: layer(flat())) == counted + SUM


# --- random programs ------------------------------------------------------------------------------


class Program:
    """A linear layer with all that people hang on one, and what that costs."""

    def __init__(self, seed: int) -> None:
        pick = self.random = random.Random(seed)
        self.bias = pick.random() < 0.7
        self.square = pick.random() < 0.4
        self.outputs = IN if self.square else OUT
        self.layer = nn.Linear(IN, self.outputs, bias=self.bias)
        self.expected = 2 * ROWS * IN * self.outputs
        self.layer.requires_grad_(pick.random() < 0.5)
        before = [self.parametrization, self.pre_hook]
        after = [self.hook, self.in_place, self.lora, self.residual, self.own_bias, self.second]
        for add in pick.sample([*before, *after], pick.randint(0, 4)):
            add()

    def parametrization(self) -> None:
        class Plus(nn.Module):
            def forward(self, weight: Tensor) -> Tensor:
                return weight + 0.25

        parametrize.register_parametrization(self.layer, "weight", Plus())
        self.expected += IN * self.outputs

    def pre_hook(self) -> None:
        shift = torch.randn(IN)
        self.layer.register_forward_pre_hook(lambda module, args: (args[0] + shift,))
        self.expected += ROWS * IN

    def _on_output(self, change: Callable[[nn.Module, Tensor, Tensor], Tensor]) -> None:
        self.layer.register_forward_hook(lambda module, args, out: change(module, args[0], out))

    def hook(self) -> None:
        vector = torch.randn(self.outputs)
        self._on_output(lambda module, x, out: out + vector)
        self.expected += ROWS * self.outputs

    def in_place(self) -> None:
        vector = torch.randn(self.outputs)
        self._on_output(lambda module, x, out: out.add_(vector))
        self.expected += ROWS * self.outputs

    def lora(self) -> None:
        down, up = nn.Linear(IN, 2, bias=False), nn.Linear(2, self.outputs, bias=False)
        self._on_output(lambda module, x, out: out + up(down(x)))
        self.expected += 2 * ROWS * 2 * (IN + self.outputs) + ROWS * self.outputs

    def residual(self) -> None:
        if self.square:
            self._on_output(lambda module, x, out: x + out)
            self.expected += ROWS * self.outputs

    def own_bias(self) -> None:
        if self.bias:
            self._on_output(lambda module, x, out: out + module.bias)
            self.expected += ROWS * self.outputs

    def second(self) -> None:
        second = nn.Linear(self.outputs, self.outputs)
        self._on_output(lambda module, x, out: second(out.transpose(0, -2).transpose(0, -2)))
        self.expected += 2 * ROWS * self.outputs * self.outputs

    def run(self) -> None:
        x = INPUTS[self.random.choice(list(INPUTS))]()
        way = self.random.choice(["plain", "training", "inference", "checkpoint", "helper", "mode"])
        if way == "inference":
            with torch.inference_mode():
                self.layer(x)
        elif way == "checkpoint":
            checkpoint(self.layer, x, use_reentrant=False)
        elif way == "helper":
            helper(helper, self.layer, x)
        elif way == "mode":
            with PassesOn():
                self.layer(x)
        elif way == "training":
            out = self.layer(x)
            if out.requires_grad:
                out.backward(torch.ones_like(out))
        else:
            self.layer(x)


@pytest.mark.parametrize("block", range(10))
def test_random_programs_around_a_linear_layer(block: int) -> None:
    for seed in range(20 * block, 20 * (block + 1)):
        torch.manual_seed(seed)
        program = Program(seed)
        with FlopCounter() as counter:
            program.run()
        forward = counter.report.by_phase["forward"].flops
        assert forward == program.expected, f"seed {seed}"


def test_an_addition_says_in_words_that_it_is_the_bias() -> None:
    with FlopCounter() as counter:
        F.linear(strided(), WEIGHT, BIAS)
        strided() + 1
    signatures = [one for one in counter.report.signatures if one.operator == "aten::add"]
    assert sorted(one.cost.other.value for one in signatures) == [0, ROWS * IN]
    free = next(one for one in signatures if not one.cost.other)
    assert free.cost.note.startswith("the layer's bias")
