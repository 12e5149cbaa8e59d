"""Offsets on a device are read once for each tensor, and again when it was written to."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from ipyflops.formulas import offsets
from ipyflops.formulas.offsets import OFFSETS, OffsetsRead, offsets_among, offsets_of
from ipyflops.formulas.special_tensors import can_be_read, noting_missed_values
from tests.formulas.plain import cost_of


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The tensors that are read."""
    read: list[Any] = []

    def reading(tensor: torch.Tensor) -> tuple[int, ...]:
        read.append(tensor.shape)
        return tuple(tensor.tolist())

    monkeypatch.setattr(offsets, "_read", reading)
    return read


def test_a_tensor_on_a_device_is_read_once(reads: list[Any]) -> None:
    memory, tensor = OffsetsRead(), torch.tensor([3, 8])
    assert [memory.values(tensor) for _ in range(3)] == [(3, 8)] * 3
    assert len(reads) == 1
    assert memory.values(torch.tensor([3, 8])) == (3, 8)
    assert len(reads) == 2


def test_it_is_read_again_when_it_was_written_to(reads: list[Any]) -> None:
    memory, tensor = OffsetsRead(), torch.tensor([3, 8])
    memory.values(tensor)
    tensor += 1
    assert memory.values(tensor) == (4, 9)
    tensor[0] = 0
    assert memory.values(tensor) == (0, 9)
    assert len(reads) == 3


def test_where_writing_cannot_be_seen_it_is_read_at_every_call(reads: list[Any]) -> None:
    memory = OffsetsRead()
    with torch.inference_mode():
        tensor = torch.tensor([3, 8])
        memory.values(tensor)
        tensor += 1
        assert memory.values(tensor) == (4, 9)
    assert len(reads) == 2


def test_what_was_read_goes_with_its_tensor() -> None:
    memory, tensor = OffsetsRead(), torch.tensor([3, 8])
    memory.values(tensor)
    assert len(memory._known) == 1
    del tensor
    gc.collect()
    assert not memory._known


def test_on_a_cpu_nothing_is_remembered() -> None:
    """Reading costs nothing there, and NumPy may write to the same memory."""
    tensor = torch.tensor([3, 8])
    array = tensor.numpy()
    assert offsets_of(tensor) == (3, 8)
    array[0] = 5
    assert offsets_of(tensor) == (5, 8)
    assert not OFFSETS._known


def test_nothing_is_read_while_a_graph_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu: Any = SimpleNamespace(is_meta=False, is_cuda=True)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: False)
    assert can_be_read(on_gpu)
    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    assert not can_be_read(on_gpu)
    assert can_be_read(torch.ones(2))
    assert offsets_of(on_gpu) is None


def test_the_offsets_of_a_call_are_its_lists_of_integers() -> None:
    floats, table = torch.rand(3), torch.zeros(2, 2, dtype=torch.int32)
    found = offsets_among([floats, table, torch.tensor([1, 2]), [torch.tensor([3])], None, 4])
    assert found == ((1, 2), (3,))


def test_sequences_of_attention_are_read_by_the_same_memory(reads: list[Any]) -> None:
    q = torch.randn(8, 2, 4, dtype=torch.float16)
    begins = torch.tensor([0, 3, 8], dtype=torch.int32)
    out = (torch.empty_like(q), torch.empty(2, 8))
    arguments = (q, q, q, begins, begins, 5, 5, 0.0, False, False)
    with noting_missed_values() as missed:
        cost = cost_of(torch.ops.aten._flash_attention_forward.default, *arguments, out=out)
    # 3 and 5 tokens, 2 heads, two products of size 4.
    assert cost.contraction.value == 2 * 2 * (3 * 3 + 5 * 5) * (4 + 4)
    assert len(reads) == 2
    assert not missed
