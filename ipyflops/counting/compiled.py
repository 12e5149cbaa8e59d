"""Compiled code is counted as the eager code that it was compiled from.

A function that ``torch.compile`` has compiled shows a dispatch mode nothing of what it runs, and is
not compiled any more once it was called under one. While a block is open the compiler is therefore
told to step aside (the stance ``force_eager``); afterwards what was compiled still is.

One use of the compiler is needed, and left alone: higher-order operators with gradients (``cond``)
have it find the tensors that their functions use, and then run plain graphs, operator by operator.

The stance can be set only where the compiler is loaded, and loading it takes a second. A block that
begins without it sets the stance at the moment when something in the block loads it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ipyflops.torch_private import COMPILER_MODULE, EagerStance


class CompilerStance:
    """Has PyTorch's compiler step aside, and lets it come back.

    Each method can be called at any time, and again where an interrupt cut it short.
    """

    def __init__(self) -> None:
        self._eager = EagerStance()
        self._wanted = False
        self._hook = DynamoImportHook(self)

    def step_aside(self) -> None:
        """From now on compiled functions run as they were written."""
        self._wanted = True
        if COMPILER_MODULE in sys.modules:
            self._eager.set()
        elif self._hook not in sys.meta_path:
            sys.meta_path.insert(0, self._hook)

    def step_back(self) -> None:
        """The stance is again what it was, unless the user has set another one since."""
        self._wanted = False
        while self._hook in sys.meta_path:
            sys.meta_path.remove(self._hook)
        self._eager.set_back()

    def compiler_loaded(self) -> None:
        """Set the stance, if it is still wanted; called once the compiler is loaded."""
        if self._wanted:
            self._eager.set()

    def was_replaced(self) -> bool:
        """Whether somebody has set a stance since under which compiled functions run compiled."""
        return self._wanted and COMPILER_MODULE in sys.modules and not self._eager.is_eager()


class DynamoImportHook(MetaPathFinder):
    """Notices that something loads the compiler; finds no module itself.

    To be asked where the compiler is does not mean that it is loaded, and it may be asked often.
    """

    def __init__(self, stance: CompilerStance) -> None:
        self._stance = stance

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Have the compiler loaded by a loader that tells the stance; None for all else."""
        if fullname != COMPILER_MODULE:
            return None
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _NotifyingLoader(spec.loader, self._stance)
                return spec
        return None


class _NotifyingLoader(Loader):
    """Loads the compiler as another loader does, and then tells the stance."""

    def __init__(self, loader: Loader, stance: CompilerStance) -> None:
        self._loader = loader
        self._stance = stance

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps its own loader, as if nobody had watched.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._stance.compiler_loaded()
