"""The reference has every public member, as Python's own `dir` lists them."""

from __future__ import annotations

import inspect
import re
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest

import ipyflops
from ipyflops.formulas import Call

TEXT = Path(ipyflops.__file__).with_name("API.md").read_text(encoding="utf-8")
#: For the program itself. A counter is a dispatch mode of PyTorch, which has public methods too.
INTERNAL = {
    "FlopCounter": {
        *("around_launch", "around_replay", "belongs_here", "counts_now"),
        *("counts_unknown_context", "cut_short"),
        *("end_block", "ignore_compile_internals", "is_open_elsewhere", "keep_errors"),
        *("step_into_thread", "supports_higher_order_operators"),
    }
}


@cache
def sections() -> dict[str, str]:
    """Each class or function of the reference, by its last name."""
    parts = re.split(r"^## `([\w.]+)`$", TEXT, flags=re.M)[1:]
    return {
        name.rpartition(".")[2]: text for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def documented(section: str) -> set[str]:
    """Headings of members, and the names of lists of attributes and parameters."""
    listed = re.findall(r"^- `([\w, ]+?)(?: : .*)?`$", section, re.M)
    return {*re.findall(r"^### `(\w+)`", section, re.M), *re.split(r", ", ", ".join(listed))}


def owner(kind: type, name: str) -> str:
    """The module of the class that a member is from."""
    return next(base.__module__ for base in kind.__mro__ if name in vars(base))


def public_classes() -> list[type]:
    found = [getattr(ipyflops, name) for name in ipyflops.__all__]
    return [Call, *(one for one in found if inspect.isclass(one))]


def annotations_of(kind: type) -> list[str]:
    """What the public members of a class give, and what its fields are."""
    fields = getattr(kind, "__annotations__", {})
    given = [str(value) for name, value in fields.items() if not name.startswith("_")]
    for name, value in vars(kind).items():
        function: Any = value.fget if isinstance(value, property) else value
        function = value.func if isinstance(value, cached_property) else function
        function = getattr(function, "__func__", function)
        internal = name in INTERNAL.get(kind.__name__, ())
        if inspect.isfunction(function) and not name.startswith("_") and not internal:
            given.append(str(function.__annotations__.get("return", "")))
    return given


def classes() -> list[type]:
    """The public classes, and those that come out of their public members, and so on."""
    found = public_classes()
    for kind in found:  # grows while it is gone through
        for base in kind.__mro__:
            if not base.__module__.startswith("ipyflops."):
                continue
            # The names of an annotation are those of the file in which it stands.
            known = vars(inspect.getmodule(base))
            for word in re.findall(r"\w+", " ".join(annotations_of(base))):
                one = known.get(word)
                ours = inspect.isclass(one) and one.__module__.startswith("ipyflops.")
                # A `Run` is what a file below `Report` knows of it; the other is a counter's own.
                if ours and one not in found and one.__name__ not in ("Run", "NotCounted"):
                    found.append(one)
    return found


@pytest.mark.parametrize("kind", classes(), ids=lambda kind: kind.__name__)
def test_every_public_member_is_documented(kind: type) -> None:
    section = sections().get(kind.__name__)
    assert section is not None, f"the reference lacks {kind.__module__}.{kind.__name__}"
    members = {
        name
        for name in dir(kind)
        if not name.startswith("_") and owner(kind, name).startswith("ipyflops.")
    }
    assert members - INTERNAL.get(kind.__name__, set()) - documented(section) == set()


def test_the_reference_has_no_internals() -> None:
    for name, members in INTERNAL.items():
        assert not members & documented(sections()[name])
        assert members <= set(dir(getattr(ipyflops, name)))


def test_every_public_function_is_documented() -> None:
    hidden = {"__version__", "load_ipython_extension", "unload_ipython_extension"}
    assert set(ipyflops.__all__) - hidden <= set(sections())


def test_inherited_members_are_there() -> None:
    """These are those that a reader missed: `Report` has them from its bases."""
    assert {"flops", "macs", "plot", "to_latex", "gather"} <= documented(sections()["Report"])
    assert {"flops", "macs", "seconds"} <= documented(sections()["Node"])
    assert {"inputs", "outputs", "get", "operator", "args"} <= documented(sections()["Call"])
