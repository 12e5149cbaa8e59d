"""Threads that run wherever garbage is collected, which up to Python 3.11 may be anywhere."""

from __future__ import annotations

import ast
import gc
import linecache
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

from ipyflops.attribution.this_thread import frames_of_threads
from ipyflops.cells.garbage import uncollected
from ipyflops.cells.source_lines import source_lines
from ipyflops.counting import FlopCounter
from ipyflops.counting.source_code import MAX_WHOLE, counted_code


class Garbage:
    """A circle, so that only the garbage collector ends it; with a finalizer in Python."""

    def __init__(self) -> None:
        self.circle = self

    def __del__(self) -> None:
        for _ in range(20):
            pass


@pytest.fixture
def hurry() -> Iterator[None]:
    """Threads that change places wherever they may, and garbage that is collected often."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(1e-6)
    gc.set_threshold(50)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)


def in_threads(function: Callable[[], Any], seconds: float = 0.5, threads: int = 6) -> list[Any]:
    """What a function gives that many threads call again and again, or the errors."""
    end = time.monotonic() + seconds

    def work(_: int) -> list[Any]:
        found = []
        while time.monotonic() < end:
            for _ in range(20):
                Garbage()
            try:
                found.append(function())
            except BaseException as error:
                found.append(error)
        return found

    with ThreadPoolExecutor(threads) as pool:
        return [one for found in pool.map(work, range(threads)) for one in found]


@pytest.fixture
def long_file(tmp_path: Path) -> str:
    path = tmp_path / "long.py"
    functions = (f"def f{index}(x):\n    return (x + {index}) * 2 - x\n" for index in range(150))
    path.write_text("\n".join(functions))
    return str(path)


@pytest.mark.usefixtures("hurry")
def test_reports_that_many_threads_make_at_once_all_show_their_source(long_file: str) -> None:
    assert len(source_lines(long_file)) > MAX_WHOLE
    # The functions of three lines that the fourth and the 301st line stand in.
    found = in_threads(lambda: counted_code(long_file, "long.py", [5, 302]))
    assert {str(one) for one in found} == {str(found[0])}
    assert [(one.first, len(one.lines)) for one in found[0]] == [(4, 2), (301, 2)]


@pytest.mark.usefixtures("hurry")
def test_the_users_own_threads_parse_undisturbed_by_ours(long_file: str) -> None:
    """That one thread of the user's parses is no mistake; two would disturb each other."""
    text = Path(long_file).read_text()
    errors = []

    def users() -> None:
        while not done.is_set():
            try:
                ast.parse(text)
            except SystemError as error:
                errors.append(error)

    done = threading.Event()
    thread = threading.Thread(target=users)
    thread.start()
    found = in_threads(lambda: len(counted_code(long_file, "long.py", [5, 302])), threads=3)
    done.set()
    thread.join()
    assert set(found) == {2}
    assert errors == []


@pytest.mark.usefixtures("hurry")
def test_garbage_is_collected_again_afterwards() -> None:
    in_threads(lambda: uncollected(len, ()), 0.2)
    in_threads(frames_of_threads, 0.2)
    assert gc.isenabled()
    gc.disable()
    try:
        uncollected(len, ())
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(ZeroDivisionError):
        uncollected(divmod, 1, 0)
    assert gc.isenabled()


def test_a_cache_of_lines_that_others_empty_loses_no_line(
    monkeypatch: pytest.MonkeyPatch, long_file: str
) -> None:
    """As every traceback does that another thread writes: `linecache.checkcache`."""
    plain = linecache.getlines
    waiting = [KeyError(long_file), IndexError(2)]

    def getlines(filename: str, module_globals: Any = None) -> list[str]:
        if filename == long_file and waiting:
            raise waiting.pop()
        return plain(filename, module_globals)

    monkeypatch.setattr(linecache, "getlines", getlines)
    assert source_lines(long_file)[:2] == ["def f0(x):", "    return (x + 0) * 2 - x"]
    assert not waiting


def test_a_report_of_code_whose_file_cannot_be_read_is_no_error() -> None:
    class Loader:
        def get_source(self, name: str) -> str:
            raise RuntimeError("no source")

    scope: dict[str, Any] = {
        "torch": torch,
        "FlopCounter": FlopCounter,
        "__loader__": Loader(),
        "__name__": "strange",
    }
    code = "with FlopCounter() as counter:\n    torch.ones(2) + 1"
    linecache.lazycache("strange.py", scope)
    exec(compile(code, "strange.py", "exec"), scope)
    assert scope["counter"].report.flops == 2


def test_the_source_of_a_long_file_is_found_without_a_warning(tmp_path: Path) -> None:
    """From Python 3.12 on, escapes that mean nothing are warned of wherever they are parsed."""
    path = tmp_path / "escapes.py"
    text = [
        'A = "\\d \\N{EM DASH} \\\\" + f"\\N{BULLET}{1}" + r"\\\\"',
        "B = ('\\'', \"\\\"\", b'\\xff\\8', '''\\",
        "\\q''')",
        *["# nothing"] * MAX_WHOLE,
        "def f(x):",
        "    return x",
    ]
    path.write_text("\n".join(text))
    excerpts = counted_code(str(path), "escapes.py", [3, len(text)])
    assert [(one.first, len(one.lines)) for one in excerpts] == [(2, 2), (len(text) - 1, 2)]
