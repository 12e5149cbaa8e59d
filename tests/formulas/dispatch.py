"""A plain dispatch log: what each operator of a function costs, with no counter in between."""

from collections.abc import Callable
from typing import Any

from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops.costs import Convention, Cost
from ipyflops.costs.conventions import flops
from ipyflops.formulas import Call, Formula, Unknown, lookup


class DispatchLog(TorchDispatchMode):
    """Keeps the cost of every operator call that has a formula; refuses unknown operators."""

    def __init__(self) -> None:
        super().__init__()
        self.costs: list[tuple[str, Cost]] = []

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        verdict = lookup(func)
        if isinstance(verdict, Unknown):
            with self:
                decomposed = func.decompose(*args, **kwargs)
            if decomposed is not NotImplemented:
                return decomposed
            raise AssertionError(f"no verdict on {func}")
        out = func(*args, **kwargs)
        call = Call(func, args, kwargs, out)
        if isinstance(verdict, Formula):
            self.costs.append((call.operator, verdict(call)))
        return out


def costs(function: Callable[[], object]) -> list[tuple[str, Cost]]:
    """Run a function and give (operator, cost) for every call that has a formula."""
    with DispatchLog() as log:
        function()
    return log.costs


def total(function: Callable[[], object], convention: Convention = "standard") -> int:
    """FLOPs of a function under a convention."""
    return sum(flops(cost, convention) for _, cost in costs(function))


def integer_ops(function: Callable[[], object]) -> int:
    """Integer operations of a function."""
    return sum(cost.integer.value for _, cost in costs(function))
