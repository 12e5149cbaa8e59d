"""Operators that fake tensors cannot run by themselves count as in a real run, or raise."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from ipyflops import DryRunError, FlopCounter, dry_run
from ipyflops.dry_runs.operators import grouped_product
from ipyflops.report import Report
from tests.dry_runs.test_conversion import assert_equal
from tests.missing import functions_have_gradients, once_for_an_item
from tests.pictures import Picture

pytestmark = pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning")

from torch._higher_order_ops.associative_scan import (  # noqa: E402 - no public names lead there
    associative_scan,
)
from torch._higher_order_ops.cond import cond  # noqa: E402
from torch._higher_order_ops.map import map as mapped  # noqa: E402
from torch._higher_order_ops.scan import scan  # noqa: E402
from torch._higher_order_ops.while_loop import while_loop  # noqa: E402

LINEAR = nn.Linear(4, 4)
X = torch.randn(5, 4)
Q, K, V = torch.randn(3, 1, 2, 128, 16)
BLOCKS = create_block_mask(
    lambda batch, head, query, key: query >= key, None, None, 128, 128, device="cpu"
)


def with_a_mask_made_here() -> None:
    mask = create_block_mask(
        lambda batch, head, query, key: query >= key, None, None, 128, 128, device="cpu"
    )
    flex_attention(Q, K, V, block_mask=mask)


def biased(score: Tensor, batch: Tensor, head: Tensor, query: Tensor, key: Tensor) -> Tensor:
    return score + query - key


def gradient_of_map() -> None:
    LINEAR.zero_grad()
    mapped(LINEAR, X).sum().backward()


def counted_steps(steps: int) -> Any:
    return while_loop(
        lambda step, value: step < steps,
        lambda step, value: (step + 1, value @ LINEAR.weight),
        (torch.tensor(0), X),
    )


WITH_FUNCTIONS: dict[str, Callable[[], object]] = {
    "flex_attention": lambda: flex_attention(Q, K, V),
    "flex_attention with a block mask": lambda: flex_attention(Q, K, V, block_mask=BLOCKS),
    "flex_attention with a block mask made here": with_a_mask_made_here,
    "flex_attention with a score": lambda: flex_attention(Q, K, V, score_mod=biased),
    "scan": lambda: scan(
        lambda carry, row: (carry @ carry.new_ones(4, 4) + row, carry * row), torch.zeros(4), X
    ),
    "map": lambda: mapped(LINEAR, X),
    "while_loop": lambda: counted_steps(3),
    "associative_scan": lambda: associative_scan(
        lambda one, other: one * other, X, 0, combine_mode="generic"
    ),
    "cond on a number": lambda: cond(True, lambda x: x @ x.T, lambda x: x * 2, (X,)),
    "map in map": lambda: mapped(lambda m: mapped(lambda row: row * row + 1, m), X.view(5, 2, 2)),
    "map in while_loop": lambda: while_loop(
        lambda step, value: step < 2,
        lambda step, value: (step + 1, mapped(lambda row: row * 2, value)),
        (torch.tensor(0), X),
    ),
}


def really(function: Callable[[], object]) -> Report:
    with FlopCounter(device_time=False) as counter:
        function()
    return counter.report


PROTOTYPES = ("map", "associative_scan", "map in map")


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=once_for_an_item if name in PROTOTYPES else ())
        for name in WITH_FUNCTIONS
    ],
)
def test_operators_that_take_functions(name: str) -> None:
    def run() -> None:
        with torch.no_grad():
            WITH_FUNCTIONS[name]()

    before = Picture(LINEAR, X, Q)
    dry = dry_run(run)
    before.assert_same(Picture(LINEAR, X, Q))
    assert dry.flops > 0
    assert_equal(dry, really(run))


@functions_have_gradients
def test_the_gradient_of_map() -> None:
    dry = dry_run(gradient_of_map)
    assert dry.flops > 3 * 2 * 5 * 4 * 4  # three products of each row, and the sum
    assert_equal(dry, really(gradient_of_map))


@pytest.mark.parametrize(
    "run",
    [
        lambda: cond(X.sum() > 0, lambda x: x @ x.T, lambda x: x * 2, (X,)),
        lambda: mapped(lambda row: cond(row.sum() > 0, torch.sin, torch.cos, (row,)), X),
        lambda: while_loop(lambda x: x.sum() < 9, lambda x: (x + 1,), (X,)),
    ],
)
def test_a_value_that_decides_is_an_error_with_the_line(run: Callable[[], object]) -> None:
    with torch.no_grad(), pytest.raises(DryRunError, match=r"^test_operators\.py:\d+: .* an if "):
        dry_run(run)


# --- grouped products ----------------------------------------------------------------------------

ROWS, GROUPS = torch.randn(8, 8), torch.randn(3, 8, 16)
OFFSETS = torch.tensor([2, 3, 8], dtype=torch.int32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("ways", ["2d 3d", "3d 3d", "2d 2d", "3d 2d"])
def test_experts_in_any_dtype(ways: str, dtype: torch.dtype) -> None:
    pairs = {
        "2d 3d": (ROWS, GROUPS, OFFSETS),
        "3d 3d": (torch.randn(3, 4, 8), GROUPS, None),
        "2d 2d": (torch.randn(16, 8), torch.randn(8, 16), OFFSETS),
        "3d 2d": (torch.randn(3, 4, 8), torch.randn(8, 8), OFFSETS),
    }
    one, other, offsets = pairs[ways]
    one, other = (part.to(dtype).clone().requires_grad_() for part in (one, other))

    def run() -> Tensor:
        result = F.grouped_mm(one, other, offs=offsets)
        result.square().sum().backward()
        one.grad = other.grad = None
        return result

    dry, real = dry_run(run), really(run)
    assert dry.by_operator["aten::_grouped_mm"].calls == 3
    if offsets is None or offsets[-1] == one.shape[-1 if ways == "2d 2d" else -2]:
        assert dry.flops == real.flops
    made = run()
    fake = grouped_product(one.detach().double(), other.detach().double(), offsets)
    assert fake is not None
    assert (fake.shape, fake.stride()) == (made.shape, made.stride())


# --- what has other costs on fake tensors --------------------------------------------------------


def lengths() -> Tensor:
    return torch.nested.nested_tensor([torch.ones(2, 4), torch.ones(3, 4)], layout=torch.jagged)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "jagged": (lambda: LINEAR(lengths()), "jagged tensors"),
    "sparse": (lambda: torch.eye(4).to_sparse() @ X.T, "sparse tensors"),
    "rows": (lambda: torch.eye(4).to_sparse_csr() @ X.T, "sparse tensors"),
    "coordinates": (
        lambda: torch.sparse_coo_tensor(torch.tensor([[0], [1]]), torch.ones(1), (4, 4)) @ X.T,
        "sparse tensors",
    ),
    "quantized": (
        lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8).dequantize() + 1,
        "quantized tensors",
    ),
    "linearize": (lambda: torch.func.linearize(lambda x: LINEAR(x).sin(), X)[1](X), "a graph of"),
    "make_fx": (lambda: make_fx(LINEAR)(X), "a graph of a program"),
    "lazy": (lambda: nn.LazyLinear(3)(X), "a lazy module"),
    "pickle": (lambda: pickle.dumps(LINEAR), "are pickled here"),
    "shared": (lambda: LINEAR.share_memory(), "memory is shared"),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors:UserWarning")
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_tell_it_does_not_count(name: str) -> None:
    run, reason = REFUSED[name]
    before = Picture(LINEAR, X)
    with pytest.raises(DryRunError, match=rf"^test_operators\.py:\d+.*: .*{reason}"):
        dry_run(run)
    before.assert_same(Picture(LINEAR, X))
    assert dry_run(lambda: LINEAR(X)).flops == really(lambda: LINEAR(X)).flops


def test_copies_of_modules_are_modules_of_the_dry_run() -> None:
    """As an average of weights makes one, here of parameters that have gradients and a state."""
    linear = nn.Linear(4, 4)
    optimizer = torch.optim.Adam(linear.parameters())

    def run() -> None:
        for _ in range(2):
            linear(X).sum().backward()
            optimizer.step()
            average = torch.optim.swa_utils.AveragedModel(linear)
            average.update_parameters(linear)
            copy.deepcopy(average)(X).sum().backward()
            copy.deepcopy(optimizer.state_dict())
            copy.copy(linear)(X)

    before = Picture(linear, optimizer)
    dry = dry_run(run)
    before.assert_same(Picture(linear, optimizer))
    assert_equal(dry, really(run))


# --- saving --------------------------------------------------------------------------------------


def test_a_file_keeps_what_it_has(tmp_path: Any) -> None:
    """Otherwise PyTorch would empty the file, and fail."""
    file = tmp_path / "model.pt"
    torch.save(LINEAR.state_dict(), file)
    kept = file.read_bytes()

    def run() -> None:
        LINEAR(X)
        torch.save(LINEAR.state_dict(), file)
        torch.save(LINEAR, io.BytesIO())

    save = torch.save
    report = dry_run(run)
    assert report.flops == 2 * 5 * 4 * 4
    assert "torch.save wrote nothing: a dry run has no values to save" in report.notes
    assert file.read_bytes() == kept
    assert torch.save is save
    assert not any("torch.save" in note for note in dry_run(lambda: LINEAR(X)).notes)
