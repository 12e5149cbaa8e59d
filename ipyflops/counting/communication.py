"""How many bytes a collective exchanges: its payload.

The payload of a call is what this process hands in or what it gets, whichever is more. That is
the size by which collectives are compared elsewhere (as in NCCL's tests): of an all-reduce or a
broadcast the tensor, of an all-gather the gathered result, of a reduce-scatter the whole input. It
is not the traffic on the wire, which depends on the algorithm and the network.

Everything is seen that `torch.distributed`, DDP, FSDP2, DTensor and pipelines exchange, also what
DDP's reducer starts from C++: it all passes through the dispatcher. What passes by it is not: the
store at which processes meet, one-sided reads and writes of symmetric memory, and other libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ipyflops.formulas import Call, tensors
from ipyflops.report import COLLECTIVE_OF


def payload(call: Call) -> int:
    """Return the bytes that a call exchanges; 0 for an operator that is no collective."""
    collective = COLLECTIVE_OF.get(call.operator)
    if collective is None or collective == "barrier":
        return 0  # a barrier's tensor carries nothing
    if call.operator in _FUSED:
        return _FUSED[call.operator](call)
    # In place or not, each argument and the result is one side of the exchange.
    return max(map(_bytes, (*call.args, *call.kwargs.values(), call.out)), default=0)


def _gathered(call: Call) -> int:
    """The whole of the first factor, as many rows of it as the products have."""
    a, product = call["A"], next(tensors(call.out[1]), None)
    if product is None or not product.shape[-1]:
        return 0
    rows: int = product.numel() // product.shape[-1]
    return rows * int(a.shape[-1]) * int(a.element_size())


def _scattered(call: Call) -> int:
    """The whole product, of which the result is a part."""
    a, b = call["A"], call["B"]
    rows = a.numel() // a.shape[-1] if a.shape[-1] else 0
    return int(rows * b.shape[1] * call.out.element_size())


#: Products that are fused with a collective: neither their arguments nor their result is all of it.
_FUSED: dict[str, Callable[[Call], int]] = {
    "symm_mem::fused_all_gather_matmul": _gathered,
    "symm_mem::fused_all_gather_scaled_matmul": _gathered,
    "symm_mem::fused_matmul_reduce_scatter": _scattered,
    "symm_mem::fused_scaled_matmul_reduce_scatter": _scattered,
}


def _bytes(value: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(value))
