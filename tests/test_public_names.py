"""The names that `import ipyflops` offers."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import types

import pytest

import ipyflops

CLASSES = {"Cost", "Device", "FlopCounter", "Meter", "Node", "Report", "Sweep"}
ERRORS = {"DryRunError", "FormulaError", "SweepError"}
FUNCTIONS = {
    "compare",
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


#: Python 3.13's own way to ask whether threads take turns; the answer is set here.
IMPORTS = """
import sys, warnings
sys._is_gil_enabled = lambda: {gil}
with warnings.catch_warnings(record=True) as shown:
    warnings.simplefilter("default")
    import ipyflops
    import ipyflops.magics
print(*(str(one.message) for one in shown if "free-threaded" in str(one.message)), sep="\\n")
"""


@pytest.mark.parametrize("gil", [True, False])
def test_a_free_threaded_python_is_warned_of_once(gil: bool) -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(gil=gil)], capture_output=True, text=True, check=True
    )
    assert done.stdout.count("counts may be lost") == (0 if gil else 1)
