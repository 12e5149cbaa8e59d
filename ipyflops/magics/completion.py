"""Completes the options of ``%flops`` and ``%%flops``, and their values, by Tab."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from IPython.core import completer

from ipyflops.cells import Shell
from ipyflops.magics.options import BY_FLAG, OPTIONS, MissingValueError, Option, OptionError
from ipyflops.magics.scanning import scan
from ipyflops.report import Report

#: The matcher's name in IPython's settings; `extension.unload` finds the matcher by it.
IDENTIFIER = "ipyflops.options"
#: A line that calls a magic, with or without an assignment. Options and code follow.
_CALL = re.compile(r"\s*(?:[^%=]+=\s*)?(?P<escape>%%?)flops\s(?P<rest>.*)", re.DOTALL)


class Completion(NamedTuple):
    """What can stand at the cursor.

    Attributes
    ----------
    fragment : str
        What is typed of it so far.
    candidates : list of str
        The texts that can replace the fragment.
    exclusive : bool
        Whether nothing else can stand there.
    """

    fragment: str
    candidates: list[str]
    exclusive: bool


def option_matchers(shell: Shell) -> list[Any]:
    """Make what goes into a shell's ``Completer.custom_matchers``.

    Nothing in IPython 7, whose matchers are not told what stands before the last word.
    """
    if not hasattr(completer, "context_matcher"):
        return []

    def match(context: completer.CompletionContext) -> completer.SimpleMatcherResult:
        completion = complete(context.text_until_cursor, shell.user_ns)
        if completion is None:
            return {"completions": []}
        return {
            "completions": [
                completer.SimpleCompletion(text, type="option") for text in completion.candidates
            ],
            "matched_fragment": completion.fragment,
            "suppress": completion.exclusive and bool(completion.candidates),
            "ordered": True,
        }

    return [completer.context_matcher(identifier=IDENTIFIER)(match)]


def complete(text: str, variables: dict[str, Any]) -> Completion | None:
    """Complete what stands before the cursor.

    Parameters
    ----------
    text : str
        The line up to the cursor.
    variables : dict
        The user's variables, for ``--against``.

    Returns
    -------
    Completion or None
        None if the line does not call the magic, or if its code stands at the cursor.
    """
    call = _CALL.fullmatch(text)
    if call is None:
        return None
    rest = call["rest"]
    fragment = re.search(r"\S*$", rest)[0]  # type: ignore[index]
    before = rest[: len(rest) - len(fragment)]
    try:
        _, code = scan(before)
    except MissingValueError as error:
        return _complete_value(error.option, fragment, variables)
    except OptionError:
        return None
    if before[code:].strip() or re.search(r"(^|\s)--\s", before):
        return None
    flag, equals, value = fragment.partition("=")
    if equals:
        option = BY_FLAG.get(flag)
        return _complete_value(option, value, variables) if option is not None else None
    flags = [flag for option in OPTIONS for flag in option.flags]
    # Behind %flops, code may begin instead. Behind %%flops, only options can stand.
    exclusive = bool(fragment) or call["escape"] == "%%"
    return Completion(fragment, _with_prefix(flags, fragment), exclusive)


def _complete_value(option: Option, fragment: str, variables: dict[str, Any]) -> Completion | None:
    if option.choices:
        return Completion(fragment, _with_prefix(option.choices, fragment), exclusive=True)
    if option.kind == "report":
        reports = [name for name, value in variables.items() if _is_users_report(name, value)]
        # A file can stand here too, and IPython completes those.
        return Completion(fragment, _with_prefix(sorted(reports), fragment), exclusive=False)
    return None


def _is_users_report(name: str, value: object) -> bool:
    return isinstance(value, Report) and not name.startswith("_")


def _with_prefix(names: Iterable[str], prefix: str) -> list[str]:
    return [name for name in names if name.startswith(prefix)]
