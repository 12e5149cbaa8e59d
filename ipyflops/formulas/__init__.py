"""What each operator costs: one file per family, each formula with its derivation."""

from ipyflops.formulas import fourier, grid_sampling, interpolation, linear_algebra, linear_solvers, products
from ipyflops.formulas.call import Call
from ipyflops.formulas.registry import (
    Formula,
    FormulaError,
    Free,
    Unknown,
    Verdict,
    lookup,
    register_formula,
    temporary_formula,
)

__all__ = [
    "Call",
    "Formula",
    "FormulaError",
    "Free",
    "Unknown",
    "Verdict",
    "lookup",
    "products",
    "register_formula",
    "temporary_formula",
]
