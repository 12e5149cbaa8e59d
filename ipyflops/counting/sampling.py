"""Whether other processes compute the same: hashes of a few values of each operator call.

Two ranks that run the same operator on the same shapes may be doing the same work twice (a layer
norm that tensor parallelism leaves whole, the optimizer's step of DDP) or different work (the two
halves of a batch). Shapes do not tell these apart; values do. So where several processes work
together, some calls at each place of the tree leave a hash of elements of the tensors that went
into them and came out. Calls of two ranks count as replicated only if all of these are the same.

The elements are spread evenly over each tensor, and the calls are the first eight of a place and
then ever fewer: what is read stays small. Tensors without values (fake, meta) or with an unusual
layout leave no hash, and then nothing is said.
"""

from __future__ import annotations

import sys
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from ipyflops.formulas import Call
from ipyflops.torch_private import FakeTensor, without_dispatch

#: Indices that are read along each dimension, by the number of dimensions; two for more.
_ALONG = {1: 64, 2: 8, 3: 4, 4: 3}
#: So many calls of an entry are read; of later ones the 16th, 32nd, 64th, …
_FIRST = 8
#: So many tensors of a long list are read.
_MAX_TENSORS = 16
#: Asked for each new entry, so it is not looked up anew: `is_initialized` asks it, too.
_GROUPS: Any = torch.distributed.GroupMember if torch.distributed.is_available() else None


def wanted() -> bool:
    """Whether other processes take part: a process group of several ranks, or an engine."""
    if _GROUPS is not None and _GROUPS.WORLD is not None:
        return torch.distributed.get_world_size() > 1
    return "ipyparallel.engine.app" in sys.modules


def due(calls: int) -> bool:
    """Whether to read the call that has so many calls before it."""
    return calls < _FIRST or (calls + 1) & calls == 0


def add(digest: int, call: Call) -> int:
    """Add a call's values to a hash; 0, which is no hash, where they cannot be read."""
    state = blake2b(digest.to_bytes(8, "little"), digest_size=8)
    cuda: Any = torch.cuda
    if cuda.is_initialized() and cuda.is_current_stream_capturing():
        return 0  # nothing runs yet, and reading would spoil the graph
    inputs, outputs = list(call.inputs()), list(call.outputs())
    try:
        # Neither a counter around this one nor a mode of the user's gets to see these operators.
        with without_dispatch(), torch.no_grad():
            for tensor in (*_evenly_spread(inputs), *_evenly_spread(outputs)):
                values = _values(tensor)
                if values is None:
                    return 0
                state.update(values)
    except Exception:
        return 0  # the user's program must not fail because a tensor cannot be read
    return int.from_bytes(state.digest(), "little") >> 11 or 1  # JSON's numbers have 53 bits


def _evenly_spread(tensors: list[Tensor]) -> list[Tensor]:
    return tensors[:: -(-len(tensors) // _MAX_TENSORS) or 1]


def _values(tensor: Tensor) -> bytes | None:
    """Bytes of some elements; None where the tensor has none that can be read."""
    if isinstance(tensor, FakeTensor) or tensor.is_meta or tensor.is_nested:
        return None
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return None
    if not tensor.untyped_storage().nbytes():
        return b""  # no elements, or their memory has been given back
    most = _ALONG.get(tensor.dim(), 2)
    steps = tuple(slice(None, None, -(-size // most) or 1) for size in tensor.shape)
    # A copy: NumPy would hold on to the tensor's own memory, which then cannot be resized.
    some = tensor.detach()[steps].resolve_conj().resolve_neg().clone().reshape(-1)
    values: Any = some.view(torch.uint8).cpu().numpy()
    return bytes(values.tobytes())
