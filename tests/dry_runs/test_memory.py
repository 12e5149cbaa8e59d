"""Memory of models that fit nowhere here, against sums by hand and a published formula."""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from models.llama import LLAMA_8B, Llama
from torch import Tensor, nn

from ipyflops import dry_run, sweep
from tests.dry_runs.test_llama import weights
from tests.thoroughness import ALL_SAMPLES


def test_a_step_of_llama_3_8b_holds_what_the_sum_by_hand_says() -> None:
    """In bfloat16 each parameter takes 2 bytes, its gradient 2, and AdamW's state 2 times 2."""
    config = LLAMA_8B if ALL_SAMPLES else replace(LLAMA_8B, layers=2)
    with torch.device("meta"):
        model = Llama(config).to(torch.bfloat16)
    optimizer = torch.optim.AdamW(model.parameters(), foreach=False)

    def step() -> None:
        tokens = torch.randint(config.vocabulary, (1, 17))
        scores = model(tokens[:, :-1])
        F.cross_entropy(scores.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        optimizer.step()

    report = dry_run(step, memory=True)
    norms = (2 * config.layers + 1) * config.width
    embeddings = 2 * config.vocabulary * config.width
    numbers = config.layers * weights(config) + norms + embeddings
    assert (
        numbers + (LLAMA_8B.layers - config.layers) * (weights(config) + 2 * config.width)
        == 8_030_261_248
    )
    assert report.memory is not None
    held = report.memory.at_peak
    assert held["parameters"] == held["gradients"] == 2 * numbers
    # Seven matrices and two norms a layer, two embeddings and a norm: each counts its steps.
    assert held["optimizer state"] == 2 * 2 * numbers + 4 * (9 * config.layers + 3)
    assert report.find("model").parameter_bytes == 2 * numbers
    # The update of the largest matrix needs its root and its quotient beside all of that; the
    # scores of 16 tokens are still in a variable.
    largest, scores = 2 * config.vocabulary * config.width, 2 * 16 * config.vocabulary
    assert held["temporaries"] in range(largest, 2 * largest + scores + 16_384)


# --- Korthikanti et al., Reducing Activation Recomputation in Large Transformer Models, 2022 ------

ROWS, BATCH, WIDTH, HEADS, LAYERS = 128, 4, 256, 8, 3  # s, b, h, a, L


class Block(nn.Module):
    """A layer as theirs: s×b×h, one product for queries, keys and values, scores by baddbmm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        x = x + F.dropout(self.out(self.attend(self.norm1(x))), 0.1)
        return x + F.dropout(self.down(F.gelu(self.up(self.norm2(x)))), 0.1)

    def attend(self, x: Tensor) -> Tensor:
        width = WIDTH // HEADS
        query, key, value = (
            part.reshape(ROWS, BATCH * HEADS, width).transpose(0, 1)
            for part in self.qkv(x).view(ROWS, BATCH, HEADS, 3 * width).split(width, -1)
        )
        none = torch.empty(BATCH * HEADS, ROWS, ROWS, dtype=x.dtype, device=x.device)
        scores = torch.baddbmm(none, query, key.transpose(1, 2), beta=0.0, alpha=width**-0.5)
        values = torch.bmm(F.dropout(scores.softmax(-1), 0.1), value)
        return values.transpose(0, 1).reshape(ROWS, BATCH, WIDTH)


def test_the_activations_of_a_transformer_are_those_of_the_published_formula() -> None:
    """S·b·h·(34 + 5·a·s/h) bytes a layer, in 16 bits, and what the formula leaves out as small."""
    model = nn.Sequential(*(Block() for _ in range(LAYERS))).to(torch.bfloat16)
    x = torch.randn(ROWS, BATCH, WIDTH, dtype=torch.bfloat16)

    def step() -> None:
        model.cuda()(x.cuda()).sum().backward()

    report = dry_run(step, device="cuda", memory=True)
    sbh = ROWS * BATCH * WIDTH
    layer = sbh * 34 + 5 * HEADS * ROWS * ROWS * BATCH
    assert layer * WIDTH == sbh * (34 * WIDTH + 5 * HEADS * ROWS)
    # Two numbers in float32 for each row of a norm.
    norms = 2 * 2 * 4 * ROWS * BATCH
    # The input of the first layer is an input; the output of the last is nobody's activation.
    expected = LAYERS * (layer + norms) - 2 * sbh
    assert report.find("model").saved_bytes == expected


# --- the options ---------------------------------------------------------------------------------


def test_a_function_may_have_a_parameter_of_that_name() -> None:
    layer = nn.TransformerDecoderLayer(8, 2, 16)
    target, memory = torch.zeros(3, 1, 8), torch.zeros(5, 1, 8)
    assert dry_run(layer, target, memory=memory).memory is None

    def told(memory: bool) -> None:
        if memory is not True:
            raise ValueError

    assert dry_run(told, memory=True).memory is not None


def test_a_sweep_has_the_memory_of_each_point() -> None:
    layer = nn.Linear(8, 8, bias=False)

    def forward(rows: int) -> None:
        with torch.no_grad():
            layer(torch.zeros(rows, 8))

    swept = sweep(forward, rows=[1, 2, 4], memory=True)
    peaks = [point.report.memory.peak for point in swept.points if point.report.memory]
    assert peaks == [4 * 64 + 2 * 4 * 8 * rows for rows in (1, 2, 4)]
    assert sweep(lambda memory: layer(torch.zeros(memory, 8)), memory=[1, 2]).variables[0].values
