"""The headline says what a report comes to, and above all what is wrong with it."""

import pytest

from ipyflops.views.rows.headline import NAMED_OPERATORS, headline
from tests.views import reports


def texts(report: reports.Report, **options: tuple[int, str]) -> list[str]:
    return [item.text for item in headline(report, **options).items]


def test_the_figures_of_a_plain_run() -> None:
    report = reports.resnet()
    assert texts(report) == ["7.73 GFLOPs", "3.86 GMACs", "50.8 ms in kernels", "152 GFLOPS"]
    assert headline(report).text == (
        "7.73 GFLOPs · 3.86 GMACs · 50.8 ms in kernels · 152 GFLOPS   [standard]"
    )
    assert repr(report) == f"<Report {headline(report).text}>"


@pytest.mark.parametrize("convention", ["standard", "contractions", "article"])
def test_the_convention_is_named_and_defined(convention: str) -> None:
    said = headline(reports.resnet().under(convention))
    assert said.text.endswith(f"   [{convention}]")
    assert said.convention.definition


@pytest.mark.parametrize("name", reports.ALL)
def test_every_figure_has_a_definition(name: str) -> None:
    for figure in headline(reports.ALL[name]()).items:
        assert figure.text
        assert figure.definition.endswith(".")


def test_integer_operations_are_apart() -> None:
    assert "6.43 M integer ops" in texts(reports.transformer())
    assert texts(reports.integers()) == ["0 FLOPs", "0 MACs", "12.3 k integer ops"]


@pytest.mark.parametrize(
    ("per", "text"),
    [
        ((2, "image"), "3.87 GFLOPs per image"),
        ((128, "token"), "60.4 MFLOPs per token"),
        ((1, ""), "7.73 GFLOPs per item"),
        ((4, "\x1b[31m"), r"1.93 GFLOPs per \x1b[31m"),
    ],
)
def test_per_item(per: tuple[int, str], text: str) -> None:
    assert texts(reports.resnet(), per=per)[-1] == text


def test_unknown_operators_are_counted_and_named() -> None:
    figures = headline(reports.unknown()).toned("warning")
    assert [figure.text for figure in figures] == [
        "14.7 % of operator calls known",
        (
            "8 unknown operators: mylib::op ×12, mylib::op1 ×5, mylib::op2 ×4, mylib::op3 ×3, "
            "mylib::op4 ×2 and 3 more"
        ),
    ]
    assert figures[1].text.count("×") == NAMED_OPERATORS


def test_an_error_comes_first() -> None:
    said = headline(reports.failed())
    assert said.items[0].tone == "error"
    assert said.text.startswith(
        r"incomplete: RuntimeError: shapes cannot be multiplied\n(4x5 and 6x7) · 240 FLOPs"
    )


def test_a_run_that_goes_on_is_incomplete() -> None:
    assert texts(reports.empty(complete=False))[0] == "incomplete: not finished"


def test_a_long_error_is_cut() -> None:
    report = reports.empty(complete=False, error="ValueError: " + "x" * 10_000 + " end")
    text = texts(report)[0]
    assert len(text) < 400
    assert text.endswith("end")


def test_an_empty_run_says_so() -> None:
    assert headline(reports.empty()).text == "no operator ran, nothing to count   [standard]"


def test_nothing_in_it_can_steer_a_terminal() -> None:
    said = headline(reports.hostile(), per=(2, "\x1b[31m"))
    assert said.text.isprintable()
    assert all(note.isprintable() for note in said.notes)
