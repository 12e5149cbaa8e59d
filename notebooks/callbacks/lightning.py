"""A callback for Lightning: FLOPS, MFU and tokens a second in its logs."""

from __future__ import annotations

from typing import Any

from lightning.pytorch.callbacks import Callback

import ipyflops


class MeterCallback(Callback):
    """Measure each batch: ``Trainer(callbacks=[MeterCallback(ipyflops.Meter(peak="H100"))])``."""

    def __init__(self, meter: ipyflops.Meter) -> None:
        self.meter = meter

    def on_train_batch_start(self, trainer: Any, module: Any, batch: Any, index: int) -> None:
        """Begin a step; a batch of new shapes is counted."""
        self.meter.begin(batch)

    def on_train_batch_end(
        self, trainer: Any, module: Any, outputs: Any, batch: Any, index: int
    ) -> None:
        """End it, and log its rates."""
        step = self.meter.end()
        if step is not None and not step.counted:
            module.log("flops_per_second", step.flops_per_second)
            module.log("mfu", step.mfu or 0.0)
