"""``contractions`` against `torch.utils.flop_counter`: to the digit, or why not."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from models.bert import Bert, BertConfig
from models.gpt2 import GPT2, GPT2Config
from models.mobilenet import mobilenet_v2
from models.resnet import resnet50
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ipyflops.counting import FlopCounter
from ipyflops.report import Report


def torch_flops(function: Callable[[], object]) -> FlopCounterMode:
    with FlopCounterMode(display=False) as mode:
        function()
    return mode


def contractions(function: Callable[[], object]) -> Report:
    with FlopCounter("contractions", device_time=False) as counter:
        function()
    assert counter.report.unknown == {}
    return counter.report


def both(function: Callable[[], object]) -> tuple[int, int]:
    """Ours and torch's."""
    return contractions(function).flops, torch_flops(function).get_total_flops()


def training_step(model: nn.Module, *inputs: torch.Tensor) -> Callable[[], None]:
    def step() -> None:
        output: Any = model(*inputs)
        while not isinstance(output, torch.Tensor):
            output = output[0]
        output.float().sum().backward()

    return step


@pytest.fixture(scope="module")
def image() -> torch.Tensor:
    return torch.randn(1, 3, 224, 224)


def test_resnet50_forward(image: torch.Tensor) -> None:
    model = resnet50().eval()
    with torch.no_grad():
        ours, theirs = both(lambda: model(image))
    assert ours == theirs == 8_178_368_512


def test_resnet50_forward_and_backward() -> None:
    model = resnet50().train()
    ours, theirs = both(training_step(model, torch.randn(2, 3, 64, 64)))
    assert ours == theirs


def test_resnet50_forward_agrees_module_by_module() -> None:
    model = resnet50().train()
    image = torch.randn(2, 3, 64, 64)
    theirs = torch_flops(lambda: model(image)).get_flop_counts()
    report = contractions(lambda: model(image))
    compared = 0
    for name, operators in theirs.items():
        if name not in ("Global", "ResNet"):
            node = report.find(name.removeprefix("ResNet."))
            assert node.flops == sum(operators.values()), name
            compared += 1
    assert compared > 70


def test_resnet50_backward_is_twice_its_forward_in_every_module() -> None:
    """Nothing to compare with: torch books some of it on the modules beside."""
    model = resnet50().train()
    report = contractions(training_step(model, torch.randn(2, 3, 64, 64)))
    layers = [path for path, part in model.named_modules() if isinstance(part, nn.Conv2d)]
    assert len(layers) == 53
    for path in layers:
        phases = report.find(path).phases
        # The image needs no gradient.
        times = 1 if path == "conv1" else 2
        assert phases["backward"].flops == times * phases["forward"].flops, path


def test_mobilenet_forward(image: torch.Tensor) -> None:
    model = mobilenet_v2().eval()
    with torch.no_grad():
        ours, theirs = both(lambda: model(image))
    assert ours == theirs == 601_548_544


@pytest.mark.parametrize("implementation", ["explicit", "fused"])
@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_transformers_forward_and_backward(family: str, implementation: str) -> None:
    # On meta the fused attention is the one that torch has a formula for; on CPU it has none.
    with torch.device("meta"):
        if family == "gpt2":
            gpt2 = GPT2Config(layers=2, heads=4, width=64, context=32, attention=implementation)  # type: ignore[arg-type]
            model: nn.Module = GPT2(gpt2)
        else:
            bert = BertConfig(layers=2, heads=4, width=64, attention=implementation)  # type: ignore[arg-type]
            model = Bert(bert)
        tokens = torch.zeros(2, 32, dtype=torch.int64)
    with torch.no_grad():
        ours, theirs = both(lambda: model(tokens))
    assert ours == theirs > 0
    ours, theirs = both(training_step(model, tokens))
    assert ours == theirs > 0


@pytest.mark.parametrize("family", ["gpt2", "bert"])
def test_full_size_transformers_on_meta(family: str) -> None:
    with torch.device("meta"):
        model = GPT2(GPT2Config()) if family == "gpt2" else Bert(BertConfig())
        tokens = torch.zeros(1, 128, dtype=torch.int64)
    ours, theirs = both(training_step(model, tokens))
    assert ours == theirs > 10**10


def pieces() -> list[Any]:
    a, b, c = torch.randn(3, 4), torch.randn(4, 5), torch.randn(3, 5)
    batch, other = torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    signal, image = torch.randn(2, 4, 9), torch.randn(2, 4, 9, 8)
    return [
        pytest.param(lambda: a @ b, id="mm"),
        pytest.param(lambda: torch.addmm(c, a, b), id="addmm"),
        pytest.param(lambda: torch.bmm(batch, other), id="bmm"),
        pytest.param(lambda: torch.baddbmm(torch.zeros(2, 3, 5), batch, other), id="baddbmm"),
        pytest.param(lambda: torch.einsum("bij,bjk->bik", batch, other), id="einsum"),
        pytest.param(lambda: nn.functional.conv1d(signal, torch.randn(6, 4, 3)), id="conv1d"),
        pytest.param(
            lambda: nn.functional.conv2d(image, torch.randn(6, 2, 3, 3), groups=2), id="conv2d"
        ),
        pytest.param(
            lambda: nn.functional.conv_transpose2d(image, torch.randn(4, 3, 3, 3)), id="transposed"
        ),
    ]


