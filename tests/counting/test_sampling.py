"""Samples of values: the same where processes compute the same, and nothing changes by them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from ipyflops.counting import FlopCounter, sampling
from ipyflops.formulas import Call
from ipyflops.report import Report


@pytest.fixture
def among_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in one process of several."""
    monkeypatch.setattr(sampling, "wanted", lambda: True)


def step(seed: int, repeats: int = 1, *, last: int | None = None) -> Report:
    """A step of the same network on random inputs; the last input may be another's."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    torch.manual_seed(seed)
    with FlopCounter() as counter:
        for repeat in range(repeats):
            if last is not None and repeat == repeats - 1:
                torch.manual_seed(last)
            net(torch.rand(4, 8)).square().sum().backward()
            optimizer.step()
    return counter.report


@pytest.mark.usefixtures("among_others")
def test_the_same_values_are_the_same_work() -> None:
    one = step(1, 3)
    both = Report.merge([one, step(1, 3)])
    assert both.replicated_flops == one.flops
    # Of other inputs only what does not depend on them is the same: nothing here.
    assert Report.merge([one, step(2, 3)]).replicated_flops == 0


@pytest.mark.usefixtures("among_others")
def test_a_later_call_tells_two_ranks_apart() -> None:
    # All calls at a place have one sample: the fourth is looked at as well as the first.
    both = Report.merge([step(1, 4), step(1, 4, last=2)])
    assert both.find("net").totals.replicated == 0


def test_alone_there_are_no_samples() -> None:
    assert not any(row.sample for row in step(1).rows)


@pytest.mark.usefixtures("among_others")
def test_counting_counts_the_same_with_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    sampled = step(1, 3)
    monkeypatch.setattr(sampling, "wanted", lambda: False)
    plain = step(1, 3)
    assert sampled.flops == plain.flops
    assert sampled.totals.calls == plain.totals.calls
    assert [row.calls for row in sampled.rows] == [row.calls for row in plain.rows]


@pytest.mark.usefixtures("among_others")
def test_no_other_mode_sees_the_reading() -> None:
    seen: list[str] = []

    class Log(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            seen.append(str(func))
            return func(*args, **(kwargs or {}))

    x, y = torch.rand(4, 8), torch.rand(8, 2)
    with FlopCounter() as outer, Log(), FlopCounter() as inner:
        x @ y
    assert seen == ["aten.mm.default"]
    assert outer.report.totals.calls == inner.report.totals.calls == 1
    assert inner.report.rows[0].sample == outer.report.rows[0].sample != 0


@pytest.mark.usefixtures("among_others")
def test_memory_can_be_given_back_afterwards() -> None:
    # FSDP does this with the parameters that it has gathered.
    weight, x = torch.rand(8, 8), torch.rand(2, 8)
    with FlopCounter():
        result = x @ weight
    for tensor in (weight, result):
        tensor.untyped_storage().resize_(0)


def sample(*tensors: Tensor) -> int:
    return sampling.add(0, Call(torch.ops.aten.add.Tensor, tensors, {}, tensors[0]))


def test_a_sample_does_not_depend_on_strides_but_on_values() -> None:
    table = torch.arange(96.0).reshape(8, 12)
    assert sample(table) == sample(table.clone()) == sample(table.T.contiguous().T)
    assert sample(table) != sample(table + 1)
    assert sample(table, table) != sample(table)
    # Only some elements of a large tensor are read, spread over all of it.
    large = torch.zeros(1000, 1000)
    before = sample(large)
    large[875] = 1
    assert sample(large) != before


@pytest.mark.parametrize(
    "tensor",
    [
        torch.ones(2, dtype=torch.bfloat16),
        torch.ones(2, dtype=torch.complex64).conj(),
        torch.ones(2, dtype=torch.bool),
        torch.ones((), dtype=torch.float64),
        torch.ones(2, 1, 3, 1, 2, 2),
        torch.ones(0, 4),
        torch.ones(3).expand(4, 3),
    ],
    ids=lambda tensor: f"{tensor.dtype}-{tensor.dim()}",
)
def test_tensors_of_any_kind_are_read(tensor: Tensor) -> None:
    assert sample(tensor) > 0


def test_tensors_without_values_leave_no_sample() -> None:
    with FakeTensorMode():
        fake = torch.ones(2, 3)
    nested = torch.nested.nested_tensor([torch.ones(2)], layout=torch.jagged)
    for tensor in (fake, torch.ones(2, device="meta"), torch.eye(2).to_sparse(), nested):
        assert sample(tensor) == 0


def test_calls_are_read_ever_more_rarely() -> None:
    read = [calls + 1 for calls in range(70) if sampling.due(calls)]
    assert read == [1, 2, 3, 4, 5, 6, 7, 8, 16, 32, 64]
