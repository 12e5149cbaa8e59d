"""Rules of thumb: the papers' own numbers, and what the count has beyond them, by hand."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from models.gpt2 import GPT2, GPT2Config
from models.llama import Llama, LlamaConfig
from torch import nn
from torch.utils.checkpoint import checkpoint

import ipyflops
from ipyflops import Report
from ipyflops.report import ModelSizes
from ipyflops.report.rules import megatron, palm, six_nd
from tests.views.reports import Builder

#: Narayanan et al. (2021), table 1: parameters in thousand millions, heads, hidden size, layers,
#: batch, GPUs, TFLOPS of each, and their percentage of an A100's 312.
MEGATRON = [
    (1.7, 24, 2304, 24, 512, 32, 137, 44),
    (3.6, 32, 3072, 30, 512, 64, 138, 44),
    (7.5, 32, 4096, 36, 512, 128, 142, 46),
    (18.4, 48, 6144, 40, 1024, 256, 135, 43),
    (39.1, 64, 8192, 48, 1536, 512, 138, 44),
    (76.1, 80, 10240, 60, 1792, 1024, 140, 45),
    (145.6, 96, 12288, 80, 2304, 1536, 148, 47),
    (310.1, 128, 16384, 96, 2160, 1920, 155, 50),
    (529.6, 128, 20480, 105, 2520, 2520, 163, 52),
    (1008.0, 160, 25600, 128, 3072, 3072, 163, 52),
]
V, S = 51_200, 2048


@pytest.mark.parametrize("row", MEGATRON, ids=lambda row: f"{row[0]}B")
def test_megatrons_table(row: tuple[float, ...]) -> None:
    """Its models of 1.7B to 1T, their FLOPs by its formula, and a GPT-2 of two such layers."""
    billions, heads, h, layers, batch, gpus, teraflops, percent = map(float, row)
    heads, h, layers, batch = map(int, (heads, h, layers, batch))
    # Equation (2): P = 12·l·h²·(1 + 13/(12·h) + (V + s)/(12·l·h)).
    parameters = 12 * layers * h**2 + 13 * layers * h + (V + S) * h
    assert round(parameters / 1e9, 1) == billions
    sizes = ModelSizes(parameters, batch * S, layers, heads, h // heads, S, h, V)
    # Equation (3), its brackets multiplied out: 96·B·s·l·h² + 16·B·s²·l·h + 6·B·s·h·V.
    by_hand = (
        96 * batch * S * layers * h**2 + 16 * batch * S**2 * layers * h + 6 * batch * S * h * V
    )
    rule = megatron(sizes, "recomputing")
    assert rule is not None
    assert rule.flops == by_hand
    # What the table's rate means: a step of the 1T model takes 163 TFLOPS on each of 3072 GPUs.
    assert round(100 * teraflops / 312) == percent
    assert by_hand / (gpus * teraflops * 1e12) == pytest.approx(step_seconds(row), rel=0.02)


def step_seconds(row: tuple[float, ...]) -> float:
    """Seconds of a step, from the table's column of aggregate PFLOPS."""
    _, _, h, layers, batch, *_ = map(int, row)
    work = 96 * batch * S * layers * h**2 * (1 + S / (6 * h) + V / (16 * layers * h))
    aggregate = (4.4, 8.8, 18.2, 34.6, 70.8, 143.8, 227.1, 297.4, 410.2, 502.0)
    return work / (aggregate[MEGATRON.index(row)] * 1e15)  # type: ignore[arg-type]


@pytest.mark.parametrize("row", MEGATRON[::3], ids=lambda row: f"{row[0]}B")
def test_the_count_of_megatrons_layers_is_its_formula(row: tuple[float, ...]) -> None:
    """Two of its layers, with the attention spelled out; nothing is recomputed: 72."""
    _, heads, h, *_ = map(int, row)
    config = GPT2Config(V, S, 2, heads, h, attention="explicit")
    compared = training(config, 1, S).compare_rule(S)
    assert compared.kind == "training"
    assert compared.sizes == ModelSizes(
        12 * 2 * h**2 + 13 * 2 * h + 2 * h + (V + S) * h, S, 2, heads, h // heads, S, h, V
    )
    by_hand = 72 * S * 2 * h**2 + 12 * S**2 * 2 * h + 6 * S * h * V
    assert compared.products == compared.rule("Megatron").flops == by_hand


def training(config: GPT2Config, batch: int, length: int) -> Report:
    with torch.device("meta"):
        model = GPT2(config)
        tokens = torch.zeros(batch, length, dtype=torch.long)

    def step() -> None:
        F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()

    return ipyflops.dry_run(step)


def test_gpt2_small_to_the_digit() -> None:
    """124,439,808 parameters, 1,024 tokens: what 6ND has too much, and what it lacks."""
    compared = training(GPT2Config(attention="explicit"), 1, 1024).compare_rule(1024)
    assert compared.rule("6ND").flops == 6 * 124_439_808 * 1024 == 764_558_180_352
    palms = 764_558_180_352 + 12 * 12 * 12 * 64 * 1024 * 1024
    assert compared.rule("6ND + 12").flops == palms == 880_522_297_344
    # Positions are looked up; the table of tokens is the output layer, too. Biases and norms:
    # in each of 12 blocks 2·2·768 + 2304 + 768 + 3072 + 768, and 2·768 at the end.
    assert compared.steps == {
        "embeddings, looked up and not multiplied": -6 * 1024 * 768 * 1024,
        "biases and norms, in no product": -6 * (12 * 9984 + 1536) * 1024,
        "attention": 12 * 12 * 12 * 64 * 1024 * 1024,
    }
    # 84,934,656 weights in the blocks, 50,257·768 in the output layer.
    assert compared.terms["linear layers"] == 6 * 84_934_656 * 1024
    assert compared.terms["logits"] == 6 * 50_257 * 768 * 1024
    assert compared.products == 6 * 123_532_032 * 1024 + 115_964_116_992
    assert "12·12·12·64·1,024·1,024" in compared.rule("6ND + 12").expression


