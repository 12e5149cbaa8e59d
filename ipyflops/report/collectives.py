"""Which operators are communication between processes, and what the collective is called.

The names are those of MPI and NCCL. One collective reaches the dispatcher under several operators:
``c10d::*`` from ``torch.distributed`` itself, from DDP's reducer and from FSDP2, and
``_c10d_functional::*`` from DTensor and from ``torch.distributed._functional_collectives``.
"""

from __future__ import annotations

_OPERATORS: dict[str, tuple[str, ...]] = {
    "all_reduce": (
        "c10d::allreduce_",
        "c10d::allreduce_coalesced_",
        "_c10d_functional::all_reduce",
        "_c10d_functional::all_reduce_",
        "_c10d_functional::all_reduce_coalesced",
        "_c10d_functional::all_reduce_coalesced_",
        "symm_mem::multimem_all_reduce_",
        "symm_mem::multimem_one_shot_all_reduce",
        "symm_mem::multimem_one_shot_all_reduce_out",
        "symm_mem::one_shot_all_reduce",
        "symm_mem::one_shot_all_reduce_out",
        "symm_mem::one_shot_all_reduce_copy",
        "symm_mem::one_shot_all_reduce_copy_out",
        "symm_mem::two_shot_all_reduce_",
        "symm_mem::two_shot_all_reduce_out",
    ),
    "all_gather": (
        "c10d::allgather_",
        "c10d::allgather_coalesced_",
        "c10d::allgather_into_tensor_coalesced_",
        "c10d::_allgather_base_",
        "_c10d_functional::all_gather_into_tensor",
        "_c10d_functional::all_gather_into_tensor_out",
        "_c10d_functional::all_gather_into_tensor_coalesced",
        "_c10d_functional_autograd::all_gather_into_tensor",
        "symm_mem::_low_contention_all_gather",
        "symm_mem::multimem_all_gather_out",
        "symm_mem::fused_all_gather_matmul",
        "symm_mem::fused_all_gather_scaled_matmul",
    ),
    "reduce_scatter": (
        "c10d::reduce_scatter_",
        "c10d::reduce_scatter_tensor_coalesced_",
        "c10d::_reduce_scatter_base_",
        "_c10d_functional::reduce_scatter_tensor",
        "_c10d_functional::reduce_scatter_tensor_out",
        "_c10d_functional::reduce_scatter_tensor_coalesced",
        "_c10d_functional_autograd::reduce_scatter_tensor",
        "symm_mem::_low_contention_reduce_scatter",
        "symm_mem::reduce_scatter_out",
        "symm_mem::fused_matmul_reduce_scatter",
        "symm_mem::fused_scaled_matmul_reduce_scatter",
    ),
    "all_to_all": (
        "c10d::alltoall_",
        "c10d::alltoall_base_",
        "_c10d_functional::all_to_all_single",
        "_c10d_functional_autograd::all_to_all_single",
        "_dtensor::shard_dim_alltoall",
        "symm_mem::nvshmem_all_to_all",
    ),
    "broadcast": (
        "c10d::broadcast_",
        "_c10d_functional::broadcast",
        "_c10d_functional::broadcast_",
        "symm_mem::nvshmem_broadcast",
    ),
    "reduce": ("c10d::reduce_", "symm_mem::multimem_one_shot_reduce_out"),
    "gather": ("c10d::gather_",),
    "scatter": ("c10d::scatter_",),
    "send": ("c10d::send", "_c10d_functional::isend"),
    "recv": ("c10d::recv_", "c10d::recv_any_source_", "_c10d_functional::irecv"),
    "batch_isend_irecv": ("_c10d_functional::batch_p2p_ops",),
    "barrier": ("c10d::barrier", "c10d::monitored_barrier_"),
}

#: The collective's name by operator.
COLLECTIVE_OF: dict[str, str] = {
    operator: name for name, operators in _OPERATORS.items() for operator in operators
}
#: Collectives in the order in which they are listed.
COLLECTIVES: tuple[str, ...] = tuple(_OPERATORS)
