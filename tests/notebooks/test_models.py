"""The model zoo of the notebooks: published sizes, and every tiny variant trains."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from models import (
    GPT2,
    Bert,
    BertConfig,
    GPT2Config,
    MobileNetV2,
    ResNet,
    TransformerLM,
    bert_base,
    gpt2_small,
    mobilenet_v2,
    resnet50,
)
from models.attention import Implementation, attention
from models.mobilenet import Stage
from torch import Tensor, nn

IMPLEMENTATIONS: tuple[Implementation, ...] = ("fused", "explicit")

Case = tuple[nn.Module, Tensor]


def tiny_resnet() -> Case:
    return ResNet((1, 2, 1, 1), num_classes=5, width=8), torch.randn(2, 3, 64, 64)


def tiny_mobilenet() -> Case:
    stages = (Stage(1, 8, 1, 1), Stage(6, 16, 2, 2))
    return MobileNetV2(num_classes=5, width=0.25, stages=stages), torch.randn(2, 3, 32, 32)


def tiny_gpt2(**changes: object) -> Case:
    sizes = {"vocabulary": 31, "context": 8, "layers": 2, "heads": 2, "width": 16} | changes
    return GPT2(GPT2Config(**sizes)), torch.randint(31, (2, 8))


def tiny_bert(**changes: object) -> Case:
    sizes = {"vocabulary": 31, "positions": 8, "layers": 2, "heads": 2, "width": 16, "hidden": 32}
    return Bert(BertConfig(**sizes | changes)), torch.randint(31, (2, 8))


def tiny_transformer(tied: bool = True) -> Case:
    model = TransformerLM(vocabulary=31, context=8, layers=2, heads=2, width=12, tied=tied)
    return model, torch.randint(31, (2, 8))


TINY = {
    "resnet": tiny_resnet,
    "mobilenet": tiny_mobilenet,
    "gpt2": tiny_gpt2,
    "gpt2-explicit": lambda: tiny_gpt2(attention="explicit"),
    "gpt2-dropout": lambda: tiny_gpt2(dropout=0.1),
    "gpt2-explicit-dropout": lambda: tiny_gpt2(attention="explicit", dropout=0.1),
    "bert": tiny_bert,
    "bert-explicit": lambda: tiny_bert(attention="explicit"),
    "bert-dropout": lambda: tiny_bert(dropout=0.1),
    "transformer": tiny_transformer,
    "transformer-untied": lambda: tiny_transformer(tied=False),
}


@pytest.mark.parametrize(
    ("make", "parameters"),
    [
        (resnet50, 25_557_032),
        (mobilenet_v2, 3_504_872),
        (gpt2_small, 124_439_808),
        (bert_base, 109_482_240),
        (TransformerLM, 2_582_208),
        (lambda: TransformerLM(tied=False), 2_582_208 + 4096 * 192),
    ],
)
def test_parameter_counts(make: Callable[[], nn.Module], parameters: int) -> None:
    with torch.device("meta"):
        model = make()
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_resnet50_has_torchvisions_names_and_strides() -> None:
    with torch.device("meta"):
        model = resnet50()
    names = " ".join(name for name, _ in model.named_children())
    assert names == "conv1 bn1 relu maxpool layer1 layer2 layer3 layer4 avgpool fc"
    assert [len(getattr(model, f"layer{i}")) for i in (1, 2, 3, 4)] == [3, 4, 6, 3]
    modules = dict(model.named_modules())
    assert modules["layer2.0.conv1"].stride == (1, 1)
    assert modules["layer2.0.conv2"].stride == (2, 2)
    assert modules["layer1.0.downsample.0"].stride == (1, 1)
    assert modules["layer1.1"].downsample is None


def test_mobilenet_has_torchvisions_names() -> None:
    with torch.device("meta"):
        modules = dict(mobilenet_v2().named_modules())
    assert len(modules["features"]) == 19
    assert modules["features.1.conv.0.0"].groups == 32  # no widening in the first block
    assert modules["features.2.conv.1.0"].groups == 96
    assert modules["classifier.1"].in_features == 1280


@pytest.mark.parametrize(
    ("make", "x", "shape"),
    [
        (resnet50, torch.empty(2, 3, 224, 224, device="meta"), (2, 1000)),
        (mobilenet_v2, torch.empty(2, 3, 224, 224, device="meta"), (2, 1000)),
        (gpt2_small, torch.zeros(2, 7, dtype=torch.long, device="meta"), (2, 7, 50_257)),
        (TransformerLM, torch.zeros(2, 7, dtype=torch.long, device="meta"), (2, 7, 4096)),
    ],
)
def test_full_size_shapes(make: Callable[[], nn.Module], x: Tensor, shape: tuple[int, ...]) -> None:
    with torch.device("meta"):
        model = make()
    assert model.eval()(x).shape == shape


def test_bert_shapes() -> None:
    with torch.device("meta"):
        tokens, sequence = bert_base()(torch.zeros(2, 7, dtype=torch.long))
    assert tokens.shape == (2, 7, 768)
    assert sequence.shape == (2, 768)


@pytest.mark.parametrize("name", TINY)
def test_a_training_step_lowers_the_loss(name: str) -> None:
    torch.manual_seed(0)
    model, x = TINY[name]()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)

    def loss() -> Tensor:
        torch.manual_seed(1)  # the same dropout both times
        out = model(x)
        if isinstance(model, Bert):
            return sum(part.square().mean() for part in out)
        scores = out.flatten(0, -2)
        return F.cross_entropy(scores, torch.arange(len(scores)) % scores.shape[-1])

    before = loss()
    before.backward()
    assert before.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    optimizer.step()
    assert loss() < before


@pytest.mark.parametrize("name", TINY)
def test_the_seed_decides_the_output(name: str) -> None:
    outputs = []
    for _ in range(2):
        torch.manual_seed(0)
        model, x = TINY[name]()
        outputs.append(model(x))
    torch.testing.assert_close(*outputs, rtol=0, atol=0)


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_bert])
def test_both_attentions_compute_the_same(make: Callable[..., Case]) -> None:
    outputs = []
    for implementation in IMPLEMENTATIONS:
        torch.manual_seed(0)
        model, x = make(attention=implementation)
        outputs.append(model(x))
    torch.testing.assert_close(*outputs)


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_transformer])
def test_no_token_sees_a_later_one(make: Callable[..., Case]) -> None:
    torch.manual_seed(0)
    model, tokens = make()
    changed = tokens.clone()
    changed[:, -1] = (changed[:, -1] + 1) % 31
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(after[:, :-1], before[:, :-1])
    assert not torch.allclose(after[:, -1], before[:, -1])


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_bert_does_not_see_padding(implementation: Implementation) -> None:
    torch.manual_seed(0)
    model, tokens = tiny_bert(attention=implementation)
    mask = torch.ones_like(tokens, dtype=torch.bool)
    mask[:, 6:] = False
    padded, _ = model(tokens, mask=mask)
    alone, _ = model(tokens[:, :6])
    torch.testing.assert_close(padded[:, :6], alone)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_attention_drops_weights_when_asked(implementation: Implementation) -> None:
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 1, 2, 8, 4)
    kept = attention(query, key, value, implementation=implementation)
    dropped = attention(query, key, value, implementation=implementation, dropout=0.5)
    assert not torch.allclose(kept, dropped)


@pytest.mark.parametrize("tied", [True, False])
def test_weights_are_tied_on_request(tied: bool) -> None:
    model, _ = tiny_transformer(tied)
    assert (model.head.weight is model.tokens.weight) is tied
