"""The notebooks of the repository and the address that it has."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
#: What a Binder session is sure to have.
MEMORY = 1024**3

NAMES = (
    "01_quickstart",
    "02_flops_by_layer",
    "03_convolutions",
    "04_transformers",
    "05_training",
    "06_flops_per_second",
    "07_your_own_operators",
    "08_many_processes",
    "09_memory",
    "10_before_you_rent",
    "11_from_model_to_paper",
)

#: How many pictures a reader sees at least beside those in reports: drawings, charts.
FIGURES = {
    "02_flops_by_layer": 2,
    "03_convolutions": 3,
    "04_transformers": 2,
    "06_flops_per_second": 1,
    "09_memory": 2,
    "11_from_model_to_paper": 1,
}


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.ipynb"


def repository() -> str:
    """``owner/name`` on GitHub; pyproject.toml is the one place that says it."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (address,) = re.findall(r'^Repository = "https://github\.com/([\w.-]+/[\w.-]+)"$', text, re.M)
    return str(address)


def badges(name: str) -> str:
    """What opens a notebook on Binder, in JupyterLab, and in Colab."""
    binder = f"https://mybinder.org/v2/gh/{repository()}/HEAD"
    colab = f"https://colab.research.google.com/github/{repository()}/blob/HEAD"
    return (
        "[![Open in Binder](https://mybinder.org/badge_logo.svg)]"
        f"({binder}?urlpath=lab/tree/notebooks/{name}.ipynb) "
        "[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)]"
        f"({colab}/notebooks/{name}.ipynb)"
    )


def setup() -> str:
    """The first code cell of each notebook, for Colab: elsewhere it finds ipyflops installed."""
    return f"""\
# Where ipyflops is missing, as on Colab, it comes from its repository; so do the models used here.
from importlib.util import find_spec

if find_spec("ipyflops") is None:
    !git clone --quiet --depth 1 https://github.com/{repository()} ipyflops-repository
    %pip install --quiet ./ipyflops-repository
    %cd -q ipyflops-repository/notebooks"""
