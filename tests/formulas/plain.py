"""What plain operators cost by a short table of this file alone: the oracle of the fused ones.

The numbers are those of the design (a sum is one operation, a sigmoid four …), typed in here a
second time on purpose; nothing of `ipyflops.formulas` is used, but for `cost_of` and
`formulas_of`, which ask for the formulas under test.
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from ipyflops.costs import Cost
from ipyflops.formulas import Call, Formula, lookup
from tests.formulas.dispatch import DispatchLog

aten = torch.ops.aten

EACH = {
    aten.add: 1,
    aten.add_: 1,
    aten.sub: 1,
    aten.mul: 1,
    aten.mul_: 1,
    aten.div: 1,
    aten.div_: 1,
    aten.exp: 1,
    aten.sqrt: 1,
    aten.relu: 1,
    aten.relu_: 1,
    aten.sigmoid: 4,
    aten.sigmoid_: 4,
    aten.tanh: 5,
    aten.tanh_: 5,
    aten.gelu: 5,
    aten.abs: 1,
    aten.clamp_min_: 1,
    aten.sqrt_: 1,
}
FREE = {
    *(
        aten.view,
        aten.t,
        aten.transpose,
        aten.transpose_,
        aten.expand,
        aten._unsafe_view,
        aten.unsqueeze,
    ),
    *(
        aten.squeeze,
        aten.squeeze_,
        aten.unsafe_split,
        aten.split,
        aten.chunk,
        aten.select,
        aten.slice,
        aten.cat,
    ),
    *(aten.stack, aten.clone, aten.detach, aten.permute, aten.unbind, aten.zeros, aten.flip),
    *(aten.empty, aten.ones_like, aten.new_empty_strided, aten.copy_, aten.narrow, aten.as_strided),
    *(aten.bernoulli_, aten.empty_like, aten.masked_fill, aten.split_with_sizes, aten.diagonal),
    *(aten.unsafe_chunk, aten.zeros_like, aten._to_copy, aten.alias, aten._local_scalar_dense),
    *(aten._conj, aten.unflatten, aten.index_select, aten.full, aten.scalar_tensor, aten.where),
    *(aten.ones, aten.masked_fill_, aten.fill_, aten.zero_, aten._reshape_alias, aten.repeat),
}


class Plain(TorchDispatchMode):
    """Adds up what plain operators cost; refuses those that are not in the table."""

    def __init__(self) -> None:
        super().__init__()
        self.contraction = 0
        self.other = 0

    @property
    def flops(self) -> int:
        return self.contraction + self.other

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        packet = func.overloadpacket
        if packet not in EACH and packet not in FREE and func._can_decompose():
            with self:
                return func.decompose(*args, **kwargs)
        out = func(*args, **kwargs)
        if packet in EACH:
            self.other += EACH[packet] * out.numel()
        elif packet in (aten.mm, aten.addmm, aten.bmm, aten.mv):
            factors = args[-2:]
            self.contraction += 2 * out.numel() * factors[0].shape[-1]
        elif packet is aten.sum:
            self.other += args[0].numel() - out.numel()
        elif packet is aten.mean:
            self.other += args[0].numel()
        elif packet in (aten._softmax, aten._safe_softmax):
            features = args[0].shape[args[1]]
            self.other += args[0].numel() // features * (3 * features - 1)
        elif packet is aten.native_layer_norm:
            rows = args[0].numel() // math.prod(args[1])
            # Mean, difference, square and their mean; eps, root; difference, product; weight, bias.
            self.other += 4 * args[0].numel() + 2 * rows + 2 * args[0].numel()
            self.other += args[0].numel() * sum(weight is not None for weight in args[2:4])
        elif packet is aten.pow and args[1] == 2:
            self.other += out.numel()
        elif packet not in FREE:
            raise AssertionError(f"{func} is not in the table")
        return out


def plain(function: Callable[[], object]) -> Plain:
    """What a function of plain operators costs."""
    with Plain() as count:
        function()
    return count


class Formulas(DispatchLog):
    """The log of what the formulas say, added up."""

    @property
    def operators(self) -> list[str]:
        return [operator for operator, _ in self.costs]

    def of(self, *operators: str) -> Cost:
        """The cost of the one call of some operators."""
        (cost,) = [cost for operator, cost in self.costs if operator in operators]
        return cost

    @property
    def contraction(self) -> int:
        return sum(cost.contraction.value for _, cost in self.costs)

    @property
    def other(self) -> int:
        return sum(cost.other.value for _, cost in self.costs)

    @property
    def article(self) -> int:
        """Of the operators that the article names."""
        return sum(cost.article.value for _, cost in self.costs if cost.article is not None)


def formulas_of(function: Callable[[], object]) -> Formulas:
    """What the formulas say of a function."""
    with Formulas() as log:
        function()
    return log


def cost_of(func: Any, *args: Any, out: Any = None, **kwargs: Any) -> Cost:
    """What the formula of one operator says; the operator runs, unless its result is given."""
    if out is None:
        out = func(*args, **kwargs)
    verdict = lookup(func)
    assert isinstance(verdict, Formula)
    return verdict(Call(func, args, kwargs, out))


def torch_flops(function: Callable[[], object]) -> int:
    """What PyTorch's own counter says."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()
