"""The shapes of modules, and the sizes of outputs, as data that JSON can hold, and back.

They came later. A report without them has no such entries, and an older ipyflops reads past them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ipyflops.report.serialization.reading import ReportFormatError, is_natural, is_text
from ipyflops.report.tables import NO_SHAPES, ModuleShapes, Scope, Signature


def columns(scopes: Sequence[Scope], signatures: Sequence[Signature]) -> dict[str, Any]:
    """Return the entries of a report's data, as far as there is something to say."""
    data: dict[str, Any] = {}
    if any(scope.shapes != NO_SHAPES for scope in scopes):
        data["shapes"] = [list(scope.shapes) for scope in scopes]
    if any(signature.activations for signature in signatures):
        data["activations"] = [signature.activations for signature in signatures]
    return data


def with_shapes(scopes: tuple[Scope, ...], data: Mapping[str, Any]) -> tuple[Scope, ...]:
    """Put in what `columns` gave for scopes.

    Raises
    ------
    ReportFormatError
        If it is anything else.
    """
    records = data.get("shapes")
    if records is None:
        return scopes
    return tuple(
        replace(scope, shapes=_shapes(record))
        for scope, record in zip(scopes, _list(records, len(scopes)), strict=True)
    )


def with_activations(
    signatures: tuple[Signature, ...], data: Mapping[str, Any]
) -> tuple[Signature, ...]:
    """Put in what `columns` gave for signatures; errors are those of `with_shapes`."""
    numbers = data.get("activations")
    if numbers is None:
        return signatures
    if not all(map(is_natural, _list(numbers, len(signatures)))):
        raise ReportFormatError("the size of an output is no number")
    return tuple(
        replace(signature, activations=number) if number else signature
        for signature, number in zip(signatures, numbers, strict=True)
    )


def _list(value: Any, length: int) -> list[Any]:
    if type(value) is not list or len(value) != length:
        raise ReportFormatError("its shapes do not fit its modules and operators")
    return value


def _shapes(record: object) -> ModuleShapes:
    values = _list(record, 4)
    given, gave, kernel, trainable = values
    if not all(map(is_text, (given, gave, kernel))) or not (
        is_natural(trainable) or trainable == -1
    ):
        raise ReportFormatError("the shapes of a module are not whole")
    return ModuleShapes(given, gave, kernel, trainable)
