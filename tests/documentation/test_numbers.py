"""The page "Your number differs from the paper's": each number is recounted, or worked out here."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import torch
from models import gpt2_small, mobilenet_v2, resnet50

import ipyflops
from tests.benchmarks import probes
from tests.notebooks.tutorials import ROOT

PAGE = (ROOT / "ipyflops" / "NUMBERS.md").read_text(encoding="utf-8")
COMPARISON = (ROOT / "ipyflops" / "COMPARISON.md").read_text(encoding="utf-8")
#: Sizes, not counts.
PARAMETERS = 124_439_808


def counted(build: Callable[[], torch.nn.Module], *shape: int) -> ipyflops.Report:
    """One forward pass with no memory and no arithmetic."""
    with torch.device("meta"):
        model = build().eval()
        x = torch.zeros(shape) if len(shape) == 4 else torch.zeros(shape, dtype=torch.int64)
    with torch.no_grad(), ipyflops.FlopCounter() as counter:
        model(x)
    return counter.report


@cache
def resnet(size: int = 224) -> ipyflops.Report:
    return counted(resnet50, 1, 3, size, size)


def first_version() -> torch.nn.Module:
    """As the paper has it: a block that shrinks the image does so in its first convolution."""
    model = resnet50()
    for block in model.modules():
        if type(block).__name__ == "Bottleneck":
            block.conv1.stride, block.conv2.stride = block.conv2.stride, block.conv1.stride
    return model


def products(report: ipyflops.Report) -> int:
    return report.under("contractions").flops


def numbers() -> dict[str, int]:
    """All that the page says, by our counts; the tests below work them out by hand as well."""
    mobile = counted(mobilenet_v2, 1, 3, 224, 224)
    gpt2, short = counted(gpt2_small, 1, 128), counted(gpt2_small, 1, 100)
    norms = resnet().by_operator
    batch_norm = sum(total.flops for name, total in norms.items() if "batch_norm" in name)
    attention = 12 * 4 * 128**2 * 768
    return {
        "MACs": resnet().macs,
        "contractions": products(resnet()),
        "standard": resnet().flops,
        "batch norm": batch_norm,
        "elements of batch norms": batch_norm // 4,
        "v1": counted(first_version, 1, 3, 224, 224).macs,
        "at 256": resnet(256).macs,
        "MobileNet": mobile.macs,
        "MobileNet FLOPs": products(mobile),
        "GPT-2": products(gpt2),
        "GPT-2, 100 tokens": products(short),
        "attention": attention,
        "no attention": products(gpt2) - attention,
        "causal": products(gpt2) - attention // 2,
        "parameters": PARAMETERS,
        "2N": 2 * PARAMETERS * 128,
        "three times": 3 * products(gpt2),
        "training": 3 * products(gpt2) + attention // 2,
        "computed again": attention // 2,
        "a block": 256 * 128 * (56**2 - 28**2),
        "ptflops": resnet().macs + 1_000,
        "thop": resnet().macs + batch_norm + 102_400,
    }


def test_every_number_of_the_page_is_counted() -> None:
    known = numbers()
    said = {int(one.replace(",", "")) for one in re.findall(r"\d{1,3}(?:,\d{3}){2,}", PAGE)}
    assert said - set(known.values()) == set()
    assert {name for name, value in known.items() if value not in said} == set()


def test_they_are_those_of_calculations_by_hand() -> None:
    known = numbers()
    # In the first block of three stages the 1×1 convolution works on a quarter of the pixels.
    assert known["v1"] == known["MACs"] - 3 * known["a block"] == 3_857_973_248
    fc = 2048 * 1000
    assert known["at 256"] == (known["MACs"] - fc) * 256**2 // 224**2 + fc
    # Twelve blocks of 12·768² weights, the head; scores and values of attention.
    for name, tokens in (("GPT-2", 128), ("GPT-2, 100 tokens", 100)):
        weights = 12 * 12 * 768**2 + 768 * 50_257
        assert known[name] == 2 * weights * tokens + 12 * 4 * tokens**2 * 768


def test_other_tools_numbers_are_those_of_the_comparison() -> None:
    known = numbers()
    rows = {"ptflops": "ptflops 0.7.5", "thop": "thop 0.1.1"}
    for name, tool in rows.items():
        assert f"| {tool} | {known[name]:,} MACs |" in COMPARISON
    for name in ("no attention", "GPT-2", "training", "standard", "contractions"):
        assert f"{known[name]:,} FLOPs" in COMPARISON


def probe_rows() -> dict[str, list[str]]:
    """The table of probes on the page of comparison, by the name of the tool."""
    table = COMPARISON.partition("| tool | encoder layer")[2].partition("\n\n")[0]
    rows = [[one.strip(" *`") for one in line.split("|")[1:-1]] for line in table.split("\n")]
    return {row[0].replace("`", "").split()[0].lower(): row[1:] for row in rows[2:]}


def test_the_probes_are_those_of_hand_calculations() -> None:
    # Weights of queries, keys, values and out; scores and values of 16² pairs; up and down.
    assert probes.ENCODER_MACS == 16 * (4 * 64 * 64 + 2 * 64 * 128) + 2 * 16 * 16 * 64 == 557_056
    # Gradients of the input and of the weight: 8 channels of 8 × 8 results, 9 products each.
    assert probes.CONVOLUTION_BACKWARD == 2 * (2 * 8 * 64 * 9) == 18_432
    for name in ("557,056 MACs", "18,432 FLOPs"):
        assert name in COMPARISON


def test_every_tool_that_is_asked_is_on_the_page() -> None:
    names = {one[0] for one in probes.TOOLS.values()} - {"torch"} | {"torch.utils.flop_counter"}
    assert set(probe_rows()) == names


def test_the_answers_on_the_page_are_those_of_today() -> None:
    """Of the two that are installed here; `make probes` asks the others."""
    rows = probe_rows()
    with torch.no_grad():
        ours, theirs = probes.ipyflops(), probes.flop_counter()
    assert (
        rows["ipyflops"] == [ours["encoder"], ours["backward"]] == ["557,056 MACs", "18,432 FLOPs"]
    )
    if torch.__version__.startswith("2.13."):
        assert rows["torch.utils.flop_counter"] == [theirs["encoder"], theirs["backward"]]
