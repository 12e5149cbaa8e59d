"""A callback for Hugging Face's Trainer: FLOPS, MFU and tokens a second in its logs."""

from __future__ import annotations

from typing import Any

from transformers import TrainerCallback

import ipyflops


class MeterCallback(TrainerCallback):
    """Measure each step, the gradients' accumulation included.

    ``Trainer(…, callbacks=[MeterCallback(ipyflops.Meter(tokens=8 * 512, peak="H100"))])``. A
    callback does not see the batch, so only the first step is counted: pad batches to one length.
    """

    def __init__(self, meter: ipyflops.Meter) -> None:
        self.meter = meter

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Begin a step."""
        self.meter.begin(())

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End it."""
        self.meter.end()

    def on_log(
        self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        """Add the rates to what is logged."""
        if logs is not None and self.meter.measured:
            logs["flops_per_second"] = self.meter.flops_per_second
            logs["tokens_per_second"] = self.meter.tokens_per_second
            logs["mfu"] = self.meter.mfu
