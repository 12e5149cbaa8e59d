"""A value that has to be one of a few names."""

from __future__ import annotations

import pytest

from ipyflops.costs import conventions
from ipyflops.costs.choices import check_choice, choose_one_of


def test_one_of_the_choices_is_given_back() -> None:
    assert check_choice("blue", iter(("red", "blue")), "there is no such color") == "blue"


def test_another_value_is_an_error_that_lists_the_choices() -> None:
    with pytest.raises(ValueError, match="pink") as raised:
        check_choice("pink", ("red", "blue"), "there is no color 'pink'")
    assert str(raised.value) == "there is no color 'pink'; choose one of red, blue"


def test_a_message_can_go_on_behind_the_list() -> None:
    assert choose_one_of(["flops", "macs"]) == "choose one of flops, macs"


def test_an_unknown_convention() -> None:
    with pytest.raises(ValueError, match="mine") as raised:
        conventions.check("mine")
    listed = "standard, contractions, article"
    assert str(raised.value) == f"there is no convention 'mine'; choose one of {listed}"
