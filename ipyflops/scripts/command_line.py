"""The options of ``python -m ipyflops``, and where the script's own arguments begin."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ipyflops.costs import CONVENTIONS
from ipyflops.report import Device, read_device
from ipyflops.views import BY

_DESCRIPTION = """\
Count the floating point operations of a script that uses PyTorch. The script runs as it would
without: as __main__, with its own arguments, exit code and traceback; a report follows.
"""
_EPILOG = """\
examples:
  python -m ipyflops train.py --epochs 1
  python -m ipyflops --fake --memory --on "H100,A100@0.4" train.py
  python -m ipyflops --save before.json -m package.train
  python -m ipyflops show before.json --html before.html
  python -m ipyflops diff before.json after.json
"""
#: What stands in the place of a script.
SHOW, DIFF = "show", "diff"


@dataclass(frozen=True)
class Target:
    """What runs.

    Attributes
    ----------
    name : str
        A file, a module, ``show`` or ``diff``.
    is_module : bool
    arguments : tuple of str
        Its own.
    """

    name: str
    is_module: bool
    arguments: tuple[str, ...]


def read(arguments: Sequence[str]) -> tuple[argparse.Namespace, Target | None]:
    """Split a command line into options and what runs; None where that is missing.

    Raises
    ------
    SystemExit
        With 2 where an option is wrong, with 0 after ``--help``.
    """
    parser, takes_value = _parser()
    end = _end_of_options(takes_value, arguments)
    options = parser.parse_args(arguments[:end])
    rest = list(arguments[end:])
    if rest[:1] == ["--"]:
        del rest[0]
    if rest[:1] == ["-m"]:
        if len(rest) < 2:
            parser.error("-m needs the name of a module: -m package.train")
        return options, Target(rest[1], True, tuple(rest[2:]))
    if not rest:
        return options, None
    target = Target(rest[0], False, tuple(rest[1:]))
    if target.name in (SHOW, DIFF):
        # Options may stand behind the files, too, as there is no script that takes them.
        options, files = parser.parse_known_args([*target.arguments, *arguments[:end]])
        wrong = next((one for one in files if one.startswith("-")), None)
        if wrong is not None:
            parser.error(f"{target.name} has no option {wrong}")
        target = Target(target.name, False, tuple(files))
    return options, target


def usage() -> str:
    """What ``--help`` says."""
    return _parser()[0].format_help()


def _parser() -> tuple[argparse.ArgumentParser, set[str]]:
    """The parser, and the flags that a value follows."""
    parser = argparse.ArgumentParser(
        prog="python -m ipyflops",
        usage="python -m ipyflops [options] (script.py | -m module) [arguments]\n"
        "       python -m ipyflops show FILE [options]\n"
        "       python -m ipyflops diff BEFORE AFTER [options]",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    takes_value: set[str] = set()

    def add(*flags: str, **settings: Any) -> None:
        if parser.add_argument(*flags, **settings).nargs is None:
            takes_value.update(flags)

    add("-c", "--convention", choices=CONVENTIONS, help="what counts as a FLOP")
    add("--by", choices=BY, default="modules", help="what the rows are")
    add("-d", "--depth", type=_depth, metavar="N", help="levels of the tree that are shown")
    add("--per", type=_items, metavar="N[:NAME]", help="also per item: --per 128:token")
    add("--on", type=_devices, metavar="DEVICES", help="the least time by data sheets: H100,T4@0.4")
    add(
        "--fake",
        nargs="?",
        const=True,
        default=False,
        action=_Fake,
        help="a dry run: nothing is computed; --fake=cuda as on a GPU",
    )
    add("--memory", action="store_true", help="follow the memory of tensors, too")
    add("--save", metavar="FILE", help="write the report as JSON")
    add("--html", metavar="FILE", help="write the report as one page for any browser")
    add("-q", "--quiet", action="store_true", help="print no report")
    return parser, takes_value


class _Fake(argparse.Action):
    """``--fake`` alone, or ``--fake=cuda``; the word behind a blank is the script."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        if values not in (True, "cuda"):
            parser.error(f"--fake can stand in for a cuda device alone, not for {values!r}")
        setattr(namespace, self.dest, values)


def _end_of_options(takes_value: set[str], arguments: Sequence[str]) -> int:
    """The position of ``-m``, ``--``, or the first word that is no option and no value of one."""
    index = 0
    while index < len(arguments):
        word = arguments[index]
        if word in ("-m", "--") or not word.startswith("-"):
            return index
        index += 2 if word in takes_value else 1
    return len(arguments)


def _depth(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"a whole number from 0 on, not {text!r}")
    return int(text)


def _items(text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]+)(?::(.+))?", text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"items and their name, as 128:token, not {text!r}")
    return int(found[1]), found[2] or "item"


def _devices(text: str) -> list[tuple[Device, float]]:
    try:
        return [read_device(one) for one in text.split(",")]
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
