"""The lines of source code as Python numbers them and as users have typed them.

Python begins a new line at a newline and nowhere else. `str.splitlines`, with which IPython keeps
the source of its cells, also does at form feeds and Unicode's separators, and all lines behind one
have moved then. What IPython compiles is not what was typed: ``%time f(x)`` is a call there.
"""

from __future__ import annotations

import linecache
import re
from tokenize import ENDMARKER, NEWLINE, STRING, TokenError, generate_tokens
from typing import Any

from ipyflops.cells import old_ipython
from ipyflops.cells.code_files import readable_name
from ipyflops.cells.shell import part_of, running_shell

#: So often is asked again where another thread has emptied the cache.
ATTEMPTS = 3
_CELL = re.compile(r"In\[(\d+)\]")
_CALL = re.compile(
    r"(?P<head>\s*(?:[\w.,\[\]* ]+ = )?)get_ipython\(\)\."
    r"(?P<method>run_line_magic|run_cell_magic|system|getoutput)\((?P<arguments>.*)\)\s*"
)


def lines_of(text: str) -> list[str]:
    """Split source code into its lines; the newlines are left out."""
    lines = re.split(r"\r\n|\r|\n", text)
    return lines if lines[-1] else lines[:-1]


def keep_lines(filename: str, text: str) -> None:
    """Keep the source of compiled code where tracebacks look for it."""
    linecache.cache[filename] = (
        len(text), None, [f"{line}\n" for line in lines_of(text)], filename,
    )  # fmt: skip
    old_ipython.keep_source(filename)


def source_lines(filename: str) -> list[str]:
    """Give the lines of a file or of a cell; none if there is no source.

    Parameters
    ----------
    filename : str
        As in code objects.
    """
    kept = [line.rstrip("\r\n") for line in _cached_lines(filename)]
    cell = _CELL.fullmatch(readable_name(filename))
    if cell is None:
        return kept
    return [as_typed(line) for line in _lines_of_cell(int(cell[1]), kept)]


def _cached_lines(filename: str) -> list[str]:
    """The lines of a file from Python's cache of them; none if that fails in any way."""
    for _ in range(ATTEMPTS):
        try:
            return linecache.getlines(filename)
        except (KeyError, IndexError):
            continue  # another thread has emptied the cache meanwhile, as each traceback does
        except Exception:
            break  # a name that no file can have, a loader that fails
    return []


def _lines_of_cell(number: int, kept: list[str]) -> list[str]:
    """The lines of a cell, from IPython's history if it has taken them apart elsewhere."""
    history: Any = part_of(running_shell(), "history_manager.input_hist_parsed") or ()
    text = history[number] if number < len(history) else ""
    # Another shell's cells have the same numbers.
    return lines_of(text) if text and text.splitlines() == kept else kept


def as_typed(line: str) -> str:
    """Give a line of a cell with the magic or the command that IPython has made a call of."""
    call = _CALL.fullmatch(line)
    if call is None:
        return line
    arguments = _strings(call["arguments"])
    if not arguments:
        return line
    head, method = call["head"], call["method"]
    if method == "run_line_magic":
        name, rest = arguments[:2]
        return f"{head}%{name} {rest}".rstrip()
    if method == "run_cell_magic":
        name, rest = arguments[:2]
        return f"{head}%%{name} {rest}".rstrip()
    once = method == "system" or head.strip()
    return f"{head}{'!' if once else '!!'}{arguments[0]}"


def _strings(arguments: str) -> list[str]:
    """The values of arguments that are strings, as IPython writes them; none if one is not."""
    values: list[str] = []
    try:
        for token in generate_tokens(iter([arguments]).__next__):
            if token.type == STRING and token.string[0] in "'\"":
                values.append(eval(token.string))  # a plain string: nothing runs
            elif token.string != "," and token.type not in {NEWLINE, ENDMARKER}:
                return []
    except (SyntaxError, TokenError):
        return []
    return values
