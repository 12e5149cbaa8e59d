"""What does each operator cost?

`lookup` gives the verdict on an operator: a `Formula`, a `FreeOperator`, or `Unknown`. A formula
takes a `Call` and gives a `Cost`. The formulas are in `families`, one file for each family. Other
folders import only from here.
"""

from __future__ import annotations

from ipyflops.formulas import families as _families  # noqa: F401 - fills the registry
from ipyflops.formulas.arithmetic_dtype import dtype_of, tf32_switches
from ipyflops.formulas.call import Call, tensors
from ipyflops.formulas.offsets import OFFSETS, offsets_among
from ipyflops.formulas.operator_names import kernel_name, operator_name
from ipyflops.formulas.registry import (
    UNKNOWN,
    Formula,
    FormulaError,
    FreeOperator,
    NoFormulaError,
    Unknown,
    Verdict,
    kernel_verdict,
    lookup,
    user_formula,
)
from ipyflops.formulas.special_tensors import noting_missed_values
from ipyflops.formulas.user_formulas import register_formula, temporary_formula

__all__ = [
    "OFFSETS",
    "UNKNOWN",
    "Call",
    "Formula",
    "FormulaError",
    "FreeOperator",
    "NoFormulaError",
    "Unknown",
    "Verdict",
    "dtype_of",
    "kernel_name",
    "kernel_verdict",
    "lookup",
    "noting_missed_values",
    "offsets_among",
    "operator_name",
    "register_formula",
    "temporary_formula",
    "tensors",
    "tf32_switches",
    "user_formula",
]
