"""Brings the reports of several ranks together, over the store of ``torch.distributed``.

The store is what the ranks met at (torchrun's, or rank 0's): a table of names and texts that every
one of them can read and write, whatever the backend, and also while others hang in a collective. So
a rank leaves its report there and goes on; the first waits for them all, and after a while for no
more of them. Reports travel as JSON: nothing that is read can execute anything.
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

from ipyflops.processes.termination import deferred
from ipyflops.report.merging import merge_ranks
from ipyflops.report.report import Report
from ipyflops.report.run import Rank
from ipyflops.report.serialization.reading import ReportFormatError
from ipyflops.report.serialization.reports import MAX_FILE_BYTES
from ipyflops.torch_private import default_store

#: Characters of one entry of the store; torch's TCP store takes 8 MiB at most.
PIECE = 1 << 20
#: Seconds between two looks at the store.
PAUSE = 0.02

#: How often each group has gathered in this process: the ranks agree on it without talking.
_gathered: Counter[str] = Counter()


def gather(report: Report, group: Any = None, *, timeout: float = 60.0) -> Report | None:
    """Do what `Report.gather` says."""
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
    _gathered[name] += 1
    prefix = f"ipyflops/{name}/{_gathered[name]}"
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
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    try:
        for index, piece in enumerate(pieces):
            store.set(f"{key}/{index}", piece)
        store.set(key, str(len(pieces)))
    except RuntimeError as error:
        warnings.warn(
            f"the first rank can no longer be reached, so it does not get this report: {error}",
            RuntimeWarning,
            stacklevel=4,
        )


def _take(store: Any, key: str, number: int) -> Rank[Report]:
    """Read what `_leave` put there; what cannot be read is a rank without a report."""
    try:
        count = int(store.get(key))
        if not 0 < count <= MAX_FILE_BYTES // PIECE:
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
    store: Any, prefix: str, numbers: Iterable[int], timeout: float, termination: Any
) -> Iterator[Rank[Report]]:
    """Wait for the others' reports, but not for ever."""
    waiting = set(numbers)
    end = time.monotonic() + timeout
    problem = ""
    while waiting and not problem:
        # Looked at before the last look at the store, so that what is there by then is taken.
        if termination.requested:
            problem = "no report before this process was told to end (SIGTERM)"
        elif time.monotonic() >= end:
            problem = f"no report within {timeout:g} s"
        try:
            there = [number for number in sorted(waiting) if store.check([f"{prefix}/{number}"])]
            for number in there:
                yield _take(store, f"{prefix}/{number}", number)
        except RuntimeError as error:
            problem = f"no report: the store of the process group failed ({error})"
            there = []
        waiting.difference_update(there)
        if waiting and not there and not problem:
            time.sleep(PAUSE)
    for number in sorted(waiting):
        yield Rank(number, None, problem)
