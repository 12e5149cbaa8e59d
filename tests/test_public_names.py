"""What `import ipyflops` gives: these names and no others, each with one meaning."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

import ipyflops

#: Somebody's code may use each of these: a name that goes, or that changes its meaning, breaks it.
PUBLIC_NAMES = [
    "Cost",
    "DryRunError",
    "FlopCounter",
    "FormulaError",
    "Node",
    "Report",
    "Sweep",
    "SweepError",
    "__version__",
    "dry_run",
    "last",
    "load_ipython_extension",
    "peak",
    "register_formula",
    "sweep",
    "temporary_formula",
    "unload_ipython_extension",
]


def test_the_public_names_are_those_of_the_list() -> None:
    assert sorted(ipyflops.__all__) == PUBLIC_NAMES


@pytest.mark.parametrize("name", PUBLIC_NAMES)
def test_a_public_name_is_there_and_is_not_a_module_too(name: str) -> None:
    assert getattr(ipyflops, name) is not None
    assert find_spec(f"ipyflops.{name}") is None
