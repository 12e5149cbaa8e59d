"""What does each operator cost?

One file for each family of operators. Each formula has its derivation in its docstring. Importing
this package imports all of its files, and each file adds its formulas to the registry: a new family
is a new file here, and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
