"""Finds the source code that a report shows: the counted code, and methods of modules.

Sources are read where Python keeps them for tracebacks. Long sources are cut, so that
a report carries no more than a reader will look at. Where the lines of methods are followed,
`FollowedLines` adds up what ran on each.
"""

from __future__ import annotations

import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from tokenize import COMMENT, DEDENT, ENDMARKER, INDENT, NEWLINE, NL, TokenError, generate_tokens
from types import CodeType, FrameType

from ipyflops.attribution import MethodLine
from ipyflops.cells import readable_name, source_lines
from ipyflops.report import Excerpt, LineCount, Phase, Source

#: A source of up to so many lines is shown whole; of a longer one, the functions that ran.
MAX_WHOLE = 300
#: The most lines of one function, and the most methods, that are shown.
MAX_LINES = 300
MAX_METHODS = 200
#: Lines of context around what ran, where nothing tells where a statement begins and ends.
CONTEXT = 3
#: The line of a magic in the compiled cell, where it is a comment; see `ipyflops.cells.origin`.
_MAGIC = re.compile(r"# (?=%%?\w)")
_DEF = "def"
#: With these words a statement goes on.
_GOES_ON = frozenset({"elif", "else", "except", "finally"})


def source_of(frame: FrameType) -> Source:
    """Return the file that a frame runs."""
    filename = frame.f_code.co_filename
    return Source(filename, readable_name(filename))


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
    text = source_lines(filename)
    ran = sorted({number for number in numbers if 0 < number <= len(text)})
    if not ran:
        return []
    if len(text) <= MAX_WHOLE:
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
    blocks = _blocks(text)
    spans: list[tuple[int, int]] = []
    for number in ran:
        if spans and number <= spans[-1][1]:
            continue
        around = [(first, last) for first, last in blocks if first <= number <= last]
        # The innermost begins last.
        first, last = max(around, default=(number, number))
        if last - first >= MAX_LINES:
            first, last = max(first, number - CONTEXT), min(last, number + MAX_LINES)
        if not around:
            first, last = max(1, number - CONTEXT), min(len(text), number + CONTEXT)
        if spans and first <= spans[-1][1]:
            first = spans.pop()[0]
        spans.append((first, last))
    return spans


def _blocks(text: Sequence[str]) -> list[tuple[int, int]]:
    """First and last line of all functions, and of the file's other statements but classes."""
    blocks: list[tuple[int, int]] = []
    # The functions and the statement that have begun: how deep they stand, and their first line.
    functions: list[tuple[int, int]] = []
    statement = 0
    last = 0
    try:
        for depth, words, first, line_end in (*_logical_lines(text), (0, ("", ""), 0, 0)):
            while functions and functions[-1][0] >= depth:
                blocks.append((functions.pop()[1], last))
            if not depth and words[0] not in _GOES_ON:
                if statement:
                    blocks.append((statement, last))
                statement = 0 if words[0] in {"@", "class"} or _DEF in words else first
            if words[0] == _DEF or words == ("async", _DEF):
                functions.append((depth, first))
            last = line_end
    except (SyntaxError, TokenError):
        return []
    return blocks


def _logical_lines(text: Sequence[str]) -> Iterator[tuple[int, tuple[str, str], int, int]]:
    """The lines that each hold a statement: how deep, their first two words, first and last line.

    From Python's tokens. A syntax tree would tell more than is needed. To make one, Python counts
    up to 3.11 for all threads together, so that code of the user's would fail which makes one at
    the same time; and it would warn again of what stands in the code.
    """
    depth = 0
    words: list[str] = []
    first = 0
    for token in generate_tokens((f"{line}\n" for line in text).__next__):
        if token.type in {INDENT, DEDENT}:
            depth += 1 if token.type == INDENT else -1
        elif token.type == NEWLINE:
            begin, then, *_ = (*words, "", "")
            yield depth, (begin, then), first, token.start[0]
            words = []
        elif token.type not in {NL, COMMENT, ENDMARKER} and len(words) < 2:
            first = first if words else token.start[0]
            words.append(token.string)


class FollowedLines:
    """Sums by method and line; an operator counts once on each line that led to it."""

    def __init__(self) -> None:
        self._sums: dict[CodeType, dict[tuple[int, Phase, int], list[int]]] = defaultdict(dict)
        #: Where the signature stands for calls that differ, each count stands alone.
        self._apart: dict[CodeType, list[LineCount]] = defaultdict(list)

    def add(
        self,
        method_line: MethodLine,
        phase: Phase,
        signature: int,
        summed: bool,
        calls: int,
        nanoseconds: int,
    ) -> None:
        """Add what ran on a line of a method, to that line and to those that led there.

        Parameters
        ----------
        method_line : MethodLine
        phase : {"forward", "backward", "recompute", "optimizer"}
        signature : int
            Its index in the report.
        summed : bool
            Whether the signature stands for all calls together.
        calls, nanoseconds : int
        """
        for one in method_line.chain():
            # The methods in the order in which they were met.
            sums = self._sums[one.code]
            if summed:
                apart = LineCount(one.number, phase, signature, calls, nanoseconds)
                self._apart[one.code].append(apart)
                continue
            known = sums.setdefault((one.number, phase, signature), [0, 0])
            known[0] += calls
            known[1] += nanoseconds

    def counts(self) -> Mapping[CodeType, list[LineCount]]:
        """Return the sums of each method."""
        return {
            code: [
                *(LineCount(*key, calls, time) for key, (calls, time) in sums.items()),
                *self._apart.get(code, ()),
            ]
            for code, sums in self._sums.items()
        }


def methods(counts: Mapping[CodeType, Sequence[LineCount]]) -> list[Excerpt]:
    """The methods whose lines were followed, with what ran on them.

    Parameters
    ----------
    counts : mapping of code to sequence of LineCount
    """
    excerpts = []
    for code, line_counts in list(counts.items())[:MAX_METHODS]:
        if code.co_name == "<module>":  # a file as a whole, which %run has run
            excerpts += _file(code, line_counts)
            continue
        first = code.co_firstlineno
        lines = _function_at(source_lines(code.co_filename), first)
        last = first + len(lines)
        excerpts.append(
            Excerpt(
                readable_name(code.co_filename),
                getattr(code, "co_qualname", code.co_name),
                first,
                tuple(lines),
                tuple(one for one in line_counts if first <= one.number < last),
            )
        )
    # In the order in which they are read.
    return sorted((one for one in excerpts if one.counts), key=lambda one: (one.file, one.first))


def _file(code: CodeType, counts: Sequence[LineCount]) -> list[Excerpt]:
    """A file that ran as a whole, with what ran on its lines."""
    filename = code.co_filename
    parts = counted_code(filename, readable_name(filename), (one.number for one in counts))
    return [
        replace(
            part,
            name="script",
            counts=tuple(one for one in counts if 0 <= one.number - part.first < len(part.lines)),
        )
        for part in parts
    ]


def _function_at(text: Sequence[str], first: int) -> list[str]:
    """The lines of the function that begins at a line, without the indentation they share."""
    try:
        block = inspect.getblock([f"{line}\n" for line in text[first - 1 : first - 1 + MAX_LINES]])
    except Exception:  # it is no function, or no Python
        block = []
    return [line.rstrip("\r\n") for line in block]
