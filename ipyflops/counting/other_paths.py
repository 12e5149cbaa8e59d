"""Names the operators for which PyTorch takes another path because a dispatch mode is at work.

Example: the backward pass of ``prod`` divides the product by each factor. PyTorch does not do that
for tensors that may be of a subclass, and under any dispatch mode, one that does nothing too, every
tensor passes for one: then the backward pass consists of cumulative products. They are what really
ran, so they are what is counted; but the same code without a counter runs something else. A report
in which one of these ran has a note that says so.

The table is complete for PyTorch's databases of operators and modules: tests run all of them with a
mode and without, compare what the profiler has seen, and compare that with the notes.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Callable, Iterable
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from ipyflops.counting.entries import Entry
from ipyflops.formulas import Call
from ipyflops.torch_private import base_of, current_node_name

_PACKAGE = os.path.dirname(os.path.dirname(__file__)) + os.sep


class OtherPath(NamedTuple):
    """One path that PyTorch takes only under a dispatch mode.

    Attributes
    ----------
    what : str
        What the program did.
    differs : str
        What PyTorch does for it under a mode.
    operators : tuple of str
        All functions of PyTorch for which it does so.
    """

    what: str
    differs: str
    operators: tuple[str, ...]


PROD = OtherPath(
    "the backward of prod",
    "cumulative products in the place of a division",
    ("prod", "masked.prod"),
)
CUMPROD = OtherPath(
    "the backward of cumprod",
    "as where a factor is zero",
    ("cumprod", "masked.cumprod", "linalg.vander"),
)
EXTREMUM = OtherPath(
    "the backward of max, min and median without dim",
    "it looks for NaN too",
    ("max", "min", "median", "nanmedian"),
)
MASKED_FILL = OtherPath(
    "the gradient of masked_fill's value", "a sum over all elements", ("masked_fill",)
)
PHASES = OtherPath(
    "the backward of complex eigenvectors",
    "the loss is not checked",
    ("linalg.eig", "linalg.eigh"),
)
SINGULAR_VALUES = OtherPath(
    "singular values alone",
    "the vectors are computed too",
    ("linalg.svdvals", "linalg.cond", "linalg.matrix_norm", "linalg.matrix_rank", "linalg.norm"),
)
EIGENVALUES = OtherPath(
    "eigenvalues alone",
    "the vectors are computed too",
    ("linalg.eigvals", "linalg.eigvalsh", "linalg.matrix_rank"),
)
FOLDED = OtherPath(
    "(B, m, k) @ (1, k, n) without gradients", "one product in the place of B", ("matmul",)
)
POOLED = OtherPath("max_pool1d without gradients", "indices are kept too", ("max_pool1d",))
QUANTILE = OtherPath("quantiles", "q is not checked", ("quantile", "nanquantile"))
CTC = OtherPath("the mean of ctc_loss", "lengths stay whole numbers", ("ctc_loss",))
CROSS_ENTROPY = OtherPath(
    "the mean of cross_entropy with weights and label_smoothing",
    "weights of ignored targets are set to zero, not left out",
    ("cross_entropy",),
)

#: All of them.
PATHS = (
    *(PROD, CUMPROD, EXTREMUM, MASKED_FILL, PHASES),
    *(SINGULAR_VALUES, EIGENVALUES, FOLDED, POOLED, QUANTILE, CTC, CROSS_ENTROPY),
)


def _always(call: Call, around: Iterable[Entry]) -> bool:
    return True


def _is_complex(call: Call, around: Iterable[Entry]) -> bool:
    return next(call.inputs()).is_complex()


def _wants_gradient(tensor: Tensor) -> bool:
    return tensor.requires_grad and torch.is_grad_enabled()


def _is_folded(call: Call, around: Iterable[Entry]) -> bool:
    """Whether a product is that of two batches of matrices, of which the second has one."""
    # PyTorch gives both by position; to ask by name takes longer.
    factors = call.args if len(call.args) == 2 else (call["self"], call["mat2"])
    rows, matrix = map(base_of, factors)
    return (
        rows is not None
        and matrix is not None
        and rows.dim() == matrix.dim() == 3
        and matrix.shape[0] == 1
        and not matrix.requires_grad
    )


def _is_one_dimensional(call: Call, around: Iterable[Entry]) -> bool:
    image: Tensor = call["self"]
    flat = call["kernel_size"][0] == 1 == image.shape[-2] and image.device.type == "cpu"
    return flat and not image.is_inference() and not _wants_gradient(image)


def _has_vectors(call: Call, around: Iterable[Entry]) -> bool:
    return call.get("compute_v", True) and not _wants_gradient(next(call.inputs()))


def _is_reduced(call: Call, around: Iterable[Entry]) -> bool:
    """Whether singular vectors are computed, and no more of them than there are values."""
    reduced = call["compute_uv"] and not call["full_matrices"]
    return reduced and not _wants_gradient(call["A"])


def _is_of_quantile(call: Call, around: Iterable[Entry]) -> bool:
    return {"aten::sort", "aten::isnan"} <= _operators(around)


def _is_of_ctc_loss(call: Call, around: Iterable[Entry]) -> bool:
    return not call["self"].is_floating_point() and "aten::_ctc_loss" in _operators(around)


def _is_of_cross_entropy(call: Call, around: Iterable[Entry]) -> bool:
    found = _operators(around)
    losses = {"aten::nll_loss_forward", "aten::nll_loss2d_forward"}
    return bool(losses & found) and {"aten::gather", "aten::masked_fill"} <= found


def _operators(around: Iterable[Entry]) -> set[str]:
    return {entry.signature.operator for entry in around}


Condition = Callable[[Call, Iterable[Entry]], bool]

#: By the autograd node that runs: the operators that tell the other path, and whether the call is
#: one.
OF_NODES: dict[str, tuple[OtherPath, tuple[str, ...], Condition]] = {
    "ProdBackward0": (PROD, ("aten::cumprod",), _always),
    "ProdBackward1": (PROD, ("aten::cumprod",), _always),
    "CumprodBackward0": (CUMPROD, ("aten::eq", "aten::mul"), _always),
    "MaxBackward1": (EXTREMUM, ("aten::isnan",), _always),
    "MinBackward1": (EXTREMUM, ("aten::isnan",), _always),
    "MedianBackward0": (EXTREMUM, ("aten::isnan",), _always),
    "NanmedianBackward0": (EXTREMUM, ("aten::isnan",), _always),
    "MaskedFillBackward1": (MASKED_FILL, ("aten::sum",), _always),
    "LinalgEigBackward0": (PHASES, ("aten::div_",), _is_complex),
    "LinalgEighBackward0": (PHASES, ("aten::div_",), _is_complex),
}
#: To ask for the node's name takes longer than all the rest, so it is not done for others.
_TELLING_IN_NODES = frozenset(chain.from_iterable(node[1] for node in OF_NODES.values()))
#: By the operator that runs in the place of another, or in another way.
OF_OPERATORS: dict[str, tuple[OtherPath, Condition]] = {
    "aten::mm": (FOLDED, _is_folded),
    "aten::gather": (QUANTILE, _is_of_quantile),
    "aten::clamp_min": (CTC, _is_of_ctc_loss),
    "aten::masked_fill_": (CROSS_ENTROPY, _is_of_cross_entropy),
}
#: Operators that give more than what was asked for: which of the results that is, and whether the
#: call may be such a one. It is, if that result is dropped before the program goes on.
OF_DROPPED_RESULTS: dict[str, tuple[OtherPath, int, Condition]] = {
    "aten::_linalg_svd": (SINGULAR_VALUES, 0, _is_reduced),
    "aten::_linalg_eigh": (EIGENVALUES, 1, _has_vectors),
    "aten::linalg_eig": (EIGENVALUES, 1, _has_vectors),
    "aten::max_pool2d_with_indices": (POOLED, 1, _is_one_dimensional),
}


#: Only these operators tell something.
TELLING = frozenset((*_TELLING_IN_NODES, *OF_OPERATORS, *OF_DROPPED_RESULTS))


class OtherPaths:
    """Notices such paths while a count runs; it is shown each distinct call once."""

    def __init__(self) -> None:
        self._taken: dict[OtherPath, None] = {}
        self._watched: set[weakref.ref[Tensor]] = set()

    def notice(
        self, call: Call, operator: str, around: Iterable[Entry], *, in_backward: bool
    ) -> None:
        """Look at a call of an operator, with the entries of the same location."""
        if in_backward and operator in _TELLING_IN_NODES:
            node = OF_NODES.get(current_node_name())
            if node is not None and operator in node[1] and node[2](call, around):
                self._taken[node[0]] = None
        found = OF_OPERATORS.get(operator)
        if found is not None and found[1](call, around):
            self._taken[found[0]] = None
        more = OF_DROPPED_RESULTS.get(operator)
        if more is not None and more[2](call, around):
            self._watch(call.out[more[1]], more[0])

    def notes(self) -> list[str]:
        """Return the note on all paths that were taken, or none."""
        if not self._taken:
            return []
        named = "; ".join(f"{path.what} ({path.differs})" for path in PATHS if path in self._taken)
        return [
            (
                f"under any dispatch mode PyTorch takes another path for {named}: without a count, "
                "operations and last digits may be others"
            )
        ]

    def _watch(self, result: Tensor, path: OtherPath) -> None:
        """Notice whether a result is dropped before the program goes on.

        Then nobody asked for it: `torch.linalg.svdvals` calls what `torch.linalg.svd` calls, and
        drops the vectors before it returns.
        """
        here = _place_of_program()

        def dropped(reference: weakref.ref[Tensor]) -> None:
            self._watched.discard(reference)
            if _place_of_program() == here:
                self._taken[path] = None

        self._watched.add(weakref.ref(result, dropped))


def _place_of_program() -> tuple[int, int]:
    """The innermost frame that is not of this package, and the instruction that it runs."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return id(frame), frame.f_lasti
