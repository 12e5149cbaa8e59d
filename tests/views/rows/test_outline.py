"""Which rows of a tree are shown, worked out by hand."""

from __future__ import annotations

import pytest

from ipyflops.views.rows.outline import Outline, in_order

#: A tree by hand: in "all" are "a", "b" and "c", and in "a" are two more.
INSIDE = {"all": ["a", "b", "c"], "a": ["a1", "a2"]}
WEIGHTS = {"all": 9, "a": 2, "b": 6, "c": 1, "a1": 1, "a2": 1}


def shown(most: int, *, own: bool = False, levels: int | None = 2) -> list[str]:
    outline = Outline(
        inside=lambda item: INSIDE.get(item, []),
        has_own=lambda item: own,
        weight=lambda item: WEIGHTS[item],
        least_level=1,
    )
    outermost = outline.open("all", most, levels=levels, whole_levels=False)
    return in_order(
        outermost,
        row=lambda one: one.item,
        own=lambda one: f"own of {one.item}",
        more=lambda one: f"{len(one.left_out)} more",
    )


@pytest.mark.parametrize(
    ("most", "rows"),
    [
        # One row beside the whole: it could only say "3 more", so the whole stays closed.
        (2, ["all"]),
        # Two rows: the largest, and that there are two more.
        (3, ["all", "b", "2 more"]),
        # Three rows: all fit.
        (4, ["all", "a", "b", "c"]),
    ],
)
def test_an_item_is_opened_where_one_inside_and_the_others_in_sum_fit(
    most: int, rows: list[str]
) -> None:
    assert shown(most) == rows


@pytest.mark.parametrize(
    ("most", "rows"),
    [
        # Two rows beside the whole: its own and "3 more" would name nothing inside.
        (3, ["all"]),
        # Three rows: the largest, its own, and that there are two more.
        (4, ["all", "b", "own of all", "2 more"]),
        # Four rows: all fit.
        (5, ["all", "a", "b", "c", "own of all"]),
    ],
)
def test_the_row_of_its_own_needs_room_as_well(most: int, rows: list[str]) -> None:
    assert shown(most, own=True) == rows


def test_what_is_opened_next_is_what_weighs_most() -> None:
    # Four rows are taken and two are left, which is what is inside "a" takes.
    assert shown(6, levels=None) == ["all", "a", "a1", "a2", "b", "c"]
    # With one row left, "a" stays closed.
    assert shown(5, levels=None) == ["all", "a", "b", "c"]
