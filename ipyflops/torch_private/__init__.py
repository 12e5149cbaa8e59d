"""What do we use that PyTorch hides?

Example: a count needs to know which autograd node runs now, and only ``torch._C`` tells. So it
takes `current_node_number` from here, and this file says why that is needed and what happens in a
release of PyTorch that does not have it. No file outside this folder may use one.

To add a name, put it into the section that it is about, with two sentences before it: why it is
needed, and, after "Without it", what happens where PyTorch does not have it. That is one of two:

- the package cannot work: the name stands in a ``with _required():`` block, and the import fails
  with an error that names the release of PyTorch and all that it lacks;
- something else stands in, or a feature is left out: the name is read with a default.

Then add a test to ``tests/test_torch_private.py`` of what is relied on. Names that are read for
every operator are bound here once, so that the caller pays no further Python call.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from types import CodeType
from typing import Any

import torch
from torch import Tensor

from ipyflops.torch_private.compiler import (
    COMPILED_CALLS_FILE,
    COMPILED_CALLS_MODULE,
    COMPILED_FROM,
    COMPILER_MODULE,
    GUARDED_CALLS_FILE,
    HIGHER_ORDER_FOLDER,
    SHARDING_FILE,
    EagerStance,
    runs_eagerly,
)
from ipyflops.torch_private.cuda import is_capturing, is_past, occupy, raw_stream, record_event
from ipyflops.torch_private.devices import ENGINE_THREADS, default_store, scaled_product
from ipyflops.torch_private.fakes import (
    ASKS_FINITE,
    CHOOSES_NUMBERS,
    CONVERSION,
    FAKE_BUFFER,
    FAKE_PARAMETER,
    FAKE_TENSOR_FILES,
    FAKE_TENSOR_LOGGER,
    KEPT_ELEMENTS,
    StrongConverter,
    conversion_of_modules,
    forget_value,
    is_made_a_graph,
    kernel_below_a_mode,
)
from ipyflops.torch_private.kernels import (
    FOREACH_TYPES,
    GROUPING,
    PRIVATE_ANSWERS,
    KernelSet,
    active_fake_mode,
    attention_order,
    operator_named,
    without_autocast,
)
from ipyflops.torch_private.old_releases import is_compiled_call, let_functions_reach, operator_of
from ipyflops.torch_private.operators import (
    asks_for_target_twice,
    can_decompose,
    custom_kernels,
    decomposition_of,
    higher_order_operators,
    is_view,
    keeping_promises,
    launched_triton_constants,
    launched_triton_kernel,
    nested_sizes,
    stored_count,
    stored_indices,
    stored_values,
)

__all__ = [
    "ASKS_FINITE",
    "CHOOSES_NUMBERS",
    "COMPILED_CALLS_FILE",
    "COMPILED_CALLS_MODULE",
    "COMPILED_FROM",
    "COMPILER_MODULE",
    "CONVERSION",
    "ENGINE_THREADS",
    "FAKE_BUFFER",
    "FAKE_PARAMETER",
    "FAKE_TENSOR_FILES",
    "FAKE_TENSOR_LOGGER",
    "FOREACH_TYPES",
    "GROUPING",
    "GUARDED_CALLS_FILE",
    "HIGHER_ORDER_FOLDER",
    "KEPT_ELEMENTS",
    "PRIVATE_ANSWERS",
    "SHARDING_FILE",
    "EagerStance",
    "KernelSet",
    "StrongConverter",
    "active_fake_mode",
    "asks_for_target_twice",
    "attention_order",
    "can_decompose",
    "conversion_of_modules",
    "custom_kernels",
    "decomposition_of",
    "default_store",
    "forget_value",
    "higher_order_operators",
    "is_capturing",
    "is_compiled_call",
    "is_made_a_graph",
    "is_past",
    "is_view",
    "keeping_promises",
    "kernel_below_a_mode",
    "launched_triton_constants",
    "launched_triton_kernel",
    "let_functions_reach",
    "nested_sizes",
    "occupy",
    "operator_named",
    "operator_of",
    "raw_stream",
    "record_event",
    "runs_eagerly",
    "scaled_product",
    "stored_count",
    "stored_indices",
    "stored_values",
    "without_autocast",
]

_missing: list[str] = []


@contextmanager
def _required() -> Iterator[None]:
    """Note what PyTorch lacks and nothing can stand in for; the end of this file raises for all."""
    try:
        yield
    except (AttributeError, ImportError) as error:
        _missing.append(str(error))


_TORCH = os.path.dirname(torch.__file__)

# --- operators -----------------------------------------------------------------------------------

with _required():
    import torch._ops
    from torch.utils import _pytree

    # The types of operators, to tell them apart. PyTorch gives these no public name.
    # Without them: an error at import.
    OpOverload = torch._ops.OpOverload
    OpOverloadPacket = torch._ops.OpOverloadPacket
    HigherOrderOperator = torch._ops.HigherOrderOperator
    # Find the functions among the arguments of a higher-order operator, nested as PyTorch nests.
    # Without them: an error at import.
    tree_leaves = _pytree.tree_leaves
    tree_map = _pytree.tree_map

#: The module in which an operator calls itself: its frames are left out of tracebacks.
#: Without it (another name): tracebacks show one line more.
OPERATORS_MODULE = "torch._ops"
#: Modules whose objects a dry run shares instead of copying them.
#: Without one of these: it is a name that no object has.
SHARED_MODULES = ("torch._library", "torch._ops", "torch._C._distributed")


def schema_of(func: Any) -> Any:
    """The schema of an operator, which names its arguments; None if it has none.

    Without it: arguments are known only by the names that the caller gave.
    """
    return getattr(func, "_schema", None)


def direct_call(func: Any) -> Callable[..., Any]:
    """What an overload's ``__call__`` calls, and does nothing else: saves a Python call.

    Without it: the operator itself.
    """
    called: Callable[..., Any] = getattr(func, "_op", func) if type(func) is OpOverload else func
    return called


def composite_kernel(func: Any) -> Callable[..., Any] | None:
    """The implementation of a higher-order operator that runs other operators, if it has one.

    Without it: none, so that the operator is named as unknown.
    """
    key = getattr(getattr(torch._C, "DispatchKey", None), "CompositeExplicitAutograd", None)
    kernel: Callable[..., Any] | None = getattr(func, "py_kernels", {}).get(key)
    return kernel


#: The names of all operators, with their overloads, for formulas and the table of operators.
#: Without it: none, so that operators on lists of tensors are named as unknown.
all_operator_names: Callable[[], list[str]] = getattr(torch._C, "_dispatch_get_all_op_names", list)

# --- dispatch modes ------------------------------------------------------------------------------

with _required():
    from torch.utils import _python_dispatch

    # The counter is one: it sees every operator. Without it: an error at import.
    TorchDispatchMode = _python_dispatch.TorchDispatchMode
    # The modes of this thread, from below: the counter leaves from between others, and lets the
    # user's look first. Without it: an error at import.
    mode_stack = _python_dispatch._get_current_dispatch_mode_stack
    # How many there are. Without it: an error at import.
    stack_height: Callable[[], int] = torch._C._len_torch_dispatch_stack
    # Put a mode on this thread's stack, and take off the uppermost that is not PyTorch's own. Each
    # is one step that no interrupt can divide, as it can a mode's `__enter__`.
    # Without them: an error at import.
    push_mode: Callable[[Any], None] = torch._C._push_on_torch_dispatch_stack
    _pop_mode: Callable[[None], Any] = torch._C._pop_torch_dispatch_stack
    pop_mode: Callable[[], Any] = partial(_pop_mode, None)
    # A block whose operators no mode sees, to read values. Without it: an error at import.
    without_dispatch: Callable[[], AbstractContextManager[Any]] = torch._C._DisableTorchDispatch
    # A block in which tensors' own `__torch_function__` is not asked, to read a size.
    # Without it: an error at import.
    without_torch_function: Callable[[], AbstractContextManager[Any]] = (
        torch._C.DisableTorchFunctionSubclass
    )

#: The mode that makes a graph of a program while it runs, if something does, is
#: `mode_of(TRACING)`: then tensors' wrappers stay in the graph. It is asked for every operator on
#: wrapped tensors. Without it: None, so that make_fx sees what is inside of the wrappers.
TRACING: Any = getattr(getattr(torch._C, "_TorchDispatchModeKey", None), "PROXY", None)
mode_of: Callable[[Any], Any] = getattr(
    torch._C, "_get_dispatch_mode" if TRACING is not None else "", lambda key: None
)

#: PyTorch's flags of which modes there are, where each mode keeps what a flag was before it was
#: entered, and which modes raise the flag. Without them (other names): no flag is set.
_MODE_FLAGS: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
    ("_is_in_torch_dispatch_mode", "old_dispatch_mode_flags", lambda mode: True),
    (
        "_is_in_non_infra_torch_dispatch_mode",
        "old_non_infra_dispatch_mode_flags",
        lambda mode: not mode.is_infra_mode(),
    ),
)


def settle_mode_flags(elsewhere: bool) -> None:
    """Have the flags of which modes there are follow from this thread's stack.

    PyTorch keeps them for the whole process, counts up and down, and reads them where a compiled
    graph starts. `elsewhere` says whether another thread has a mode on its stack.
    """
    stack = mode_stack()
    for name, before, raises in _MODE_FLAGS:
        if not hasattr(_python_dispatch, name):
            continue
        flag = elsewhere
        for index, mode in enumerate(stack):
            kept: Any = getattr(mode, before, ())
            again = sum(one is mode for one in stack[index:])
            if len(kept) >= again:
                kept[-again] = flag
            flag = flag or raises(mode)
        setattr(_python_dispatch, name, flag)


class UnwrappedMode:
    """A base for modes whose `__torch_dispatch__` PyTorch is to leave as it is.

    Otherwise PyTorch wraps that for its compiler, at a quarter of its cost.
    Without it (PyTorch does not ask for the method): it changes nothing.
    """

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


# --- autograd nodes ------------------------------------------------------------------------------

with _required():
    # The code of the frame that drives the autograd engine: what runs above is a backward pass.
    # Without it: an error at import, as everything would pass for a forward.
    ENGINE_CODE: CodeType = torch.autograd.graph._engine_run_backward.__code__
    # The number of the backward pass that this thread works for: threads of the engine are shared
    # by passes. Without it: an error at import.
    current_backward_pass: Callable[[], int] = torch._C._current_graph_task_id

#: The number that this thread's next autograd node gets: what a node's forward was follows of it.
#: Without it: 0, so that backward passes count at the line that starts them.
current_sequence_number: Callable[[], int] = getattr(
    getattr(torch._C, "_autograd", None), "_get_sequence_nr", lambda: 0
)
_current_node: Callable[[], Any] = getattr(torch._C, "_current_autograd_node", lambda: None)
if not hasattr(getattr(torch._C, "_FunctionBase", None), "_sequence_nr"):
    _current_node = lambda: None  # noqa: E731 - a node that cannot tell its number


def current_node_number() -> int:
    """The number of the autograd node that runs now in this thread; -1 if none does.

    Without it: -1, so that backward passes count at the line that starts them. It is asked for
    every operator of a backward pass: `operator.methodcaller` would take five times as long.
    """
    node = _current_node()
    return -1 if node is None else node._sequence_nr()


def current_node_name() -> str:
    """The name of the autograd node that runs now in this thread, as ``ProdBackward0``.

    Without it: none, so that no note says which backward passes take another path.
    """
    node = _current_node()
    return "" if node is None else str(node.name())


def hooks_of(tensor: Tensor) -> list[Callable[..., Any]]:
    """The hooks on a tensor's gradient, for its copy in a dry run. Without it: none."""
    return list((getattr(tensor, "_backward_hooks", None) or {}).values())


