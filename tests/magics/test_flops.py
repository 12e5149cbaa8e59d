"""What `%flops` and `%%flops` do with their options, and with the report."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

import ipyflops
from ipyflops import Report
from tests.counted import ARTICLE, FLOPS, Shown, last, model_shell, recorded_views
from tests.shells import Done, run, variables


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    with model_shell(monkeypatch) as shell:
        yield shell


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Shown:
    return recorded_views(monkeypatch)


def usage_error(done: Done) -> str:
    """The message of a UsageError, which IPython shows in one line."""
    assert type(done.error) is UsageError
    assert done.err == f"UsageError: {done.error}\n"
    return str(done.error)


# --- a run ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cell", ["%flops model(x)", "%%flops\nmodel(x)", "%%flops\n\ny = model(x)"]
)
def test_a_cell_is_counted_and_its_report_shown(shell: InteractiveShell, cell: str) -> None:
    done = run(shell, cell)
    assert done.error is None
    assert last().flops == FLOPS
    assert f"{FLOPS} FLOPs" in done.out
    assert last().complete
    assert list(last().by_line) == [f"In[2]:{1 + cell.count(chr(10))}"]
    assert [node.name for node in last().tree.children] == ["model"]


@pytest.mark.parametrize("fake", ["", "--fake "])
def test_memory_is_said_where_it_is_asked_for(shell: InteractiveShell, fake: str) -> None:
    done = run(shell, f"%%flops {fake}--memory\ny = model(x)")
    assert done.error is None
    memory = last().memory
    assert memory is not None
    assert sum(memory.at_peak.values()) == memory.peak > 0
    assert "peak 152 B (parameters 42.1 %)" in done.out
    assert "live at the peak" in done.out
    run(shell, "%flops -q model(x)")
    assert last().memory is None


def test_the_result_is_the_cells_own(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops\ny = 3\nmodel(x)")
    assert done.result.shape == (2, 4)
    assert done.out.index("FLOPs") < done.out.index("Out[2]")
    assert shell.user_ns["y"] == 3
    assert shell.user_ns["_2"] is done.result


def test_operators_are_on_the_lines_of_the_cell(shell: InteractiveShell) -> None:
    run(shell, "%%flops -q\n\na = model(x)\nfor i in range(3):\n    a = a + 1\nb = a * 2")
    assert {name: totals.calls for name, totals in last().by_line.items()} == {
        "In[2]:3": last().by_line["In[2]:3"].calls,
        "In[2]:5": 3,
        "In[2]:6": 1,
    }
    assert [line.text.strip() for line in last().lines] == [
        "a = model(x)",
        "a = a + 1",
        "b = a * 2",
    ]


def test_a_line_magic_is_on_its_own_line(shell: InteractiveShell) -> None:
    run(shell, "a = 1\n\nfor i in range(2):\n    r = %flops -q -o model(x)\n")
    assert list(shell.user_ns["r"].by_line) == ["In[2]:4"]


def test_compiling_and_what_ast_transformers_do_is_not_counted(shell: InteractiveShell) -> None:
    run(
        shell,
        "import ast\n"
        "class Compute(ast.NodeTransformer):\n"
        "    def visit_Module(self, node):\n"
        "        torch.ones(9, 9) @ torch.ones(9, 9)\n"
        "        return node\n"
        "get_ipython().ast_transformers.append(Compute())",
    )
    run(shell, "%%flops -q\nmodel(x)")
    assert last().flops == FLOPS


@pytest.mark.parametrize("cell", ["%%flops\n\n", "%%flops\n# nothing", "%%flops\npass"])
def test_nothing_to_count_is_no_error(shell: InteractiveShell, cell: str) -> None:
    done = run(shell, cell)
    assert done.error is None
    assert last().flops == 0
    assert "no operator ran" in done.out


def test_an_empty_cell_is_ipythons_error(shell: InteractiveShell) -> None:
    assert "cell body is empty" in usage_error(run(shell, "%%flops"))
    assert ipyflops.last() is None


def test_code_on_the_line_of_a_cell_magic_is_refused(shell: InteractiveShell) -> None:
    message = usage_error(run(shell, "%%flops -q model(x)\ny = 1"))
    assert message == "code cannot follow %%flops on its own line: 'model(x)' belongs below it"
    assert "y" not in variables(shell)


def test_magics_in_the_cell_are_counted(shell: InteractiveShell) -> None:
    run(shell, "%%flops -q\n%time a = model(x)\n!true\n%flops -q -v inner model(x)")
    assert last().flops == 2 * FLOPS
    assert shell.user_ns["inner"].flops == FLOPS


def test_code_that_starts_with_a_dash_and_code_with_dashes(shell: InteractiveShell) -> None:
    done = run(shell, "%flops -q -c article -- -model(-x) - 1")
    assert done.result.shape == (2, 4)
    assert last().convention == "article"
    assert run(shell, "%flops -q torch.ones(2, 3).sum(-1) -2").result.tolist() == [1, 1]


def test_braces_and_dollars_stay_in_the_code(shell: InteractiveShell) -> None:
    assert run(shell, "%flops -q {'a': len('$x {x}')}").result == {"a": 6}


# --- its options ---------------------------------------------------------------------------------


def test_output_gives_the_report_as_the_result(shell: InteractiveShell) -> None:
    done = run(shell, "%flops -o -q model(x)")
    assert isinstance(done.result, Report)
    assert done.result is last()
    run(shell, "r = %flops -o -q model(x)")
    assert shell.user_ns["r"] is last()
    run(shell, "def f(m):\n    r = %flops -q -o m(x)\n    return r.flops\nf(model)")
    assert shell.user_ns["_"] == FLOPS


def test_a_semicolon_hides_the_result(shell: InteractiveShell) -> None:
    for cell in ("%%flops -q\nmodel(x);", "%flops -q model(x);", "%%flops -q -o\nmodel(x); # end"):
        done = run(shell, cell)
        assert done.error is None
        assert done.result is None
        assert done.out == ""


def test_a_variable_is_stored(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -q -v größe\nmodel(x)")
    assert shell.user_ns["größe"] is last()
    assert done.result.shape == (2, 4)
    run(shell, "def f():\n    %flops -q -v inside model(x)\nf()")
    assert shell.user_ns["inside"] is last()


def test_quiet_shows_nothing(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -q -v a\ny = model(x)")
    assert (done.out, done.err) == ("", "")


def test_the_options_reach_the_views(shell: InteractiveShell, shown: Shown) -> None:
    run(shell, "%flops model(x)")
    run(shell, "%flops -d 2 --by lines --per 6:token --view text model(x)")
    assert [options for _, options in shown] == [
        {"view": "html", "depth": None, "per": None, "columns": ()},
        {"view": "text", "by": "lines", "depth": 2, "per": (6, "token"), "columns": ()},
    ]
    assert shown[1][0] is last()


@pytest.mark.parametrize(
    ("view", "types"),
    [
        ("text", {"text/plain"}),
        ("html", {"text/plain", "text/html"}),
        ("auto", {"text/plain", "text/html"}),
    ],
)
def test_a_view_is_one_bundle(shell: InteractiveShell, view: str, types: set[str]) -> None:
    run(shell, "%flops -q -v base model(x)")
    with capture_output() as captured:
        shell.run_cell(f"%flops --view {view} --against base model(x);")
    assert [set(output.data) for output in captured.outputs] == [types, types]


def test_a_convention_holds_for_one_run(shell: InteractiveShell) -> None:
    run(shell, "%flops -q -c article model(x)")
    assert (last().convention, last().flops) == ("article", ARTICLE)
    run(shell, "%flops -q model(x)")
    assert (last().convention, last().flops) == ("standard", FLOPS)


def test_per_item(shell: InteractiveShell) -> None:
    assert f"{FLOPS // 2} FLOPs per row" in run(shell, "%flops --per 2:row model(x)").out


# --- saved and compared --------------------------------------------------------------------------


def test_a_report_is_saved(shell: InteractiveShell, tmp_path: Path) -> None:
    file = tmp_path / "a report.json"
    done = run(shell, f"%flops -q --save '{file}' model(x)")
    assert done.error is None
    assert Report.load(file) == last()
    assert list(tmp_path.iterdir()) == [file]


def test_a_relative_path_is_where_the_cell_began(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    run(shell, "%%flops -q --save run.json\nimport os\nos.chdir('elsewhere')\nmodel(x);")
    assert Report.load(tmp_path / "run.json").flops == FLOPS


def test_the_home_folder_is_known(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    run(shell, "%flops -q --save ~/run.json model(x);")
    assert usage_error(run(shell, "%flops -q --against ~/no.json model(x)"))
    assert run(shell, "%flops -q --against ~/run.json model(x);").error is None
    assert (tmp_path / "run.json").exists()


@pytest.mark.parametrize("path", ["{tmp}/missing/run.json", "{tmp}", "/proc/run.json", "{tmp}/f/r"])
def test_a_path_that_cannot_be_written_is_refused_before_the_run(
    shell: InteractiveShell, tmp_path: Path, path: str
) -> None:
    (tmp_path / "f").write_text("")
    path = path.format(tmp=tmp_path)
    message = usage_error(run(shell, f"%%flops --save {path}\nran = 1"))
    assert message.startswith("--save ")
    assert path in message
    assert "ran" not in variables(shell)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "f"]


def test_a_report_that_can_no_longer_be_written_is_not_lost(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    cell = (
        f"%%flops -v kept --save {folder}/run.json\nimport os\nos.rmdir({str(folder)!r})\nmodel(x)"
    )
    done = run(shell, cell)
    assert "could not be written" in str(done.error)
    assert type(done.error) is UsageError
    assert f"{FLOPS} FLOPs" in done.out
    assert shell.user_ns["kept"] is last()
    assert last().flops == FLOPS


def test_a_run_is_compared_with_a_variable(shell: InteractiveShell) -> None:
    run(shell, "%flops -q -v base model(x)")
    done = run(shell, "%flops --against base model(torch.ones(4, 3))")
    assert f"{FLOPS} FLOPs → {2 * FLOPS} FLOPs" in done.out
    assert f"{2 * FLOPS} FLOPs ·" in done.out
    # What was asked for comes first.
    assert done.out.index(" → ") < done.out.index(f"{2 * FLOPS} FLOPs ·")
    done = run(shell, "%flops -c article --against base model(x);")
    assert f"{ARTICLE} FLOPs → {ARTICLE} FLOPs" in done.out


def test_a_run_is_compared_with_a_variable_of_the_function(shell: InteractiveShell) -> None:
    done = run(
        shell,
        "def f(x):\n    base = %flops -q -o model(x)\n    %flops --against base model(x[:1])\nf(x)",
    )
    assert f"{FLOPS} FLOPs → {FLOPS // 2} FLOPs" in done.out


def test_a_run_is_compared_with_a_file(shell: InteractiveShell, tmp_path: Path) -> None:
    run(shell, f"%flops -q --save {tmp_path}/base.json model(x)")
    done = run(shell, f"%flops --against {tmp_path}/base.json model(x[:1])")
    assert f"{FLOPS} FLOPs → {FLOPS // 2} FLOPs" in done.out


def test_what_cannot_be_compared_with_is_refused_before_the_run(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    (tmp_path / "broken.json").write_text("{}")
    for name, message in {
        "nothing": "--against: there is neither a variable nor a file 'nothing'",
        "model": "--against takes a Report; model is of type Sequential",
        f"{tmp_path}/broken.json": "is not a saved report",
        f"{tmp_path}": "--against: ",
    }.items():
        assert message in usage_error(run(shell, f"%%flops --against {name}\nran = 1"))
    assert "ran" not in variables(shell)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-c bogus", "-c takes standard, contractions or article, not 'bogus'"),
        ("-v 1x", "-v takes the name of a variable, not '1x'"),
        ("-z", "-z is no option here"),
        ("--fake -t", "-t needs a run that takes time, and under --fake nothing is computed"),
        ("--view table", "--view takes auto, widget, html or text, not 'table'"),
    ],
)
def test_a_wrong_option_is_refused_before_the_run(
    shell: InteractiveShell, line: str, message: str
) -> None:
    for cell in (f"%%flops {line}\nran = 1", f"%flops {line} ran = 1"):
        assert usage_error(run(shell, cell)).startswith(message)
    assert "ran" not in variables(shell)
    assert ipyflops.last() is None


# --- shown again ---------------------------------------------------------------------------------


def test_the_last_report_is_shown_again(shell: InteractiveShell, shown: Shown) -> None:
    run(shell, "%flops -q -c article model(x)")
    report = last()
    done = run(shell, "%flops")
    assert done.result is None
    run(shell, "%flops --by operators -d 1 --per 2 --view text  # by operator")
    run(shell, "%flops -c contractions")
    assert [options for _, options in shown] == [
        {"view": "html", "depth": None, "per": None, "columns": ()},
        {"view": "text", "by": "operators", "depth": 1, "per": (2, "item"), "columns": ()},
        {"view": "html", "depth": None, "per": None, "columns": ()},
    ]
    assert shown[0][0] is report
    assert shown[1][0] is report
    assert shown[2][0] == report.under("contractions")
    assert ipyflops.last() is report


def test_the_last_report_can_be_had_stored_saved_and_compared(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    run(shell, "%flops -q -v base model(x[:1])")
    run(shell, "%flops -q model(x)")
    done = run(shell, f"%flops -q -o -v kept -c article --save {tmp_path}/run.json")
    assert done.result == last().under("article")
    assert shell.user_ns["kept"] is done.result
    assert Report.load(tmp_path / "run.json") == done.result
    done = run(shell, "%flops --against base")
    assert f"{FLOPS // 2} FLOPs → {FLOPS} FLOPs" in done.out


def test_there_may_be_no_last_report(shell: InteractiveShell) -> None:
    assert usage_error(run(shell, "%flops")).startswith("there is no report yet")
    assert usage_error(run(shell, "%flops --by lines")).startswith("there is no report yet")


# --- variables in options ------------------------------------------------------------------------


def test_values_of_options_name_variables(shell: InteractiveShell, tmp_path: Path) -> None:
    shell.user_ns["folder"] = tmp_path
    run(shell, "def f(name):\n    %flops -q --save {folder}/$name model(x)\nf('one.json')")
    run(shell, "name = 'two'\n%flops -q --save={folder / (name + '.json')} model(x)")
    run(shell, "%%flops -q --save $folder/three.json\ny = '$name {name}'\nmodel(x)")
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.json",
        "three.json",
        "two.json",
    ]
    assert shell.user_ns["y"] == "$name {name}"


@pytest.mark.parametrize(
    "cell",
    [
        "%flops -v model model(x)",
        "%%flops -v model\nmodel(x)",
        "%%flops -v y\ny = model(x)",
        "%flops -v model step()",
        "%flops -v x (lambda: model(x))()",
        "def f(z):\n    %flops -v z (lambda: model(z))()\nf(x)",
    ],
)
def test_a_variable_of_the_code_is_not_replaced(shell: InteractiveShell, cell: str) -> None:
    run(shell, "def step(): return model(x)")
    before = variables(shell)
    done = run(shell, cell)
    assert type(done.error) is UsageError
    assert "take a name that the code does not use" in str(done.error)
    assert {name: variables(shell)[name] for name in before} == before


def test_names_that_are_no_variables_of_the_code_are_free(shell: InteractiveShell) -> None:
    done = run(shell, "%%flops -q -v weight\n(lambda shape: model[0].weight)(1)")
    assert done.error is None
    assert isinstance(shell.user_ns["weight"], Report)
    assert run(shell, "%flops -q -v weight model(x)").error is None
