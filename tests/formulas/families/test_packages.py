"""Operators of packages that are not installed, called through PyTorch's dispatcher.

They are defined here by the packages' own schemas (`tests/data/schemas.json`), with kernels that
compute nothing. So the arguments arrive as they would from the package.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from ipyflops import FlopCounter, Report
from ipyflops.formulas import OFFSETS
from tests.formulas.schemas import RELEASED

PACKAGES = ("flash-attn", "flash_attn_3", "xformers", "bitsandbytes", "transformer_engine")
HALF = torch.bfloat16

Run = Callable[..., Report]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Call an operator of a package, and give the report of the call."""
    libraries: dict[str, torch.library.Library] = {}
    results: list[Any] = []
    for package in PACKAGES:
        for schema in (one for version in RELEASED[package].values() for one in version):
            namespace, _, rest = schema.partition("::")
            library = libraries.get(namespace)
            if library is None:
                library = torch.library.Library(namespace, "FRAGMENT")
                libraries[namespace] = library
            library.define(rest)
            name = rest.partition("(")[0].strip()
            for key in ("CPU", "Meta"):
                library.impl(name, lambda *_, **__: results[-1], key)

    def call(name: str, *args: Any, result: Any, **kwargs: Any) -> Report:
        namespace, _, base = name.partition("::")
        base, _, overload = base.partition(".")
        operator = getattr(getattr(getattr(torch.ops, namespace), base), overload or "default")
        results.append(result)
        with FlopCounter() as counter:
            operator(*args, **kwargs)
        return counter.report

    yield call
    for library in libraries.values():
        library._destroy()


def half(*sizes: int) -> Tensor:
    return torch.ones(sizes, dtype=HALF)


def pairs(
    lengths: list[tuple[int, int]], *, causal: bool, left: int = -1, right: int = -1
) -> tuple[int, int]:
    """Pairs of a query and a key, one by one, and queries with a key; the last see each other."""
    found, rows = 0, 0
    for queries, keys in lengths:
        for i in range(queries):
            at = i + keys - queries
            first = 0 if left < 0 else at - left
            last = at if causal else (keys if right < 0 else at + right)
            seen = sum(1 for j in range(keys) if first <= j <= last)
            found += seen
            rows += seen > 0
    return found, rows


def flops(report: Report) -> tuple[int, int]:
    """FLOPs of the contractions, and the others."""
    assert report.unknown == {}
    contractions = report.under("contractions").flops
    return contractions, report.flops - contractions


def offsets(lengths: list[int], device: str = "cpu") -> Tensor:
    ends = torch.tensor([0, *lengths]).cumsum(0)
    return ends.to(torch.int32).to(device)


# --- attention -----------------------------------------------------------------------------------

B, S_Q, S_K, H, D = 2, 5, 7, 4, 8
WINDOWS = [(False, -1, -1), (True, -1, -1), (False, 2, 1), (True, 3, 0)]


@pytest.mark.parametrize(("causal", "left", "right"), WINDOWS)
def test_flash_attn_of_whole_batches(run: Run, causal: bool, left: int, right: int) -> None:
    q, k = half(B, S_Q, H, D), half(B, S_K, H, D)
    options = (0.0, D**-0.5, causal, left, right, 0.0, None)
    found, rows = pairs([(S_Q, S_K)], causal=causal, left=left, right=right)
    four = (q, q, q, q)
    forward = run("flash_attn::_flash_attn_forward", q, k, k, *options, False, result=four)
    # A scale, and 3 for the softmax but one less in each row.
    assert flops(forward) == (B * H * found * 4 * D, B * H * (4 * found - rows))
    assert forward.by_dtype["bfloat16"].flops == forward.flops
    grad = (q, q, k, k, q, q.float(), q, k, k)
    backward = run("flash_attn::_flash_attn_backward", *grad, *options, False, result=q)
    assert flops(backward)[0] == 2.5 * flops(forward)[0]


