"""What some tests need of PyTorch that the oldest supported release has not."""

from __future__ import annotations

import re

import pytest
import torch

RELEASE = tuple(map(int, re.findall(r"\d+", torch.__version__)[:2]))

#: Tests, by the beginning of their ids, that are known to pass from PyTorch 2.13 on only. They are
#: about operators that are newer, or about something that PyTorch itself did otherwise.
NEED_2_13 = (
    # Operators that are newer.
    "tests/formulas/test_compiler_primitives.py::test_all_of_them_have_a_verdict",
    "tests/sweeps/test_op_db.py::test_an_entry_runs_as_without_the_counter[torch._scaled_mm_v2",
    "tests/sweeps/test_verdicts.py::test_every_",
    # Operators that consisted of others, or made other calls in their gradients.
    "tests/formulas/test_linear_algebra.py::test_matrix_exponential_counts_the_products_that_run",
    "tests/sweeps/test_consistency.py::test_every_form_of_a_call_costs_the_same[quantile",
    "tests/sweeps/test_consistency.py::test_every_form_of_a_call_costs_the_same[nanquantile",
    "tests/sweeps/test_op_db.py::test_an_entry_runs_as_without_the_counter[linalg.vander",
    "tests/sweeps/test_op_db.py::test_an_entry_runs_as_without_the_counter[masked.cumprod",
    "tests/sweeps/test_transforms.py::test_vmap_costs_what_a_loop_costs[ldexp",
    "tests/sweeps/test_transforms.py::test_func_grad_costs_what_autograd_costs[cumprod",
    "tests/sweeps/test_transforms.py::test_func_grad_costs_what_autograd_costs[linalg.vander",
    "tests/sweeps/test_transforms.py::test_func_grad_costs_what_autograd_costs[masked.cumprod",
    "tests/test_higher_order.py::test_scan_counts_every_step_forwards_and_backwards",
    # PyTorch warned there that nothing was compiled.
    "tests/test_higher_order.py::test_flex_attention_counts_",
    # What PyTorch's own counter and table of devices said.
    "tests/formulas/test_attention.py::test_products_",
    "tests/test_peak.py::test_sparse_rates_of_a_data_sheet_are_halved",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if RELEASE < (2, 13):
        for item in items:
            if item.nodeid.startswith(NEED_2_13):
                item.add_marker(pytest.mark.skip(reason="needs PyTorch 2.13"))
