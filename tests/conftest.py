"""What some tests need of PyTorch that the oldest supported release has not."""

from __future__ import annotations

import re

import pytest
import torch

RELEASE = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))

#: Tests by the beginning of their ids, and the first release that is known to pass them. They are
#: about operators that are newer than 2.10, or about something that PyTorch itself did otherwise.
#: Nothing of it keeps ipyflops from working there: an operator that is not there cannot be called.
NEWER = {
    # Operators that 2.10 has not, or not on CPUs, or with other arguments.
    "tests/formulas/test_compiler_primitives.py::test_all_of_them_have_a_verdict": (2, 13),
    "tests/formulas/test_interpolation.py::test_lanczos": (2, 12),
    "tests/formulas/test_low_precision_products.py::test_float8_products_scale_their": (2, 12),
    "tests/formulas/test_varlen_attention.py": (2, 12),
    "tests/formulas/test_vector_norms.py::test_a_sum_of_powers_takes_no_root": (2, 12),
    "tests/sweeps/test_op_db.py::test_an_entry_runs_as_without_the_counter[torch._scaled": (2, 13),
    "tests/sweeps/test_verdicts.py::test_every_": (2, 13),
    # Operators that consisted of others, or made other calls in their gradients.
    "tests/formulas/test_linear_algebra.py::test_matrix_exponential_counts_the_pro": (2, 13),
    "tests/formulas/test_pointwise.py::test_an_operator_costs_what_it_is_written_out[ld": (
        2,
        12,
    ),
    "tests/sweeps/test_consistency.py::test_every_form_of_a_call_costs_the_same[quantile": (2, 13),
    "tests/sweeps/test_consistency.py::test_every_form_of_a_call_costs_the_same[nanquant": (2, 13),
    "tests/sweeps/test_op_db.py::test_an_entry_runs_as_without_the_counter[linalg.vander": (2, 13),
    "tests/sweeps/test_op_db.py::test_an_entry_runs_as_without_the_counter[masked.cumprod": (2, 13),
    "tests/sweeps/test_transforms.py::test_vmap_costs_what_a_loop_costs[ldexp": (2, 13),
    "tests/sweeps/test_transforms.py::test_func_grad_costs_what_autograd_costs[cumprod": (2, 13),
    "tests/sweeps/test_transforms.py::test_func_grad_costs_what_autograd_costs[linalg.van": (
        2,
        13,
    ),
    "tests/sweeps/test_transforms.py::test_func_grad_costs_what_autograd_costs[masked.cum": (2, 13),
    "tests/test_higher_order.py::test_scan_counts_every_step_forwards_and_backwards": (2, 13),
    # 2.12 warns that nothing was compiled.
    "tests/test_higher_order.py::test_flex_attention_counts_all_pairs_without_a_mask": (2, 13),
    # What PyTorch's own counter and table of devices said.
    "tests/formulas/test_attention.py::test_products_": (2, 13),
    "tests/test_peak.py::test_sparse_rates_of_a_data_sheet_are_halved": (2, 13),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for name, release in NEWER.items():
            if release > RELEASE and item.nodeid.startswith(name):
                needs = ".".join(map(str, release))
                item.add_marker(pytest.mark.skip(reason=f"needs PyTorch {needs}"))