def test_flash_attn_of_packed_sequences(run: Run) -> None:
    lengths = [3, 6, 1]
    q, cut = half(10, H, D), offsets(lengths)
    options = (cut, cut, 6, 6, 0.0, 1.0, True)
    found, rows = pairs([(n, n) for n in lengths], causal=True)
    assert found == 6 + 21 + 1
    report = run("flash_attn::_flash_attn_varlen_forward", q, q, q, *options, result=(q, q, q, q))
    assert flops(report) == (H * found * 4 * D, H * (3 * found - rows))


def test_dropout_alibi_a_soft_limit_and_shared_heads(run: Run) -> None:
    """Dropout masks and scales (2), ALiBi adds a multiple (2), tanh is 5 and two factors."""
    q, k = half(B, S_Q, H, D), half(B, S_K, 2, D)
    slopes = torch.ones(H)
    found = S_Q * S_K
    options = (0.1, 1.0, False, -1, -1, 30.0, slopes)
    report = run("flash_attn::_flash_attn_forward", q, k, k, *options, False, result=(q, q, q, q))
    each = 3 + 2 + 2 + 7
    assert flops(report) == (B * H * found * 4 * D, B * H * (each * found - S_Q))
    plain = (0.0, 1.0, False, -1, -1, 0.0, None)
    grad = (q, q, k, k, q, q.float(), q, k, k)
    shared = run("flash_attn::_flash_attn_backward", *grad, *plain, False, result=q)
    # exp(score − logsumexp) and weight·(gradient − D): 4; D for each query; 2 of 4 heads are added.
    others = B * H * (4 * found + S_Q * (2 * D - 1)) + (H - 2) * B * S_K * 2 * D
    assert flops(shared) == (B * H * found * 10 * D, others)


@pytest.mark.parametrize("name", ["fwd", "_flash_attn_forward"])
def test_flash_attn_3_with_pages_of_keys(run: Run, name: str) -> None:
    """A cache of 6 pages of 16 keys; the two sequences use 20 and 9 of them."""
    q, cache = half(2, 1, H, D), half(6, 16, 2, D)
    table, used = torch.zeros(2, 3, dtype=torch.int32), torch.tensor([20, 9], dtype=torch.int32)
    report = run(
        f"flash_attn_3::{name}",
        q,
        cache,
        cache,
        seqused_k=used,
        page_table=table,
        softmax_scale=1.0,
        result=(q, q, q, q),
        **{"is_causal" if name == "fwd" else "causal": True},
    )
    assert flops(report) == (H * 29 * 4 * D, H * (3 * 29 - 2))


def test_flash_attn_3_in_float8_is_float8(run: Run) -> None:
    q = half(1, 4, H, D).to(torch.float8_e4m3fn)
    scale = torch.ones(1, H)
    report = run(
        "flash_attn_3::fwd", q, q, q, q_descale=scale, k_descale=scale, result=(q, q, q, q)
    )
    assert report.by_dtype["float8_e4m3fn"].flops == report.flops > 0


@pytest.mark.parametrize("name", ["bwd", "_flash_attn_backward"])
def test_flash_attn_3_backward(run: Run, name: str) -> None:
    q = half(B, S_Q, H, D)
    result = (q,) * 5 if name == "bwd" else q
    grad = (q, q, q, q, q, q.float())
    report = run(f"flash_attn_3::{name}", *grad, is_causal=True, result=result)
    found, _ = pairs([(S_Q, S_Q)], causal=True)
    assert flops(report)[0] == B * H * found * 10 * D


@pytest.mark.parametrize("option", [{"leftpad_k": True}, {"k_new": True}, {"attention_chunk": 2}])
def test_what_is_rare_is_named_and_not_guessed(run: Run, option: dict[str, Any]) -> None:
    q = half(1, 4, H, D)
    given = {
        name: value if name == "attention_chunk" else torch.zeros(1, dtype=torch.int32)
        for name, value in option.items()
    }
    report = run("flash_attn_3::fwd", q, q, q, **given, result=(q, q, q, q))
    assert report.unknown == {"flash_attn_3::fwd": 1}


