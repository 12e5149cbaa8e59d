"""``%%px`` with ``%%flops`` inside, on a real ipyparallel cluster: one merged report appears."""

from __future__ import annotations

import _thread
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops.report import Report
from tests.shells import Done, run

ipp = pytest.importorskip("ipyparallel")

#: Seconds that engines have for what a test waits for; no test is about how long it takes.
PATIENCE = 240
PRODUCT = 2 * 4 * 8 * 8
CODE = "x = torch.ones(4, 8) @ torch.ones(8, 8)"

pytestmark = [
    # ipyparallel and what it is built on, at the end of a cluster.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture
def shell(client: Any, shell: InteractiveShell) -> InteractiveShell:
    """With the magics on the engines too, whose cells run until they are through."""
    shell.run_line_magic("config", "FlopsMagics.view = 'text'")
    view = shell.user_ns["view"]
    view.block = True
    view.execute("%reload_ext ipyflops", block=True)
    return shell


def merged(shell: InteractiveShell, cell: str) -> tuple[Done, Report]:
    """Run a cell, and give the one report that it shows."""
    before = ipyflops.last()
    done = run(shell, cell)
    report = ipyflops.last()
    assert report is not None
    assert report is not before, done.out + done.err
    return done, report


def flops(report: Report) -> list[int | None]:
    return [rank.report.flops if rank.report else None for rank in report.ranks]


def shown(engine: Any) -> str:
    """What an engine displays by itself."""
    result = engine.execute(f"%%flops --view text\n{CODE}", silent=False, block=False)
    result.get(PATIENCE)
    result.wait_for_output(PATIENCE)
    return str(result.outputs)


def test_one_report_of_all_engines_appears_by_itself(shell: InteractiveShell) -> None:
    # An engine has run more cells than the others, which makes no difference.
    run(shell, "%%px --targets 1\n1 + 1")
    done, report = merged(shell, f"%%px\n%%flops\nprint('hello')\n{CODE}\nx.shape")
    assert done.error is None
    assert flops(report) == [PRODUCT, PRODUCT]
    assert report.complete
    # That one and none of the engines' own; what they print and give back is there.
    assert done.out.count("MACs") == 1, done.out
    assert "2 ranks" in done.out
    assert done.out.count("hello") == 2
    assert done.out.count("torch.Size([4, 8])") == 2
    # The line is the notebook's.
    assert list(report.by_line) == [f"In[{shell.execution_count - 1}]:4"]
    assert "x" not in shell.user_ns
    # It is the last report here, and each engine's own is the last one there.
    again = run(shell, "%flops")
    assert "2 ranks" in again.out
    own = shell.user_ns["view"].apply_sync(lambda: __import__("ipyflops").last().flops)
    assert own == [PRODUCT, PRODUCT]


def test_the_options_of_the_inner_line_are_honoured(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.json"
    done, report = merged(
        shell, f"%%px\n%%flops -q -v kept -c contractions --save {saved}\n{CODE}\nx + 1;"
    )
    assert "FLOPs" not in done.out
    assert shell.user_ns["kept"] is report
    assert report.convention == "contractions"
    assert len(Report.load(saved).ranks) == 2
    # On each engine the variable has the engine's own.
    assert [own.ranks for own in shell.user_ns["view"]["kept"]] == [(), ()]

    done, _ = merged(shell, f"%%px\n%%flops --against kept -c contractions\n{CODE}")
    assert "unchanged" in done.out
    # What is missing here is said, and costs nobody the report.
    done, report = merged(shell, f"%%px\n%%flops --against nowhere\n{CODE}")
    assert done.error is None
    assert "2 ranks" in done.out
    assert "'nowhere'" in done.err


def test_clean_repeats_are_shown_by_each_engine(shell: InteractiveShell) -> None:
    done, report = merged(shell, f"%%px\n%%flops -t -n 1 -r 2\n{CODE}")
    assert done.out.count("FLOPS clean") == 2, done.out
    assert done.out.count("MACs") == 3
    assert done.out.count("2 ranks") == 1
    assert all(rank.report and rank.report.timing for rank in report.ranks)


def test_the_engines_count_on_as_if_nobody_had_asked(shell: InteractiveShell) -> None:
    view = shell.user_ns["view"]
    view.execute("inputs = len(In)", block=True)
    merged(shell, f"%%px\n%%flops\n{CODE}")
    view.execute("inputs = len(In) - inputs", block=True)
    assert view["inputs"] == [1, 1]


def test_px_lines_and_autopx_are_merged_as_well(shell: InteractiveShell) -> None:
    done, report = merged(shell, f"a = 1\n%px %flops {CODE}")
    assert flops(report) == [PRODUCT, PRODUCT]
    assert list(report.by_line) == [f"In[{shell.execution_count - 1}]:2"]
    assert done.out.count("MACs") == 1

    # Each run of the magic is a report.
    done, report = merged(shell, f"%px %flops {CODE}\n%px %flops x @ x.T;")
    assert flops(report) == [2 * 4 * 4 * 8] * 2
    assert done.out.count("2 ranks") == 2
    assert done.out.count("MACs") == 2

    run(shell, "%autopx")
    done, report = merged(shell, f"%%flops\n{CODE}")
    run(shell, "%autopx")
    assert flops(report) == [PRODUCT, PRODUCT]
    assert done.out.count("MACs") == 1


def test_an_engine_that_fails_is_named_and_its_count_is_there(shell: InteractiveShell) -> None:
    done, report = merged(
        shell, f"%%px\n%%flops\n{CODE}\nif number == 1: raise ValueError('no such number')"
    )
    assert isinstance(done.error, ipp.error.RemoteError)
    assert "no such number" in done.out + done.err
    assert "incomplete: rank 1: ValueError" in done.out
    assert report.error == "rank 1: ValueError: no such number"
    assert flops(report) == [PRODUCT, PRODUCT]


def test_an_engine_without_the_magics_is_named(shell: InteractiveShell) -> None:
    shell.user_ns["view"].client[1].execute("%unload_ext ipyflops", block=True)
    done, report = merged(shell, f"%%px\n%%flops\n{CODE}")
    assert isinstance(done.error, ipp.error.RemoteError)
    assert flops(report) == [PRODUCT, None]
    assert "rank 1" in report.error
    assert "not found" in report.error


def test_reports_of_earlier_cells_are_left_out(shell: InteractiveShell) -> None:
    run(shell, f"%%px\n%%flops\n{CODE}")
    _, report = merged(
        shell,
        "%%px\nif number == 0:\n    get_ipython().run_line_magic('flops', 'x @ x.T;')\n"
        "else:\n    pass\nif False:\n    %flops x",
    )
    assert flops(report) == [2 * 4 * 4 * 8, None]
    assert report.error == "rank 1: nothing has been counted there in this cell"


def test_only_the_targets_take_part(shell: InteractiveShell) -> None:
    done, report = merged(shell, f"%%px --targets 0\n%%flops\n{CODE}")
    assert done.error is None
    assert flops(report) == [PRODUCT]
    # The other engine shows its own again.
    assert "MACs" in shown(shell.user_ns["view"].client[1])


def test_what_is_not_waited_for_is_fetched_later(shell: InteractiveShell) -> None:
    before = ipyflops.last()
    done = run(shell, f"%%px --noblock\n%%flops --view text\n{CODE}")
    assert ipyflops.last() is before
    done.result.get(PATIENCE)
    own = run(shell, "%pxresult")
    assert own.out.count(f"{PRODUCT} FLOPs") == 2, own.out
    done, report = merged(shell, "%flops --ranks")
    assert flops(report) == [PRODUCT, PRODUCT]


def test_other_cells_show_and_send_nothing_more(shell: InteractiveShell, client: Any) -> None:
    before, sent = ipyflops.last(), len(client.history)
    done = run(shell, "%%px\nprint('FLOPs')  # not %%flops")
    assert done.out.count("FLOPs") == 2
    run(shell, "text = '''\n%%px\n%flops x'''")
    assert ipyflops.last() is before
    assert len(client.history) == sent + 2


def test_wrong_options_are_the_error_of_the_cell(shell: InteractiveShell) -> None:
    before = ipyflops.last()
    done = run(shell, f"%%px --nonsense\n%%flops\n{CODE}")
    assert "--nonsense" in str(done.error)
    done = run(shell, f"%%px\n%%flops --nonsense\n{CODE}")
    assert isinstance(done.error, ipp.error.RemoteError)
    assert ipyflops.last() is before
    _, report = merged(shell, f"%%px\n%%flops\n{CODE}")
    assert report.complete


def test_another_client_is_shown_the_engines_own_reports(
    shell: InteractiveShell, client: Any
) -> None:
    # As if the notebook had died in such a cell.
    from ipyflops.processes import ipyparallel_collection

    view = shell.user_ns["view"]
    view.execute(ipyparallel_collection.begin_code("lost", "In[1]", []), block=True)
    with client.cluster.connect_client_sync() as other:
        assert "MACs" in shown(other[0])
    assert "MACs" not in shown(client[0])
    view.execute(ipyparallel_collection.end_code("lost"), block=True)


def test_an_interrupted_cell_is_merged_as_far_as_it_came(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    def interrupt() -> None:
        end = time.monotonic() + PATIENCE
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        _thread.interrupt_main()

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    _, report = merged(
        shell,
        f"%%px\n%%flops\n{CODE}\nopen({str(tmp_path)!r} + f'/{{number}}', 'w').close()\n"
        "import time; time.sleep(10_000)",
    )
    waiting.join()
    assert flops(report) == [PRODUCT, PRODUCT]
    assert "KeyboardInterrupt" in report.error


def test_without_the_extension_each_engine_shows_its_own(shell: InteractiveShell) -> None:
    assert run(shell, "%unload_ext ipyflops").error is None
    for event in ("pre_run_cell", "post_run_cell"):
        callbacks = shell.events.callbacks[event]
        assert not any("ipyflops" in type(one.__self__).__module__ for one in callbacks)
    done = run(shell, f"%%px\n%%flops --view text\n{CODE}")
    assert done.out.count(f"{PRODUCT} FLOPs") == 2, done.out


def test_an_engine_that_dies_is_named(shell: InteractiveShell) -> None:
    # The last test: this engine does not come back.
    done, report = merged(
        shell, f"%%px\n%%flops\n{CODE}\nif number == 1: __import__('os')._exit(3)"
    )
    assert isinstance(done.error, ipp.error.RemoteError)
    assert flops(report) == [PRODUCT, None]
    assert report.error.startswith("rank 1: EngineError: Engine 1 died")
