"""Dry runs of the architectures: the operators and FLOPs of a real run, and nothing changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ipyflops import DryRunError, FlopCounter, dry_run
from ipyflops.costs import CONVENTIONS
from ipyflops.report import Report
from ipyflops.torch_private import FakeTensorMode
from tests.architectures import language
from tests.architectures.test_architectures import CASES, Case, case, tokens
from tests.missing import needs
from tests.pictures import Picture
from tests.thoroughness import ALL_SAMPLES

#: Where a token goes is for its values to say.
BY_VALUE = {"mixture"}
RUNNABLE = [name for name in CASES if name not in BY_VALUE]
#: Kernels that need memory besides their results, which no shape tells.
WORKSPACES = (
    *("aten::mkldnn_rnn_layer", "aten::mkldnn_rnn_layer_backward"),
    *("aten::_embedding_bag", "aten::_embedding_bag_backward"),
)


def run_of(one: Case, training: bool, optimizer: Any = None) -> Callable[[], None]:
    """Give a forward pass or a training step of a model.

    The optimizer takes all parameters at once: one by one they are half of all operators.
    """
    model = one.model.train(training)
    if optimizer is None:
        optimizer = torch.optim.AdamW(model.parameters(), foreach=True)

    def infer() -> None:
        with torch.no_grad():
            model(*one.inputs)

    def square() -> Tensor:
        output = model(*one.inputs)
        first: Tensor = output if isinstance(output, Tensor) else output[0]
        return first.square().mean()

    loss = one.loss or square

    def train() -> None:
        optimizer.zero_grad()
        loss().backward()
        with torch.device("cpu"):  # where PyTorch 2.13 has the number of the step by itself
            optimizer.step()

    return train if training else infer


def really(function: Callable[[], None]) -> Report:
    with FlopCounter(device_time=False, memory=True) as counter:
        function()
    return counter.report


def assert_equal(dry: Report, real: Report) -> None:
    for convention in CONVENTIONS:
        one, other = dry.under(convention), real.under(convention)
        assert one.flops == other.flops
        assert {
            node.path: (node.flops, node.calls) for node in one.walk() if node.kind != "code"
        } == {node.path: (node.flops, node.calls) for node in other.walk() if node.kind != "code"}
    assert (dry.macs, dry.int_ops) == (real.macs, real.int_ops)
    assert dry.unknown == real.unknown == {}
    for name, totals in dry.by_operator.items():
        if totals.flops:
            other_totals = real.by_operator[name]
            assert (totals.calls, totals.flops) == (other_totals.calls, other_totals.flops), name
            assert totals.bytes == other_totals.bytes or name in WORKSPACES, name


# The forward passes of all of them are in `test_models_without_memory`, the steps in
# `test_a_model_that_is_moved_and_cast_first`.
@pytest.mark.parametrize("training", [False, True] if ALL_SAMPLES else [True])
@pytest.mark.parametrize("name", RUNNABLE if ALL_SAMPLES else RUNNABLE[1::2])
def test_a_dry_run_counts_what_a_real_one_does(name: str, training: bool) -> None:
    one = case(name)
    run = run_of(one, training)
    run()  # so that there are gradients and a state of the optimizer
    before = Picture(run, one)
    dry = dry_run(run, memory=True)
    before.assert_same(Picture(run, one))
    real = really(run)
    assert_equal(dry, real)
    assert dry.memory is not None
    assert real.memory is not None
    if set(WORKSPACES) & set(real.by_operator):
        # A fake kernel gives no workspace, so that of a real one is not there.
        assert dry.memory.peak <= real.memory.peak
    else:
        assert dry.memory.peak == real.memory.peak
        assert dry.memory.at_peak == real.memory.at_peak
    assert dry.seconds == 0
    assert not any("still held" in note or "not copied" in note for note in dry.notes)


#: What makes tensors of one dtype itself, and so runs in that alone; or in float64 too.
CAST_TO = {
    **dict.fromkeys(("gan", "pinn"), torch.float32),
    **dict.fromkeys(("llama", "mamba", "diffusion"), torch.float64),
}


@pytest.mark.parametrize("name", RUNNABLE)
def test_a_model_that_is_moved_and_cast_first(name: str) -> None:
    one = case(name)
    dtype = CAST_TO.get(name, torch.bfloat16)
    one.inputs = tuple(
        value.to(dtype) if value.is_floating_point() else value for value in one.inputs
    )
    train = run_of(
        one, training=True, optimizer=torch.optim.SGD(one.model.parameters(), 0.1, foreach=True)
    )

    def run() -> None:
        one.model.to("cpu").to(dtype)
        train()

    before = Picture(run, one)
    dry = dry_run(run)
    before.assert_same(Picture(run, one))
    assert_equal(dry, really(run))


@pytest.mark.parametrize("name", sorted(BY_VALUE))
def test_what_only_values_tell_is_an_error_that_says_where(name: str) -> None:
    one = case(name)
    run = run_of(one, training=True)
    run()
    before = Picture(run, one)
    with pytest.raises(DryRunError, match=r"^test_fake.py:\d+ \(language.py:\d+\): the values of "):
        dry_run(run)
    before.assert_same(Picture(run, one))


def test_generation_with_a_cache() -> None:
    torch.manual_seed(0)
    model, start = language.Llama().eval(), tokens(4)

    def run() -> None:
        model.generate(start, 3)

    assert_equal(dry_run(run), really(run))


@pytest.mark.parametrize(
    ("name", "device"),
    [
        (name, device)
        for number, name in enumerate(RUNNABLE)
        for device in (("meta", "cpu") if ALL_SAMPLES else ("meta", "cpu")[number % 2 :][:1])
    ],
)
def test_models_without_memory(name: str, device: str) -> None:
    """On the meta device, a dry run counts as on the CPU; the inputs may be on either."""
    real = really(run_of(case(name), training=False))
    one = case(name)
    one.model.to("meta")
    one.inputs = tuple(value.to(device) for value in one.inputs)
    dry = dry_run(run_of(one, training=False))
    assert_equal(dry, real)
    assert "tensors of the meta device were counted as tensors of the CPU" in dry.notes
    assert all(parameter.is_meta for parameter in one.model.parameters())


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_quantized_mlp() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    x = torch.rand(2, 8)

    def run() -> None:
        quantized(x)

    before = Picture(quantized, x)
    dry = dry_run(run)
    before.assert_same(Picture(quantized, x))
    assert_equal(dry, really(run))


# --- kernels -------------------------------------------------------------------------------------


LAYERS = ({}, {"num_layers": 2, "bidirectional": True, "bias": False})


@pytest.mark.parametrize(
    ("options", "kind", "training"),
    [
        (LAYERS[more], kind, training)
        for number, kind in enumerate((nn.RNN, nn.GRU, nn.LSTM))
        for more in (False, True)
        for training in (False, True)
        if ALL_SAMPLES or kind is nn.LSTM or training == (more ^ bool(number % 2))
    ],
)
def test_recurrent_kernels(kind: type[nn.RNNBase], options: dict[str, int], training: bool) -> None:
    torch.manual_seed(0)
    model = kind(6, 5, **options).train(training)
    x = torch.rand(3, 2, 6)

    def run() -> None:
        if training:
            model(x)[0].sum().backward()
            model.zero_grad()
        else:
            with torch.no_grad():
                model(x)

    assert_equal(dry_run(run), really(run))


def fake_logsumexp() -> torch.dtype:
    """What a fake log-sum-exp of attention in float64 is of."""
    with FakeTensorMode():
        q = torch.rand(1, 1, 2, 8, dtype=torch.float64)
        _, fake = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(q, q, q)
    return fake.dtype


@pytest.mark.parametrize(
    ("dtype", "heads", "causal"),
    [
        (dtype, heads, causal)
        for one, dtype in enumerate((torch.float32, torch.bfloat16, torch.float64))
        for other, heads in enumerate((4, 2, 1))
        for causal in (False, True)
        if ALL_SAMPLES or causal == bool((one + other) % 2)
    ],
)
def test_attention_kernels(causal: bool, heads: int, dtype: torch.dtype) -> None:
    needs(
        dtype is not torch.float64 or fake_logsumexp() is dtype,
        "a log-sum-exp of attention in float64 that is of float64 on fake tensors",
    )
    q = torch.rand(2, 4, 600, 8, dtype=dtype, requires_grad=True)
    k, v = torch.rand(2, 2, heads, 600, 8, dtype=dtype)
    mask = None if causal else torch.rand(600, 600).to(dtype)

    def run() -> None:
        nn.functional.scaled_dot_product_attention(
            q, k, v, mask, is_causal=causal, enable_gqa=True
        ).sum().backward()
        q.grad = None

    assert_equal(dry_run(run), really(run))


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_fused_transformer_layers(training: bool) -> None:
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
    model = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False).train(training)
    x = torch.rand(2, 5, 8)

    def run() -> None:
        with torch.set_grad_enabled(training):
            model(x)

    assert_equal(dry_run(run), really(run))