@pytest.mark.parametrize("namespace", ["xformers_flash", "xformers_flash3"])
def test_xformers(run: Run, namespace: str) -> None:
    lengths = [(3, 5), (2, 4)]
    q, k = half(5, H, D), half(9, H, D)
    cut_q, cut_k = offsets([3, 2]), offsets([5, 4])
    found, rows = pairs(lengths, causal=True)
    left_padding = () if namespace == "xformers_flash" else (None,)
    last = (False, None) if namespace == "xformers_flash" else ()
    windows = (-1, -1) if namespace == "xformers_flash" else ()
    args = (q, k, k, cut_q, cut_k, None, *left_padding, 3, 5, 0.0, 1.0, True, *windows, *last)
    result = (q, q.float(), q) if namespace == "xformers_flash" else (q, q.float())
    report = run(f"{namespace}::flash_fwd", *args, result=result)
    assert flops(report) == (H * found * 4 * D, H * (3 * found - rows))
    dropout, state = ((0.0,), (q,)) if namespace == "xformers_flash" else ((), ())
    grad = (
        False,
        q,
        q,
        k,
        k,
        q,
        q.float(),
        cut_q,
        cut_k,
        3,
        5,
        *dropout,
        1.0,
        True,
        -1,
        -1,
        *state,
    )
    backward = run(f"{namespace}::flash_bwd", *grad, result=(q, k, k))
    assert flops(backward)[0] == H * found * 10 * D


