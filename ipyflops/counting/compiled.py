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


class CompilerStance:
    """Has PyTorch's compiler step aside while blocks are open.

    Attributes
    ----------
    blocks : int
        How many are open, in all threads.
    """

    def __init__(self) -> None:
        self.blocks = 0
        self._lock = threading.RLock()
        #: Sets the stance that was before; None where none was set.
        self._set_back: Callable[[], object] | None = None
        self._hook = DynamoImportHook(self)

    def step_aside(self) -> None:
        """Begin a block: from now on compiled functions run as they were written."""
        with self._lock:
            self.blocks += 1
            if self.blocks > 1:
                return
            if COMPILER_MODULE in sys.modules:
                self._set_back = force_eager()
            else:
                sys.meta_path.insert(0, self._hook)

    def step_back(self) -> None:
        """End a block; with the last one the stance is again what it was."""
        with self._lock:
            self.blocks -= 1
            if not self.blocks:
                self.reset()

    def compiler_loaded(self) -> None:
        """Set the stance, if a block is still open; called once the compiler is loaded."""
        with self._lock:
            if self.blocks and self._set_back is None:
                self._set_back = force_eager()

    def reset(self) -> None:
        """End all blocks."""
        with self._lock:
            self.blocks = 0
            if self._hook in sys.meta_path:
                sys.meta_path.remove(self._hook)
            if self._set_back is not None:
                self._set_back()
                self._set_back = None


class DynamoImportHook(MetaPathFinder):
    """Notices that something imports the compiler while a block is open; finds no module itself."""

    def __init__(self, stance: CompilerStance) -> None:
        self._stance = stance

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Have the compiler loaded by a loader that tells the stance; None for all else."""
        if fullname != COMPILER_MODULE:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _NotifyingLoader(spec.loader, self._stance)
        return spec


class _NotifyingLoader(Loader):
    """Loads the compiler as another loader does, and then tells the stance."""

    def __init__(self, loader: Loader, stance: CompilerStance) -> None:
        self._loader = loader
        self._stance = stance

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # The module keeps its own loader, as if nobody had watched.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._stance.compiler_loaded()


#: That of the process.
STANCE = CompilerStance()
