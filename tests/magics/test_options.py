"""The tables of options and rules: what parsing, help and messages rely on."""

from __future__ import annotations

from dataclasses import fields

import pytest

from ipyflops.magics.help import HELP
from ipyflops.magics.options import BY_FLAG, OPTIONS, RULES, Option, OptionError, Options, Rule
from ipyflops.magics.parsing import parse

#: A valid value for each kind.
VALUES = {
    "number": "0", "positive number": "1", "seconds": "1.5", "items": "2:token", "variable": "name",
    "report": "name", "file": "name.json",
    "devices": "H100",
}  # fmt: skip


def written(name: str) -> str:
    """An option as it can stand on a line."""
    (option,) = (option for option in OPTIONS if option.name == name)
    value = option.choices[0] if option.choices else VALUES.get(option.kind, "")
    return f"{option.flags[-1]} {value}".rstrip()


def test_every_option_fills_a_field() -> None:
    assert {option.name for option in OPTIONS} == {one.name for one in fields(Options)} - {"code"}
    assert len(BY_FLAG) == sum(len(option.flags) for option in OPTIONS)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_what_the_table_says_of_an_option_is_consistent(option: Option) -> None:
    assert option.takes_value == (option.kind not in {"switch", "device"})
    assert bool(option.value) == (option.kind != "switch")
    assert bool(option.choices) == (option.kind in {"choice", "device"})
    assert option.help in HELP
    assert not option.needs_code or option.no_code_error.startswith(option.flags[0])


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.names[0]} {rule.relation}")
def test_a_rule_is_kept(rule: Rule) -> None:
    for name in rule.names:
        together = f"{written(rule.other)} {written(name)} x"
        alone = f"{written(name)} x"
        wrong, right = (alone, together) if rule.relation == "needs" else (together, alone)
        with pytest.raises(OptionError) as caught:
            parse(wrong)
        assert str(caught.value) == f"{written(name).split()[0]} {rule.reason}"
        assert getattr(parse(right), name) not in (None, False)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-n 3 x", "-n is about clean repeats, which -t asks for"),
        (
            "--fake -t x",
            (
                "-t needs a run that takes time, and under --fake nothing is computed; "
                "leave out one of them"
            ),
        ),
        ("--timeout 5 x", "--timeout is about engines, which --ranks asks for"),
        (
            "--ranks --peak x",
            "--peak is about this process, and --ranks counts on others; leave out one of them",
        ),
        # The first rule that is broken makes the message.
        ("--timeout 5 --restore x", "--restore is about clean repeats, which -t asks for"),
    ],
)
def test_the_messages_of_the_rules(line: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(line)
    assert str(caught.value) == message