def test_offsets_on_a_device_are_read_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reading waits for the device: two tensors, forward and backward, three layers."""
    reads: list[int] = []

    def read(tensor: Tensor) -> tuple[int, ...]:
        reads.append(id(tensor))
        return tuple(tensor.tolist())

    cut_q, cut_k = offsets([2, 3]), offsets([4, 5])
    from ipyflops.formulas import offsets as module

    monkeypatch.setattr(module, "_read", read)
    monkeypatch.setattr(module, "offsets_of", OFFSETS.values)
    monkeypatch.setattr("ipyflops.formulas.families.varlen_attention.offsets_of", OFFSETS.values)
    q, k = half(5, H, D), half(9, H, D)
    rest = (cut_q, cut_k, 3, 5, 0.0, 1.0, True)
    window = (-1, -1, 0.0, None)
    for _ in range(3):
        run("flash_attn::_flash_attn_varlen_forward", q, k, k, *rest, result=(q, q, q, q))
        grad = (q, q, k, k, q, q.float(), q, k, k)
        run("flash_attn::_flash_attn_varlen_backward", *grad, *rest, *window, False, result=q)
    assert sorted(reads) == sorted([id(cut_q), id(cut_k)])


# --- bitsandbytes --------------------------------------------------------------------------------

M, K, N = 6, 32, 10


def test_products_of_int8_are_integer_operations(run: Run) -> None:
    a, b = torch.ones(2, 3, K, dtype=torch.int8), torch.ones(N, K, dtype=torch.int8)
    out = torch.ones(2, 3, N, dtype=torch.int32)
    report = run("bitsandbytes::int8_linear_matmul", a, b, result=out)
    assert (report.int_ops, report.flops, report.macs) == (2 * M * N * K, 0, M * N * K)
    scales = torch.ones(M), torch.ones(N)
    made = half(2, 3, N)
    scaled = run("bitsandbytes::int8_scaled_mm", a, b, *scales, half(N), HALF, result=made)
    assert (scaled.int_ops, scaled.flops) == (2 * M * N * K, 4 * M * N)
    back = run("bitsandbytes::int8_mm_dequant", out, *scales, HALF, None, result=made)
    assert (back.flops, back.by_dtype["bfloat16"].flops) == (3 * M * N, 3 * M * N)


def test_columns_with_large_numbers_are_multiplied_apart(run: Run) -> None:
    a = half(M, K)
    ca, cb = torch.ones(M, K, dtype=torch.int8), torch.ones(N, K, dtype=torch.int8)
    columns = torch.tensor([1, 7, 9])
    report = run(
        "bitsandbytes::int8_mixed_scaled_mm",
        *(a, ca, cb, torch.ones(M), torch.ones(N), columns),
        result=(half(M, N), half(M, 3)),
    )
    assert flops(report) == (2 * M * N * 3, 3 * M * N + M * N + 2 * N * 3)
    assert report.int_ops == 2 * M * N * K


@pytest.mark.parametrize("name", ["gemm_4bit", "gemv_4bit"])
def test_weights_of_4_bits_are_scaled_first(run: Run, name: str) -> None:
    a, packed = half(M, K), torch.ones(N * K // 2, 1, dtype=torch.uint8)
    scales = torch.ones(N * K // 64)
    kind = ("nf4",) if name == "gemm_4bit" else ()
    code = () if name == "gemm_4bit" else (torch.ones(16),)
    args = (a, packed, [N, K], scales, *code, 64, *kind)
    report = run(f"bitsandbytes::{name}", *args, result=half(M, N))
    assert flops(report) == (2 * M * N * K, N * K)
    assert report.by_dtype["bfloat16"].flops == report.flops


def test_numbers_are_quantized_and_scaled_back(run: Run) -> None:
    a = half(M, K)
    stored, scales = torch.ones(M * K // 2, 1, dtype=torch.uint8), torch.ones(3)
    report = run("bitsandbytes::quantize_4bit", a, 64, "nf4", torch.uint8, result=(stored, scales))
    assert report.flops == M * K * (2 + 1 + 4) + 3
    args = (stored, scales, 64, "nf4", [M, K], HALF)
    report = run("bitsandbytes::dequantize_4bit", *args, result=a)
    assert report.flops == M * K
    report = run("bitsandbytes::dequantize_4bit.out", *args, a, result=None)
    assert report.flops == M * K
    whole = torch.ones(M, K, dtype=torch.int8), torch.ones(M), None
    report = run("bitsandbytes::int8_vectorwise_quant", a, result=whole)
    assert report.flops == M * K * 4 + M


@pytest.mark.parametrize(
    ("name", "each"),
    # The gradient's scale; averages 3 and 4; √, +, /, ·, ·, −. Two products shrink by the decay.
    [("adam", 1 + 3 + 4 + 6), ("momentum", 1 + 4), ("lion", 1 + 9)],
)
def test_steps_of_optimizers(run: Run, name: str, each: int) -> None:
    p, state = half(8, 8), torch.ones(8, 8)
    numbers = (0.0, 0.0, 0.9, 0.999, 0.0, 0.0, 1e-8, 0.0, 3, 1e-3, 1.0)
    args = (name, p, p, state, state if name == "adam" else None, None, *numbers)
    report = run("bitsandbytes::optimizer_update_32bit", *args, result=None)
    assert report.flops == 64 * each
    strange = run("bitsandbytes::optimizer_update_32bit", "lamb", *args[1:], result=None)
    assert strange.unknown == {"bitsandbytes::optimizer_update_32bit": 1}


# --- TransformerEngine ---------------------------------------------------------------------------


def test_softmaxes_of_transformer_engine(run: Run) -> None:
    scores = half(2, 3, 5, 5)
    whole = run("te_softmax::scaled_softmax_fwd", scores, 0.5, result=scores)
    assert whole.flops == 6 * 5 * (5 + 3 * 5 - 1)
    triangle = half(6, 5, 5)
    name = "te_softmax::scaled_upper_triang_masked_softmax"
    below, rows = pairs([(5, 5)], causal=True)
    forward = run(f"{name}_fwd", triangle, 0.5, result=triangle)
    assert forward.flops == 6 * (4 * below - rows)
    backward = run(f"{name}_bwd", triangle, triangle, 0.5, result=triangle)
    assert backward.flops == 6 * (5 * below - rows)


def test_tokens_that_come_back_from_experts_are_weighed_and_added(run: Run) -> None:
    """4 tokens of 8 numbers, each from 2 experts."""
    rows, index, out = half(8, 8), torch.zeros(8, dtype=torch.int32), half(4, 8)
    args = (rows, index, torch.ones(4, 2), 4, 2)
    report = run("te_moe::unpermute_index_map_fwd", *args, result=out)
    assert report.flops == 4 * 8 * (2 + 1)
    args = (out, rows, index, torch.ones(4, 2))
    report = run("te_moe::unpermute_index_map_bwd", *args, result=(rows, torch.ones(4, 2)))
    assert report.flops == 8 * 8 + 8 * (2 * 8 - 1)
    moved = run("te_moe::permute_index_map", out, index, 8, 8, result=(rows, index))
    assert (moved.flops, moved.unknown) == (0, {})
