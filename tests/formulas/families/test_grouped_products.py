"""Products of groups, against the loops over groups that they stand for."""

import pytest
import torch

from ipyflops import FlopCounter
from tests.formulas.plain import cost_of, plain, torch_flops

aten = torch.ops.aten
FLOAT8 = torch.float8_e4m3fn


def half(*sizes, **options):
    return torch.randn(*sizes, dtype=torch.bfloat16, **options)


def ends(*offsets, device="cpu"):
    return torch.tensor(offsets, dtype=torch.int32, device=device)


@pytest.mark.parametrize(
    ("left", "right", "offsets"),
    [
        ((16, 32), (2, 32, 16), [8, 16]),
        ((16, 32), (32, 16), [16, 32]),
        ((2, 16, 32), (2, 32, 16), None),
        ((2, 16, 32), (32, 16), [8, 16]),
    ],
    ids=["rows", "inner", "batch", "columns"],
)
def test_grouped_products_are_the_products_of_their_groups(left, right, offsets):
    a, b = torch.randn(*left).bfloat16(), torch.randn(*right).bfloat16()
    offs = torch.tensor(offsets, dtype=torch.int32) if offsets else None
    cost = cost_of(aten._grouped_mm.default, a, b, offs=offs)

    def groups():
        begin = 0
        for group in range(2):
            if offsets is None:
                a[group] @ b[group]
                continue
            part = slice(begin, offsets[group])
            begin = offsets[group]
            if a.dim() == 2 and b.dim() == 3:
                a[part] @ b[group]
            elif a.dim() == 2:
                a[:, part] @ b[part]
            else:
                a[group] @ b[:, part]

    assert cost.contraction.value == torch_flops(groups)
    assert cost.other.value == 0
    outputs = torch._grouped_mm(a, b, offs=offs).numel()
    # Every dot product has one addition less than it has products.
    assert cost.article.value == torch_flops(groups) - outputs


def test_scaled_groups_have_two_factors_for_each_output():
    a, b = torch.randn(16, 32).to(FLOAT8), torch.randn(2, 32, 16).to(FLOAT8)
    result = torch.empty(16, 16)
    cost = cost_of(
        aten._scaled_grouped_mm.default, a, b, torch.rand(16), torch.rand(2, 16), out=result
    )
    assert cost.other.value == plain(lambda: result * 2.0 * 3.0).other


# Of 16 rows (or columns) 12 belong to the groups: 3, 5, none and 4.
TAIL = (3, 8, 8, 12)
WITH_A_TAIL = {
    "rows": ((16, 24), (4, 24, 16), 2 * 12 * 16 * 24),
    "inner": ((16, 16), (16, 32), 2 * 16 * 32 * 12),
    "columns": ((4, 16, 24), (24, 16), 2 * 16 * 12 * 24),
}


@pytest.mark.parametrize("case", WITH_A_TAIL)
def test_nothing_is_counted_behind_the_last_offset(case):
    left, right, expected = WITH_A_TAIL[case]
    a, b = half(*left), half(*right)

    def groups():
        begin = 0
        for group, end in enumerate(TAIL):
            part, begin = slice(begin, end), end
            if case == "rows":
                a[part] @ b[group]
            elif case == "inner":
                a[:, part] @ b[part]
            else:
                a[group] @ b[:, part]

    cost = cost_of(aten._grouped_mm.default, a, b, offs=ends(*TAIL))
    assert cost.contraction.value == expected == torch_flops(groups)
    assert "per group: 3, 5, 0, 4;" in cost.note
    assert "4 of 16 behind the last offset" in cost.note
    # Every dot product of a group that has any has one addition less than it has products.
    outputs = {"rows": 12 * 16, "inner": 3 * 16 * 32, "columns": 16 * 12}[case]
    assert cost.article.value == expected - outputs


@pytest.mark.parametrize("case", WITH_A_TAIL)
def test_without_values_the_tail_is_counted_and_that_is_said(case):
    left, right, _ = WITH_A_TAIL[case]
    a, b = half(*left, device="meta"), half(*right, device="meta")
    with FlopCounter() as counter:
        torch._grouped_mm(a, b, offs=ends(*TAIL, device="meta"))
    report = counter.report
    whole = {"rows": 2 * 16 * 16 * 24, "inner": 2 * 16 * 32 * 16, "columns": 2 * 16 * 16 * 24}
    assert report.flops == whole[case]
    assert any("aten::_grouped_mm" in note for note in report.notes)
    assert "behind the last offset are counted too" in report.explain()[0].note


def test_the_values_of_the_offsets_decide_and_are_explained():
    """Calls of one shape and other offsets are told apart; those of the same are one entry."""
    a, b = half(16, 24), half(4, 24, 16)
    offsets = [TAIL, (4, 8, 12, 16), TAIL, (0, 0, 0, 1)]

    def experts():
        for one in offsets:
            torch._grouped_mm(a, b, offs=ends(*one))

    with FlopCounter() as counter:
        experts()
    report = counter.report
    assert report.flops == sum(2 * one[-1] * 16 * 24 for one in offsets)
    explained = [one for one in report.explain() if one.operator == "aten::_grouped_mm"]
    said = {one.note.partition(";")[0]: one.calls for one in explained}
    assert said == {
        "tokens per group: 3, 5, 0, 4": 2,
        "tokens per group: 4, 4, 4, 4": 1,
        "tokens per group: 0, 0, 0, 1": 1,
    }
    assert all(one.expression == "2·m·n·k" for one in explained)


def test_offsets_that_are_written_to_in_place_decide_anew():
    a, b, offs = half(16, 24), half(4, 24, 16), ends(*TAIL)
    with FlopCounter() as counter:
        torch._grouped_mm(a, b, offs=offs)
        offs[-1] = 16
        torch._grouped_mm(a, b, offs=offs)
    assert counter.report.macs == (12 + 16) * 16 * 24


def test_the_gradients_of_groups():
    """Of the rows and of the matrices each as many products as forward."""
    a, b = half(16, 24, requires_grad=True), half(4, 24, 16, requires_grad=True)
    with FlopCounter() as counter:
        out = torch._grouped_mm(a, b, offs=ends(*TAIL))
        out.backward(torch.ones_like(out))
    by_phase = counter.report.under("contractions").by_phase
    assert by_phase["forward"].flops == 9_216
    assert by_phase["backward"].flops == 2 * 9_216


def test_many_groups_are_summed_up():
    sizes = [1] * 30 + [4, 6]
    offs = torch.tensor(sizes).cumsum(0).int()
    cost = cost_of(aten._grouped_mm.default, half(40, 8), half(32, 8, 8), offs=offs)
    assert cost.note == "tokens per group: 32 groups of 1 to 6, 1.2 on average"
