"""Triton kernels that a program launches itself, as ``kernel[grid](…)``: none is silently missed.

Triton and flash-linear-attention are the real ones. On the simulated device the kernels are
compiled and launched, and compute nothing.
"""

from __future__ import annotations

import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import FlopCounter, dry_run, temporary_formula

pytest.importorskip("triton")
if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
    pytest.skip("Triton needs Python's headers to compile", allow_module_level=True)

import triton
import triton.language as tl
from triton.runtime.jit import KernelInterface

from tests.accelerators.conftest import InProcess
from tests.accelerators.simulator import control

pytestmark = pytest.mark.usefixtures("cuda")
N = 100


@triton.jit
def add_kernel(x, y, out, n, scale=2, BLOCK: tl.constexpr = 32):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    some = at < n
    tl.store(out + at, tl.load(x + at, mask=some) + tl.load(y + at, mask=some), mask=some)


#: Two ways to launch the same kernel, of which the tuner takes the faster one.
tuned_kernel = triton.autotune(
    [triton.Config({"BLOCK": 16}), triton.Config({"BLOCK": 64})], key=["n"]
)(add_kernel)
heuristic_kernel = triton.heuristics({"BLOCK": lambda given: triton.next_power_of_2(given["n"])})(
    triton.jit(add_kernel.fn)
)


