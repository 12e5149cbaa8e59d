"""Tab completion of the options and their values."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.magics.options import OPTIONS
from tests.shells import fresh_shell, needs_ipython_8, run

FLAGS = [flag for option in OPTIONS for flag in option.flags]


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    needs_ipython_8("does not tell a matcher what stands before the last word")
    with fresh_shell("ipyflops") as shell:
        shell.Completer.use_jedi = False
        yield shell


def completed(shell: InteractiveShell, text: str, cursor: int | None = None) -> list[str]:
    """What the text becomes by each of the completions that the shell offers at the cursor."""
    cursor = len(text) if cursor is None else cursor
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, cursor))
    return [text[: one.start] + one.text + text[one.end :] for one in found]


@pytest.mark.parametrize("magic", ["%flops ", "%%flops ", "r = %flops ", "    %flops -q "])
def test_options_are_completed(shell: InteractiveShell, magic: str) -> None:
    assert completed(shell, f"{magic}--con") == [f"{magic}--convention"]
    assert completed(shell, f"{magic}--v") == [f"{magic}--variable", f"{magic}--view"]
    assert completed(shell, f"{magic}-") == [magic + flag for flag in FLAGS]


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("-c ", ["standard", "contractions", "article"]),
        ("--convention ", ["standard", "contractions", "article"]),
        ("--convention=", ["standard", "contractions", "article"]),
        ("--convention=c", ["contractions"]),
        ("-c a", ["article"]),
        ("-qc a", ["article"]),
        ("-d 2 --by=lines -c st", ["standard"]),
        ("-c article --by ", ["modules", "operators", "lines"]),
        ("--by o", ["operators"]),
        ("--view ", ["auto", "widget", "html", "text"]),
        ("--view=t", ["text"]),
    ],
)
def test_values_are_completed(shell: InteractiveShell, option: str, values: list[str]) -> None:
    for magic in ("%flops ", "%%flops "):
        text = magic + option
        stem = text.rstrip("abcdefghijklmnopqrstuvwxyz")
        assert completed(shell, text) == [stem + value for value in values]


def test_reports_are_completed_to_compare_with(shell: InteractiveShell) -> None:
    run(shell, "%flops -q -v base 1\n%flops -q -v other 1\nbasement = 3")
    assert completed(shell, "%flops --against ba")[:1] == ["%flops --against base"]
    assert completed(shell, "%%flops -q --against=ot")[:1] == ["%%flops -q --against=other"]
    everything = completed(shell, "%flops --against ")
    assert everything[:2] == ["%flops --against base", "%flops --against other"]


def test_files_are_still_completed_to_compare_with(
    shell: InteractiveShell, tmp_path: object
) -> None:
    (tmp_path / "run.json").write_text("")  # type: ignore[operator]
    text = f"%flops --against {tmp_path}/ru"
    assert f"%flops --against {tmp_path}/run.json" in completed(shell, text)


def test_a_cell_magic_offers_its_options_at_once(shell: InteractiveShell) -> None:
    assert completed(shell, "%%flops ") == [f"%%flops {flag}" for flag in FLAGS]
    assert completed(shell, "%%flops -q ") == [f"%%flops -q {flag}" for flag in FLAGS]


def test_a_line_magic_offers_names_as_well(shell: InteractiveShell) -> None:
    run(shell, "my_model = 1")
    everything = completed(shell, "%flops ")
    assert {"%flops my_model", "%flops -c"} <= set(everything)


@pytest.mark.parametrize(
    "text",
    [
        "%flops model(x) -",
        "%flops -q model(x) --con",
        "%flops model --convention ",
        "%flops -- -",
        "%flops -q -- --con",
        "%flops --bogus --con",
        "%flops -v --con",
        "%flops --per --con",
        "%flops --save 'a b --con",
        "%time --con",
        "%flopsy --con",
        "flops --con",
        "x --con",
        "%flops --bogus=",
        "%flops -c bogus",
    ],
)
def test_what_is_no_option_is_left_alone(shell: InteractiveShell, text: str) -> None:
    ours = {text[: text.rindex(" ") + 1] + flag for flag in FLAGS}
    ours |= {text + value for option in OPTIONS for value in option.choices}
    assert not ours & set(completed(shell, text))


def test_the_line_of_the_cursor_counts(shell: InteractiveShell) -> None:
    text = "%%flops --con\nmodel --con"
    assert completed(shell, text, 13) == ["%%flops --convention\nmodel --con"]
    assert completed(shell, text) == []
    assert completed(shell, "x = 1\n%flops --dep") == ["x = 1\n%flops --depth"]
    assert completed(shell, "%flops --by lin model(x)", 15) == ["%flops --by lines model(x)"]


def test_the_configuration_is_completed(shell: InteractiveShell) -> None:
    assert completed(shell, "%config FlopsMagics.conv") == ["%config FlopsMagics.convention"]


@pytest.mark.parametrize("use_jedi", [True, False])
def test_jedi_adds_nothing(shell: InteractiveShell, use_jedi: bool) -> None:
    shell.Completer.use_jedi = use_jedi
    assert completed(shell, "%%flops --by=m") == ["%%flops --by=modules"]
    assert completed(shell, "%flops --outp") == ["%flops --output"]
