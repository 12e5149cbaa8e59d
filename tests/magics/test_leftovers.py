"""Repeats of a cell leave no figures and no widgets behind."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ipywidgets
import matplotlib as mpl
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib import pyplot as plt

from tests.counted import model_shell
from tests.shells import run

Living = dict[str, ipywidgets.Widget]


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    before = mpl.get_backend()
    mpl.use("agg")
    with model_shell(monkeypatch) as shell:
        run(shell, "from matplotlib import pyplot as plt; import ipywidgets as w")
        yield shell
    plt.close("all")
    mpl.use(before)


def living() -> Living:
    module = ipywidgets.widgets.widget
    # ipywidgets 7 has them in the class.
    return dict(module._instances if hasattr(module, "_instances") else module.Widget.widgets)


def made_since(before: Living) -> list[str]:
    """The kinds of the widgets that were made since, in alphabetic order."""
    return sorted(type(one).__name__ for name, one in living().items() if name not in before)


# --- figures -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["plt.plot([1, 2])", "fig, ax = plt.subplots(); ax.plot([1, 2])"])
def test_one_figure_with_one_line_is_left(shell: InteractiveShell, code: str) -> None:
    assert run(shell, f"%%flops -t -n2 -r3 -q\nmodel(x)\n{code}").error is None
    assert plt.get_fignums() == [1]
    assert len(plt.figure(1).axes[0].lines) == 1


def test_figures_from_before_are_drawn_on_as_without_repeats(shell: InteractiveShell) -> None:
    run(shell, "first, second = plt.figure(), plt.figure()\nax = first.add_subplot()")
    managers = [plt.figure(number).canvas.manager for number in (1, 2)]
    cell = "%%flops -t -n1 -r1 -q\nmodel(x)\nax.plot([1, 2])\nplt.figure(); len(plt.get_fignums())"
    done = run(shell, cell)
    assert done.error is None
    # The counted run, the check, the one to warm up, and one: each has found two and made one.
    assert done.result == 3
    assert len(shell.user_ns["ax"].lines) == 4
    assert plt.get_fignums() == [1, 2, 3]
    assert plt.gcf().number == 3
    assert [plt.figure(number).canvas.manager for number in (1, 2)] == managers


def test_a_repeat_that_fails_leaves_none_either(shell: InteractiveShell) -> None:
    run(shell, "runs = []")
    cell = "%%flops -t -q\nplt.figure(); model(x); runs.append(1)\nif len(runs) == 3: 1/0"
    assert run(shell, cell).error is None
    assert plt.get_fignums() == [1]
    assert plt.gcf() is not None


# --- widgets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("show", ["display(box)", "del_ = [display(box), display(box)]"])
def test_widgets_of_the_counted_run_alone_are_left(shell: InteractiveShell, show: str) -> None:
    before = living()
    cell = (
        "def work():\n    box = w.HBox([w.IntSlider(), w.HTML()])\n"
        f"    box.children[0].style, box.layout\n    {show}\n    return model(x)\nwork()"
    )
    assert run(shell, cell).error is None
    once = made_since(before)
    before = living()
    assert run(shell, f"%%flops -t -n2 -r3 -q\n{cell}").error is None
    assert made_since(before) == once
    assert once.count("IntSlider") == 1


def test_progress_bars_are_closed(shell: InteractiveShell) -> None:
    pytest.importorskip("tqdm")
    run(shell, "from tqdm.notebook import tqdm")
    before = living()
    assert run(shell, "for _ in tqdm(range(2)): model(x)").error is None
    once = made_since(before)
    before = living()
    assert run(shell, "%%flops -t -n2 -r3 -q\nfor _ in tqdm(range(2)): model(x)").error is None
    assert made_since(before) == once


@pytest.mark.parametrize(
    ("code", "held"),
    [
        ("box = w.HBox([w.Text()]); display(box)", "box"),
        ("boxes = [w.HBox([w.Text()])]; display(*boxes)", "boxes[0]"),
        (
            "class App: pass\napp = App(); app.box = w.HBox([w.Text()]); display(app.box)",
            "app.box",
        ),
    ],
)
def test_a_widget_that_a_variable_holds_stays(
    shell: InteractiveShell, code: str, held: str
) -> None:
    before = living()
    assert run(shell, f"%%flops -t -n2 -r3 -q\nmodel(x)\n{code}").error is None
    # The counted run's, which is shown, and the one that the variable holds now.
    assert made_since(before).count("Text") == made_since(before).count("HBox") == 2
    box: Any = run(shell, held).result
    assert box.comm is not None
    assert box.children[0].comm is not None


def test_a_widget_from_before_that_is_shown_again_stays(shell: InteractiveShell) -> None:
    run(shell, "box = w.HBox([w.Text()])\nname = [box]\ndef show(): display(name[0])\ndel box")
    before = living()
    assert run(shell, "%%flops -t -n2 -r3 -q\nmodel(x); show()").error is None
    assert living() == before
    assert run(shell, "name[0].comm").result is not None
