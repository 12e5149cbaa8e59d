"""Where the same computation legitimately costs something else in another form, and why.

The sweeps check that each entry still differs: one that no longer does has to go.
"""

from __future__ import annotations

import torch

MODE = "torch computes vectors too under any dispatch mode, in the functional form alone"
CONJUGATE = "into out=, the result is conjugated by an operator of its own"
VALUES = "the work depends on the values, which such tensors do not have: the most is taken"
KERNEL = "strided or meta tensors take the product-by-product path, real ones the fused kernel"

#: Of each form, the entries that differ from the plain functional call.
FORMS_DIFFER: dict[str, dict[str, str]] = {
    "out": {
        "fft.ifft": CONJUGATE,
        "fft.ihfft": CONJUGATE,
        "fft.ihfft2": CONJUGATE,
        "fft.ihfftn": CONJUGATE,
        "linalg.eigvals": MODE,
        "linalg.eigvalsh": MODE,
        "linalg.svdvals": MODE,
    },
    "strided": {
        "inner": "a strided vector is multiplied and summed instead of given to dot",
        "nn.functional.scaled_dot_product_attention": KERNEL,
    },
    "meta": {
        "matrix_exp": VALUES,
        "nn.functional.multilabel_margin_loss": VALUES,
        "nn.functional.scaled_dot_product_attention": KERNEL,
    },
    "fake": {
        "matrix_exp": VALUES,
        "nn.functional.multilabel_margin_loss": VALUES,
        "sparse.mm:reduce": VALUES,
    },
}

SHARED = "what does not depend on the mapped input is computed once, and by the loop every time"
SPLIT = "vmap writes the operator out in others, which do something else"
ROUNDED = "n·log2(n) is rounded to whole operations once, and by the loop for every sort"

#: Entries that cost something else under `torch.vmap` than in a loop.
VMAP_DIFFERS: dict[str, str] = {
    "_unsafe_masked_index": SPLIT,
    "_unsafe_masked_index_put_accumulate": SPLIT,
    "addbmm": SHARED,
    "addmm": SHARED,
    "addmm:decomposed": SHARED,
    "addmv": SHARED,
    "addr": SPLIT,
    "argsort": ROUNDED,
    "baddbmm": SHARED,
    "combinations": SHARED,
    "corrcoef": SHARED,
    "cov": SHARED,
    "cumulative_trapezoid": SHARED,
    "grid_sampler_2d": SHARED,
    "grid_sampler_3d": SHARED,
    "masked.mean": SHARED,
    "masked.std": SHARED,
    "masked.var": SHARED,
    "msort": ROUNDED,
    "nn.functional.batch_norm": SPLIT,
    "nn.functional.binary_cross_entropy_with_logits": SPLIT,
    "nn.functional.cosine_embedding_loss": SHARED,
    "nn.functional.cosine_similarity": SHARED,
    "nn.functional.cross_entropy": SPLIT,
    "nn.functional.gaussian_nll_loss": SHARED,
    "nn.functional.grid_sample": SHARED,
    "nn.functional.hinge_embedding_loss": SHARED,
    "nn.functional.linear_cross_entropy": SPLIT,
    "nn.functional.mse_loss": SHARED,
    "nn.functional.multi_head_attention_forward": SHARED,
    "nn.functional.multilabel_soft_margin_loss": SHARED,
    "nn.functional.nll_loss": SPLIT,
    "nn.functional.poisson_nll_loss": SHARED,
    "nn.functional.scaled_dot_product_attention": SHARED,
    "nn.functional.smooth_l1_loss": SHARED,
    "nn.functional.triplet_margin_with_distance_loss": SHARED,
    "slice_scatter": SPLIT,
    "sort": ROUNDED,
    "take_along_dim": SHARED,
    "trapezoid": SHARED,
    "trapz": SHARED,
}

SUBCLASS = "its derivative takes the path for tensors that may not be changed in place"
WRITTEN_OUT = "its derivative is written out in plain operators instead of one of its own"

#: Entries that cost something else under `torch.func.grad` than under `torch.autograd.grad`.
GRAD_DIFFERS: dict[str, str] = {
    "cumprod": SUBCLASS,
    "index_reduce:prod": SUBCLASS,
    "linalg.householder_product": SUBCLASS,
    "linalg.solve": SUBCLASS,
    "linalg.solve_ex": SUBCLASS,
    "linalg.tensorsolve": SUBCLASS,
    "linalg.vander": SUBCLASS,
    "logit": WRITTEN_OUT,
    "masked.cumprod": SUBCLASS,
    "nn.functional.binary_cross_entropy_with_logits": WRITTEN_OUT,
    "nn.functional.group_norm": WRITTEN_OUT,
    "nn.functional.mish": WRITTEN_OUT,
    "ormqr": SUBCLASS,
    "scatter_reduce:prod": SUBCLASS,
}

if torch.__version__ >= (2, 14):  # seen with 2.15
    # Of the samples there are now, none shows it.
    del FORMS_DIFFER["out"]["fft.ihfft2"]
    # Mapped over, it is a loop over the fused kernel.
    del VMAP_DIFFERS["nn.functional.scaled_dot_product_attention"]
    GRAD_DIFFERS["native_group_norm"] = WRITTEN_OUT
