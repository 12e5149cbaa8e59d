"""Communication between processes, which is free, and the matrix products fused with it.

PyTorch's symmetric memory (``symm_mem::``) fuses products with communication. Only the product is
arithmetic of this process. Where its first factor is gathered from all ranks, its rows are those of
the result. Where the result is scattered, its rows are those of A here.
"""

from __future__ import annotations

from torch import Tensor

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, tensors
from ipyflops.formulas.registry import formula, mark_free


def _scalings(scale_a: Tensor | None, scale_b: Tensor | None) -> str:
    """One factor for each result where both scales are single numbers, else two."""
    if scale_a is None or scale_b is None:
        return "0"
    return "m·n" if scale_a.numel() == scale_b.numel() == 1 else "2·m·n"


@formula("symm_mem::_async_input_mm")
def async_input_mm(call: Call) -> Cost:
    """(m, k) @ (k, n), begun with the rows that are there."""
    m, k = call["a"].shape
    return Cost.of(contraction="2·m·n·k", m=m, n=call["b"].shape[1], k=k)


@formula("symm_mem::fused_matmul_reduce_scatter", "symm_mem::fused_scaled_matmul_reduce_scatter")
def matmul_reduce_scatter(call: Call) -> Cost:
    """The whole product A @ B of this rank, which keeps a part of the sum over the ranks."""
    a, n = call["A"], call["B"].shape[1]
    k = a.shape[-1]
    return Cost.of(
        contraction="2·m·n·k",
        other=_scalings(call.get("A_scale"), call.get("B_scale")),
        m=a.numel() // k if k else 0,
        n=n,
        k=k,
    )


@formula("symm_mem::fused_all_gather_matmul", "symm_mem::fused_all_gather_scaled_matmul")
def all_gather_matmul(call: Call) -> Cost:
    """The gathered A with each of the matrices B: m rows, n columns of all of them together."""
    k = call["A"].shape[-1]
    results = list(tensors(call.out[1]))
    n = sum(matrix.shape[1] for matrix in call["Bs"])
    scales = call.get("B_scales")
    return Cost.of(
        contraction="2·m·n·k",
        other=_scalings(call.get("A_scale"), scales[0] if scales else None),
        m=results[0].numel() // results[0].shape[-1] if results and n else 0,
        n=n,
        k=k,
    )


_COMMUNICATION = {
    "c10d": (
        "_allgather_base_",
        "_reduce_scatter_base_",
        "allgather_",
        "allgather_coalesced_",
        "allgather_into_tensor_coalesced_",
        "allreduce_",
        "allreduce_coalesced_",
        "alltoall_",
        "alltoall_base_",
        "barrier",
        "broadcast_",
        "check_for_nan",
        "gather_",
        "gather_into_tensor_",
        "monitored_barrier_",
        "recv_",
        "recv_any_source_",
        "reduce_",
        "reduce_scatter_",
        "reduce_scatter_tensor_coalesced_",
        "scatter_",
        "send",
    ),
    "_c10d_functional": (
        "all_gather_into_tensor",
        "all_gather_into_tensor_coalesced",
        "all_gather_into_tensor_out",
        "all_reduce",
        "all_reduce_coalesced",
        "all_to_all_single",
        "_wrap_tensor_autograd",
        "batch_p2p_ops",
        "broadcast",
        "irecv",
        "isend",
        "reduce_scatter_tensor",
        "reduce_scatter_tensor_coalesced",
        "reduce_scatter_tensor_out",
        "wait_tensor",
        "wait_tensors",
    ),
    "_c10d_functional_autograd": (
        "all_gather_into_tensor",
        "all_to_all_single",
        "reduce_scatter_tensor",
    ),
    "_dtensor": ("shard_dim_alltoall",),
    "fsdp": (
        "all_gather_copy_in",
        "chunk_cat",
        "chunk_cat_mixed_dtype",
        "copy_",
        "split_with_sizes_copy",
    ),
    "symm_mem": (
        "_barrier",
        "_low_contention_all_gather",
        "_low_contention_all_gather_ce_multicast",
        "_low_contention_all_gather_ce_multicast_out",
        "_low_contention_reduce_scatter",
        "_rendezvous",
        "all_to_all_vdev",
        "all_to_all_vdev_2d",
        "all_to_all_vdev_2d_offset",
        "get_remote_tensors",
        "memcpy_to_multicast_",
        "memset32_",
        "multi_root_tile_reduce",
        "multimem_all_gather_out",
        "multimem_all_reduce_",
        "multimem_one_shot_all_reduce",
        "multimem_one_shot_all_reduce_out",
        "multimem_one_shot_reduce_out",
        "nccl_all_to_all_nd",
        "nccl_get",
        "nccl_get_out",
        "nccl_put",
        "nccl_put_signal",
        "nccl_put_with_signal",
        "nccl_reduce_scatter_offset",
        "nccl_wait_for_signal",
        "nccl_wait_signal",
        "nvshmem_all_to_all",
        "nvshmem_broadcast",
        "nvshmem_get",
        "nvshmem_get_out",
        "nvshmem_put",
        "nvshmem_put_with_signal",
        "nvshmem_wait_for_signal",
        "one_shot_all_reduce",
        "one_shot_all_reduce_copy",
        "one_shot_all_reduce_copy_out",
        "one_shot_all_reduce_out",
        "reduce_scatter_out",
        "stream_write_value32_",
        "tile_reduce",
        "two_shot_all_reduce_",
        "two_shot_all_reduce_out",
    ),
}
mark_free(
    "communication: what is computed on the way is not this process's arithmetic",
    *(f"{namespace}::{name}" for namespace, names in _COMMUNICATION.items() for name in names),
)
