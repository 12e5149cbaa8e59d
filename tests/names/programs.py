"""Runs code as that of a library, of another file of the user's, or of a cell."""

from __future__ import annotations

import linecache
import os
import sysconfig
from types import ModuleType
from typing import Any

from ipyflops import FlopCounter, Report

#: Where packages are installed.
INSTALLED = sysconfig.get_path("purelib")


def _module(name: str, file: str, source: str) -> Any:
    module = ModuleType(name)
    module.__file__ = file
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec"), vars(module))
    return module


def library(name: str, source: str) -> Any:
    """A package that is installed, with this source."""
    return _module(name, os.path.join(INSTALLED, name, "__init__.py"), source)


def own_file(name: str, source: str) -> Any:
    """A file of the user's, with this source."""
    return _module(name, os.path.join(os.path.dirname(__file__), f"{name}.py"), source)


def count_cell(
    source: str, variables: dict[str, Any], name: str = "<cell>", **options: Any
) -> Report:
    """Count code as a cell is counted, among the variables of a notebook."""
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    code = compile(source, name, "exec")
    counter = FlopCounter(source=_source(name), **options)
    with counter:
        exec(code, variables)
    return counter.report


def _source(name: str) -> Any:
    from ipyflops.report import Source

    return Source(name, "In[1]")


def top_names(report: Report) -> list[str]:
    """The names of the modules and optimizers that nothing encloses, in their order."""
    return [node.name for node in report.tree.children if node.kind != "code" and node.flops]
