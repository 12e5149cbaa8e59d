"""How many bytes a collective exchanges: its payload.

The payload of a call is what this process hands in or what it gets, whichever is more. That is
the size by which collectives are compared elsewhere (as in NCCL's tests): of an all-reduce or a
broadcast the tensor, of an all-gather the gathered result, of a reduce-scatter the whole input. It
is not the traffic on the wire, which depends on the algorithm and the network.
"""

from __future__ import annotations

from typing import Any

from ipyflops.collectives import COLLECTIVE_OF
from ipyflops.formulas.call import Call, tensors


def payload(call: Call) -> int:
    """Give the bytes that a call exchanges; 0 for an operator that is no collective."""
    collective = COLLECTIVE_OF.get(call.operator)
    if collective is None or collective == "barrier":
        return 0  # a barrier's tensor carries nothing
    # In place or not, each argument and the result is one side of the exchange.
    return max(map(_bytes, (*call.args, *call.kwargs.values(), call.out)), default=0)


def _bytes(value: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors(value))