@pytest.fixture(scope="module", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRITON_CACHE_DIR", str(tmp_path_factory.mktemp("triton")))
        yield


@pytest.fixture(autouse=True)
def _nothing_stays() -> Iterator[None]:
    before = KernelInterface.__getitem__
    yield
    assert KernelInterface.__getitem__ is before


@pytest.fixture
def x(cuda: torch.device) -> Tensor:
    return torch.ones(N, device=cuda)


def add(x: Tensor) -> Tensor:
    out = torch.empty_like(x)
    add_kernel[(4,)](x, x, out, N)
    return out


class Add(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return add(x)


def cost_of_add(call: Any) -> int:
    """Two operations for each element, and a million for each program of the grid."""
    return int(2 * call["n"] + 1_000_000 * call["grid"][0])


def test_a_kernel_without_a_formula_is_named(x: Tensor) -> None:
    model = Add()
    with FlopCounter() as counter:
        model(x)
        model(x)
        x @ x
    report = counter.report
    assert report.unknown == {"triton::add_kernel": 2}
    assert report.find("model").calls == 2
    assert report.flops == 2 * N
    assert report.complete


def test_a_formula_finds_the_arguments_by_their_names(x: Tensor) -> None:
    seen: list[dict[str, Any]] = []

    def formula(call: Any) -> int:
        seen.append({name: call[name] for name in ("n", "scale", "BLOCK", "grid")})
        return cost_of_add(call)

    with temporary_formula(add_kernel, formula), FlopCounter() as counter:
        add_kernel[lambda given: (triton.cdiv(given["n"], given["BLOCK"]),)](
            x, x, x, n=N, BLOCK=64, num_warps=2
        )
        add(x)
    assert counter.report.flops == (2 * N + 2_000_000) + (2 * N + 4_000_000)
    assert counter.report.unknown == {}
    assert seen == [
        {"n": N, "scale": 2, "BLOCK": 64, "grid": (2,)},
        {"n": N, "scale": 2, "BLOCK": 32, "grid": (4,)},
    ]


def test_launches_that_tune_a_kernel_do_not_count(x: Tensor) -> None:
    def formula(call: Any) -> int:
        assert call["BLOCK"] in (16, 64)  # what the tuner has chosen
        assert call["grid"] == (triton.cdiv(N, call["BLOCK"]),)
        return 7

    grid: Callable[[Any], Any] = lambda given: (triton.cdiv(N, given["BLOCK"]),)  # noqa: E731
    with temporary_formula(add_kernel, formula), FlopCounter() as counter:
        tuned_kernel[grid](x, x, x, N)
        tuned_kernel[grid](x, x, x, N)
    assert counter.report.by_operator["triton::add_kernel"].calls == 2
    assert counter.report.by_operator["triton::add_kernel"].flops == 2 * 7


def test_what_heuristics_work_out_is_known(x: Tensor) -> None:
    with temporary_formula(add_kernel, lambda call: call["BLOCK"]), FlopCounter() as counter:
        heuristic_kernel[(4,)](x, x, x, N)
    assert counter.report.flops == 128


class Twice(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return add(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return add(gradient)


class Doubled(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return Twice.apply(x)  # type: ignore[no-any-return]


def test_the_backward_pass_belongs_to_the_module(x: Tensor) -> None:
    model = Doubled()
    with temporary_formula(add_kernel, cost_of_add), FlopCounter() as counter:
        loss = model(x.requires_grad_()).sum()
        loss.backward()
    node = counter.report.find("model")
    assert node.phases["forward"].flops == node.phases["backward"].flops == 2 * N + 4_000_000


def test_a_dry_run_launches_nothing_and_counts_the_same(x: Tensor) -> None:
    model = Add()
    with temporary_formula(add_kernel, cost_of_add):
        with FlopCounter() as counter:
            model(x)
        before = control.kernels() if control.is_simulated() else 0
        dry = dry_run(model, x)
        after = control.kernels() if control.is_simulated() else 0
    assert dry.flops == counter.report.flops == 2 * N + 4_000_000
    assert after == before


def test_nested_counters_count_each_and_the_time_is_taken(x: Tensor) -> None:
    add(x)
    with FlopCounter() as outer:
        add(x)
        with FlopCounter() as inner:
            add(x)
    assert outer.report.unknown == {"triton::add_kernel": 2}
    assert inner.report.unknown == {"triton::add_kernel": 1}
    assert inner.report.by_operator["triton::add_kernel"].seconds > 0


def test_what_pytorch_launches_counts_once(x: Tensor) -> None:
    with FlopCounter() as counter:
        torch.library.wrap_triton(add_kernel)[(4,)](x, x, x, N)
    assert counter.report.unknown == {"triton::add_kernel": 1}


def test_a_graph_counts_its_launches_with_each_replay(x: Tensor) -> None:
    add(x)
    graph = torch.cuda.CUDAGraph()
    with temporary_formula(add_kernel, cost_of_add), FlopCounter() as counter:
        with torch.cuda.graph(graph):
            add_kernel[(4,)](x, x, x, N)
        for _ in range(3):
            graph.replay()
    assert counter.report.flops == 3 * (2 * N + 4_000_000)


def test_an_error_of_the_launch_is_the_users(x: Tensor) -> None:
    with FlopCounter() as counter, pytest.raises(KeyError, match="BLOK"):
        add_kernel[(4,)](x, x, x, N, BLOK=3)
    assert counter.report.unknown == {}


def test_triton_imported_in_the_block_is_noted(in_process: InProcess) -> None:
    notes = in_process(
        """
        import json, sys
        from ipyflops import FlopCounter
        import torch
        assert "triton.runtime.jit" not in sys.modules
        with FlopCounter() as counter:
            import triton.runtime.jit
            torch.ones(2, 2) @ torch.ones(2, 2)
        print(json.dumps(counter.report.notes))
        """
    )
    assert any("Triton was imported in this block" in note for note in notes)


# --- flash-linear-attention ----------------------------------------------------------------------

B, T, H, K, V, CHUNK = 2, 128, 2, 32, 64, 64
TOKENS, CHUNKS, PAIRS = B * T, B * T // CHUNK, B * (T // CHUNK) * CHUNK**2


def linear_attention(cuda: torch.device) -> dict[str, Any]:
    """Amounts of a step of linear attention by kernel: calls, MACs and other operations."""
    attention = pytest.importorskip("fla.ops.linear_attn").chunk_linear_attn
    query, key = (torch.ones(B, T, H, K, device=cuda, requires_grad=True) for _ in range(2))
    value = torch.ones(B, T, H, V, device=cuda, requires_grad=True)
    report = dry_run(lambda: attention(query, key, value, normalize=False)[0].sum().backward())
    assert report.unknown == {}
    return {
        name.removeprefix("triton::"): (one.calls, one.macs, one.flops - 2 * one.macs)
        for name, one in report.by_operator.items()
        if name.startswith("triton::")
    }


def test_linear_attention_by_hand(cuda: torch.device) -> None:
    # A token adds K·V to a state, and takes as much from it. The states are made again backward.
    states, outputs = H * TOKENS * K * V, H * (TOKENS * K * V + PAIRS * K + PAIRS * V)
    assert linear_attention(cuda) == {
        "chunk_fwd_kernel_h": (2, 2 * states, 0),
        "chunk_fwd_kernel_o": (1, outputs, 3 * H * TOKENS * V),
        "chunk_bwd_kernel_dh": (1, states, H * TOKENS * K),
        "chunk_bwd_kernel_dqkwg": (
            1,
            H * (2 * TOKENS * K * V + PAIRS * V + 2 * PAIRS * K),
            3 * H * TOKENS * K,
        ),
        "chunk_bwd_kernel_dv": (1, outputs, H * PAIRS),
    }
