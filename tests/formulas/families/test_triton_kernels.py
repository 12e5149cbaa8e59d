"""Triton kernels that PyTorch launches: named, and counted by the formula of their author.

Triton itself needs a GPU. The launches here are PyTorch's own, of kernels that are plain functions.
Real kernels, which a program launches itself, are in `tests/accelerators/test_kernel_launches.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch._higher_order_ops.triton_kernel_wrap import (
    kernel_side_table,
    triton_kernel_wrapper_functional,
    triton_kernel_wrapper_mutation,
)

from ipyflops import Cost, FlopCounter, FormulaError, Report, register_formula, temporary_formula
from ipyflops.formulas.registry import REGISTRY
from tests.formulas import schemas


class Kernel:
    """What PyTorch needs to know of a Triton kernel: its function, its arguments, a launch."""

    def __init__(self, fn: Any) -> None:
        self.fn = fn
        self.configs: list[Any] = []

    @property
    def arg_names(self) -> list[str]:
        if isinstance(self.fn, Kernel):  # a tuner
            return self.fn.arg_names
        code = self.fn.__code__
        return list(code.co_varnames[: code.co_argcount])

    def __getitem__(self, grid: Any) -> Callable[..., None]:
        return self.fn  # type: ignore[no-any-return]


def add_kernel(x: torch.Tensor, y: torch.Tensor, out: torch.Tensor, n: int, BLOCK: int) -> None:
    out.copy_(torch.from_numpy(x.numpy() + y.numpy()))


def scale_kernel(x: torch.Tensor, out: torch.Tensor, n: int) -> None:
    out.copy_(torch.from_numpy(x.numpy() * 2))


ADD, SCALE = Kernel(add_kernel), Kernel(scale_kernel)
X, Y = torch.arange(10.0), torch.ones(10)


@pytest.fixture(autouse=True)
def _tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(REGISTRY, "user_formulas", dict(REGISTRY.user_formulas))
    yield
    kernel_side_table.reset_table()


def launch(kernel: Kernel, grid: int = 3, constants: Any = None, **arguments: Any) -> None:
    triton_kernel_wrapper_mutation(
        kernel_idx=kernel_side_table.add_kernel(kernel),  # type: ignore[arg-type]
        constant_args_idx=kernel_side_table.add_constant_args(constants or {}),
        grid=[(grid, 1, 1)],
        tma_descriptor_metadata={},
        kwargs=arguments,
    )


def run() -> torch.Tensor:
    out = torch.empty(10)
    launch(ADD, x=X, y=Y, out=out, n=10, constants={"BLOCK": 4})
    launch(SCALE, x=out, out=out, n=10)
    return out


def test_without_a_formula_each_kernel_is_unknown_by_its_name() -> None:
    with FlopCounter() as counter:
        out = run()
        run()
    assert torch.equal(out, (X + Y) * 2)
    assert counter.report.unknown == {"triton::add_kernel": 2, "triton::scale_kernel": 2}
    assert counter.report.notes == ()


def test_the_formula_of_a_kernel_sees_its_arguments_and_the_grid() -> None:
    seen: dict[str, Any] = {}

    @register_formula(ADD)
    def formula(call: Any) -> Cost:
        seen.update({name: call[name] for name in ("n", "BLOCK", "grid")}, x=call["x"].shape)
        return Cost.of(other="n", n=call["n"])

    with FlopCounter() as counter:
        out = run()
        run()
    assert torch.equal(out, (X + Y) * 2)
    assert seen == {"n": 10, "BLOCK": 4, "grid": [(3, 1, 1)], "x": torch.Size([10])}
    report = counter.report
    assert report.flops == 20
    assert report.by_operator["triton::add_kernel"].calls == 2
    assert report.unknown == {"triton::scale_kernel": 2}


def test_a_tuner_is_the_kernel_that_it_tunes() -> None:
    with temporary_formula(Kernel(ADD), lambda call: 7), FlopCounter() as counter:  # type: ignore[arg-type]
        run()
    assert counter.report.flops == 7


def test_the_functional_form_counts_as_well() -> None:
    register_formula(SCALE)(lambda call: call["x"].numel())
    out = torch.empty(10)
    with FlopCounter() as counter:
        result = triton_kernel_wrapper_functional(
            kernel_idx=kernel_side_table.add_kernel(SCALE),  # type: ignore[arg-type]
            constant_args_idx=kernel_side_table.add_constant_args({}),
            grid=[(1, 1, 1)],
            tma_descriptor_metadata={},
            kwargs={"x": X, "out": out, "n": 10},
            tensors_to_clone=["out"],
        )
    assert torch.equal(result["out"], X * 2)
    assert counter.report.by_operator["triton::scale_kernel"].flops == 10


def test_a_wrong_formula_is_an_error_that_names_the_kernel() -> None:
    register_formula(ADD)(lambda call: -1)
    with pytest.raises(FormulaError, match="triton::add_kernel gave -1"), FlopCounter():
        run()


# --- flash-linear-attention, by the arguments of its own kernels ----------------------------------


def released(name: str) -> Kernel:
    """A kernel that computes nothing, with the arguments of the released one."""
    (schema,) = schemas.released(f"triton::{name}").values()
    names = ", ".join(argument.name for argument in schema._schema.arguments)
    made: dict[str, Any] = {}
    exec(f"def {name}({names}): pass", made)
    return Kernel(made[name])


def counted(name: str, sizes: dict[str, int], **tensors: Any) -> Report:
    """The report of a launch as the package makes it: by names, sizes as constants."""
    arguments = {one: None for one in released(name).arg_names if one not in sizes}
    kernel, given = released(name), {**arguments, **tensors}
    with FlopCounter() as counter:
        launch(kernel, constants=sizes, **given)
    return counter.report


B, T, H, HV, K, V, BT = 2, 10, 2, 4, 8, 6, 4
SIZES = {"T": T, "H": H, "HV": HV, "K": K, "V": V, "BT": BT}
Q, VALUES, STATES = torch.ones(B, T, H, K), torch.ones(B, T, HV, V), torch.ones(B, 3, HV, K, V)
#: Two chunks of 4 tokens and one of 2, in each of two sequences.
PAIRS = B * (4 * 4 + 4 * 4 + 2 * 2)


def test_outputs_of_linear_attention() -> None:
    report = counted("chunk_fwd_kernel_o", SIZES, q=Q, k=Q, v=VALUES, h=STATES, o=VALUES, scale=1.0)
    # For each token a row of the state; for each pair its weight, and a value.
    macs = HV * (B * T * K * V + PAIRS * K + PAIRS * V)
    assert report.unknown == {}
    assert report.macs == macs
    assert report.flops == 2 * macs + 3 * HV * B * T * V


def test_states_of_linear_attention() -> None:
    sizes = {name: size for name, size in SIZES.items() if name != "HV"}
    arguments = {"k": Q, "v": torch.ones(B, T, H, V), "h": STATES}
    report = counted("chunk_fwd_kernel_h", sizes, **arguments)
    assert report.flops == 2 * H * B * T * K * V
    decaying = counted("chunk_fwd_kernel_h", sizes, **arguments, g=torch.ones(B, T, H))
    # A difference, an exponential and V products for each token; for each of the 3 chunks an
    # exponential and the state. The kernel also takes a product for each token's exponent.
    added = H * B * (T * (3 + V) + 3 * (2 + K * V))
    assert decaying.flops == report.flops + added


def test_gradients_of_states_that_decay() -> None:
    sizes = {"T": T, "HQ": HV, "H": HV, "K": K, "V": V, "BT": BT}
    arguments = {"q": Q, "do": VALUES, "dh": STATES}
    plain = counted("chunk_bwd_kernel_dh", sizes, **arguments)
    tokens, chunks = B * T, B * 3
    # Every number of the queries is scaled.
    assert (plain.macs, plain.flops - 2 * plain.macs) == (HV * tokens * K * V, HV * tokens * K)
    by_token = counted("chunk_bwd_kernel_dh", sizes, **arguments, g=torch.ones(B, T, HV))
    # An exponential for each token, times its query; one for each chunk, times the state.
    assert by_token.flops - plain.flops == HV * (tokens + tokens * K + chunks + chunks * K * V)
    by_key = counted("chunk_bwd_kernel_dh", sizes, **arguments, gk=torch.ones(B, T, HV, K))
    # An exponential for each number of a key, times the query's; K for each chunk, and the state.
    assert by_key.flops - plain.flops == HV * (2 * tokens * K + chunks * K + chunks * K * V)


def test_gradients_of_queries_and_keys() -> None:
    arguments = {"q": Q, "k": Q, "v": VALUES, "do": VALUES, "h": STATES, "dh": STATES, "dq": Q}
    plain = counted("chunk_bwd_kernel_dqkwg", SIZES, **arguments, dk=Q)
    tokens, chunks = B * T, B * 3
    # do·stateᵀ and v·dstateᵀ for each token; for each pair do·vᵀ, which weighs a key and a query.
    macs = HV * (2 * tokens * K * V + PAIRS * V + 2 * PAIRS * K)
    # dq is scaled as a whole; of dk a part is scaled and added.
    assert (plain.macs, plain.flops - 2 * macs) == (macs, 3 * HV * tokens * K)
    delta = counted("chunk_bwd_kernel_dqkwg", SIZES, **arguments, dk=Q, dw=Q, dv=VALUES)
    assert delta.macs - macs == HV * tokens * K * V
    decaying = counted("chunk_bwd_kernel_dqkwg", SIZES, **arguments, dk=Q, g=torch.ones(B, T, HV))
    # dq: an exponential, two products. dk: a difference, an exponential, a product. Pairs: a
    # difference, an exponential, two products. Of the decay: for each chunk the sum over K·V
    # products, times an exponential; the sums over dk·k (for the last token) and dq·q, dk·k (for
    # each), and a difference.
    own = 3 * tokens + 3 * tokens * K + 4 * PAIRS
    gradient = chunks * (2 * K * V + 2) + 3 * 2 * tokens * K + tokens
    assert decaying.flops - 2 * macs == HV * (own + gradient)


def test_packed_sequences_are_read_from_their_offsets() -> None:
    cut = torch.tensor([0, 3, 10])
    q, values = torch.ones(1, T, H, K), torch.ones(1, T, HV, V)
    report = counted(
        "chunk_bwd_kernel_dv_local",
        SIZES,
        q=q,
        k=q,
        do=values,
        dv=values,
        cu_seqlens=cut,
        scale=1.0,
    )
    pairs = 3 * 3 + 4 * 4 + 3 * 3
    assert report.macs == HV * pairs * (K + V)
    assert report.flops == 2 * report.macs + HV * pairs


def test_a_kernel_of_the_same_name_and_other_arguments_is_unknown() -> None:
    def chunk_fwd_kernel_o(x: torch.Tensor) -> None: ...

    with FlopCounter() as counter:
        launch(Kernel(chunk_fwd_kernel_o), x=X)
    assert counter.report.unknown == {"triton::chunk_fwd_kernel_o": 1}
