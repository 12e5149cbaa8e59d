"""Text of the user's cannot steer a terminal or break a row."""

import pytest

from ipyflops.views.rows.visible import shortened, source_line, visible
from tests.views.reports import HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_everything_is_printable(text: str) -> None:
    assert visible(text).isprintable()
    visible(text).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc", r"a\nb\tc"),
        ("\u202eabc", r"\u202eabc"),
        ("\ud800", r"\ud800"),
        ("\x9b31m", r"\x9b31m"),
        ("naïve 層 🙂", "naïve 層 🙂"),
        ("", ""),
    ],
)
def test_what_does_not_print_is_an_escape(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("most", [1, 2, 3, 10, 26, 27])
def test_a_long_text_loses_its_middle(most: int) -> None:
    text = "abcdefghijklmnopqrstuvwxyz"
    short = shortened(text, most)
    assert len(short) == min(most, 26)
    if 1 < most < 26:
        start, end = short.split("…")
        assert text.startswith(start)
        assert text.endswith(end)


def test_a_source_line_keeps_its_indentation() -> None:
    assert source_line("\tx = 1  \n") == "    x = 1"
