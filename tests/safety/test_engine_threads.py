"""The threads of the autograd engine, where no Python frame called the operator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ipyflops import FlopCounter
from ipyflops.attribution import THREAD, Token
from ipyflops.counting.threads import UNNOTICED

linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not name threads")
SCRIPT = Path(__file__).with_name("accelerator.py")
ROOT = SCRIPT.parents[2]
#: A product of a (2, 4) by a (4, 4) matrix.
PRODUCT = 2 * 2 * 4 * 4


def run(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-W", "error", SCRIPT, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def counted() -> Any:
    return run()


def test_the_backward_pass_runs_in_another_thread(counted: Any) -> None:
    assert counted["other_threads"] == 1


def test_its_operators_belong_to_the_modules_whose_forward_made_them(counted: Any) -> None:
    plain = counted["plain"]
    # The input of the first layer needs no gradient.
    assert plain["modules"] == {"first": 2 * PRODUCT, "second": 3 * PRODUCT}
    phases = {"forward": 2 * PRODUCT, "backward": 3 * PRODUCT, "recompute": 0, "optimizer": 0}
    assert plain["phases"] == phases
    assert plain["notes"] == []


@linux
def test_those_that_begin_and_have_nothing_to_do_are_not_named() -> None:
    assert run("cpu") == [UNNOTICED]


def test_they_are_on_the_line_that_the_thread_works_for(counted: Any) -> None:
    plain = counted["plain"]
    assert plain["lines"][str(plain["backward_line"])] == 3 * PRODUCT
    assert sum(plain["lines"].values()) == 5 * PRODUCT


@pytest.mark.parametrize("form", ["reentrant", "not reentrant"])
def test_what_is_recomputed_there_is_recomputed_and_not_backward(counted: Any, form: str) -> None:
    assert counted[form]["modules"] == {"first": 2 * PRODUCT, "second": 4 * PRODUCT}
    assert counted[form]["phases"] == {**counted["plain"]["phases"], "recompute": PRODUCT}


def test_no_time_is_shown_where_kernels_cannot_be_timed(counted: Any) -> None:
    """The call returns before the kernel has run, on every accelerator but this one."""
    timed = counted["timed"]
    assert set(timed["seconds"]) == {0}
    assert timed["device"] == "numpy_device:0"
    (note,) = timed["notes"]
    assert note.startswith("kernels on numpy_device cannot be timed one by one, so no kernel time")
    assert "the block took" in note


@pytest.mark.parametrize("way", ["plain", "traced"])
def test_a_thread_of_the_engine_is_no_thread_that_left_it_its_identifier(
    counted: Any, way: str
) -> None:
    found = (counted if way == "plain" else run("traced"))["after threads"]
    assert found["recycled"], "the engine's thread got an identifier of its own: nothing was tested"
    assert found["modules"] == {"first": 2 * PRODUCT, "second": 3 * PRODUCT}
    # Three threads have multiplied two 2x2 matrices each.
    assert found["phases"]["forward"] == 2 * PRODUCT + 3 * 2 * 2 * 2 * 2
    assert found["phases"]["backward"] == 3 * PRODUCT
    assert found["notes"] == []


def test_a_token_gives_no_frame_of_the_thread_that_has_its_identifier_next() -> None:
    tokens: list[tuple[Token, int]] = []
    for _ in range(2):
        thread = threading.Thread(
            target=lambda: tokens.append((THREAD.token, threading.get_ident()))
        )
        thread.start()
        thread.join()
    first, second = tokens
    assert first[0] is not second[0]
    going_on = threading.Event()
    waiting: list[threading.Thread] = []
    try:
        # Other threads of the process may take the identifiers before.
        while not {thread.ident for thread in waiting} & {first[1], second[1]}:
            assert len(waiting) < 200, "no identifier came back: nothing was tested"
            waiting.append(threading.Thread(target=going_on.wait))
            waiting[-1].start()
        assert first[0].frame() is second[0].frame() is None
        assert THREAD.token.frame() is not None
    finally:
        going_on.set()
        for thread in waiting:
            thread.join()


#: Where the identifier of a thread may be asked for, and why it does not outlive the thread there.
ASKS_FOR_IDENTIFIERS = {
    "attribution/sequence.py": "of threads of the autograd engine, which never end",
    "attribution/this_thread.py": "of the thread that a token stands for, as long as it lives",
    "counting/blocks.py": "taken out of those of threads that run",
    "counting/threads.py": "compared with those of threads that run",
    "magics/muting.py": "in a with statement, which the thread does not outlive",
}


def test_nothing_else_is_kept_under_the_identifier_of_a_thread() -> None:
    found = {
        str(path.relative_to(ROOT / "ipyflops"))
        for path in (ROOT / "ipyflops").rglob("*.py")
        if "get_ident" in path.read_text(encoding="utf-8")
    }
    assert found == set(ASKS_FOR_IDENTIFIERS)


class Nested(nn.Module):
    """A layer around a checkpointed layer around a checkpointed layer…"""

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4, bias=False)
        self.inner = Nested(levels - 1) if levels > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.linear(x)
        if self.inner is not None:
            x = checkpoint(self.inner, x, use_reentrant=True)
        return x.tanh()


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad:UserWarning")
@pytest.mark.parametrize("levels", [3, 70])
def test_each_level_of_nested_checkpoints_is_counted_where_it_is(levels: int) -> None:
    """From 60 backward passes inside each other on, the engine goes on in another thread."""
    model = Nested(levels)
    x = torch.randn(2, 4, requires_grad=True)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        with FlopCounter("contractions", device_time=False) as counter:
            model(x).sum().backward()
    finally:
        sys.setrecursionlimit(limit)
    for depth in range(levels):
        linear = counter.report.find(".".join(["model", *["inner"] * depth, "linear"]))
        # Forward, once more for each checkpoint around it, and two products backward.
        assert linear.flops == (1 + depth + 2) * PRODUCT
