"""Twenty architectures: each runs, trains where it trains, and costs what its shapes say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from models.bert import Bert, BertConfig
from models.gpt2 import GPT2, GPT2Config
from models.mobilenet import MobileNetV2, Stage
from models.resnet import ResNet
from torch import Tensor, nn

from ipyflops.counting.counter import FlopCounter
from ipyflops.report import Report
from tests.architectures import by_hand, language, others, vision
from tests.formulas.dispatch import total
from tests.safety.programs import adds_up

BATCH, TOKENS = 2, 6


@dataclass
class Case:
    """A model, what it is called with, and products that it writes out itself without saying so."""

    model: nn.Module
    inputs: tuple[Tensor, ...]
    loss: Callable[[], Tensor] | None = None
    more: int = 0


def tokens(count: int = TOKENS) -> Tensor:
    return torch.randint(language.VOCABULARY, (BATCH, count))


def image(size: int = 16, channels: int = 3) -> Tensor:
    return torch.rand(BATCH, channels, size, size)


def mobilenet() -> Case:
    stages = (Stage(1, 8, 1, 1), Stage(6, 16, 2, 2))
    return Case(MobileNetV2(num_classes=5, width=0.25, stages=stages), (image(32),))


def bert() -> Case:
    config = BertConfig(
        vocabulary=17, positions=TOKENS, layers=2, heads=2, width=8, hidden=16, attention="explicit"
    )
    # The products of attention, in each of two layers.
    return Case(Bert(config), (tokens(),), more=2 * 2 * 2 * BATCH * TOKENS * TOKENS * 8)


def gpt2() -> Case:
    config = GPT2Config(vocabulary=17, context=TOKENS, layers=2, heads=2, width=8)
    # Attention computes every product here; the mask takes them away afterwards.
    return Case(GPT2(config), (tokens(),), more=2 * 2 * 2 * BATCH * TOKENS * TOKENS * 8)


def pinn() -> Case:
    model = others.PINN()
    points = torch.rand(5, 1)
    return Case(model, (points,), loss=lambda: model.residual(points))


CASES: dict[str, Callable[[], Case]] = {
    "resnet": lambda: Case(ResNet((1, 1, 1, 1), num_classes=5, width=4), (image(32),)),
    "mobilenet": mobilenet,
    "efficientnet": lambda: Case(vision.EfficientNet(), (image(),)),
    "unet": lambda: Case(vision.UNet(), (image(),)),
    "vit": lambda: Case(vision.ViT(), (image(),)),
    "swin": lambda: Case(vision.Swin(), (image(),)),
    "bert": bert,
    "gpt2": gpt2,
    "llama": lambda: Case(language.Llama(), (tokens(),)),
    "t5": lambda: Case(language.T5(), (tokens(), tokens(4))),
    "mixture": lambda: Case(language.Mixture(), (tokens(),)),
    "mamba": lambda: Case(language.Mamba(), (tokens(),)),
    "seq2seq": lambda: Case(language.Seq2Seq(), (tokens(), tokens(4))),
    "vae": lambda: Case(others.VAE(), (torch.rand(BATCH, 36),)),
    "gan": lambda: Case(others.GAN(), (torch.rand(BATCH, 9),)),
    "diffusion": lambda: Case(others.Diffusion(), (image(channels=1),)),
    "dlrm": lambda: Case(others.DLRM(), (torch.rand(4, 5), torch.randint(20, (3, 4, 2)))),
    "gnn": lambda: Case(others.GNN(), (torch.rand(5, 6), torch.randint(5, (2, 9)))),
    "pinn": pinn,
}


def case(name: str) -> Case:
    torch.manual_seed(0)
    return CASES[name]()


def counted(function: Callable[[], object]) -> Report:
    torch.manual_seed(1)
    with FlopCounter(device_time=False) as counter:
        function()
    report = counter.report
    assert report.unknown == {}
    adds_up(report)
    return report


def log(function: Callable[[], object]) -> int:
    torch.manual_seed(1)
    return total(function)


@pytest.mark.parametrize("name", CASES)
def test_the_products_of_a_forward_are_those_worked_out_by_hand(name: str) -> None:
    one = case(name)
    model = one.model.eval()
    torch.manual_seed(1)
    expected = by_hand.products(lambda: model(*one.inputs), model) + one.more
    with torch.no_grad():
        report = counted(lambda: model(*one.inputs))
    assert report.under("contractions").flops == 2 * report.macs == expected
    assert report.find("model").calls == 1


@pytest.mark.parametrize("name", CASES)
def test_a_training_step_costs_what_a_plain_log_says(name: str) -> None:
    def step(one: Case) -> Callable[[], None]:
        model, optimizer = one.model.train(), torch.optim.AdamW(one.model.parameters())

        def square() -> Tensor:
            output = model(*one.inputs)
            first: Tensor = output if isinstance(output, Tensor) else output[0]
            return first.square().mean()

        loss = one.loss or square

        def run() -> None:
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()

        return run

    expected = log(step(case(name)))
    report = counted(step(case(name)))
    assert report.flops == expected
    phases = {phase: total.flops for phase, total in report.by_phase.items()}
    assert min(phases["forward"], phases["backward"], phases["optimizer"]) > 0
    assert phases["recompute"] == 0
    # Every product belongs to the model, forwards and backwards.
    assert report.find("model").macs == report.macs


def test_generation_with_a_cache() -> None:
    torch.manual_seed(0)
    model = language.Llama().eval()
    start = tokens(4)
    expected = by_hand.products(lambda: model.generate(start, 3), model)
    report = counted(lambda: model.generate(start, 3))
    assert report.under("contractions").flops == expected
    layer = report.under("contractions").find("model.layers.0")
    # Four tokens at first, then one each: six go through the layer's weights.
    weights = 16 * (16 + 8 + 8 + 16) + 3 * 16 * 48
    pairs = 4 * 4 + 5 + 6
    assert layer.flops == 2 * BATCH * (6 * weights + 2 * pairs * 16)
    assert layer.calls == 3


def test_parts_of_a_model_that_are_called_by_themselves() -> None:
    torch.manual_seed(0)
    model = others.VAE()
    x = torch.rand(BATCH, 36)
    with torch.no_grad():
        report = counted(lambda: model.decode(model.encode(x)[0])).under("contractions")
    assert report.find("model.encoder").flops == 2 * BATCH * (36 * 16 + 16 * 6)
    assert report.find("model.decoder").flops == 2 * BATCH * (3 * 16 + 16 * 36)
    # Each of its methods ran once, and the model itself was never called.
    assert report.find("model").calls == 1


def test_the_experts_cost_what_is_sent_to_them() -> None:
    torch.manual_seed(0)
    model = language.Mixture().eval()
    batch = tokens()
    with torch.no_grad():
        report = counted(lambda: model(batch)).under("contractions")
    # Each token is worked on by two experts, whichever they are.
    assert report.find("model.experts").flops == BATCH * TOKENS * 2 * (2 * 2 * 8 * 16)


def test_second_derivatives_belong_to_the_layers() -> None:
    torch.manual_seed(0)
    model = others.PINN()
    points = torch.rand(5, 1)
    report = counted(lambda: model.residual(points).backward()).under("contractions")
    assert sum(node.flops for node in report.find("model.net").children) == report.flops
    assert report.by_phase["backward"].flops > 3 * report.by_phase["forward"].flops


@pytest.mark.filterwarnings("ignore:.*torch.ao.quantization is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:.*:UserWarning")
def test_a_quantized_mlp() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)).eval()
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    x = torch.rand(BATCH, 8)
    report = counted(lambda: quantized(x))
    products = 2 * BATCH * (8 * 16 + 16 * 4)
    # The products are of integers: counted, but apart.
    assert report.int_ops >= products
    assert report.find("quantized.0").int_ops >= 2 * BATCH * 8 * 16
