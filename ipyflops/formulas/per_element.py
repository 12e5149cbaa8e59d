"""Costs of operators that do the same to every element, and the tables that hold them.

A table has one `PerElement` for each operator: how many operations one element takes, real and
complex, and why. The cost of a call is that number times n, the elements of the result
(broadcasting repeats the work, so that the inputs do not tell).

What counts as one operation: an add, a subtract, a multiply, a divide, a comparison, a rounding, a
sign change, one elementary or special function of the C mathematics library. Two functions are
dearer because the article prices them: a tanh is 5 and a sigmoid is 4, wherever they occur. An
operator that is more than one of these costs what it costs when it is written out with them.

Complex arithmetic is written out in real arithmetic: add and subtract 2, multiply 6, divide 11,
absolute value 4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ipyflops.costs import Cost
from ipyflops.formulas.call import Call, first_output
from ipyflops.formulas.cost_expressions import times
from ipyflops.formulas.registry import formula


@dataclass(frozen=True, slots=True)
class PerElement:
    """What an operator does to one element.

    Attributes
    ----------
    real : int
        Operations on one real element.
    complex : int or None
        Real operations on one complex element; None for an operator that has no complex form.
    why : str
        The derivation: which operations these are.
    integer : int or None
        Integer operations on one integer element, where they are not as many as `real`.
    article : bool
        Whether the article names this operator.
    """

    real: int
    complex: int | None
    why: str
    integer: int | None = None
    article: bool = False


def per_element(
    call: Call, real: int, complex: int | None = None, *, article: bool = False, note: str = ""
) -> Cost:
    """Cost of an operator that does so many operations to every element of its result.

    Parameters
    ----------
    call : Call
        Its first output tells how many elements there are and whether they are complex.
    real, complex : int
        Operations on one element; a complex element costs 6 times a real one where nothing is said.
    article : bool
        Whether the article names the operator with this cost.
    note : str
        A remark for the reader.
    """
    count = real
    if call.is_complex:
        count, article = (6 * real if complex is None else complex), False
    expression = times(count)
    n = first_output(call).numel()
    return Cost.of(other=expression, article=expression if article else None, note=note, n=n)


def enter_table(table: Mapping[str, PerElement], module: str, *, namespace: str = "aten") -> None:
    """Enter every operator of a table, given by names without the namespace.

    Parameters
    ----------
    table : mapping of str to PerElement
        The costs.
    module : str
        ``__name__`` of the family that the table belongs to.
    namespace : str
        The namespace of the operators.
    """
    for name, entry in table.items():
        formula(f"{namespace}::{name}")(_formula(name, entry, module))


def _formula(name: str, entry: PerElement, module: str) -> Callable[[Call], Cost]:
    def count(call: Call) -> Cost:
        if entry.integer is not None and not call.is_floating:
            return per_element(call, entry.integer)
        return per_element(call, entry.real, entry.complex, article=entry.article)

    # The family and the derivation of a formula are read from these.
    count.__name__ = count.__qualname__ = name
    count.__module__ = module
    count.__doc__ = entry.why
    return count
