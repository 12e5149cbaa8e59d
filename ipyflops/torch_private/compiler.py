"""What this package uses of PyTorch's compiler, and that PyTorch keeps private.

The rules are those of the folder's ``__init__``, which hands these names on.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import torch

_TORCH = os.path.dirname(torch.__file__)

#: The compiler, and the file of it that calls compiled code. It is never loaded from here on its
#: own account: that takes a second. Without them (other names): compiled code is not counted.
COMPILER_MODULE = "torch._dynamo"
COMPILED_CALLS_MODULE = "torch._dynamo.eval_frame"
COMPILED_CALLS_FILE = os.path.join(_TORCH, "_dynamo", "eval_frame.py")
#: The file whose functions keep others from being compiled: a mode's handler is called from there.
#: Without it (another name): a bias that a mode hands on counts as an addition.
GUARDED_CALLS_FILE = os.path.join(_TORCH, "_compile.py")
#: Files that run operators only to learn their shapes. Without them: those are counted as well.
HIGHER_ORDER_FOLDER = os.path.join(_TORCH, "_higher_order_ops") + os.sep
SHARDING_FILE = os.path.join(_TORCH, "distributed", "tensor", "_sharding_prop.py")
#: The child of a compiled module that is the module itself.
#: Without it (another name): places are named after the wrapper.
COMPILED_FROM = "_orig_mod"


def runs_eagerly() -> bool:
    """Whether the stance of now has compiled functions run as they were written.

    Without it (another name): no.
    """
    stance = getattr(sys.modules.get(COMPILED_CALLS_MODULE), "_stance", None)
    return getattr(stance, "stance", "") == "force_eager"


class EagerStance:
    """The stance under which compiled functions run as they were written.

    It stands for the whole process. Each method can be called at any time, and again where an
    interrupt cut it short.

    The public `torch.compiler.set_stance` takes words alone, and this stance depends on who asks.
    Without the private one: the public one, so that ``cond`` with gradients fails in a block.
    """

    def __init__(self) -> None:
        self._ours: Any = None
        self._before: Any = None
        #: What the public function gave, where there is no private one.
        self._public: Any = None
        self._silenced = False

    def is_set(self) -> bool:
        """Whether it stands now; the user may have set another one since."""
        if self._public is not None:
            return True
        eval_frame = sys.modules.get(COMPILED_CALLS_MODULE)
        return self._ours is not None and getattr(eval_frame, "_stance", None) is self._ours

    def is_eager(self) -> bool:
        """Whether compiled functions run as they were written, whoever has seen to that."""
        return self.is_set() or runs_eagerly()

    def set(self) -> None:
        """Let it stand, and remember the one before. The compiler is loaded for that."""
        from torch._dynamo import eval_frame

        if self.is_set():
            return
        needed = ("DynamoStance", "_set_stance", "_stance")
        if not all(hasattr(eval_frame, name) for name in needed):
            self._public = torch.compiler.set_stance("force_eager")
            return
        self._before = eval_frame._stance
        if self._ours is None:
            self._ours = _eager_stance(self._silence)
        eval_frame._set_stance(self._ours)

    def set_back(self) -> None:
        """Let the one before stand again; one that the user has set since stays."""
        if self._silenced:
            _warnings_shown().discard(_NOT_COMPILED)
            self._silenced = False
        if not self.is_set():
            return
        if self._public is None:
            sys.modules[COMPILED_CALLS_MODULE]._set_stance(self._before)
        else:
            chosen, self._public = self._public, None
            chosen.__exit__(None, None, None)

    def _silence(self) -> None:
        """Have attention not warn, until `set_back`, that it is not compiled: it is compiled."""
        shown = _warnings_shown()
        if _NOT_COMPILED not in shown:
            shown.add(_NOT_COMPILED)
            self._silenced = True


#: The warning of `flex_attention` that it runs uncompiled, which PyTorch shows once in a process,
#: and its list of those that it has shown. Without them (other names): the warning is shown.
_NOT_COMPILED = "flex_attention_performance"


def _warnings_shown() -> set[str]:
    module = sys.modules.get("torch.nn.attention.flex_attention")
    shown: set[str] = getattr(module, "_WARNINGS_SHOWN", set())
    return shown


def _eager_stance(when_asked: Callable[[], None]) -> Any:
    """Give the stance, which PyTorch asks for its name whenever compiled code is called."""
    from torch._dynamo.eval_frame import DynamoStance

    try:
        from torch._higher_order_ops.utils import _in_hop_compile
    except ImportError:  # then the compiler does without in higher-order operators
        return DynamoStance("force_eager")

    class Stance(DynamoStance):
        """Lets higher-order operators compile where gradients are wanted, and nothing else."""

        def __init__(self) -> None:
            self.skip_guard_eval_unsafe = False
            self.backend = None

        @property
        def stance(self) -> str:  # type: ignore[override]
            when_asked()
            needed = _in_hop_compile() and torch.is_grad_enabled()
            return "default" if needed else "force_eager"

    return Stance()
