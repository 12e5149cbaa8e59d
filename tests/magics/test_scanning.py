"""Where a line's options end, and what IPython's own parsers would make of the same line."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.error import UsageError
from IPython.core.magic import Magics, magics_class
from IPython.core.magic_arguments import argument, magic_arguments, parse_argstring

from ipyflops.magics.parsing import parse
from ipyflops.magics.scanning import scan
from tests.shells import fresh_shell


@magics_class
class Getopt(Magics):
    """Reads lines by `parse_options`."""

    def read(self, line: str, **how: Any) -> tuple[dict[str, Any], str]:
        options, code = self.parse_options(line, "qoc:", "convention=", **how)
        return dict(options), code


@magic_arguments()
@argument("-q", "--quiet", action="store_true")
@argument("-o", "--output", action="store_true")
@argument("-c", "--convention")
@argument("-s", "--save")
@argument("code", nargs="*")
def argparsed(self: object, line: str) -> None:
    """Reads lines by `magic_arguments`."""


@pytest.fixture(scope="module")
def getopt() -> Iterator[Getopt]:
    with fresh_shell() as shell:
        yield Getopt(shell)


def test_options_are_split_from_the_code() -> None:
    options, start = scan("-qc article f(x)")
    assert [(one.flag, one.value) for one in options] == [("-q", ""), ("-c", "article")]
    assert start == len("-qc article ")


@pytest.mark.parametrize(
    ("code", "changed"),
    [("print('a  b', \"c\")", "print(a  b, c)"), ("f(  x )", "f( x )")],
)
def test_parse_options_would_change_the_code(getopt: Getopt, code: str, changed: str) -> None:
    assert getopt.read(f"-q {code}")[1] == changed
    assert parse(f"-q {code}").code == code


@pytest.mark.parametrize("code", ["f('it\\'s')", "x  # don't"])
def test_parse_options_would_refuse_the_code(getopt: Getopt, code: str) -> None:
    with pytest.raises(ValueError, match="No closing quotation"):
        getopt.read(f"-q {code}")
    assert parse(f"-q {code}").code == code


def test_parse_options_would_change_strings_also_without_posix(getopt: Getopt) -> None:
    assert getopt.read("-q print('a  b')", posix=False)[1] == "print('a b')"
    assert parse("-q print('a  b')").code == "print('a  b')"


def test_magic_arguments_would_split_the_code_into_words() -> None:
    assert parse_argstring(argparsed, "-q print('a  b')").code == ["print('a", "b')"]


def test_magic_arguments_would_take_options_out_of_the_code() -> None:
    assert parse_argstring(argparsed, "model(x) -o").output
    with pytest.raises(UsageError, match="unrecognized arguments: -y"):
        parse_argstring(argparsed, "-q x[-1] -y")
    assert parse("model(x) -o").code == "model(x) -o"
    assert parse("-q x[-1] -y").code == "x[-1] -y"


def test_magic_arguments_would_keep_the_quotes_of_a_value() -> None:
    assert parse_argstring(argparsed, "-s 'my run.json' m").save == "'my run.json'"
    assert parse("--save 'my run.json' m").save == "my run.json"


def test_both_would_take_abbreviations(getopt: Getopt) -> None:
    assert getopt.read("--conv article m") == ({"convention": "article"}, "m")
    assert parse_argstring(argparsed, "--conv article m").convention == "article"
