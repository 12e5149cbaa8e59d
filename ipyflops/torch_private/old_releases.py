"""What older releases of PyTorch lack; each line names the first release that needs it no more.

Example: PyTorch 2.6 and 2.7 have no ``aten::_grouped_mm``. `operator_of` gives None for it there,
and None is no operator that a call could be compared with. When a release is supported no longer,
what names it here can be deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode


def is_compiled_call(code: CodeType) -> bool:
    """Whether code in `COMPILED_CALLS_FILE` calls what is compiled.

    The same file has the wrapper of code that must not be compiled: of optimizers, say. Before
    PyTorch 2.8 both have one name, and only the first asks whether a graph is made.
    """
    old = code.co_name == "_fn" and "is_fx_tracing" in code.co_freevars
    return old or code.co_name == "compile_wrapper"


def operator_of(name: str) -> Any:
    """Give an operator by its whole name; None if this PyTorch does not have it.

    Parameters
    ----------
    name : str
        As ``aten::mm.default``; of a packet, ``aten::mm``.
    """
    namespace, _, rest = name.partition("::")
    base, _, overload = rest.partition(".")
    packet = getattr(getattr(torch.ops, namespace), base, None)
    return getattr(packet, overload, None) if overload else packet


#: Whether higher-order operators ask a mode if it takes them: PyTorch 2.11 does, 2.8 does not.
_ASK_THE_MODE = hasattr(TorchDispatchMode, "supports_higher_order_operators")


def let_functions_reach(mode: Any) -> None:
    """Have operators that take functions (``cond``, ``flex_attention``) go through a mode.

    Before PyTorch 2.11 each of them has a table of the kinds of modes that it knows, and raises
    under any other. It is looked at anew each time: an operator may have been imported since.
    """
    if _ASK_THE_MODE or not getattr(mode, "supports_higher_order_operators", False):
        return
    for operator in list(getattr(torch._ops, "_higher_order_ops", {}).values()):
        if type(mode) not in operator.python_key_table:
            operator.python_key_table[type(mode)] = _as_dispatched(operator)


def _as_dispatched(operator: Any) -> Callable[..., Any]:
    """How a mode runs one of these operators."""

    def run(mode: Any, *args: Any, **kwargs: Any) -> Any:
        return mode.__torch_dispatch__(operator, (), args, kwargs)

    return run