@pytest.mark.parametrize("run", pieces())
def test_single_operators(run: Callable[[], object]) -> None:
    ours, theirs = both(run)
    assert ours == theirs > 0


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("transposed", [False, True])
def test_convolution_backward_without_groups(dimension: int, transposed: bool) -> None:
    kind = f"Conv{'Transpose' if transposed else ''}{dimension}d"
    layer = getattr(nn, kind)(4, 6, 3, stride=2, padding=1)
    x = torch.randn(2, 4, *(7, 8, 9)[:dimension], requires_grad=True)
    ours, theirs = both(lambda: layer(x).sum().backward())
    assert ours == theirs > 0


# --- where we differ, and why --------------------------------------------------------------------


@pytest.mark.parametrize("groups", [2, 4])
def test_the_weight_gradient_of_groups_is_divided_by_them(groups: int) -> None:
    """Each weight sees the channels of its own group only, in the backward as in the forward."""
    layer = nn.Conv2d(4, 4, 3, groups=groups, bias=False)
    x = torch.randn(2, 4, 8, 8, requires_grad=True)
    forward = contractions(lambda: layer(x)).flops
    ours, theirs = both(lambda: layer(x).sum().backward())
    assert ours == 3 * forward
    assert theirs == (1 + 1 + groups) * forward


def test_attention_on_cpu_is_counted() -> None:
    """PyTorch 2.13 has no formula for the kernel that CPUs run."""
    q, k, v = (torch.randn(2, 3, 16, 8) for _ in range(3))
    ours, theirs = both(lambda: nn.functional.scaled_dot_product_attention(q, k, v))
    assert theirs == (ours if torch.__version__ >= (2, 14) else 0)
    explicit, theirs = both(lambda: (q @ k.mT).softmax(-1) @ v)
    assert ours == explicit == theirs == 2 * 2 * (2 * 3 * 16 * 16 * 8)


def test_recurrent_layers_are_counted() -> None:
    """torch has no formula for the fused layer; its products are those of the cells."""
    lstm = nn.LSTM(5, 7)
    x = torch.randn(4, 3, 5)
    with torch.no_grad():
        ours, theirs = both(lambda: lstm(x))
        assert theirs == 0
        assert ours == 2 * 4 * 3 * 4 * 7 * (5 + 7)
        # Not through torch.backends.mkldnn.flags, which warns about another setting.
        torch._C._set_mkldnn_enabled(False)
        try:
            assert both(lambda: lstm(x)) == (ours, ours)
        finally:
            torch._C._set_mkldnn_enabled(True)


def test_products_in_place_are_counted() -> None:
    """``addmm_`` and ``baddbmm_`` are operators of their own, which torch overlooks."""
    out, a, b = torch.zeros(3, 5), torch.randn(3, 4), torch.randn(4, 5)
    assert both(lambda: out.addmm_(a, b)) == (120, 0)
    outs, many, others = torch.zeros(2, 3, 5), torch.randn(2, 3, 4), torch.randn(2, 4, 5)
    assert both(lambda: outs.baddbmm_(many, others)) == (240, 0)


def test_matrix_times_vector_is_a_product() -> None:
    """torch counts matrices only."""
    a, x = torch.randn(3, 4), torch.randn(4)
    assert both(lambda: a @ x) == (24, 0)
    assert both(lambda: x @ x) == (8, 0)


def test_complex_and_integer_products_are_what_they_are() -> None:
    """A complex multiply-accumulate is 8 FLOPs, an integer one is none; torch counts 2 for all."""
    a = torch.ones(3, 4, dtype=torch.complex64)
    assert both(lambda: a @ a.T) == (8 * 36, 2 * 36)
    i = torch.ones(3, 4, dtype=torch.int64)
    report = contractions(lambda: i @ i.T)
    assert (report.flops, report.int_ops) == (0, 2 * 36)


def test_the_fast_path_of_transformers_is_counted() -> None:
    """An encoder layer in eval is one fused operator, which torch overlooks."""
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
    x = torch.randn(2, 5, 16)
    with torch.no_grad():
        ours, theirs = both(lambda: layer(x))
        assert theirs == 0
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            unfused = contractions(lambda: layer(x)).flops
        finally:
            torch.backends.mha.set_fastpath_enabled(True)
    assert ours == unfused > 0


def test_two_models_of_one_class_are_two() -> None:
    """torch merges outermost modules of one class."""
    first, second = nn.Linear(4, 4), nn.Linear(4, 8)
    x = torch.randn(1, 4)

    def run() -> None:
        first(x)
        second(x)

    assert sum(torch_flops(run).get_flop_counts()["Linear"].values()) == 96
    report = contractions(run)
    assert (report.find("first").flops, report.find("second").flops) == (32, 64)
