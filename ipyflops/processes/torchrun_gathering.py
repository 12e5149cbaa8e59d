"""Brings the reports of several ranks together, over the store of ``torch.distributed``.

The store is a table of names and texts. Torchrun, or rank 0, provides it, so that the ranks can
find each other. Every rank can read and write it, with any backend, and also while other ranks hang
in a collective. So a rank leaves its report there and goes on. The first rank waits for all reports
until the timeout. Reports travel as JSON, so reading one cannot execute anything.
"""

from __future__ import annotations

import json
import os
import socket
import time
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

import torch.distributed as dist

from ipyflops.processes.torchrun_termination import Termination, deferred
from ipyflops.report import MAX_FILE_BYTES, Rank, Report, ReportFormatError, merge_ranks
from ipyflops.torch_private import default_store

#: Characters of one entry of the store; torch's TCP store takes 8 MiB at most.
PIECE_LENGTH = 1 << 20
#: Seconds between two looks at the store.
POLL_INTERVAL = 0.02


class GatheringState:
    """How often each group has gathered in this process.

    All ranks of a group gather equally often, so they agree on this number without a message.
    """

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    def next_prefix(self, group: str) -> str:
        """Give the prefix of the store's names for the next gathering of a group."""
        self._times[group] += 1
        return f"ipyflops/{group}/{self._times[group]}"

    def reset(self) -> None:
        """Count from the start again, as in a new process."""
        self._times.clear()


GATHERINGS = GatheringState()


def gather(report: Report, group: Any = None, *, timeout: float = 60.0) -> Report | None:
    """Bring the reports of a job's ranks together; `Report.gather` explains it."""
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError(
            "torch.distributed is not initialized: call torch.distributed.init_process_group() "
            "first, or merge saved reports with Report.merge"
        )
    members = dist.get_process_group_ranks(group if group is not None else dist.group.WORLD)
    own = dist.get_rank()
    if own not in members:
        raise RuntimeError(f"rank {own} is not of the group that gathers")
    store: Any = default_store()
    name = "-".join(map(str, members)) if len(members) < dist.get_world_size() else "all"
    prefix = GATHERINGS.next_prefix(name)
    if own != members[0]:
        _leave(store, f"{prefix}/{own}", report)
        return None
    with deferred() as termination:
        others = _collect(store, prefix, members[1:], timeout, termination)
        return merge_ranks([Rank(own, report, place=_place()), *others])


# --- one rank's report --------------------------------------------------------------------------


def _leave(store: Any, key: str, report: Report) -> None:
    """Put a report into the store, the number of its pieces last."""
    text = json.dumps({"place": _place(), "report": report.to_dict()}, separators=(",", ":"))
    pieces = [text[start : start + PIECE_LENGTH] for start in range(0, len(text), PIECE_LENGTH)]
    try:
        for index, piece in enumerate(pieces):
            store.set(f"{key}/{index}", piece)
        store.set(key, str(len(pieces)))
    except RuntimeError as error:
        warnings.warn(
            f"the first rank can no longer be reached, so it does not get this report: {error}",
            RuntimeWarning,
            stacklevel=5,
        )


def _take(store: Any, key: str, number: int) -> Rank[Report]:
    """Read what `_leave` put there; if it cannot be read, the rank has no report."""
    try:
        count = int(store.get(key))
        if not 0 < count <= MAX_FILE_BYTES // PIECE_LENGTH:
            raise ReportFormatError(f"it says that it has {count} pieces")
        text = b"".join(store.get(f"{key}/{index}") for index in range(count))
        for name in (key, *(f"{key}/{index}" for index in range(count))):
            with suppress(RuntimeError, NotImplementedError):
                store.delete_key(name)
        data = json.loads(text)
        return Rank(number, Report.from_dict(data["report"]), place=str(data["place"])[:200])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Rank(number, None, f"its report cannot be read: {error}")


def _place() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


# --- all of them --------------------------------------------------------------------------------


def _collect(
    store: Any, prefix: str, numbers: Iterable[int], timeout: float, termination: Termination
) -> Iterator[Rank[Report]]:
    """Wait for the others' reports until the timeout."""
    waiting = set(numbers)
    end = time.monotonic() + timeout
    problem = ""
    while waiting and not problem:
        # This comes before the last look at the store, so that all reports left by then are taken.
        if termination.requested:
            problem = "no report before this process was told to end (SIGTERM)"
        elif time.monotonic() >= end:
            problem = f"no report within {timeout:g} s"
        try:
            arrived = [number for number in sorted(waiting) if store.check([f"{prefix}/{number}"])]
            for number in arrived:
                yield _take(store, f"{prefix}/{number}", number)
        except RuntimeError as error:
            problem = f"no report: the store of the process group failed ({error})"
            arrived = []
        waiting.difference_update(arrived)
        if waiting and not arrived and not problem:
            time.sleep(POLL_INTERVAL)
    for number in sorted(waiting):
        yield Rank(number, None, problem)
