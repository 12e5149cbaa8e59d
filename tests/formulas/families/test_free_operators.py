"""The tables of free operators: nothing in them computes, and each name exists."""

import importlib

import pytest
import torch
import torch.distributed._symmetric_memory

from ipyflops.formulas import FreeOperator, Unknown, lookup
from ipyflops.formulas.registry import REGISTRY
from tests.formulas.dispatch import costs, integer_ops, total
from tests.pytorch_databases.running import WARNINGS

ops = torch.ops.aten
X = torch.randn(2, 3)


@pytest.mark.parametrize(
    "function",
    [
        lambda: X.clone().double().to(torch.bfloat16),
        lambda: torch.empty(3).copy_(torch.ones(3)),
        lambda: X.t().reshape(-1)[1:3].contiguous(),
        lambda: X.unsqueeze_(0).squeeze_(0),
        lambda: torch.zeros(3),
        lambda: torch.full((2, 2), 3.0).fill_(1).zero_(),
        lambda: torch.eye(3).tril(),
        lambda: torch.where(torch.ones(2, 3, dtype=torch.bool), X, X),
        lambda: X.masked_fill(torch.ones(2, 3, dtype=torch.bool), 0),
        lambda: X.masked_select(torch.ones(2, 3, dtype=torch.bool)),
        lambda: X.index_select(0, torch.tensor([1])).take(torch.tensor([0])),
        lambda: torch.cat([X, X]).repeat(2, 1).roll(1).flip(0).rot90(),
        lambda: torch.stack([X, X]).repeat_interleave(2, 0),
        lambda: torch.block_diag(X, X).diag_embed(),
        lambda: torch.nn.functional.pixel_shuffle(torch.randn(1, 4, 2, 2), 2),
        lambda: torch.nn.functional.pad(X, (1, 1)),
        lambda: torch.rand(3).bernoulli_().normal_().uniform_().exponential_(),
        lambda: torch.multinomial(torch.ones(3), 2),
        lambda: torch.randperm(4),
        lambda: torch.poisson(torch.ones(3)),
        lambda: torch.complex(X, X),
        lambda: X[0, 0].item(),
        lambda: X.slice_scatter(torch.zeros(1, 3), 0, 0, 1),
        lambda: torch.eye(3).to_sparse().to_dense(),
    ],
)
def test_moving_data_takes_no_arithmetic(function):
    assert costs(function) == []
    assert total(function) == integer_ops(function) == 0


def test_views_need_no_entry():
    verdict = lookup(ops.transpose.int)
    assert isinstance(verdict, FreeOperator)
    assert not verdict.moves_data
    verdict = lookup(ops.permute_copy.default)
    assert isinstance(verdict, FreeOperator)
    assert verdict.moves_data


@pytest.mark.parametrize(
    ("operator", "moves"),
    [
        (ops.clone.default, True),
        (ops.empty.memory_format, False),
        (ops.normal_.default, True),
        (ops.set_.source_Tensor, False),
        (ops.unsqueeze_.default, False),
        (ops.index_fill_.int_Scalar, True),
        (ops.cat.out, True),
        (torch.ops.c10d.allreduce_.default, True),
        (torch.ops._c10d_functional.all_reduce.default, True),
        (torch.ops.profiler._record_function_exit._RecordFunction, False),
        (torch.ops.prim.device.default, False),
    ],
)
def test_whether_data_is_moved(operator, moves):
    verdict = lookup(operator)
    assert isinstance(verdict, FreeOperator)
    assert verdict.moves_data is moves
    assert verdict.reason


#: Of the tables, what PyTorch 2.13 does not have yet.
NEWER = {
    "_c10d_functional::wait_tensors",
    "aten::_philox_randint",
    "aten::shallow_copy_data",
    "c10d::gather_into_tensor_",
    "symm_mem::_low_contention_all_gather_ce_multicast",
    "symm_mem::_low_contention_all_gather_ce_multicast_out",
    "symm_mem::memcpy_to_multicast_",
    "symm_mem::nccl_all_to_all_nd",
    "symm_mem::nccl_get_out",
    "symm_mem::nvshmem_get_out",
}
#: And what it has no more.
OLDER = {"prims::_low_memory_max_pool2d_offsets_to_indices"}


@pytest.mark.filterwarnings(*WARNINGS)
def test_every_name_in_the_tables_is_an_operator_of_torch():
    importlib.import_module("torch._inductor.compile_fx")  # has some of prims
    known = {name.partition(".")[0] for name in torch._C._dispatch_get_all_op_names()}
    unknown = {
        name
        for name in REGISTRY.free_operators
        if name.partition("::")[0] in ("aten", "prims", "c10d", "_c10d_functional", "symm_mem")
        and name.partition(".")[0] not in known
        and f"{name}_" not in known
    }
    # An older torch has fewer operators; a newer one may have renamed some.
    if torch.__version__.startswith("2.13"):
        assert unknown == NEWER | OLDER


@pytest.mark.parametrize("namespace", ["prims", "c10d", "_c10d_functional", "symm_mem", "profiler"])
def test_namespaces_that_are_described_whole(namespace):
    # Products and transforms are described with their families.
    elsewhere = {"fft_c2c", "fft_c2r", "fft_r2c", "svd"}
    unknown = []
    for name in torch._C._dispatch_get_all_op_names():
        space, _, rest = name.partition("::")
        base, _, overload = rest.partition(".")
        if space != namespace or base in elsewhere:
            continue
        operator = getattr(getattr(getattr(torch.ops, space), base), overload or "default")
        if isinstance(lookup(operator), Unknown):
            unknown.append(name)
    assert unknown == []
