"""What one thread prints and shows is dropped, and nothing else changes."""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.display import clear_output, display

from ipyflops.magics.muting import Gate, Muted
from tests.shells import fresh_shell


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell() as shell:
        yield shell


@contextlib.contextmanager
def own_streams() -> Iterator[tuple[Any, Any]]:
    """Streams of this process that nobody else writes to; pytest sets its own for each test."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        yield out, err


def elsewhere(work: Callable[[], object]) -> None:
    """Do something in another thread."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_what_this_thread_prints_and_shows_is_dropped(shell: InteractiveShell) -> None:
    with own_streams() as (out, err):
        publisher, hook = shell.display_pub, sys.displayhook
        with Muted(shell):
            assert (sys.stdout, sys.stderr, shell.display_pub, sys.displayhook) == (
                out, err, publisher, hook,
            )  # fmt: skip
            print("printed")
            print("printed", file=sys.stderr)
            assert sys.stdout.write("four") == 4
            sys.stdout.writelines(["a", "b"])
            display("shown")
            clear_output()
            shell.run_cell("1 + 1")
            elsewhere(lambda: print("of another thread"))
            elsewhere(lambda: display("shown by another"))
        assert out.getvalue() == "of another thread\n'shown by another'\n"
        assert err.getvalue() == ""
        print("after")
        display("shown after")
        assert out.getvalue().endswith("after\n'shown after'\n")
        assert not [one for one in (out, err, publisher) if "write" in vars(one)]
        assert "publish" not in vars(publisher)


def test_who_has_kept_a_stream_or_its_method_writes_on(shell: InteractiveShell) -> None:
    with own_streams() as (out, _):
        with Muted(shell):
            handler, write = logging.StreamHandler(sys.stdout), sys.stdout.write
            handler.emit(logging.makeLogRecord({"msg": "dropped"}))
            write("dropped")
        handler.emit(logging.makeLogRecord({"msg": "kept"}))
        write("kept")
        assert out.getvalue() == "kept\nkept"


def test_a_block_within_a_block_and_two_threads_at_once(shell: InteractiveShell) -> None:
    with own_streams() as (out, _):
        inside, go = threading.Event(), threading.Event()

        def other() -> None:
            with Muted(shell):
                inside.set()
                go.wait()
                print("dropped")
            print("other")

        thread = threading.Thread(target=other)
        with Muted(shell):
            thread.start()
            inside.wait()
            with Muted(shell):
                print("dropped")
            print("dropped")
        print("this")
        go.set()
        thread.join()
        assert out.getvalue() == "this\nother\n"
        assert "write" not in vars(out)


def test_what_stood_there_before_stands_there_again(shell: InteractiveShell) -> None:
    with own_streams() as (out, _):
        # IPython 9 writes a history of outputs this way (`InteractiveShell._tee`).
        plain, seen = out.write, []

        def tee(text: str) -> int:
            seen.append(text)
            return int(plain(text))

        out.write = tee
        with Muted(shell):
            print("dropped")
        assert out.write is tee
        print("kept")
        assert "".join(seen) == out.getvalue() == "kept\n"


def test_a_method_that_is_put_back_meanwhile_is_taken_again(shell: InteractiveShell) -> None:
    with own_streams() as (out, _):
        # A cell of a subshell began before the block, and ends in it.
        before = out.write
        with Muted(shell) as muted:
            out.write = before
            muted.renew()
            print("dropped")
            out.write = before
        assert out.write is before
        assert out.getvalue() == ""


def test_who_stands_in_front_meanwhile_stays_there(shell: InteractiveShell) -> None:
    with own_streams() as (out, _):
        with Muted(shell):
            gate = out.write
            assert isinstance(gate, Gate)
            out.write = in_front = lambda text: gate(f"<{text}>")
            print("dropped", end="")
        assert out.write is in_front
        print("kept", end="")
        assert out.getvalue().startswith("<kept>")


def test_a_stream_that_takes_no_attributes_writes_on(shell: InteractiveShell) -> None:
    class Slotted:
        __slots__ = ("texts",)

        def __init__(self) -> None:
            self.texts: list[str] = []

        def write(self, text: str) -> int:
            self.texts.append(text)
            return len(text)

    stream: Any = Slotted()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(None), Muted(shell):
        print("seen")
    assert stream.texts == ["seen", "\n"]


def test_the_models_of_widgets_are_noted(shell: InteractiveShell) -> None:
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "abc"}, "text/plain": "W"}
    with Muted(shell) as muted:
        shell.display_pub.publish(view)
        shell.display_pub.publish(data={"text/plain": "no widget"})
        display({"text/plain": "raw"}, raw=True)
    assert muted.widgets == ["abc"]
