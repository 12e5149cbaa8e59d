"""Libraries that are built on PyTorch: small random models, no network, no weights.

`make test-libraries` installs them. Where one is missing its tests are skipped, unless the
environment variable ``IPYFLOPS_LIBRARIES`` says ``required``.
"""

from __future__ import annotations

import importlib
import os
import warnings
from typing import Any

import pytest

# Nothing is looked up: these tests have no network.
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")


def library(name: str) -> Any:
    """Import a library, whose warnings are not ours; skip the file where it is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError:
            if os.environ.get("IPYFLOPS_LIBRARIES") == "required":
                raise
            return pytest.skip(f"{name} is not installed", allow_module_level=True)
