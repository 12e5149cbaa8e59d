"""Small tensors of whole numbers keep their values in a dry run: what they decide is decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import DryRunError, dry_run
from ipyflops.dry_runs.known_values import MAX_ELEMENTS
from tests.dry_runs.test_conversion import check

MODEL = nn.Linear(8, 8)
X = torch.randn(4, 8)
LENGTHS = torch.tensor([1, 3, 2])
MASK = torch.tensor([[1, 1, 0, 1]]).bool()
VIEW = LENGTHS[1:]


def work(size: Any) -> None:
    """As many products as a number says."""
    for _ in range(int(size)):
        MODEL(X)


def padded() -> None:
    parts = nn.utils.rnn.pad_sequence([X[:length] for length in LENGTHS.tolist()])
    work(parts.shape[0])


def changed_in_place() -> None:
    """The view and the tensor share their memory, in a dry run too."""
    LENGTHS.add_(1)
    work(VIEW[0])
    VIEW.mul_(2)
    work(LENGTHS.max())
    LENGTHS.copy_(torch.tensor([1, 3, 2]))


def made_inside() -> None:
    steps = torch.arange(10, 0, -3)
    work((steps == 4).nonzero()[0, 0])
    flags = torch.zeros(3, dtype=torch.bool)
    flags[1] = True
    if not flags.all() and torch.ones_like(LENGTHS).bool().all():
        work(flags.sum())
    work(len(steps.numpy()[steps.numpy() > 1]))


DECIDED: dict[str, Callable[[], object]] = {
    "an if": lambda: work(1 if MASK.all() else 2),
    "lengths": lambda: [work(one) for one in LENGTHS],
    "a mask of a mask": lambda: work(LENGTHS[LENGTHS > 1].numel()),
    "sorted": lambda: work(LENGTHS.sort().values[0] + LENGTHS.unique().shape[0]),
    "padded": padded,
    "written": changed_in_place,
    "made inside": made_inside,
    "a mask of fractions": lambda: work(
        torch.ones(2, 3).bool().sum() + int(bool(torch.full((2, 2), 0.5).all()))
    ),
    "as a list": lambda: work(sum(LENGTHS.tolist())),
    "as an array": lambda: work(LENGTHS.numpy().max()),
}


@pytest.mark.parametrize("name", DECIDED)
def test_what_whole_numbers_decide(name: str) -> None:
    check(DECIDED[name], *MODEL.parameters(), X, LENGTHS, MASK, VIEW)


def overwritten(write: Callable[[Tensor, Tensor], object]) -> Callable[[], None]:
    def run() -> None:
        numbers = torch.arange(4)
        alias = numbers.view(2, 2)
        write(numbers, MODEL(X)[0, :4].long())
        work(alias[0, 0])

    return run


@pytest.mark.parametrize(
    "write",
    [
        lambda numbers, unknown: numbers.copy_(unknown),
        lambda numbers, unknown: numbers.add_(unknown),
        lambda numbers, unknown: numbers.__setitem__(0, unknown[0]),
        lambda numbers, unknown: torch.add(numbers, unknown, out=numbers),
        lambda numbers, unknown: torch._foreach_add_([numbers], [unknown]),
        lambda numbers, unknown: numbers.random_(3),
    ],
)
def test_what_is_overwritten_is_known_no_more(write: Any) -> None:
    with pytest.raises(DryRunError, match=r"^test_known_values\.py:\d+.*needs its value"):
        dry_run(overwritten(write))


def test_large_tensors_and_those_of_fractions_are_not_kept() -> None:
    large, fractions = torch.ones(MAX_ELEMENTS + 1, dtype=torch.long), torch.ones(3)
    for tensor in (large, fractions):
        with pytest.raises(DryRunError, match="needs its value"):
            dry_run(lambda tensor=tensor: work(tensor.sum()))


@pytest.mark.parametrize(
    "make",
    [
        lambda n: torch.arange(n)[:, None] <= torch.arange(n)[None],
        lambda n: torch.ones(n, 1) * torch.ones(1, n),
        lambda n: torch.arange(3).new_zeros((n, n)),
        lambda n: torch.ones(n).repeat(n, 1),
    ],
)
def test_known_values_make_no_large_tensor(make: Callable[[int], Tensor]) -> None:
    """It would take gigabytes: of these sizes more than any machine has."""

    def run() -> None:
        made = make(60_000)
        assert (made.shape, made.constant) == ((60_000, 60_000), None)  # type: ignore[attr-defined]
        assert int(torch.arange(60_000)[-1]) == 59_999

    dry_run(run)


def test_values_are_not_kept_longer_than_their_tensors() -> None:
    """A loop that makes many masks holds one at a time."""

    def run() -> None:
        numbers = torch.arange(MAX_ELEMENTS)
        mode = numbers.fake_mode  # type: ignore[attr-defined]
        for _ in range(20):
            numbers = numbers + 1
        assert len(mode._converter.fakes) < 5

    dry_run(run)


@pytest.mark.parametrize("convert", [nn.Module.half, nn.Module.double])
def test_what_is_converted_has_not_the_values_of_before(convert: Any) -> None:
    def run() -> None:
        module = nn.Module()
        module.weight = nn.Parameter(torch.zeros(2, 2))
        convert(module)
        made = module.weight.expand(2, 2) + 1
        assert made.dtype == module.weight.dtype != torch.float32

    assert dry_run(run).flops == 4
