"""The names that `import ipyflops` offers."""

from __future__ import annotations

import pkgutil
import types

import pytest

import ipyflops

CLASSES = {"Cost", "FlopCounter", "Node", "Report", "Sweep"}
ERRORS = {"DryRunError", "FormulaError", "SweepError"}
FUNCTIONS = {
    "dry_run",
    "last",
    "load_ipython_extension",
    "peak",
    "register_formula",
    "reset",
    "sweep",
    "temporary_formula",
    "unload_ipython_extension",
}
#: In the order of the alphabet, as the rehearsal of the wheel prints them.
PUBLIC_NAMES = sorted({*CLASSES, *ERRORS, *FUNCTIONS, "__version__"})


def test_the_public_names_are_these() -> None:
    assert sorted(ipyflops.__all__) == PUBLIC_NAMES


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_is_a_class(name: str) -> None:
    value = getattr(ipyflops, name)
    assert isinstance(value, type)
    assert not issubclass(value, BaseException)
    assert value.__name__ == name


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_an_error_can_be_caught(name: str) -> None:
    value = getattr(ipyflops, name)
    assert issubclass(value, Exception)
    assert value.__name__ == name


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_function_is_a_function(name: str) -> None:
    value = getattr(ipyflops, name)
    assert isinstance(value, types.FunctionType)
    assert value.__name__ == name


def test_no_public_name_is_also_a_module_or_a_folder() -> None:
    # `ipyflops.peak` was both: which one it was depended on what had been imported.
    modules = {module.name for module in pkgutil.iter_modules(ipyflops.__path__)}
    assert modules >= {"magics", "units"}
    assert not modules & set(ipyflops.__all__)
