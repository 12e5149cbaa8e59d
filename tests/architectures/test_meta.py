"""Counting on the meta device with no option: as on the CPU, where PyTorch runs the same operators.

There it has no fused kernels, so that attention and recurrent layers are the plain operators of
their definition. A dry run counts them as on the CPU.
"""

from __future__ import annotations

import pytest
import torch

from ipyflops import FlopCounter, dry_run
from ipyflops.report import Report
from tests.architectures.test_architectures import case
from tests.architectures.test_fake import RUNNABLE, really, run_of

#: Models with a fused kernel on the CPU, and the operator that stands for it on the meta device.
FUSED = {"gpt2": "aten::_safe_softmax", "seq2seq": "aten::sigmoid_"}


def on_meta(name: str, training: bool) -> Report:
    with torch.device("meta"), FlopCounter(device_time=False) as counter:
        run_of(case(name), training)()
    return counter.report


@pytest.mark.parametrize("training", [False, True], ids=["forward", "step"])
@pytest.mark.parametrize("name", [name for name in RUNNABLE if name not in FUSED])
def test_the_meta_device_counts_as_the_cpu(name: str, training: bool) -> None:
    with FlopCounter(device_time=False) as counter:
        run_of(case(name), training)()
    real, meta = counter.report, on_meta(name, training)
    for convention in ("standard", "contractions", "article"):
        assert meta.under(convention).flops == real.under(convention).flops
    assert meta.int_ops == real.int_ops
    assert meta.unknown == {}


@pytest.mark.parametrize("name", FUSED)
def test_fused_kernels_are_plain_operators_there(name: str) -> None:
    real, meta = really(run_of(case(name), False)), on_meta(name, False)
    # The products of a forward are the same; what is around them need not be.
    assert meta.under("contractions").flops == real.under("contractions").flops
    assert meta.by_operator[FUSED[name]].flops > 0
    # Backwards the fused kernels compute again what they did not keep.
    step = on_meta(name, True).under("contractions")
    assert step.flops < really(run_of(case(name), True)).under("contractions").flops


@pytest.mark.parametrize("training", [False, True], ids=["forward", "step"])
@pytest.mark.parametrize("name", FUSED)
def test_a_dry_run_on_the_meta_device_counts_fused_kernels(name: str, training: bool) -> None:
    real = really(run_of(case(name), training))
    with torch.device("meta"):
        one = case(name)
    dry = dry_run(run_of(one, training))
    assert dry.flops == real.flops
    assert dry.under("contractions").flops == real.under("contractions").flops
