"""Finds the source code that a report shows: the counted code, and methods of modules.

Sources are read where Python keeps them for tracebacks (`linecache`). What is long is cut: a report
carries what a reader will look at, and no more.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
from collections.abc import Iterable, Mapping, Sequence
from types import CodeType
from typing import Any

from ipyflops.cells import readable_name
from ipyflops.report.excerpts import Excerpt, LineCount

#: A source of so many lines is shown whole; of a longer one, the functions that ran.
WHOLE = 300
#: So much of one function, and so much of all methods together.
MOST_LINES = 300
MOST_METHODS = 200
#: Lines of context around what ran, where nothing tells where a statement begins and ends.
CONTEXT = 3
#: The line of a magic in the compiled cell, where it is a comment; see `ipyflops.cells.origin`.
_MAGIC = re.compile(r"# (?=%%?\w)")


def counted_code(filename: str, label: str, numbers: Iterable[int]) -> list[Excerpt]:
    """The counted code itself: all of a cell or short file, the parts that ran of a longer one.

    Parameters
    ----------
    filename : str
        As in its code objects.
    label : str
        What the report calls it.
    numbers : iterable of int
        The lines that ran operators.
    """
    text = [line.rstrip("\r\n") for line in linecache.getlines(filename)]
    ran = sorted({number for number in numbers if 0 < number <= len(text)})
    if not ran:
        return []
    if len(text) <= WHOLE:
        filled = [index for index, line in enumerate(text) if line.strip()]
        first, last = filled[0], filled[-1]
        lines = [_MAGIC.sub("", text[first], count=1), *text[first + 1 : last + 1]]
        return [Excerpt(label, "", first + 1, tuple(lines))]
    return [
        Excerpt(label, "", first, tuple(text[first - 1 : last]))
        for first, last in _spans(text, ran)
    ]


def _spans(text: Sequence[str], ran: Iterable[int]) -> list[tuple[int, int]]:
    """First and last line of the functions around lines, or of the statements of the file."""
    parts = _parts(text)
    spans: list[tuple[int, int]] = []
    for number in ran:
        if spans and number <= spans[-1][1]:
            continue
        around = [(first, last) for first, last in parts if first <= number <= last]
        # The innermost begins last.
        first, last = max(around, default=(number, number))
        if last - first >= MOST_LINES:
            first, last = max(first, number - CONTEXT), min(last, number + MOST_LINES)
        if not around:
            first, last = max(1, number - CONTEXT), min(len(text), number + CONTEXT)
        if spans and first <= spans[-1][1]:
            first = spans.pop()[0]
        spans.append((first, last))
    return spans


def _parts(text: Sequence[str]) -> list[tuple[int, int]]:
    """Lines of all functions, and of the statements of the file that are none and no class."""
    try:
        module = ast.parse("\n".join(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found: list[Any] = [node for node in ast.walk(module) if isinstance(node, functions)]
    found += [node for node in module.body if not isinstance(node, (*functions, ast.ClassDef))]
    return [(node.lineno, node.end_lineno or node.lineno) for node in found]


def methods(counts: Mapping[CodeType, Sequence[LineCount]]) -> list[Excerpt]:
    """The methods whose lines were followed, with what ran on them.

    Parameters
    ----------
    counts : mapping of code to sequence of LineCount
    """
    excerpts = []
    for code, found in list(counts.items())[:MOST_METHODS]:
        first = code.co_firstlineno
        lines = _block(linecache.getlines(code.co_filename), first)
        last = first + len(lines)
        excerpts.append(
            Excerpt(
                readable_name(code.co_filename),
                getattr(code, "co_qualname", code.co_name),
                first,
                tuple(lines),
                tuple(one for one in found if first <= one.number < last),
            )
        )
    # In the order in which they are read.
    return sorted((one for one in excerpts if one.counts), key=lambda one: (one.file, one.first))


def _block(text: Sequence[str], first: int) -> list[str]:
    """The lines of the function that begins at a line, without the indentation they share."""
    try:
        block = inspect.getblock(list(text[first - 1 : first - 1 + MOST_LINES]))
    except (SyntaxError, IndentationError):
        block = []
    return [line.rstrip("\r\n") for line in block]
