"""`torch.nn.functional.linear_cross_entropy` in chunks: a linear layer and a cross entropy in one.

N inputs of F features, V classes. The batch is cut into chunks, so that the N·V scores never exist
at once; with a scalar loss the gradients are made in the same pass, ready for the backward.
"""

from __future__ import annotations

import torch

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call
from ipyflops.formulas.registry import formula
from ipyflops.torch_private import asks_for_target_twice


def _scores(call: Call) -> str:
    """What comes after the product x·Wᵀ, for each score, and what is left of it for each input.

    + bias if there is one (V), the row's maximum (V − 1), score − maximum (V), exp (V), their sum
    (V − 1), its logarithm (1): 4·V − 1, and V.
    """
    return "N·(5·V − 1)" if call["linear_bias"] is not None else "N·(4·V − 1)"


def _targets(call: Call) -> str:
    """Integer operations: each target is compared with the one to ignore.

    Without a weight the result of the comparison is negated. After PyTorch 2.13 it is compared a
    second time if the target to ignore is no class. Probabilities as targets are not compared.
    """
    if call["target"].is_floating_point():
        return "0"
    no_class = not 0 <= call["ignore_index"] < call["linear_weight"].shape[0]
    times = 1 + (call["weight"] is None) + (asks_for_target_twice() and no_class)
    return f"{times}·N"


def _probabilities(call: Call) -> str:
    """Targets that are probabilities: times the weight if there is one, and their sums.

    N·V, and V − 1 for each input.
    """
    return "N·(V − 1)" if call["weight"] is None else "N·(2·V − 1)"


@formula(
    "torch_nn::_linear_cross_entropy_batch_chunked_no_reduction", by_device=True, dtype_from="input"
)
def linear_cross_entropy_no_reduction(call: Call) -> Cost:
    """N losses weight·(log Σ exp − score[target]): x·Wᵀ, the scores, a difference, a product.

    Of targets that are probabilities also their dot product with the scores, 2·N·V.
    """
    n, f = call["input"].shape
    dense = call["target"].is_floating_point()
    return Cost.of(
        contraction="2·N·V·F" + (" + 2·N·V" if dense else ""),
        other=f"{_scores(call)} + 2·N" + (f" + {_probabilities(call)}" if dense else ""),
        integer=_targets(call),
        N=n,
        V=call["linear_weight"].shape[0],
        F=f,
    )


@formula("torch_nn::_linear_cross_entropy_batch_chunked", by_device=True, dtype_from="input")
def linear_cross_entropy(call: Call) -> Cost:
    """A scalar loss, and the gradients that are asked for, over b chunks.

    - The loss: x·Wᵀ, the scores, two dot products with the weights of the inputs (2·N each) and 2
      sums for each chunk.
    - The weights of the inputs: a sign each; for a mean their sum (N − 1), its sign, a comparison
      with zero and a division each.
    - For any gradient the softmax, times the weight: N divisions, N·V products.
    - Of the bias: the softmax summed over a chunk's inputs, subtracted: N·V; the targets' own: N;
      b·V more where chunks are summed in another dtype.
    - Of the input: softmax·W (2·N·V·F) negated and added to W[target]·weight: 2·N·F.
    - Of the weight matrix: softmaxᵀ·x (2·N·V·F), for each chunk subtracted from what there is
      (V·F); x·weight, subtracted at its target: 3·N·F. In place (policy "compact") the product is
      negated (V·F), and x·weight is added: 2·N·F.

    Where the targets are probabilities (N·V of them; PyTorch 2.13 made no chunks of those):

    - The loss: their dot product with the scores (2·N·V); their sums, times 1/N for a mean.
    - For any gradient they are subtracted from the softmax, times 1/N for a mean; that is all that
      the gradients have to take away.
    """
    if call["target"].is_floating_point():
        return _dense_cross_entropy(call)
    tensor, weight = call["input"], call["linear_weight"]
    n, f = tensor.shape
    b = _chunks(call)
    of_input, of_weight, of_bias = _gradients(call)
    mean = call["reduction"] == "mean"
    other = [_scores(call), "2·b"]
    if n:
        other.append("2·N + 1" if mean else "N")
    if of_input or of_weight or of_bias:
        other.append("N·(V + 1)")
    if of_bias:
        other.append("N·(V + 1)")
        if tensor.dtype != call["acc_dtype"]:
            other.append("b·V")
    if of_input:
        # addmm with alpha = −1 scales its outputs.
        other.append("2·N·F")
    if of_weight:
        other.append("b·V·F + " + ("2·N·F" if _in_place(call) else "3·N·F"))
    products = 1 + of_input + of_weight
    return Cost.of(
        contraction=f"{2 * products}·N·V·F + 4·N",
        other=" + ".join(other),
        integer=_targets(call),
        N=n,
        V=weight.shape[0],
        F=f,
        b=b,
    )


def _dense_cross_entropy(call: Call) -> Cost:
    """The same with targets that are probabilities."""
    tensor, weight = call["input"], call["linear_weight"]
    n, f = tensor.shape
    of_input, of_weight, of_bias = _gradients(call)
    # A mean is over the inputs, so that a single one needs no product with 1/N.
    scaled = call["reduction"] == "mean" and n > 1
    # In half precision the dot product is made input by input, and summed.
    by_input = tensor.dtype is torch.float16 and call["acc_policy"] == "compact"
    other = [_scores(call), _probabilities(call), "N + b" if by_input else "2·b"]
    if scaled:
        other.append("N + b")
    if of_input or of_weight or of_bias:
        other.append("N·(V + 1)")
        other.append("2·N·V" if scaled else "N·V")
    if of_bias:
        other.append("N·V")
        if tensor.dtype != call["acc_dtype"]:
            other.append("b·V")
    if of_weight and not _in_place(call):
        other.append("b·V·F")
    products = 1 + of_input + of_weight
    return Cost.of(
        contraction=f"{2 * products}·N·V·F + 2·N·V + 2·N",
        other=" + ".join(other),
        N=n,
        V=weight.shape[0],
        F=f,
        b=_chunks(call),
    )


def _chunks(call: Call) -> int:
    """How many chunks the batch is cut into."""
    chunk = call["batch_chunk_size"]
    return -(-call["input"].shape[0] // chunk) if chunk else 0


def _gradients(call: Call) -> list[bool]:
    """Whether those of the input, of the weight matrix and of the bias are asked for."""
    return [
        bool(call[f"compute_{name}_grad"]) for name in ("input", "linear_weight", "linear_bias")
    ]


def _in_place(call: Call) -> bool:
    """Whether the gradient of the weight matrix is summed where it is, without a chunk's buffer."""
    tensor = call["input"]
    if call["acc_policy"] != "compact":
        return False
    return tensor.is_cuda or tensor.dtype == call["acc_dtype"] or tensor.dtype is torch.float16
