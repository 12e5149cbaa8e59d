"""What IPython 7 lacks, which Google Colab has (7.34); without it, this file can be deleted.

Example: ``shell.compile.format_code_name(filename)`` of IPython 8 says which cell a file of code
is. IPython 7 has no such method: there the number of the cell is read from the name of the file, or
found in the history, as ipykernel names files after a hash of what was typed.
"""

from __future__ import annotations

import io
import linecache
import re
import tokenize
from typing import Any
from weakref import WeakKeyDictionary

from ipyflops.cells.shell import part_of

#: The package through which IPython 7 calls a magic: its frame is no caller's.
WRAPPER_OF_MAGICS = "decorator"
#: What IPython 7 calls the code of a cell in a terminal.
_NAMED = re.compile(r"<ipython-input-(\d+)-[0-9a-f]+>")
#: Tokens behind the last one that counts.
_NO_CODE = (tokenize.ENDMARKER, tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT)


class CellNumbers:
    """The numbers of the cells whose code a kernel's compiler has named by a hash."""

    def __init__(self) -> None:
        #: By file: what a magic has compiled.
        self._noted: dict[str, int] = {}
        #: By file: the last cell of the history with that code, as far as it has been read.
        self._typed: dict[str, int] = {}
        self._read = 1

    def note(self, filename: str, number: int) -> None:
        """Note the cell whose code a magic has compiled."""
        self._noted[filename] = number

    def number(self, shell: Any, filename: str) -> int | None:
        """Give the number of the cell; None if it is not known."""
        cells = shell.history_manager.input_hist_raw
        if len(cells) < self._read:  # %reset begins a new history
            self._typed, self._noted, self._read = {}, {}, 1
        for number in range(self._read, len(cells)):
            # The history leaves newlines at the end out, and the hash does not.
            for raw in (cells[number], f"{cells[number]}\n"):
                self._typed[shell.compile.get_code_name(raw, raw, number)] = number
        self._read = len(cells)
        return self._typed.get(filename, self._noted.get(filename))


#: By the compiler of a shell.
NUMBERS: WeakKeyDictionary[Any, CellNumbers] = WeakKeyDictionary()


def format_code_name(shell: Any, filename: str) -> tuple[str, str] | None:
    """Give what IPython 8's compiler gives: ("Cell", "In[5]"); None for what is no cell."""
    named = _NAMED.fullmatch(filename)
    if named is not None:
        return "Cell", f"In[{named[1]}]"
    needed = ("compile.get_code_name", "history_manager.input_hist_raw")
    if filename not in _sources() or any(part_of(shell, one) is None for one in needed):
        return None
    number = NUMBERS.setdefault(shell.compile, CellNumbers()).number(shell, filename)
    return None if number is None else ("Cell", f"In[{number}]")


def note_code_name(shell: Any, filename: str, number: int) -> None:
    """Note which cell a magic has compiled, where IPython's compiler does not."""
    if not hasattr(shell.compile, "format_code_name"):
        NUMBERS.setdefault(shell.compile, CellNumbers()).note(filename, number)


def keep_source(filename: str) -> None:
    """Keep what `linecache` has of a cell: IPython 7 puts its own back before each traceback."""
    sources = _sources()
    if filename in sources:
        sources[filename] = linecache.cache[filename]


def ends_with_semicolon(code: str) -> bool:
    """Whether the last token is a semicolon, as IPython 8's display hook says."""
    tokens = [
        token
        for token in tokenize.generate_tokens(io.StringIO(code).readline)
        if token.type not in _NO_CODE
    ]
    return bool(tokens) and tokens[-1].string == ";"


def without_chain(shell: Any, error: BaseException) -> BaseException:
    """Give an error that IPython 7 can show alone; it fails at the errors behind one."""
    if not hasattr(shell.compile, "format_code_name"):
        error.__cause__ = None  # and so nothing of the context is shown
    return error


def _sources() -> dict[str, Any]:
    """IPython 7's own table of the code of its cells; empty in newer releases."""
    sources: dict[str, Any] = getattr(linecache, "_ipython_cache", {})
    return sources
