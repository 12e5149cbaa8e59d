"""What each operator costs: one file per family, each formula with its derivation."""

from ipyflops.formulas import (
    activations,
    ctc_loss,
    dropout,
    embedding,
    fourier,
    grid_sampling,
    interpolation,
    linear_algebra,
    linear_cross_entropy,
    linear_solvers,
    losses,
    margin_losses,
    norm_gradients,
    norms,
    optimizer_steps,
    ordering,
    pointwise,
    pooling,
    products,
    reductions,
    scatter,
    softmax,
    special_functions,
    tensor_lists,
    vector_norms,
)
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
