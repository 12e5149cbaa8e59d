"""Makes ``ipyflops/API.md`` of the docstrings, for ``make docs``.

The docstrings are in NumPy's style. What they say of parameters, attributes, results and errors
becomes lists; everything else stays as it is written.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import ipyflops
from ipyflops.costs import Count, Totals
from ipyflops.counting import Progress
from ipyflops.counting.process import Counter
from ipyflops.formulas import Call
from ipyflops.measuring import MeterStep
from ipyflops.report import (
    Change,
    Comparison,
    DataSheet,
    DeviceMemory,
    Difference,
    Estimate,
    Estimates,
    Excerpt,
    Explanation,
    Growth,
    Holding,
    Line,
    LineCount,
    Memory,
    MemoryPoint,
    ModelSizes,
    ModuleShapes,
    Part,
    Peak,
    PlaceMemory,
    Point,
    Rank,
    Rate,
    Row,
    Rule,
    RuleComparison,
    Scope,
    Signature,
    SweepEstimate,
    Term,
    Timing,
    TotalsSum,
    Variable,
    VariableGrowth,
)

TARGET = Path(ipyflops.__file__).with_name("API.md")

#: What a user gets without asking for it by name.
OTHERS = (
    *(Call, Count, Progress),
    *(Difference, Change, Explanation, Totals, Timing, Peak, Rate, Rank),
    *(Estimate, Estimates, SweepEstimate, Part, Comparison, RuleComparison, Rule, ModelSizes),
    *(MeterStep, Memory, DeviceMemory, PlaceMemory, MemoryPoint, Holding, DataSheet, ModuleShapes),
    *(Growth, VariableGrowth, Term, Point, Variable),
    *(Scope, Line, Signature, Row, TotalsSum, Excerpt, LineCount),
)
HIDDEN = {"load_ipython_extension", "unload_ipython_extension", "__version__"}
#: Bases of public classes that the package itself uses, not those who count.
INTERNAL = {"ipyflops.counting.blocks", "ipyflops.counting.process", "ipyflops.counting.stack"}
#: Of what is left: for PyTorch's compiler, and for the magics.
INTERNAL_MEMBERS = {"ignore_compile_internals", "keep_errors", "around_launch", "around_replay"}
#: Sections whose entries are ``name : type`` with an indented text below.
LISTS = {"Parameters", "Attributes", "Returns", "Raises", "Yields"}

HEAD = """\
# API reference

`make docs` makes this page from the docstrings, and a test compares the two. For the magics, type
`%flops?`. Everything in the first part is in `import ipyflops`. The second part has the classes
that you get: formulas get a `Call`, and functions and reports return the others.
"""


def reference() -> str:
    """The whole document."""
    parts = [HEAD]
    for name in ipyflops.__all__:
        if name not in HIDDEN:
            parts += entry(f"ipyflops.{name}", getattr(ipyflops, name))
    parts.append("## What formulas get, and what functions and reports give\n")
    for kind in OTHERS:
        if kind.__name__ not in ipyflops.__all__:
            # Other folders know it from its folder's ``__init__``.
            folder = ".".join(kind.__module__.split(".")[:2])
            parts += entry(f"{folder}.{kind.__name__}", kind)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def entry(name: str, thing: Any) -> Iterator[str]:
    """A class with its public members, or a function."""
    yield f"## `{name}`\n"
    if not inspect.isclass(thing):
        yield from signature(name.rpartition(".")[2], thing)
    elif "__init__" in vars(thing) and not hasattr(thing, "__dataclass_fields__"):
        yield from signature(thing.__name__, thing)
    yield document(thing)
    if inspect.isclass(thing):
        for member, value in members(thing).items():
            yield from of_class(member, value)


def members(thing: type) -> dict[str, Any]:
    """What is public of a class, with what it has from other classes of the package."""
    return {
        name: value
        for base in reversed(thing.mro())
        if base.__module__.startswith("ipyflops.") and base.__module__ not in INTERNAL
        for name, value in vars(base).items()
        if not name.startswith("_") and name not in {*vars(Counter), *INTERNAL_MEMBERS}
    }


def of_class(name: str, value: Any) -> Iterator[str]:
    """A method or property; anything else of a class is told by its docstring."""
    if isinstance(value, property | cached_property):
        function = value.fget if isinstance(value, property) else value.func
        kind = inspect.signature(function).return_annotation  # type: ignore[arg-type]
        yield f"### `{name}`: `{kind}`\n"
        yield document(value)
    elif isinstance(value, staticmethod | classmethod) or inspect.isfunction(value):
        function = getattr(value, "__func__", value)
        yield f"### `{name}`\n"
        yield from signature(name, function)
        yield document(function)


def signature(name: str, function: Any) -> Iterator[str]:
    """The call in a block, one parameter to a line where it is long."""
    found = inspect.signature(function)
    kept = [one for one in found.parameters.values() if one.name not in ("self", "cls")]
    text = f"{name}{found.replace(parameters=kept)}"
    if len(text) > 88:
        star = any(one.kind is one.VAR_POSITIONAL for one in kept)
        lines, keyword = [], False
        for one in kept:
            if one.kind is one.KEYWORD_ONLY and not keyword and not star:
                lines.append("    *,")
            keyword = keyword or one.kind is one.KEYWORD_ONLY
            lines.append(f"    {one},")
            if one.kind is one.POSITIONAL_ONLY:
                lines.append("    /,")
        back = "" if found.return_annotation is found.empty else f" -> {found.return_annotation}"
        text = "\n".join([f"{name}(", *lines, f"){back}"])
    # Annotations are kept as text; in the defaults the quotes are the reader's.
    text = re.sub(r"(: |-> )'([^']+)'", r"\1\2", text)
    yield f"```python\n{text}\n```\n"


def document(thing: Any) -> str:
    """A docstring in Markdown."""
    lines = (inspect.getdoc(thing) or "").splitlines()
    out: list[str] = []
    section = ""
    index = 0
    while index < len(lines):
        line, below = lines[index], lines[index + 1] if index + 1 < len(lines) else ""
        if below and set(below) == {"-"}:
            section = line
            out.append(f"**{line}**\n")
            index += 2
            continue
        if section in LISTS and line and not line.startswith(" "):
            out.append(f"- `{line}`")
        elif section in LISTS:
            out.append(f"  {line.strip()}" if line else "")
        elif section == "Examples" and line.startswith(">>>") and not lines[index - 1].strip(" -"):
            out += ["```pycon", line]
            while index + 1 < len(lines) and lines[index + 1]:
                index += 1
                out.append(lines[index])
            out.append("```")
        else:
            out.append(line)
        index += 1
    text = "\n".join(out)
    return re.sub(r"(?<!`)``(?!`)([^`]+)``(?!`)", r"`\1`", text) + "\n"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
    sys.stdout.write(f"{TARGET} is up to date\n")