def post_accumulate_hooks_of(tensor: Tensor) -> list[Callable[..., Any]]:
    """The hooks that run once a tensor has its gradient, for its copy. Without it: none."""
    return list((getattr(tensor, "_post_accumulate_grad_hooks", None) or {}).values())


# --- fake tensors --------------------------------------------------------------------------------

with _required():
    from torch._subclasses import fake_tensor, functional_tensor

    # Tensors without values, on which a dry run works and for which no value is read, and their
    # mode; the tensors that stand for others while a program is made functional.
    # Without them: an error at import.
    FakeTensor = fake_tensor.FakeTensor
    FakeTensorMode = fake_tensor.FakeTensorMode
    FunctionalTensor = functional_tensor.FunctionalTensor
    # The base of `StrongConverter`. Without it: an error at import.
    fake_tensor.FakeTensorConverter  # noqa: B018 - only whether it is there
    # What PyTorch raises where a program needs a value that a fake tensor does not have; a dry run
    # says in words what to do. Without them: an error at import.
    DataDependentOutputException = fake_tensor.DataDependentOutputException
    DynamicOutputShapeException = fake_tensor.DynamicOutputShapeException
    UnsupportedOperatorException = fake_tensor.UnsupportedOperatorException
    UnsupportedFakeTensorException = fake_tensor.UnsupportedFakeTensorException

