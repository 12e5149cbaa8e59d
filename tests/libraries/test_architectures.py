"""Architectures of Transformers, from small configurations: a dry training step is a real one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from ipyflops import dry_run
from tests.dry_runs.test_conversion import check
from tests.libraries import library
from tests.libraries.test_llama import SIZES as LLAMAS

transformers = library("transformers")
pytestmark = pytest.mark.filterwarnings("ignore")
TOKENS = torch.randint(1, 50, (2, 6))
MASK = torch.ones_like(TOKENS)
#: Each configuration is given those that it has.
SIZES = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "vocab_size": 50,
    "num_key_value_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 32,
    "head_dim": 4,
    "pad_token_id": 0,
    "embedding_size": 16,
    "num_local_experts": 4,
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 8,
    "d_kv": 4,
    "d_ff": 24,
    "d_model": 16,
    "num_heads": 4,
    "num_layers": 1,
    "encoder_layers": 1,
    "decoder_layers": 1,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 24,
    "decoder_ffn_dim": 24,
    "ffn_dim": 24,
    "word_embed_proj_dim": 16,
    "attention_types": [[["global"], 1]],
}
#: Of two layers each attends in another way.
MORE = {
    "gemma2": {"num_hidden_layers": 2},
    "gpt_neo": {
        "num_hidden_layers": 2,
        "num_layers": 2,
        "attention_types": [[["global", "local"], 1]],
    },
}
NAMES = (
    *("albert", "bart", "bert", "bloom", "codegen", "cohere", "distilbert", "electra", "falcon"),
    *("gemma", "gemma2", "glm", "gpt2", "gpt_neo", "gpt_neox", "gptj", "granite", "llama"),
    *("mistral", "mixtral", "mpt", "nemotron", "olmo", "olmo2", "opt", "persimmon", "phi"),
    *("pegasus", "qwen2", "qwen2_moe", "qwen3", "roberta", "stablelm", "starcoder2", "t5"),
)


def small_model(name: str, dtype: torch.dtype) -> nn.Module:
    kind = transformers.CONFIG_MAPPING[name]
    known = {*vars(kind()), *kind.attribute_map}
    sizes = {size: value for size, value in SIZES.items() if size in known}
    config = kind(**{**sizes, **MORE.get(name, {})})
    model: nn.Module = transformers.AutoModel.from_config(config).to(dtype)
    return model


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_a_training_step(name: str, dtype: torch.dtype) -> None:
    model = small_model(name, dtype)
    inputs: dict[str, Any] = {"input_ids": TOKENS, "attention_mask": MASK}
    if model.config.is_encoder_decoder:  # type: ignore[union-attr]
        inputs["decoder_input_ids"] = TOKENS

    def run() -> None:
        model(**inputs)[0].sum().backward()

    check(run, *model.parameters())


def test_a_note_says_where_transformers_asks_whether_a_mask_is_fake() -> None:
    """A mask of unknown values is kept, although this one may be all ones."""
    model = transformers.AutoModel.from_config(transformers.LlamaConfig(**LLAMAS["small"]))

    def run(mask: torch.Tensor) -> None:
        model(input_ids=TOKENS, attention_mask=mask)

    asked = [
        [note for note in dry_run(run, mask).notes if "asked whether a tensor is fake" in note]
        for mask in (MASK, torch.rand(2, 6) > -1, (torch.rand(2, 6) + 2).round())
    ]
    assert [len(notes) for notes in asked] == [0, 0, 1]
