"""A training step of Llama 3 as Transformers builds it, checkpointed, against the closed form."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

from ipyflops import dry_run
from tests.libraries import library

transformers = library("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")

SIZES = {
    "small": {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": 3,
        "vocab_size": 50,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    # "The Llama 3 Herd of Models", table 3.
    "405b": {
        "hidden_size": 16_384,
        "intermediate_size": 53_248,
        "num_hidden_layers": 126,
        "vocab_size": 128_256,
        "num_attention_heads": 128,
        "num_key_value_heads": 8,
    },
}
PARAMETERS = {"405b": 405_853_388_800}
TOKENS = 256


def products_of_a_step(config: Any) -> int:
    """FLOPs of products: what is checkpointed runs forward twice, all but the layer's last product.

    Nothing needs the result of that a second time, so the recomputation stops before it.
    """
    width, hidden = config.hidden_size, config.intermediate_size
    shared = config.num_key_value_heads * width // config.num_attention_heads
    matrices = width * (2 * width + 2 * shared + 3 * hidden)
    # Two products of attention in each of two forwards, five in the backward. The CPU's kernel
    # computes blocks of 512 keys whole, so it computes all pairs of tokens here.
    attention = (2 + 2 + 5) * 2 * TOKENS * TOKENS * width
    layer = 2 * TOKENS * (4 * matrices - width * hidden) + attention
    return int(config.num_hidden_layers * layer + 3 * 2 * TOKENS * width * config.vocab_size)


def step(model: Any) -> None:
    model.to(torch.bfloat16).train()
    model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = torch.optim.AdamW(model.parameters())
    text = torch.randint(model.config.vocab_size, (1, TOKENS))
    model(input_ids=text, labels=text).loss.backward()
    optimizer.step()
    optimizer.zero_grad()


def checked(name: str) -> None:
    config = transformers.LlamaConfig(**SIZES[name])
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(config)
    report = dry_run(step, model).under("contractions")
    assert report.flops == products_of_a_step(config)
    assert report.unknown == {}
    phases = {phase: totals.flops for phase, totals in report.by_phase.items()}
    head = 2 * TOKENS * config.hidden_size * config.vocab_size
    last = 2 * TOKENS * config.hidden_size * config.intermediate_size * config.num_hidden_layers
    assert phases["recompute"] == phases["forward"] - head - last
    assert report.find("model").parameters == PARAMETERS.get(name, model.num_parameters())
    assert all(one.is_meta and one.dtype is torch.float32 for one in model.parameters())


def test_a_small_one() -> None:
    checked("small")


@pytest.mark.skipif(
    not os.environ.get("IPYFLOPS_ALL_SAMPLES"), reason="takes half a minute (IPYFLOPS_ALL_SAMPLES)"
)
def test_the_largest_one() -> None:
    checked("405b")