def test_gpt2_with_fused_attention_recomputes_scores_in_its_backward() -> None:
    """Flash attention's backward has 5 products where the rule has 4: 3.5 instead of 3 passes."""
    model = GPT2(GPT2Config(vocabulary=32, layers=1))
    tokens = torch.zeros(1, 64, dtype=torch.long)
    fused = ipyflops.dry_run(lambda: model(tokens).sum().backward()).compare_rule(64)
    assert fused.terms["attention"] == 14 * 12 * 64 * 64 * 64
    assert fused.sizes.heads == 12


def test_llama_3_8b_to_the_digit() -> None:
    """8,030,261,248 parameters; a forward pass of 128 tokens; 32 heads of 128 share 8 of keys."""
    with torch.device("meta"):
        model = Llama(LlamaConfig())
        tokens = torch.zeros(1, 128, dtype=torch.long)
        with ipyflops.FlopCounter() as counter, torch.no_grad():
            model(tokens)
    compared = counter.report.compare_rule(tokens=128)
    n = 8_030_261_248
    assert compared.kind == "forward"
    assert compared.sizes == ModelSizes(n, 128, 32, 32, 128, 128, 4096, 128_256)
    assert compared.rule("2ND").flops == 2 * n * 128 == 2_055_746_879_488
    assert compared.rule("2ND + 4").flops == 2 * n * 128 + 4 * 32 * 32 * 128 * 128 * 128
    # The table of tokens is not shared; 65 norms of 4096 are in no product.
    assert compared.steps["embeddings, looked up and not multiplied"] == -2 * 128_256 * 4096 * 128
    assert compared.steps["biases and norms, in no product"] == -2 * 65 * 4096 * 128
    assert sum(compared.terms.values()) == counter.report.flops


def test_recomputation_is_a_term_and_megatrons_factor_is_96() -> None:
    layer = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))
    x = torch.ones(4, 8, requires_grad=True)
    with ipyflops.FlopCounter() as counter:
        checkpoint(layer, x, use_reentrant=False).sum().backward()
    sizes = {"layers": 1, "hidden": 8, "length": 4, "vocabulary": 16}
    compared = counter.report.compare_rule(4, **sizes)
    assert compared.kind == "recomputing"
    # The last layer's output is not needed, so it may not be run again.
    recomputed = counter.report.under("contractions").by_phase["recompute"].flops
    assert compared.steps["recomputation"] == compared.terms["recomputation"] == recomputed > 0
    assert compared.rule("Megatron").expression.startswith("96·4·1·8²")
    assert compared.products == 6 * 128 * 4 + recomputed


def test_frozen_weights_and_accumulation_are_named() -> None:
    layer = nn.Linear(8, 8, bias=False)
    with ipyflops.FlopCounter() as counter:
        for _ in range(2):
            layer(torch.ones(4, 8)).sum().backward()  # no gradient of the input is needed
    compared = counter.report.compare_rule(tokens=8)
    (step,) = compared.steps.values()
    assert step == 4 * 64 * 8 - 6 * 64 * 8
    assert compared.sizes.missing == (
        "layers",
        "heads",
        "head_size",
        "length",
        "hidden",
        "vocabulary",
    )
    assert "not found in the report: layers" in compared.notes[0]
    with pytest.raises(KeyError, match="no rule 'Megatron'"):
        compared.rule("Megatron")


def test_rules_by_their_numbers() -> None:
    sizes = ModelSizes(10, 7, 2, 3, 5, 4, 15, 11)
    assert six_nd(sizes, "training").flops == 6 * 10 * 7
    rule = palm(sizes, "training")
    assert rule is not None
    assert rule.flops == 420 + 12 * 2 * 3 * 5 * 4 * 7
    forward = megatron(sizes, "forward")
    assert forward is not None
    # 24·D·l·h² + 4·D·s·l·h + 2·D·h·V
    assert forward.flops == 24 * 7 * 2 * 225 + 4 * 7 * 4 * 2 * 15 + 2 * 7 * 15 * 11


def test_what_no_rule_can_be_set_against() -> None:
    with pytest.raises(ValueError, match="tokens are counted from 1 on, not 0"):
        Builder().report().compare_rule(0)
    with pytest.raises(ValueError, match="every rule needs them: parameters"):
        Builder().report().compare_rule(1)


def test_it_shows_itself() -> None:
    compared = training(GPT2Config(layers=1), 1, 64).compare_rule(64)
    text = str(compared)
    assert "a training step of 64 tokens" in text
    assert "embeddings, looked up and not multiplied" in text
    assert "| 6ND" in compared.to_markdown()
    assert list(compared.to_frame()["kind"].unique()) == ["rule", "step", "term"]
    assert "Megatron" in compared._repr_mimebundle_()["text/html"]
