r"""Splits a line of ``%flops`` into its options and the code behind them.

The line is scanned by hand, because the code must reach the compiler character by character as it
was typed. IPython's two parsers change it, because they split the whole line into words (seen with
IPython 9.18; a test shows each example):

- ``parse_options`` takes quotes and spaces away. ``-q print('a  b', "c")`` gives
  ``print(a  b, c)``, and ``-q f(  x )`` gives ``f( x )``. ``-q f('it\'s')`` and
  ``-q x  # don't`` are errors: "No closing quotation". With ``posix=False`` quotes stay, but
  ``print('a  b')`` becomes ``print('a b')``.
- ``magic_arguments`` gives the code as a list of words: ``-q print('a  b')`` gives
  ``["print('a", "b')"]``, so nobody knows how many spaces stood between them. With ``nargs="*"``
  it takes options out of the code: ``model(x) -o`` sets ``-o``, and ``-q x[-1] -y`` is an error.
  Quotes around the value of an option stay: ``-s 'my run.json'`` gives ``"'my run.json'"``.
- Both take abbreviations: ``--conv article`` sets ``--convention``, until another option begins
  with these letters.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from difflib import get_close_matches

from ipyflops.magics.options import BY_FLAG, OPTIONS, MissingValueError, Option, OptionError

#: What PyTorch calls devices that compute, with or without a number.
DEVICE = re.compile(r"(cuda|mps|xpu|hpu|mtia|xla|cpu|meta)(:[0-9]+)?")


@dataclass(frozen=True)
class WrittenOption:
    """An option as it stands on a line.

    Attributes
    ----------
    flag : str
    option : Option
    value : str
        Empty for a switch.
    raw : str
        The value as it stands there, in its quotes.
    start : int
        Where on the line that begins.
    """

    flag: str
    option: Option
    value: str
    raw: str = ""
    start: int = 0


def scan(line: str) -> tuple[list[WrittenOption], int]:
    """Split a line into its options and the position where the code begins.

    A short option may hold its value (``-d2``), a long one after ``=``; short switches may be
    written together (``-qo``), and ``--`` ends the options.

    Raises
    ------
    OptionError
        If what stands there is no option, or if a value is missing.
    """
    options: list[WrittenOption] = []
    position = 0
    while True:
        position = _skip_space(line, position)
        if not line.startswith("-", position):
            return options, position
        end = _end_of_word(line, position)
        word = line[position:end]
        if word == "--":
            return options, _skip_space(line, end)
        if word.startswith("--"):
            position = _scan_long(line, position, options)
        else:
            position = _scan_short(line, position, options)


def _scan_long(line: str, position: int, options: list[WrittenOption]) -> int:
    """Read a long option; gives the position behind it."""
    end = _end_of_word(line, position)
    word, equals, _ = line[position:end].partition("=")
    option = _option(word)
    if option.kind == "device" and (equals or _names_device(line, end)):
        start = position + len(word) + 1 if equals else end
        written, end = _scan_value(line, start, word, option)
        options.append(written)
        return end
    if not option.takes_value:
        if equals:
            raise OptionError(f"{word} takes no value")
        options.append(WrittenOption(word, option, ""))
        return end
    written, end = _scan_value(line, position + len(word) + 1 if equals else end, word, option)
    options.append(written)
    return end


def _scan_short(line: str, position: int, options: list[WrittenOption]) -> int:
    """Read short options that are written together; gives the position behind them."""
    end = _end_of_word(line, position)
    if end == position + 1:
        raise _no_such_option("-")
    for index in range(position + 1, end):
        flag = f"-{line[index]}"
        option = _option(flag, line[position:end])
        if option.takes_value:
            written, end = _scan_value(line, index + 1, flag, option)
            options.append(written)
            break
        options.append(WrittenOption(flag, option, ""))
    return end


def _scan_value(line: str, position: int, flag: str, option: Option) -> tuple[WrittenOption, int]:
    """Read a value, in quotes if it has spaces; gives the option and the position behind it."""
    position = _skip_space(line, position)
    if position == len(line):
        raise MissingValueError(flag, option)
    quote = line[position]
    if quote not in "\"'":
        end = _end_of_value(line, position)
        value = line[position:end]
        return WrittenOption(flag, option, value, value, position), end
    closing = line.find(quote, position + 1)
    if closing < 0:
        raise OptionError(f"the value of {flag} lacks its closing {quote}")
    end = closing + 1
    if _end_of_word(line, end) != end:
        raise OptionError(f"there is no space behind the value of {flag}")
    value = line[position + 1 : closing]
    return WrittenOption(flag, option, value, line[position:end], position), end


def _names_device(line: str, position: int) -> bool:
    """Whether the next word is a device and not the beginning of the code.

    ``--fake cuda step()`` names one. ``--fake cuda = 3`` and ``--fake cuda.seed()`` are code.
    """
    start = _skip_space(line, position)
    end = _end_of_word(line, start)
    if not DEVICE.fullmatch(line, start, end):
        return False
    rest = line[end:].strip()
    if not rest or rest.startswith(("-", "#")):
        return True
    try:
        ast.parse(line[start:])
    except SyntaxError:
        return True
    return False


def _end_of_value(line: str, position: int) -> int:
    """The end of a word in which an expression in braces may have spaces."""
    open_braces = 0
    for end in range(position, len(line)):
        if line[end].isspace() and not open_braces:
            return end
        open_braces += (line[end] == "{") - (line[end] == "}" and open_braces > 0)
    return _end_of_word(line, position) if open_braces else len(line)


def _option(flag: str, word: str = "") -> Option:
    try:
        return BY_FLAG[flag]
    except KeyError:
        raise _no_such_option(word or flag) from None


def _no_such_option(word: str) -> OptionError:
    flag, semicolon, _ = word.partition(";")
    if semicolon and flag in BY_FLAG:
        return OptionError(
            f"a semicolon cannot follow {flag}; it belongs behind the code: %flops {flag} model(x);"
        )
    flags = " ".join("|".join(option.flags) for option in OPTIONS)
    return OptionError(
        f"{word} is no option here{_meant(word.partition('=')[0])}; the options are {flags}. "
        "Code that begins with a dash goes behind --, as in: %flops -- -x"
    )


def _meant(flag: str) -> str:
    """Ask whether another long option was meant: one that begins so, or one that is like it."""
    flags = [one for one in BY_FLAG if one.startswith("--")]
    begins = [one for one in flags if one.startswith(flag) and len(flag) > len("--")]
    meant = begins or get_close_matches(flag, flags, n=1, cutoff=0.7)
    return f" (did you mean {' or '.join(meant)}?)" if meant else ""


def _skip_space(line: str, position: int) -> int:
    while position < len(line) and line[position].isspace():
        position += 1
    return position


def _end_of_word(line: str, position: int) -> int:
    while position < len(line) and not line[position].isspace():
        position += 1
    return position
