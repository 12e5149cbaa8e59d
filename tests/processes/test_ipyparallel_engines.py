"""``%%flops --ranks`` on a real ipyparallel cluster."""

from __future__ import annotations

import _thread
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.report import Report
from tests.shells import Done, fresh_shell, run

ipp = pytest.importorskip("ipyparallel")

#: Seconds that engines have for what a test waits for; no test is about how long it takes.
PATIENCE = 240
PRODUCT = 2 * 4 * 8 * 8

pytestmark = [
    # ipyparallel and what it is built on, at the end of a cluster.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def counted(done: Done) -> Report:
    assert done.error is None, done.out
    assert isinstance(done.result, Report)
    return done.result


def test_a_cell_runs_on_every_engine_and_gives_one_report(shell: InteractiveShell) -> None:
    done = run(
        shell,
        "%%flops --ranks --view text -o\n"
        "torch.manual_seed(number)\n"
        "x = torch.rand(4, 8) @ torch.rand(8, 8)\n"
        "print('hello from', number)\n"
        "x.shape",
    )
    report = counted(done)
    assert report.complete
    assert [rank.number for rank in report.ranks] == [0, 1]
    assert [rank.report.flops for rank in report.ranks if rank.report] == [PRODUCT, PRODUCT]
    assert report.flops == 2 * PRODUCT
    assert report.replicated_flops == 0  # the numbers are others
    # The lines are those of this cell, wherever it ran.
    assert list(report.by_line) == ["In[1]:3"]
    for number in (0, 1):
        assert f"[stdout:{number}] hello from {number}\n" in done.out
        assert f"Out[{number}:" in done.out
    assert "2 ranks" in done.out
    assert "rank 1" in done.out
    # The variables are on the engines, and are there for the next cell.
    again = counted(run(shell, "%%flops --ranks -q -o\ny = x @ x.T;"))
    assert again.flops == 2 * 2 * 4 * 4 * 8
    assert "x" not in shell.user_ns


def test_the_same_work_everywhere_is_replicated(shell: InteractiveShell) -> None:
    report = counted(run(shell, "%flops --ranks -q -o torch.full((4, 8), 3.0) @ torch.ones(8, 8)"))
    assert report.flops == 2 * PRODUCT
    assert report.replicated_flops == PRODUCT
    assert report.flops - report.replicated_flops == PRODUCT


def test_an_error_on_an_engine_is_an_error_with_a_partial_report(shell: InteractiveShell) -> None:
    done = run(
        shell,
        "%%flops --ranks --view text -v kept\n"
        "torch.ones(4, 8) @ torch.ones(8, 8)\n"
        "if number == 1: raise ValueError('no such number')",
    )
    assert type(done.error) is ipp.error.CompositeError
    assert "no such number" in str(done.error)
    report = shell.user_ns["kept"]
    assert report.error == "rank 1: ValueError: no such number"
    assert report.flops == 2 * PRODUCT
    assert "incomplete: rank 1: ValueError" in done.out


def test_an_engine_that_hangs_is_interrupted_and_named(shell: InteractiveShell) -> None:
    done = run(
        shell,
        "%%flops --ranks --timeout 5 -q -v kept\n"
        "torch.ones(4, 8) @ torch.ones(8, 8)\n"
        "if number == 1:\n"
        "    import time\n"
        "    time.sleep(10_000)",
    )
    assert type(done.error) is TimeoutError
    assert "engine 1" in str(done.error)
    report = shell.user_ns["kept"]
    assert report.error == "rank 1: not done within 5 s, so it was interrupted"
    # What it had counted by then is there as well.
    assert report.flops == 2 * PRODUCT
    # The engine is alive, and takes the next cell.
    assert counted(run(shell, "%flops --ranks -q -o torch.ones(2, 2) @ torch.ones(2, 2)")).complete


def test_an_interrupt_reaches_the_engines_and_shows_what_there_is(
    shell: InteractiveShell, tmp_path: Path
) -> None:
    def interrupt() -> None:
        end = time.monotonic() + PATIENCE
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        _thread.interrupt_main()

    waiting = threading.Thread(target=interrupt)
    waiting.start()
    done = run(
        shell,
        "%%flops --ranks -q -v kept\n"
        "torch.ones(4, 8) @ torch.ones(8, 8)\n"
        f"open({str(tmp_path)!r} + f'/{{number}}', 'w').close()\n"
        "import time; time.sleep(10_000)",
    )
    waiting.join()
    assert type(done.error) is KeyboardInterrupt
    report = shell.user_ns["kept"]
    assert report.flops == 2 * PRODUCT
    assert report.error.startswith("ranks 0, 1: not done when the cell was interrupted")


def test_ranks_of_a_process_group_on_engines(shell: InteractiveShell, tmp_path: Path) -> None:
    meeting = (tmp_path / "meeting").as_uri()
    report = counted(
        run(
            shell,
            "%%flops --ranks -q -o\n"
            "import torch.distributed as dist\n"
            f"dist.init_process_group('gloo', init_method={meeting!r}, rank=number, world_size=2)\n"
            "x = torch.full((4, 8), float(number))\n"
            "dist.all_reduce(x)\n"
            "y = x @ torch.ones(8, 8)\n"
            "dist.destroy_process_group()",
        )
    )
    assert {name: totals.communicated for name, totals in report.by_collective.items()} == {
        "all_reduce": 2 * 4 * 4 * 8
    }
    # After it both have the same numbers, and do the same with them.
    assert report.replicated_flops == PRODUCT


def test_options_that_are_about_this_process_are_refused(shell: InteractiveShell) -> None:
    for option in ("-t", "--peak", "--fake"):
        done = run(shell, f"%flops --ranks {option} torch.ones(2)")
        assert type(done.error) is UsageError
        assert option in str(done.error)


def test_without_a_view_the_error_says_how_to_get_one() -> None:
    with fresh_shell("ipyflops") as shell:
        done = run(shell, "%flops --ranks 1 + 1")
        assert type(done.error) is UsageError
        assert "ipyparallel.Cluster" in str(done.error)


def test_a_view_or_client_in_a_variable_will_do(client: Any) -> None:
    with fresh_shell("ipyflops") as shell:
        shell.user_ns["rc"] = client
        report = counted(run(shell, "%flops --ranks -q -o torch.ones(2, 2) @ torch.ones(2, 2)"))
        assert len(report.ranks) == 2
        shell.user_ns["one"] = client[0]
        done = run(shell, "%flops --ranks 1 + 1")
        assert type(done.error) is UsageError
        assert "rc, one" in str(done.error)


def test_an_engine_that_dies_is_named(client: Any, shell: InteractiveShell) -> None:
    # The last test: this engine does not come back.
    done = run(
        shell,
        "%%flops --ranks --timeout 120 -q -v kept\n"
        "torch.ones(4, 8) @ torch.ones(8, 8)\n"
        "if number == 1: __import__('os')._exit(3)",
    )
    assert type(done.error) is ipp.error.CompositeError
    report = shell.user_ns["kept"]
    assert report.flops == PRODUCT
    assert report.ranks[1].report is None
    assert report.error.startswith("rank 1: EngineError: Engine 1 died")
