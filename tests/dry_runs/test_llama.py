"""Llama 3 in its published sizes, counted without computing, against closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from models.llama import LLAMA_8B, LLAMA_70B, LLAMA_405B, Llama, LlamaConfig
from torch import Tensor

from ipyflops import FlopCounter, dry_run, sweep
from ipyflops.report import Report
from tests.missing import needs
from tests.thoroughness import ALL_SAMPLES

SMALL = LlamaConfig(vocabulary=50, layers=3, width=32, hidden=48, heads=4, kv_heads=2)
SIZES = {
    "small": (SMALL, 1_000),
    "8b": (LLAMA_8B, 1_024),
    "70b": (LLAMA_70B, 4_096),
    "405b": (LLAMA_405B, 8_192),
}
#: The largest takes 15 s; another test has a step of it.
STEPS = [size for size in SIZES if ALL_SAMPLES or size in ("small", "8b")]


def attention_is_fused() -> bool:
    """Whether CPUs have one kernel for attention whose keys have fewer heads than its queries."""
    q, kv = torch.rand(1, 4, 8, 8), torch.rand(1, 2, 8, 8)
    with FlopCounter() as counter:
        F.scaled_dot_product_attention(q, kv, kv, is_causal=True, enable_gqa=True)
    return "aten::_scaled_dot_product_flash_attention_for_cpu" in counter.report.by_operator


def causal_pairs(tokens: int) -> int:
    """Queries with keys of one head: the CPU's kernel computes blocks of 512 keys whole."""
    return sum(min(-(-(query + 1) // 512) * 512, tokens) for query in range(tokens))


def weights(config: LlamaConfig) -> int:
    """Elements of the matrices of a layer."""
    shared = config.kv_heads * config.head_width
    return config.width * (2 * config.width + 2 * shared + 3 * config.hidden)


def products(config: LlamaConfig, tokens: int, pairs: int) -> int:
    """FLOPs of the products of a forward."""
    attention = 2 * pairs * config.heads * 2 * config.head_width
    layer = 2 * tokens * weights(config) + attention
    return config.layers * layer + 2 * tokens * config.width * config.vocabulary


def products_of_a_step(config: LlamaConfig, tokens: int) -> int:
    """A matrix: once forward, twice backward. Attention: two products forward, five backward."""
    pairs = causal_pairs(tokens)
    attention = config.layers * 2 * pairs * config.heads * config.head_width
    return 3 * products(config, tokens, 0) + 7 * attention


def all_else(config: LlamaConfig, tokens: int, pairs: int) -> int:
    """FLOPs of a forward that are no products."""
    wide, shared = tokens * config.width, tokens * config.kv_heads * config.head_width
    norm = 4 * wide + 2 * tokens  # square, mean, two products; add ε and take the root
    softmax = config.heads * (4 * pairs - tokens)  # and the scale
    rotation = 3 * (wide + shared)  # four products of half the size, two sums
    gate = 6 * tokens * config.hidden  # silu and a product
    half = config.head_width // 2
    angles = 2 * half + 3 * tokens * half  # wave lengths; a division, cosine and sine
    layer = 2 * norm + softmax + rotation + gate + 2 * wide
    return config.layers * layer + norm + angles


def forward(config: LlamaConfig, tokens: int) -> Callable[[], object]:
    def run() -> None:
        model = Llama(config)
        with torch.no_grad():
            model(torch.randint(config.vocabulary, (1, tokens)))

    return run


def step(
    config: LlamaConfig, tokens: int, made: Llama | None = None, dtype: torch.dtype | None = None
) -> Callable[[], object]:
    def run() -> None:
        model = (made or Llama(config)).to(dtype)
        optimizer: Any = torch.optim.AdamW(model.parameters())
        text = torch.randint(config.vocabulary, (1, tokens + 1))
        scores = model(text[:, :-1])
        F.cross_entropy(scores.flatten(0, 1), text[:, 1:].flatten()).backward()
        optimizer.step()

    return run


@pytest.mark.parametrize("size", SIZES)
def test_a_forward_costs_what_the_closed_form_says(size: str) -> None:
    needs(attention_is_fused(), "a fused attention of CPUs with fewer heads of keys")
    config, tokens = SIZES[size]
    report = dry_run(forward(config, tokens))
    pairs = causal_pairs(tokens)
    expected = products(config, tokens, pairs)
    assert report.under("contractions").flops == expected
    assert report.flops == expected + all_else(config, tokens, pairs)
    assert report.unknown == {}
    assert report.seconds == 0


@pytest.mark.parametrize("size", STEPS)
def test_the_products_of_a_training_step(size: str) -> None:
    needs(attention_is_fused(), "a fused attention of CPUs with fewer heads of keys")
    config, tokens = SIZES[size]
    report = dry_run(step(config, tokens)).under("contractions")
    assert report.flops == products_of_a_step(config, tokens)
    model = report.find("model")
    assert model.flops == report.flops
    assert model.parameters == sum(
        (
            2 * config.vocabulary * config.width,
            config.layers * (weights(config) + 2 * config.width),
            config.width,
        )
    )


@pytest.mark.parametrize("size", ["small", "405b"])
def test_a_step_of_a_model_on_the_meta_device_that_is_cast_first(size: str) -> None:
    needs(attention_is_fused(), "a fused attention of CPUs with fewer heads of keys")
    config, tokens = SIZES[size]
    with torch.device("meta"):
        model = Llama(config)
    report = dry_run(step(config, tokens, model, torch.bfloat16)).under("contractions")
    assert report.flops == products_of_a_step(config, tokens)
    assert report.by_dtype["bfloat16"].flops > 3 * products(config, tokens, 0)
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    assert all(one.is_meta for one in model.parameters())


@pytest.mark.parametrize("make", [forward, step])
def test_a_dry_run_counts_what_a_real_one_does(make: Any) -> None:
    run = make(SMALL, 600)
    dry = dry_run(run)
    with FlopCounter(device_time=False) as counter:
        run()
    real = counter.report
    for convention in ("standard", "contractions", "article"):
        assert dry.under(convention).flops == real.under(convention).flops
    assert dry.bytes == real.bytes
    assert {name: one.calls for name, one in dry.by_operator.items()} == {
        name: one.calls for name, one in real.by_operator.items()
    }


def test_the_published_parameter_counts() -> None:
    counts = {}
    for name, (config, _) in SIZES.items():
        with torch.device("meta"):
            counts[name] = sum(parameter.numel() for parameter in Llama(config).parameters())
    # "The Llama 3 Herd of Models", table 3, and the models' cards: 8.03 B, 70.6 B, 406 B.
    assert counts["8b"] == 8_030_261_248
    assert counts["70b"] == 70_553_706_496
    assert counts["405b"] == 405_853_388_800


# --- generation ----------------------------------------------------------------------------------


def cached(model: Llama, prompt: Tensor, steps: int) -> list[Report]:
    """The prompt and then one token at a time, each step counted."""
    cache = model.cache(len(prompt), prompt.shape[1] + steps)
    reports, new = [], prompt
    for _ in range(steps):
        with FlopCounter(device_time=False) as counter, torch.no_grad():
            new = model(new, cache)[:, -1:].argmax(-1)
        reports.append(counter.report.under("contractions"))
    return reports


def test_each_step_of_a_generation_costs_what_the_closed_form_says() -> None:
    torch.manual_seed(0)
    model = Llama(SMALL).eval()
    prompt = torch.randint(SMALL.vocabulary, (1, 20))
    first, *others = cached(model, prompt, 5)
    assert first.flops == products(SMALL, 20, causal_pairs(20))
    for number, report in enumerate(others, 21):
        assert report.flops == products(SMALL, 1, number)


def test_a_cache_changes_no_result() -> None:
    torch.manual_seed(0)
    model = Llama(SMALL).eval()
    tokens = torch.randint(SMALL.vocabulary, (2, 9))
    cache = model.cache(2, 9)
    with torch.no_grad():
        parts = [model(part, cache) for part in tokens.split([4, 3, 1, 1], 1)]
        torch.testing.assert_close(torch.cat(parts, 1), model(tokens))
    generated = model.generate(tokens, 3)
    assert generated.shape == (2, 12)
    assert torch.equal(generated[:, :9], tokens)
    with torch.no_grad():
        assert torch.equal(generated[:, -1], model(generated[:, :-1])[:, -1].argmax(-1))


def test_a_dry_generation() -> None:
    prompt = torch.zeros(1, 512, dtype=torch.long)

    def run() -> None:
        Llama(LLAMA_8B).generate(prompt, 4)

    report = dry_run(run).under("contractions")
    expected = products(LLAMA_8B, 512, causal_pairs(512))
    assert report.flops == expected + sum(products(LLAMA_8B, 1, 512 + n) for n in (1, 2, 3))


def test_a_sweep_over_positions_is_the_table_of_a_generation() -> None:
    """What each step of a long generation costs: the same as in a real one, and in closed form."""
    torch.manual_seed(0)
    model = Llama(SMALL).eval()

    def decode(position: int) -> None:
        new = torch.zeros(1, 1, dtype=torch.long)
        with torch.no_grad():
            model(new, model.cache(1, position + 1, filled=position))

    real = cached(model, torch.randint(SMALL.vocabulary, (1, 20)), 4)[1:]
    found = sweep(decode, position=[20, 21, 22, 500, 100_000])
    steps = found.under("contractions")
    flops = steps.counts()
    assert flops == [products(SMALL, 1, position + 1) for position in (20, 21, 22, 500, 100_000)]
    assert flops[:3] == [report.flops for report in real]
    assert steps.growth().name == "linear in position"
    # The matrices cost the same for every token, attention costs more with each.
    assert steps.growth("model.layers.0.feed_forward").name == "constant in position"
    pair = 2 * SMALL.heads * 2 * SMALL.head_width
    assert steps.growth("model.layers.0.attention").at(position=10**6) == pair * (10**6 + 1) + (
        2 * SMALL.width * (2 * SMALL.width + 2 * SMALL.kv_heads * SMALL.head_width)
    )
    frame = found.to_frame()
    whole = frame[frame.path == ""].set_index("position")
    assert list(whole.intensity) == list(whole.flops / whole.bytes)
    # A weight is four bytes for two FLOPs; so is a key, for each of the two heads that share it.
    assert whole.intensity.iloc[0] < 0.5
    assert whole.intensity.is_monotonic_increasing


def test_a_long_prompt_has_a_high_intensity_and_a_step_a_low_one() -> None:
    with torch.device("meta"):
        model = Llama(LLAMA_8B).to(torch.bfloat16)

    def prefill(tokens: int) -> None:
        with torch.no_grad():
            model(torch.zeros(1, tokens, dtype=torch.long), model.cache(1, tokens))

    first, last = (dry_run(prefill, tokens) for tokens in (1, 2048))
    assert 0.9 < first.flops / first.bytes < 1.1  # a weight is two bytes, and two FLOPs
    assert last.flops / last.bytes > 100
