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
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import torch

_COMPILER = "torch._dynamo"
_lock = threading.RLock()
_blocks = 0
#: The stance before; None where none was set.
_prior: Any = None


def step_aside() -> None:
    """Begin a block: from now on compiled functions run as they were written."""
    global _blocks
    with _lock:
        _blocks += 1
        if _blocks > 1:
            return
        if _COMPILER in sys.modules:
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
            sys.modules[_COMPILER].eval_frame._set_stance(_prior)
            _prior = None


def _force_eager() -> None:
    global _prior
    from torch._dynamo import eval_frame

    _prior = eval_frame._set_stance(_stance())


def _stance() -> Any:
    """Give the stance, which torch asks for its name whenever compiled code is called."""
    from torch._dynamo.eval_frame import DynamoStance

    try:
        from torch._higher_order_ops.utils import _in_hop_compile
    except ImportError:  # before torch 2.12 the compiler did without in higher-order operators
        return DynamoStance("force_eager")

    class Stance(DynamoStance):
        """Lets higher-order operators compile where gradients are wanted, and nothing else."""

        def __init__(self) -> None:
            self.skip_guard_eval_unsafe = False
            self.backend = None

        @property
        def stance(self) -> str:  # type: ignore[override]
            needed = _in_hop_compile() and torch.is_grad_enabled()
            return "default" if needed else "force_eager"

    return Stance()


class _Watch(MetaPathFinder):
    """Waits for the compiler to be imported while a block is open; finds nothing by itself."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _COMPILER:
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
