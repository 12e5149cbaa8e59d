"""Compiled code is counted as the eager code that it was compiled from.

A function that ``torch.compile`` has compiled shows a dispatch mode nothing of what it runs, and is
not compiled any more once it was called under one. For the time of a block the compiler is
therefore told to step aside (the stance ``force_eager``); afterwards what was compiled still is.

One use of the compiler is needed, and left alone: higher-order operators with gradients (``cond``)
have it find the tensors that their functions use, and then run plain graphs, operator by operator.

The stance can be set only where the compiler is loaded, and loading it takes a second. A block that
begins without it sets the stance at the moment when something in the block loads it.
"""

from __future__ import annotations

import importlib.util
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from ipyflops.torch_private import COMPILER_MODULE, force_eager

_lock = threading.RLock()
_blocks = 0
#: Sets the stance that was before; None where none was set.
_prior: Callable[[], object] | None = None


def step_aside() -> None:
    """Begin a block: from now on compiled functions run as they were written."""
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks > 1:
            return
        if COMPILER_MODULE in sys.modules:
            _force_eager()
        else:
            sys.meta_path.insert(0, _WATCH)


def step_back() -> None:
    """End a block; with the last one the stance is again what it was."""
    global _blocks, _prior
    with _lock:
        _blocks -= 1
        if _blocks:
            return
        if _WATCH in sys.meta_path:
            sys.meta_path.remove(_WATCH)
        if _prior is not None:
            _prior()
            _prior = None


def _force_eager() -> None:
    global _prior
    _prior = force_eager()


class _Watch(MetaPathFinder):
    """Waits for the compiler to be imported while a block is open; finds nothing by itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != COMPILER_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader)
        return spec


class _Then(Loader):
    """Loads a module as another loader does, and then sets the stance if a block is still open."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps its own loader, as if nobody had watched.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        with _lock:
            if _blocks and _prior is None:
                _force_eager()


_WATCH = _Watch()
