"""The verdict on every operator of the installed torch, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch

from ipyflops.formulas.registry import Formula, FreeOperator, lookup
from ipyflops.torch_private import (
    OpOverload,
    all_operator_names,
    can_decompose,
    higher_order_operators,
)

#: Namespaces whose operators can reach a dispatch mode.
NAMESPACES = (
    "aten",
    "prims",
    "quantized",
    "_quantized",
    "onednn",
    "mkldnn",
    "mkldnn_prepacked",
    "mkl",
    "sparse",
    "c10d",
    "_c10d_functional",
    "_c10d_functional_autograd",
    "symm_mem",
    "torchvision",
)
VerdictWord = Literal["formula", "free", "composite", "unknown"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the table.

    Attributes
    ----------
    operator : str
        Such as ``aten::mm``.
    verdict : {"formula", "free", "composite", "unknown"}
        ``composite`` operators are sequences of others, and counted as those.
    family : str
        The module with the formula, empty where there is none.
    cost : str
        In words: the first line of the formula's docstring, or why the operator is free.
    """

    operator: str
    verdict: VerdictWord
    family: str
    cost: str


def catalogue() -> list[Entry]:
    """Every operator of the installed torch with its verdict, sorted by name.

    Overloads of one name that have different verdicts have a line each.
    """
    entries: dict[tuple[str, VerdictWord, str], Entry] = {}
    for name, func in operators():
        entry = _entry(name, func)
        entries.setdefault((name, entry.verdict, entry.cost), entry)
    return sorted(entries.values(), key=lambda entry: (entry.operator, entry.verdict))


def operators() -> Iterator[tuple[str, Any]]:
    """Name and overload of every operator in `NAMESPACES`, and the higher-order operators."""
    for full in sorted(all_operator_names()):
        name, _, overload = full.partition(".")
        namespace, _, base = name.partition("::")
        if namespace in NAMESPACES:
            packet = getattr(getattr(torch.ops, namespace), base, None)
            func = getattr(packet, overload or "default", None)
            if func is not None:
                yield name, func
    for name, func in sorted(higher_order_operators().items()):
        yield f"higher_order::{name}", func


def _entry(name: str, func: Any) -> Entry:
    verdict = lookup(func)
    if isinstance(verdict, Formula):
        words = (verdict.function.__doc__ or "").strip().splitlines()
        return Entry(name, "formula", verdict.family, words[0] if words else "")
    if isinstance(verdict, FreeOperator):
        return Entry(name, "free", "", verdict.reason)
    if not isinstance(func, OpOverload):
        return Entry(name, "composite", "", "counted as the functions that it calls")
    if can_decompose(func):
        return Entry(name, "composite", "", "counted as the operators that it consists of")
    return Entry(name, "unknown", "", "")
