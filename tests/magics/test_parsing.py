"""How a line is read: the options, their values, and where the code begins."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipyflops.magics.options import BY_FLAG, OptionError, Options
from ipyflops.magics.parsing import expanded_line, parse
from tests.shells import fresh_shell


def read(line: str) -> dict[str, Any]:
    """What a line says, without what it leaves open."""
    unsaid = asdict(Options(code=""))
    return {
        name: value for name, value in asdict(parse(line)).items() if value != unsaid.get(name, "")
    }


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("", {}),
        ("   ", {}),
        ("model(x)", {"code": "model(x)"}),
        ("  model(x)  ", {"code": "model(x)  "}),
        ("-o", {"output": True}),
        ("-o model(x)", {"output": True, "code": "model(x)"}),
        ("-q -o model(x)", {"quiet": True, "output": True, "code": "model(x)"}),
        ("-qo model(x)", {"quiet": True, "output": True, "code": "model(x)"}),
        ("--quiet --output m", {"quiet": True, "output": True, "code": "m"}),
        ("-c article", {"convention": "article"}),
        ("-carticle", {"convention": "article"}),
        ("-qc article m", {"quiet": True, "convention": "article", "code": "m"}),
        ("--convention contractions m", {"convention": "contractions", "code": "m"}),
        ("--convention=standard m", {"convention": "standard", "code": "m"}),
        ("-c article -c standard m", {"convention": "standard", "code": "m"}),
        ("-c  'article'  m", {"convention": "article", "code": "m"}),
        ("-v name m", {"variable": "name", "code": "m"}),
        ("-v größe m", {"variable": "größe", "code": "m"}),
        ("--variable 变量 m", {"variable": "变量", "code": "m"}),
        ("-d 0", {"depth": 0}),
        ("-d2 m", {"depth": 2, "code": "m"}),
        ("--depth=3 m", {"depth": 3, "code": "m"}),
        ("--by lines", {"by": "lines"}),
        ("--by=operators m", {"by": "operators", "code": "m"}),
        ("--view html m", {"view": "html", "code": "m"}),
        ("--view auto m", {"view": "auto", "code": "m"}),
        ("--per 128 m", {"per": (128, "item"), "code": "m"}),
        ("--per 128:token m", {"per": (128, "token"), "code": "m"}),
        ("--per 1_000:图像 m", {"per": (1000, "图像"), "code": "m"}),
        ("--per '4:input image' m", {"per": (4, "input image"), "code": "m"}),
        ("--per 2:a:b m", {"per": (2, "a:b"), "code": "m"}),
        ("--against base m", {"against": "base", "code": "m"}),
        ('--against "my run.json" m', {"against": "my run.json", "code": "m"}),
        ("--save run.json m", {"save": "run.json", "code": "m"}),
        ("--save='my run.json' m", {"save": "my run.json", "code": "m"}),
        (r"--save C:\new\run.json m", {"save": r"C:\new\run.json", "code": "m"}),
        ("--save -odd.json m", {"save": "-odd.json", "code": "m"}),
        ("-t m", {"time": True, "code": "m"}),
        ("-tn3 m", {"time": True, "loops": 3, "code": "m"}),
        ("-n 3 -r2 --time m", {"time": True, "loops": 3, "repeats": 2, "code": "m"}),
        ("-t --restore m", {"time": True, "restore": True, "code": "m"}),
        ("--peak m", {"peak": True, "code": "m"}),
        # What follows the options is code, whatever it looks like.
        ("model(x, -1)", {"code": "model(x, -1)"}),
        ("-c article model(-x) - y", {"convention": "article", "code": "model(-x) - y"}),
        ("model(x) -o", {"code": "model(x) -o"}),
        ("model(x) --save run.json", {"code": "model(x) --save run.json"}),
        ("x -c article", {"code": "x -c article"}),
        ("-q x - -c", {"quiet": True, "code": "x - -c"}),
        ("-q print('a  b',  \"c\\n\")", {"quiet": True, "code": "print('a  b',  \"c\\n\")"}),
        ("-q f('it\\'s')", {"quiet": True, "code": "f('it\\'s')"}),
        ("'-q'", {"code": "'-q'"}),
        ('"""-q"""', {"code": '"""-q"""'}),
        ("{a} + $b", {"code": "{a} + $b"}),
        ("f'{x!r:>{w}}'", {"code": "f'{x!r:>{w}}'"}),
        ("-o y = x[-1]; y --1", {"output": True, "code": "y = x[-1]; y --1"}),
        ("-q !ls -l --all", {"quiet": True, "code": "!ls -l --all"}),
        ("-q %timeit -n 1 -o f()", {"quiet": True, "code": "%timeit -n 1 -o f()"}),
        ("-q # -c", {"quiet": True}),
        ("# -c", {}),
        ("\t-q\tmodel(x)", {"quiet": True, "code": "model(x)"}),
        ("-q\xa0model(x)", {"quiet": True, "code": "model(x)"}),
        ("-q 'ünï' + '✓'", {"quiet": True, "code": "'ünï' + '✓'"}),
        # Two dashes end the options.
        ("-- -x", {"code": "-x"}),
        ("-q -- -q", {"quiet": True, "code": "-q"}),
        ("-q --", {"quiet": True}),
        ("-- -- x", {"code": "-- x"}),
        ("-v name -- --x", {"variable": "name", "code": "--x"}),
    ],
)
def test_a_line_is_read(line: str, expected: dict[str, Any]) -> None:
    assert read(line) == expected


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("-c", "-c needs a value: standard, contractions or article"),
        ("-q -c ", "-c needs a value: standard, contractions or article"),
        ("--convention=", "--convention needs a value: standard, contractions or article"),
        ("-c bogus m", "-c takes standard, contractions or article, not 'bogus'"),
        ("-c Article m", "-c takes standard, contractions or article, not 'Article'"),
        ("-c '' m", "-c takes standard, contractions or article, not ''"),
        ("--by module m", "--by takes modules, operators or lines, not 'module'"),
        ("--by", "--by needs a value: modules, operators or lines"),
        ("--view pdf m", "--view takes auto, widget, html or text, not 'pdf'"),
        ("-v 1x m", "-v takes the name of a variable, not '1x'"),
        ("-v a.b m", "-v takes the name of a variable, not 'a.b'"),
        ("-v a-b m", "-v takes the name of a variable, not 'a-b'"),
        ("-v class m", "-v takes the name of a variable, not 'class'"),
        ("-v '' m", "-v takes the name of a variable, not ''"),
        ("-v None m", "-v takes the name of a variable, not 'None'"),
        ("-v", "-v needs a value: NAME"),
        ("-d x m", "-d takes a whole number from 0 on, not 'x'"),
        ("-d -1 m", "-d takes a whole number from 0 on, not '-1'"),
        ("-d 1.5 m", "-d takes a whole number from 0 on, not '1.5'"),
        ("-d ² m", "-d takes a whole number from 0 on, not '²'"),
        ("-dx m", "-d takes a whole number from 0 on, not 'x'"),
        ("--per 0 m", "--per takes a whole number from 1 on, not '0'"),
        ("--per token m", "--per takes a number of items, as in --per 128:token, not 'token'"),
        ("--per 128: m", "--per lacks the item's name: --per 128:token"),
        ("--per :token m", "--per takes a number of items, as in --per 128:token, not ':token'"),
        ("--save", "--save needs a value: FILE"),
        ("--save '' m", "--save needs a value: FILE"),
        ("--save 'open m", "the value of --save lacks its closing '"),
        ("--save 'a'b m", "there is no space behind the value of --save"),
        ("--against", "--against needs a value: NAME"),
        ("--quiet=1 m", "--quiet takes no value"),
        ("-t -n 0 m", "-n takes a whole number from 1 on, not '0'"),
        ("-t -r x m", "-r takes a whole number from 1 on, not 'x'"),
        ("-tn", "-n needs a value: LOOPS"),
        ("--peak=1 m", "--peak takes no value"),
    ],
)
def test_a_wrong_value_is_refused(line: str, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(line)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("-x", "-x"),
        ("-qx m", "-qx"),
        ("-model(x)", "-model(x)"),
        ("-1", "-1"),
        ("-", "-"),
        ("- x", "-"),
        ("--conv article m", "--conv"),
        ("--bogus=1 m", "--bogus"),
        ("--x", "--x"),
        ("---", "---"),
        ("-q --c article", "--c"),
        ("-−c", "-−c"),
    ],
)
def test_what_is_no_option_is_refused_and_not_run(line: str, word: str) -> None:
    with pytest.raises(OptionError) as caught:
        parse(line)
    message = str(caught.value)
    assert message.startswith(f"{word} is no option here")
    assert "; the options are -c|--convention " in message
    assert "-- -x" in message
    assert "--fake" in message


@pytest.mark.parametrize("flag", ["-n 3", "-n3", "-r 2", "--restore"])
def test_what_is_about_clean_repeats_needs_them(flag: str) -> None:
    with pytest.raises(OptionError, match="is about clean repeats, which -t asks for"):
        parse(f"{flag} model(x)")
    assert parse(f"{flag} -t model(x)").time


@pytest.mark.parametrize(
    ("line", "flag"),
    [("--fake -t", "-t"), ("--time --fake", "--time"), ("--peak --fake -q", "--peak")],
)
def test_a_dry_run_takes_no_time(line: str, flag: str) -> None:
    with pytest.raises(OptionError, match=f"^{flag} needs a run that takes time, and under --fake"):
        parse(f"{line} model(x)")
    assert parse("--fake model(x)").fake
    assert not parse("model(x)").fake


def test_ranks_have_a_timeout_in_seconds() -> None:
    assert parse("--ranks --timeout 2.5 x") == Options(code="x", ranks=True, timeout=2.5)
    for line, said in {
        "--timeout 5 x": "--ranks asks for",
        "--ranks --timeout 0 x": "number of seconds",
        "--ranks --timeout soon x": "number of seconds",
        "--ranks -t x": "-t is about this process",
        "--peak --ranks x": "--peak is about this process",
        "--fake --ranks x": "--fake is about this process",
    }.items():
        with pytest.raises(OptionError, match=said):
            parse(line)


@pytest.mark.parametrize(
    ("line", "fake", "code"),
    [
        ("--fake", True, ""),
        ("--fake step()", True, "step()"),
        ("--fake cuda", "cuda", ""),
        ("--fake cuda step()", "cuda", "step()"),
        ("--fake=cuda step()", "cuda", "step()"),
        ("--fake 'cuda' step()", True, "'cuda' step()"),
        ("--fake cuda -q step()", "cuda", "step()"),
        ("-q --fake cuda # why", "cuda", ""),
        ("--fake cuda for x in y: f(x)", "cuda", "for x in y: f(x)"),
        ("--fake cuda !ls", "cuda", "!ls"),
        ("--fake cuda = 3", True, "cuda = 3"),
        ("--fake cuda + 1", True, "cuda + 1"),
        ("--fake cuda.synchronize()", True, "cuda.synchronize()"),
        ("--fake -- cuda", True, "cuda"),
        ("--fake cudas", True, "cudas"),
        ("--fake meta = 1", True, "meta = 1"),
    ],
)
def test_a_dry_run_may_name_a_device(line: str, fake: bool | str, code: str) -> None:
    options = parse(line)
    assert (options.fake, options.code) == (fake, code)


@pytest.mark.parametrize("device", ["mps", "xpu", "cuda:1", "cpu", "meta"])
def test_a_dry_run_cannot_stand_in_for_another_device(device: str) -> None:
    for line in (f"--fake {device} step()", f"--fake={device}"):
        with pytest.raises(OptionError, match=f"stand in for a cuda .* not for '{device}'"):
            parse(line)


def test_the_options_are_those_that_are_fixed() -> None:
    assert set(BY_FLAG) == {
        *("-c", "--convention", "-o", "--output", "-v", "--variable", "-q", "--quiet"),
        *("-t", "--time", "-n", "-r", "-d", "--depth", "--by", "--fake", "--peak", "--per"),
        *("--against", "--view", "--save", "--restore", "--ranks", "--timeout"),
        *("--memory", "--on", "--columns"),
    }


OPTION_TEXTS = ["", "-q ", "-o -c article ", "-v x ", "--save 'a b' ", "--per=2:token -q\t", "-- "]


@given(
    st.sampled_from(OPTION_TEXTS),
    st.text(min_size=1).filter(lambda text: not text[0].isspace() and text[0] not in "-#"),
)
def test_code_is_kept_to_the_character(options: str, code: str) -> None:
    # IPython takes a line's own end away, and so does the reading.
    assert parse(options + code).code == code.rstrip("\n")


@given(st.text(alphabet=" -=:'\"qcvdoxyz019article\t\\", max_size=30))
def test_any_line_is_read_or_refused(line: str) -> None:
    # Anything but an OptionError is a failure here.
    with contextlib.suppress(OptionError):
        assert line.rstrip("\n").endswith(parse(line).code)


# --- variables in values -------------------------------------------------------------------------

VARIABLES = {"p": "out.json", "n": 4, "d": {"a b": "x"}, "q": "my run", "w": "article"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("--save $p model", {"save": "out.json", "code": "model"}),
        ("--save {p} model", {"save": "out.json", "code": "model"}),
        ("--save={p} model", {"save": "out.json", "code": "model"}),
        ("--save '{p}' model", {"save": "out.json", "code": "model"}),
        ('--save "$p" model', {"save": "out.json", "code": "model"}),
        ("--save '$p' model", {"save": "$p", "code": "model"}),
        ("--save {q}.json model", {"save": "my run.json", "code": "model"}),
        ("--save {q + '.json'} model", {"save": "my run.json", "code": "model"}),
        ("--save {d['a b']} model", {"save": "x", "code": "model"}),
        ("--save a/{n}/$p model", {"save": "a/4/out.json", "code": "model"}),
        ("--save {missing} model", {"save": "{missing}", "code": "model"}),
        ("--save $missing model", {"save": "$missing", "code": "model"}),
        ("--save {open model", {"save": "{open", "code": "model"}),
        ("--save {{p}} model", {"save": "{p}", "code": "model"}),
        ("-c $w -d {n} --per {n * 2}:token m", {
            "convention": "article", "depth": 4, "per": (8, "token"), "code": "m",
        }),
        ("-d $n {n}", {"depth": 4, "code": "{n}"}),
        ("-q f'{p}' + '$p'", {"quiet": True, "code": "f'{p}' + '$p'"}),
    ],
)  # fmt: skip
def test_values_are_expanded_and_the_code_is_not(line: str, expected: dict[str, Any]) -> None:
    found = asdict(parse(line, VARIABLES))
    unsaid = asdict(Options(code=""))
    assert {name: value for name, value in found.items() if value != unsaid[name]} == expected
    # What another process gets says the same, without the variables.
    sent = expanded_line(line, VARIABLES)
    assert parse(sent) == parse(line, VARIABLES)


@pytest.mark.parametrize("value", ["$p", "{p}", '"$p"', "'$p'", "{q}", "a$p", "{p!r}", "{n:03d}"])
def test_a_value_is_expanded_as_ipython_expands_a_line(value: str) -> None:
    with fresh_shell() as shell:
        shell.user_ns.update(VARIABLES)
        seen: list[str] = []
        shell.register_magic_function(seen.append, "line", "seen")
        shell.run_line_magic("seen", value)
    expanded = seen[0][1:-1] if value[0] in "\"'" else seen[0]
    assert parse(f"--save {value} m", VARIABLES).save == expanded
