"""Data loaders in a dry run: batches of the sizes of a real run, in the order of the samples."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    TensorDataset,
    WeightedRandomSampler,
    random_split,
)

from ipyflops import DryRunError, FlopCounter, dry_run
from tests.dry_runs.test_conversion import assert_equal
from tests.pictures import Picture

X, Y = torch.randn(10, 8), torch.randint(3, (10,))
MODEL = nn.Linear(8, 3)
DATASETS: dict[str, Any] = {
    "tensors": TensorDataset(X, Y),
    "a list": [(X[index], int(Y[index])) for index in range(10)],
}
OPTIONS: dict[str, dict[str, Any]] = {
    "in order": {},
    "shuffled": {"shuffle": True},
    "without the rest": {"shuffle": True, "drop_last": True},
    "with a generator": {"shuffle": True, "generator": torch.Generator().manual_seed(1)},
    "weighted": {"sampler": WeightedRandomSampler([1.0] * 10, 10)},
}


def epoch(data: Any, options: dict[str, Any]) -> None:
    MODEL.zero_grad()
    for x, y in DataLoader(data, batch_size=4, **options):
        nn.functional.cross_entropy(MODEL(x), y).backward()


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("how", OPTIONS)
def test_an_epoch_counts_as_it_runs(how: str, name: str) -> None:
    def run() -> None:
        epoch(DATASETS[name], OPTIONS[how])

    before = Picture(run, MODEL, X, Y)
    dry = dry_run(run)
    before.assert_same(Picture(run, MODEL, X, Y))
    with FlopCounter(device_time=False) as counter:
        run()
    assert_equal(dry, counter.report)
    assert dry.find("MODEL").calls == (2 if how == "without the rest" else 3)
    assert any("data loaders gave the samples in their order" in note for note in dry.notes)


def test_a_random_part_of_the_data() -> None:
    def run() -> None:
        epoch(random_split(DATASETS["tensors"], [7, 3])[0], {})

    with FlopCounter(device_time=False) as counter:
        run()
    assert_equal(dry_run(run), counter.report)


class Labels(Dataset[Tensor]):
    """Reads a value itself."""

    def __len__(self) -> int:
        return 10

    def __getitem__(self, index: int) -> Tensor:
        return torch.ones(int(Y[index]) + 1)


def test_values_that_the_users_own_code_reads_are_still_an_error() -> None:
    with pytest.raises(DryRunError, match=r"^test_loading\.py:\d+: "):
        dry_run(lambda: next(iter(DataLoader(Labels()))))


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_workers_are_refused() -> None:
    with pytest.raises(DryRunError, match="a DataLoader with workers loads in other processes"):
        dry_run(lambda: epoch(DATASETS["tensors"], {"num_workers": 1}))
