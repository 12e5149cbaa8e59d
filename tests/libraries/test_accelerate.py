"""Training loops of accelerate."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.dry_runs.test_conversion import check
from tests.libraries import library

accelerate = library("accelerate")
pytestmark = pytest.mark.filterwarnings("ignore")
X, Y = torch.randn(4, 8), torch.randint(3, (4,))


def loop(precision: str, accumulation: int) -> Callable[[], None]:
    """Two steps, as accelerate's guide writes them."""
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer)

    def run() -> None:
        accelerator = accelerate.Accelerator(
            cpu=True, mixed_precision=precision, gradient_accumulation_steps=accumulation
        )
        prepared, chosen, plan = accelerator.prepare(model, optimizer, schedule)
        for _ in range(4):
            with accelerator.accumulate(prepared):
                loss = nn.functional.cross_entropy(prepared(X), Y)
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(prepared.parameters(), 1.0)
                chosen.step()
                plan.step()
                chosen.zero_grad()

    return run


@pytest.mark.parametrize("accumulation", [1, 2])
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_a_training_loop(precision: str, accumulation: int) -> None:
    check(loop(precision, accumulation))
