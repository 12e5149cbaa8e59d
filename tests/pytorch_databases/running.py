"""How the sweeps make PyTorch's own samples, run them, and compare what came out bit by bit."""

from __future__ import annotations

import contextlib
import itertools
import random
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

SEED = 20_13

#: For `pytest.mark.filterwarnings`. The samples go through every corner of PyTorch, the deprecated
#: ones too, and each corner warns of itself, most only the first time: as errors these warnings
#: would make the first run of a sample differ from the second. A formula that fails stays an error.
WARNINGS = (
    "ignore::UserWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::RuntimeWarning",
    "error::ipyflops.counting.recording.FormulaWarning",
)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """The samples are tiny: threads would only slow them down."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seed() -> None:
    """Start every source of random numbers that the samples draw from."""
    torch.default_generator.manual_seed(SEED)
    random.seed(SEED)


def identity(op: Any) -> str:
    """The name of an entry of op_db: ``linalg.norm:subgradients_at_zero``."""
    return f"{op.name}:{op.variant_test_name}" if op.variant_test_name else str(op.name)


def make_samples(op: Any, dtype: torch.dtype, *, gradients: bool) -> list[Any]:
    """The samples of an entry; those of two calls are equal and share no memory."""
    seed()
    # Not by `sample_inputs`, which looks through the whole stack for a test to report to and seeds
    # the generators of every device before each sample: that takes longer than all samples.
    return list(op.sample_inputs_func(op, "cpu", dtype, gradients))


def spread(samples: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the samples, evenly spread: neighbours are much alike."""
    if len(samples) <= most:
        return list(samples)
    return [samples[position * len(samples) // most] for position in range(most)]


@dataclass(frozen=True)
class Outcome:
    """What a run gave."""

    output: Any = None
    gradients: tuple[torch.Tensor | None, ...] = ()
    error: str = ""
    random_state: torch.Tensor | None = None


def run_sample(
    op: Any,
    sample: Any,
    *,
    backward: bool,
    mode: AbstractContextManager[object] | None = None,
) -> Outcome:
    """Run a sample, and its backward, inside a mode."""
    torch.default_generator.manual_seed(SEED)
    with mode or contextlib.nullcontext():
        try:
            output = op(sample.input, *sample.args, **sample.kwargs)
            if backward:
                # Where only some function of the result has a gradient (singular vectors are
                # unique up to a phase), the entry knows it.
                output = sample.output_process_fn_grad(output)
                run_backward(output)
        except Exception as error:
            return Outcome(
                error=f"{type(error).__name__}: {error}", random_state=torch.get_rng_state()
            )
    gradients = take_gradients(differentiable_leaves(sample)) if backward else ()
    return Outcome(output, gradients, "", torch.get_rng_state())


def run_backward(output: Any) -> None:
    """The backward pass, from random gradients of every result that has one."""
    results = [
        leaf for leaf in tree_leaves(output) if isinstance(leaf, torch.Tensor) and leaf.grad_fn
    ]
    if results:
        torch.autograd.backward(results, [torch.randn_like(result) for result in results])


def take_gradients(leaves: list[torch.Tensor]) -> tuple[torch.Tensor | None, ...]:
    """The gradients, taken away: the samples of an entry share tensors."""
    gradients = tuple(leaf.grad for leaf in leaves)
    for leaf in leaves:
        leaf.grad = None
    return gradients


def differentiable_leaves(sample: Any) -> list[torch.Tensor]:
    """The tensors of a sample that a backward pass gives gradients to."""
    values = tree_leaves((sample.input, sample.args, sample.kwargs))
    return [
        value
        for value in values
        if isinstance(value, torch.Tensor) and value.requires_grad and value.is_leaf
    ]


def difference(one: Outcome, other: Outcome) -> str:
    """What two runs differ in; empty where there is not one bit between them."""
    if one.error != other.error:
        return f"raised {other.error or 'nothing'!r} instead of {one.error or 'nothing'!r}"
    if not same_bits(one.output, other.output):
        return "another result"
    if not same_bits(one.gradients, other.gradients, strides=False):
        # Autograd keeps a gradient that nobody else holds, and copies it into the layout of its
        # leaf otherwise; under a dispatch mode, Python holds it for a moment.
        return "other gradients"
    if not same_bits(one.random_state, other.random_state):
        return "another state of the random numbers"
    return ""


def same_bits(one: Any, other: Any, *, strides: bool = True) -> bool:
    """Whether two nests of values are the same to the bit."""
    pairs = itertools.zip_longest(tree_leaves(one), tree_leaves(other), fillvalue=same_bits)
    return all(_same_leaf(a, b, strides) for a, b in pairs)


def _same_leaf(one: Any, other: Any, strides: bool) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, torch.Tensor):
        return _same_tensor(one.detach(), other.detach(), strides)
    # Not a number is not equal to itself.
    return bool(one == other or (one != one and other != other))


def _same_tensor(one: torch.Tensor, other: torch.Tensor, strides: bool) -> bool:
    if (one.shape, one.dtype, one.layout) != (other.shape, other.dtype, other.layout):
        return False
    if one.layout == torch.strided:
        if strides and one.stride() != other.stride():
            return False
        return torch.equal(_bytes(one), _bytes(other))
    return all(map(torch.equal, map(_bytes, _parts(one)), map(_bytes, _parts(other))))


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    plain = tensor.resolve_conj().resolve_neg()
    return plain.clone(memory_format=torch.contiguous_format).reshape(-1).view(torch.uint8)


def _parts(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The dense tensors that a sparse or opaque one is made of."""
    if tensor.layout == torch.sparse_coo:
        return [tensor._indices(), tensor._values()]
    if tensor.layout in (torch.sparse_csr, torch.sparse_bsr):
        return [tensor.crow_indices(), tensor.col_indices(), tensor.values()]
    if tensor.layout in (torch.sparse_csc, torch.sparse_bsc):
        return [tensor.ccol_indices(), tensor.row_indices(), tensor.values()]
    return [tensor.to_dense()]


class NoOpMode(TorchDispatchMode):
    """A dispatch mode that does nothing: what any mode at all changes, and no more."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))


@contextlib.contextmanager
def filled_memory() -> Iterator[None]:
    """Memory that PyTorch leaves as it finds it holds the same in every run: not a number."""
    before = (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
    )
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