# --- tensors -------------------------------------------------------------------------------------


def base_of(tensor: Tensor) -> Tensor | None:
    """The tensor that a view looks into; None if it is no view, as in inference mode.

    Without it: none, so that no note says which products were folded.
    """
    return getattr(tensor, "_base", None)


def version_of(tensor: Tensor) -> object:
    """A number that is another one after the tensor was written to.

    Without it: one that is never the same, so that every tensor passes for written to.
    """
    return getattr(tensor, "_version", object())


# --- modules -------------------------------------------------------------------------------------

#: The code of the two functions through which nn.Module calls a forward: a frame of one is a call.
#: Without them: the code of `__call__`, so that calls are seen from their outermost frame.
WRAPPED_CALL_CODE: CodeType = getattr(
    torch.nn.Module, "_wrapped_call_impl", torch.nn.Module.__call__
).__code__
CALL_CODE: CodeType = getattr(torch.nn.Module, "_call_impl", torch.nn.Module.__call__).__code__
#: The attributes in which a module keeps what is registered. Methods that give the same can be
#: overridden, and none may run while a frame is read. Without them: modules without children.
CHILDREN = "_modules"
PARAMETERS = "_parameters"
BUFFERS = "_buffers"
#: A dictionary that a replica of DataParallel shares with the module it is a copy of, and the mark
#: of a replica. Without them: what replicas run counts at the line.
FORWARD_HOOKS = "_forward_hooks"
REPLICA = "_is_replica"

if _missing:
    raise ImportError(
        f"this ipyflops does not know PyTorch {torch.__version__}, which lacks what counting needs "
        f"({'; '.join(_missing)}). Use PyTorch 2.6 to 2.15, or a newer ipyflops"
    )
