"""Text that the standard output can show: one that knows ASCII alone gets no ``·`` and no ``█``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

Class = TypeVar("Class", bound=type)
#: What stands for a character where it cannot be shown; of the same width where tables hold it.
_PLAIN = {
    "·": "*",
    "×": "x",
    "−": "-",
    "–": "-",
    "±": "+-",
    "…": "~",
    "²": "^2",
    "³": "^3",
    "√": "sqrt",
    "½": "1/2",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "∞": "inf",
    "µ": "u",
    "μ": "u",
    "Σ": "sum",
    "│": "|",
    "├": "|",
    "└": "`",
    "─": "-",
    **dict.fromkeys("█▉▊▋▌▒", "#"),
    **dict.fromkeys("▍▎▏░", "-"),
}


def printable(text: str) -> str:
    """Return a text as ``print`` can write it to the standard output of this process.

    Where that takes all characters, the text stays as it is. Elsewhere ``2·m·n`` becomes ``2*m*n``,
    and a letter that it does not know is written as Python writes it in a literal.
    """
    encoding = getattr(sys.stdout, "encoding", None)
    if text.isascii() or not isinstance(encoding, str):
        return text
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        foreign = {one for one in set(text) if not _knows(encoding, one)}
        return text.translate(
            {
                ord(one): _PLAIN.get(one) or one.encode("ascii", "backslashreplace").decode()
                for one in foreign
            }
        )
    except LookupError:  # not an encoding of Python's
        return text
    return text


def _knows(encoding: str, character: str) -> bool:
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def with_printable_repr(kind: Class) -> Class:
    """Decorate a dataclass, so that what Python shows of an object can be shown, too."""
    plain: Callable[[object], str] = getattr(kind, "__repr__")  # noqa: B009 - not a method of the class

    def shown(self: object) -> str:
        return printable(plain(self))

    type.__setattr__(kind, "__repr__", shown)
    return kind
