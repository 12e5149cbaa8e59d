"""How reports travel between ranks: through a store, in pieces, as JSON and nothing else."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist

from ipyflops.counting.counter import FlopCounter
from ipyflops.processes import torchrun_gathering
from ipyflops.processes.torchrun_termination import Termination, deferred
from ipyflops.report import Report


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of this process alone."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def product() -> Report:
    with FlopCounter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
    return counter.report


def collected(store: Any, *numbers: int, timeout: float = 0.2) -> dict[int, str]:
    """What became of each rank: its FLOPs, or why there are none."""
    found = torchrun_gathering._collect(store, "here", numbers, timeout, Termination())
    return {rank.number: str(rank.report.flops) if rank.report else rank.problem for rank in found}


def test_without_a_process_group_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="init_process_group"):
        product().gather()


@pytest.mark.usefixtures("alone")
def test_one_rank_gathers_its_own_report() -> None:
    report = product()
    gathered = report.gather(timeout=0)
    assert gathered is not None
    assert gathered.flops == report.flops
    assert [rank.report for rank in gathered.ranks] == [report]


@pytest.mark.usefixtures("alone")
def test_gathering_inside_a_block_is_not_counted() -> None:
    with FlopCounter() as counter:
        torch.ones(2, 3) @ torch.ones(3, 4)
        before = counter.report.totals.calls
        gathered = counter.report.gather()
        assert counter.report.totals.calls == before
    assert gathered is not None
    assert not gathered.complete


def test_a_report_comes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torchrun_gathering, "PIECE_LENGTH", 100)
    store, report = dist.HashStore(), product()
    torchrun_gathering._leave(store, "here/3", report)
    assert int(store.get("here/3")) > 5
    assert torchrun_gathering._take(store, "here/3", 3).report == report
    # Nothing stays behind.
    assert not store.check(["here/3"])
    assert not store.check(["here/3/0"])


class Trap:
    """Unpickling it would be noticed."""

    def __reduce__(self) -> tuple[Any, ...]:
        return pytest.fail, ("something was unpickled",)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        ("one", b"{}"),
        ("0", b"{}"),
        ("99999999999", b"{}"),
        ("1", b"{"),
        ("1", b"[]"),
        ("1", b'{"place": "x"}'),
        ("1", b'{"place": "x", "report": {"format": "another"}}'),
        ("1", b"[" * 100_000),
        ("1", pickle.dumps(Trap())),
        ("1", b"\xff\xfe"),
    ],
)
def test_what_is_no_report_is_a_rank_without_one(count: str, text: bytes) -> None:
    store: Any = dist.HashStore()
    store.set("here/1/0", text)
    store.set("here/1", count)
    torchrun_gathering._leave(store, "here/2", product())
    found = collected(store, 1, 2)
    assert found[1].startswith("its report cannot be read")
    assert found[2] == "48"


def test_ranks_that_do_not_come_are_not_waited_for_for_ever() -> None:
    store = dist.HashStore()
    torchrun_gathering._leave(store, "here/2", product())
    assert collected(store, 1, 2, 3) == {
        1: "no report within 0.2 s",
        2: "48",
        3: "no report within 0.2 s",
    }


def test_a_store_that_fails_is_no_reason_to_lose_the_rest() -> None:
    class Failing:
        def check(self, keys: list[str]) -> bool:
            raise RuntimeError("connection reset")

    assert collected(Failing(), 1) == {
        1: "no report: the store of the process group failed (connection reset)"
    }


def test_a_rank_whose_store_is_gone_is_warned_and_goes_on() -> None:
    class Gone:
        def set(self, key: str, value: str) -> None:
            raise RuntimeError("broken pipe")

    with pytest.warns(RuntimeWarning, match="can no longer be reached.*broken pipe"):
        torchrun_gathering._leave(Gone(), "here/1", product())


# --- being told to end ---------------------------------------------------------------------------

PROGRAM = """\
import os, signal
from ipyflops.processes.torchrun_termination import deferred

with deferred() as termination:
    os.kill(os.getpid(), signal.SIGTERM)
    while not termination.requested:
        pass
print("written down", flush=True)
"""


def test_a_request_to_end_waits_for_the_block_and_is_obeyed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout == "written down\n"
    assert done.returncode == -signal.SIGTERM


def test_a_handler_of_the_users_stays() -> None:
    heard = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        handler = signal.getsignal(signal.SIGTERM)
        with deferred() as termination:
            assert signal.getsignal(signal.SIGTERM) is handler
            signal.raise_signal(signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        assert not termination.requested
    finally:
        signal.signal(signal.SIGTERM, before)


def test_in_another_thread_nothing_is_handled() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with deferred():
                pass
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert errors == []


def test_groups_count_their_gatherings_apart() -> None:
    state = torchrun_gathering.GatheringState()
    assert [state.next_prefix(group) for group in ("all", "all", "0-1")] == [
        "ipyflops/all/1",
        "ipyflops/all/2",
        "ipyflops/0-1/1",
    ]
    state.reset()
    assert state.next_prefix("all") == "ipyflops/all/1"
