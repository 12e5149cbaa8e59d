"""The meter's callbacks in Hugging Face's Trainer and in Lightning."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipyflops
from tests.libraries import library
from tests.libraries.test_loops import TOKENS, Texts, small_llama

pytestmark = pytest.mark.filterwarnings("ignore")
sys.path.append(str(Path(__file__).parents[2] / "notebooks"))


def test_trainer(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    transformers = library("transformers")
    from callbacks.trainer import MeterCallback

    model = small_llama()
    meter = ipyflops.Meter(tokens=2 * TOKENS.shape[1], peak=1e12)
    arguments = transformers.TrainingArguments(
        output_dir=str(tmp_path),
        per_device_train_batch_size=2,
        max_steps=3,
        logging_steps=1,
        save_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=Texts(), callbacks=[MeterCallback(meter)]
    )
    trainer.train()
    assert [step.counted for step in meter.history] == [True, False, False]
    with ipyflops.FlopCounter() as counter:
        tokens = TOKENS[:2]
        model(input_ids=tokens, labels=tokens).loss.backward()
    # The same products; clipping and the optimizer come on top.
    assert meter.report is not None
    assert meter.report.macs == counter.report.macs
    assert meter.history[-1].flops > counter.report.flops
    # What Trainer prints of its logs; the first step was counted, so it has no rate.
    assert capsys.readouterr().out.count("'tokens_per_second'") == 3


def test_lightning() -> None:
    lightning = library("lightning")
    from callbacks.lightning import MeterCallback

    class Regression(lightning.LightningModule):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Linear(8, 4)

        def training_step(self, batch: Any, index: int) -> Tensor:
            (x,) = batch
            return self.net(x).square().mean()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.1)

    data = torch.utils.data.TensorDataset(torch.ones(10, 8))
    meter = ipyflops.Meter(peak=1e12)
    trainer = lightning.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[MeterCallback(meter)],
    )
    trainer.fit(Regression(), torch.utils.data.DataLoader(data, batch_size=4))
    # Batches of 4, 4 and 2: the last has another shape. The input needs no gradient.
    assert [step.counted for step in meter.history] == [True, False, True]
    assert meter.report is not None
    assert meter.report.macs == 2 * (2 * 8 * 4)
    assert float(trainer.callback_metrics["flops_per_second"]) > 0
