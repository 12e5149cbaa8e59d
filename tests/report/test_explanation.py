"""Explanations add up to the count, and keep the formula of what costs the same every time.

That they add up is checked for every report of every test, too: see `tests.sums`.
"""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ipyflops import FlopCounter, Report
from ipyflops.counting import recording
from tests import sums


def explained(report: Report) -> dict[str, tuple[str, int, int]]:
    """What is said of each operator that computes: its formula, calls and FLOPs."""
    sums.check(report)
    return {
        one.operator: (one.expression, one.calls, one.flops)
        for one in report.explain()
        if one.flops
    }


def test_layers_alike_whose_values_decide_are_explained_together() -> None:
    """4 rows of 4 numbers in one bag take 3 additions of 4: 12 for each of three bags."""
    bags = nn.ModuleList([nn.EmbeddingBag(10, 4, mode="sum") for _ in range(3)])
    with FlopCounter() as counter:
        for bag in bags:
            bag(torch.tensor([1, 2, 3, 4]), torch.tensor([0]))
    assert explained(counter.report) == {"aten::_embedding_bag": ("(indices − bags)·d", 3, 36)}
    assert "(4 − 1)·4 = 12, called 3 times" in str(counter.report.explain()[0])


def test_all_layers_of_an_encoder_are_explained() -> None:
    """Each in one operator. By its parts, with e = 8, f = 16, h = 2, s = 5 and b = 2:

    products 8·b·s·e² + 4·b·s²·e + 4·b·s·e·f = 5,120 + 1,600 + 5,120; scale b·s·e = 80; softmax of
    h·b·s rows of s − 3·s − 1 each, 280; ReLU b·s·f = 160; two norms of b·s rows at 8·e + 2, 1,320;
    two residuals 160.
    """
    one_layer = 5_120 + 1_600 + 5_120 + 80 + 280 + 160 + 1_320 + 160
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 3, enable_nested_tensor=False).eval()
    with torch.no_grad(), FlopCounter() as counter:
        encoder(torch.rand(2, 5, 8))
    (found,) = explained(counter.report).values()
    assert found[1:] == (3, 3 * one_layer)


def test_sparse_products_that_cost_the_same_are_explained_together() -> None:
    """2 for each of 4 stored values and 4 columns: 32 each time."""
    sparse, dense = torch.eye(4).to_sparse(), torch.rand(4, 4)
    with FlopCounter() as counter:
        torch.sparse.mm(sparse, dense)
        torch.sparse.mm(sparse, dense)
    assert explained(counter.report) == {"aten::_sparse_addmm": ("2·nnz·n", 2, 64)}


def test_costs_that_differ_at_a_place_are_one_sum() -> None:
    """Of 4, then of 16 stored values; and at another line the same again."""
    dense = torch.rand(4, 4)
    matrices = torch.eye(4).to_sparse(), torch.ones(4, 4).to_sparse()
    with FlopCounter() as counter:
        for sparse in matrices:
            torch.sparse.mm(sparse, dense)
        for sparse in matrices:
            torch.sparse.mm(sparse, dense)
    assert explained(counter.report) == {"aten::_sparse_addmm": ("320", 4, 320)}
    text = str(counter.report.explain()[0])
    assert "320, called 4 times (a sum over calls that differ in shapes or values)" in text
    merged = Report.merge([counter.report, counter.report])
    assert explained(merged) == {"aten::_sparse_addmm": ("640", 8, 640)}


def test_places_with_very_many_shapes_are_explained_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of two lines keeps 3 shapes apart and sums up the others, which cost the same."""
    monkeypatch.setattr(recording, "MAX_ENTRIES", 3)
    vectors = [torch.rand(size) for size in range(1, 11)]
    with FlopCounter() as counter:
        for vector in vectors:
            vector.exp()
        for vector in vectors:
            vector.exp()
    assert counter.report.flops == 2 * 55
    explanations = counter.report.explain()
    assert sum(one.flops for one in explanations) == 2 * 55
    (summed,) = (one for one in explanations if one.summed)
    assert (summed.flops, summed.calls, summed.shapes) == (2 * (55 - 6), 14, "various")
    merged = Report.merge([counter.report] * 3)
    assert sum(one.flops for one in merged.explain()) == 6 * 55


def test_a_single_call_is_no_sum() -> None:
    with FlopCounter() as counter:
        torch.linalg.matrix_exp(torch.zeros(2, 2))
    assert [one.summed for one in counter.report.explain()] == [False, False]
    assert "sum over" not in "".join(map(str, counter.report.explain()))


def test_each_step_of_an_explanation_stands_once() -> None:
    """2·m·n·k with 2, 3 and 4; n elements, whose formula is its value; what computes nothing."""
    with FlopCounter() as counter:
        _ = torch.ones(2, 4) @ torch.ones(4, 3)
        torch.ones(24_576).relu()
        torch.ones(5).clone()
    said = {one.operator: str(one) for one in counter.report.explain()}
    assert "forward: 2·m·n·k = 2·2·3·4 = 48, called once" in said["aten::mm"]
    assert "forward: n = 24,576, called once" in said["aten::relu"]
    assert "forward: free: computes nothing, called once" in said["aten::clone"]
