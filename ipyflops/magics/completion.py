"""Completes the options of ``%flops`` and ``%%flops``, and their values, by Tab."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, context_matcher

from ipyflops.cells.origin import Shell
from ipyflops.magics.options import BY_FLAG, OPTIONS, MissingValueError, Option, OptionError, scan
from ipyflops.report.report import Report

if TYPE_CHECKING:
    from IPython.core.completer import SimpleMatcherResult

#: By which the matcher is known to IPython's settings, and found when the extension is unloaded.
IDENTIFIER = "ipyflops.options"
#: A line that calls a magic, with or without an assignment; what follows are options and code.
_CALL = re.compile(r"\s*(?:[^%=]+=\s*)?(?P<escape>%%?)flops\s(?P<rest>.*)", re.DOTALL)


def option_matcher(shell: Shell) -> Any:
    """Make the matcher for a shell's ``Completer.custom_matchers``."""

    def match(context: CompletionContext) -> SimpleMatcherResult:
        found = complete(context.text_until_cursor, shell.user_ns)
        if found is None:
            return {"completions": []}
        fragment, matches, exclusive = found
        return {
            "completions": [SimpleCompletion(text, type="option") for text in matches],
            "matched_fragment": fragment,
            "suppress": exclusive and bool(matches),
            "ordered": True,
        }

    return context_matcher(identifier=IDENTIFIER)(match)


def complete(text: str, variables: dict[str, Any]) -> tuple[str, list[str], bool] | None:
    """Complete what stands before the cursor.

    Parameters
    ----------
    text : str
        The line up to the cursor.
    variables : dict
        The user's variables, for ``--against``.

    Returns
    -------
    (str, list of str, bool) or None
        The fragment that is completed, its completions, and whether nothing else can stand there;
        None if there is nothing of ours to complete.
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
        return _value(error.option, fragment, variables)
    except OptionError:
        return None
    if before[code:].strip() or re.search(r"(^|\s)--\s", before):
        return None
    flag, equals, value = fragment.partition("=")
    if equals:
        option = BY_FLAG.get(flag)
        return _value(option, value, variables) if option is not None else None
    flags = [flag for option in OPTIONS for flag in option.flags]
    # Behind %flops, code may begin instead; behind %%flops, nothing but options can stand.
    return fragment, _starting(flags, fragment), bool(fragment) or call["escape"] == "%%"


def _value(
    option: Option, fragment: str, variables: dict[str, Any]
) -> tuple[str, list[str], bool] | None:
    if option.choices:
        return fragment, _starting(option.choices, fragment), True
    if option.name == "against":
        reports = [name for name, value in variables.items() if _is_users_report(name, value)]
        # A file can stand here too, and IPython completes those.
        return fragment, _starting(sorted(reports), fragment), False
    return None


def _is_users_report(name: str, value: object) -> bool:
    return isinstance(value, Report) and not name.startswith("_")


def _starting(names: Iterable[str], fragment: str) -> list[str]:
    return [name for name in names if name.startswith(fragment)]
