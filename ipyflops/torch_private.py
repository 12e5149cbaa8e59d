"""Everything of PyTorch that this package uses and that PyTorch keeps private.

Example: a count needs to know which autograd node runs now, and only ``torch._C`` tells. So it
takes `current_node_number` from here, and this file says why that is needed and what happens in a
release of PyTorch that does not have it. No other file may use a private name of PyTorch.

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
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import CodeType
from typing import Any

import torch
from torch import Tensor

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


def can_decompose(func: Any) -> bool:
    """Whether an operator is made of others in every backend.

    Without it: no, so that the operator is counted whole or named as unknown.
    """
    return bool(getattr(func, "_can_decompose", lambda: False)())


def composite_kernel(func: Any) -> Callable[..., Any] | None:
    """The implementation of a higher-order operator that runs other operators, if it has one.

    Without it: none, so that the operator is named as unknown.
    """
    key = getattr(getattr(torch._C, "DispatchKey", None), "CompositeExplicitAutograd", None)
    kernel: Callable[..., Any] | None = getattr(func, "py_kernels", {}).get(key)
    return kernel


def custom_kernels(func: Any) -> Mapping[str | None, Callable[..., Any]]:
    """The Python functions of an operator of ``torch.library.custom_op``, by the kind of device.

    Without it: none, so that the operator is named as unknown.
    """
    try:
        from torch._library.custom_ops import OPDEFS
    except ImportError:
        return {}
    definition = OPDEFS.get(getattr(schema_of(func), "name", ""))
    kernels: Mapping[str | None, Callable[..., Any]] = getattr(definition, "_backend_fns", {})
    return kernels


#: The names of all operators, with their overloads, for formulas and the table of operators.
#: Without it: none, so that operators on lists of tensors are named as unknown.
all_operator_names: Callable[[], list[str]] = getattr(torch._C, "_dispatch_get_all_op_names", list)


def higher_order_operators() -> Mapping[str, Any]:
    """The higher-order operators by name, for the table of operators. Without it: none."""
    operators: Mapping[str, Any] = getattr(torch._ops, "_higher_order_ops", {})
    return operators


def launched_triton_kernel(index: int) -> Any:
    """The Triton kernel that PyTorch launches by this index: only its table knows the name.

    Without it: None, so that the kernel is named by its index.
    """
    table = _triton_kernels()
    return None if table is None else table.get_kernel(index)


def launched_triton_constants(index: int) -> Mapping[str, Any]:
    """The constants that PyTorch launches a Triton kernel with. Without them: none."""
    table = _triton_kernels()
    constants: Mapping[str, Any] = {} if table is None else table.get_constant_args(index)
    return constants


def _triton_kernels() -> Any:
    try:
        from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table
    except ImportError:
        return None
    return kernel_side_table


def asks_for_target_twice() -> bool:
    """Whether PyTorch's linear_cross_entropy asks again if its target is no class.

    Without it: no, as in PyTorch 2.13. Asked late, because PyTorch imports the file late.
    """
    return hasattr(getattr(torch.nn.modules, "linear_cross_entropy", None), "_corrected_target")


# --- dispatch modes ------------------------------------------------------------------------------

with _required():
    from torch.utils import _python_dispatch

    # The counter is one: it sees every operator. Without it: an error at import.
    TorchDispatchMode = _python_dispatch.TorchDispatchMode
    # The modes of this thread, from below: the counter leaves from between others, and lets the
    # user's look first. Without it: an error at import.
    mode_stack = _python_dispatch._get_current_dispatch_mode_stack
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
mode_of: Callable[[Any], Any] = (
    getattr(torch._C, "_get_dispatch_mode", lambda key: None)
    if TRACING is not None
    else lambda key: None
)


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
    # What PyTorch raises where a program needs a value that a fake tensor does not have; a dry run
    # says in words what to do. Without them: an error at import.
    DataDependentOutputException = fake_tensor.DataDependentOutputException
    DynamicOutputShapeException = fake_tensor.DynamicOutputShapeException
    UnsupportedOperatorException = fake_tensor.UnsupportedOperatorException
    UnsupportedFakeTensorException = fake_tensor.UnsupportedFakeTensorException


#: The logger of fake tensors, which is kept from logging errors that the dry run explains.
#: Without it (another name): the errors are logged as well.
FAKE_TENSOR_LOGGER = "torch._subclasses.fake_tensor"
#: What PyTorch itself sets on a fake parameter or buffer, so that it passes for one.
#: Without them: attributes that nobody reads.
FAKE_PARAMETER = "_is_param"
FAKE_BUFFER = "_is_buffer"

# --- tensors -------------------------------------------------------------------------------------

#: What a sparse tensor in coordinate form keeps, also where an index occurs more than once.
#: Without them: the public methods, which refuse tensors in which one does.
stored_values: Callable[[Tensor], Tensor] = getattr(torch.Tensor, "_values", torch.Tensor.values)
stored_indices: Callable[[Tensor], Tensor] = getattr(torch.Tensor, "_indices", torch.Tensor.indices)
stored_count: Callable[[Tensor], int] = getattr(
    torch.Tensor, "_nnz", lambda tensor: tensor.indices().shape[1]
)
#: The sizes of what a nested tensor holds, a table in host memory.
#: Without it: made of the parts, which are views.
nested_sizes: Callable[[Tensor], Tensor] = getattr(
    torch.Tensor,
    "_nested_tensor_size",
    lambda tensor: torch.tensor([list(part.shape) for part in tensor.unbind()]),
)


def version_of(tensor: Tensor) -> object:
    """A number that is another one after the tensor was written to.

    Without it: one that is never the same, so that every tensor passes for written to.
    """
    return getattr(tensor, "_version", object())


# --- the compiler --------------------------------------------------------------------------------

#: The compiler, and the file of it that calls compiled code. It is never loaded from here on its
#: own account: that takes a second. Without them (other names): compiled code is not counted.
COMPILER_MODULE = "torch._dynamo"
COMPILED_CALLS_MODULE = "torch._dynamo.eval_frame"
COMPILED_CALLS_FILE = os.path.join(_TORCH, "_dynamo", "eval_frame.py")
#: Files that run operators only to learn their shapes. Without them: those are counted as well.
HIGHER_ORDER_FOLDER = os.path.join(_TORCH, "_higher_order_ops") + os.sep
SHARDING_FILE = os.path.join(_TORCH, "distributed", "tensor", "_sharding_prop.py")
#: The child of a compiled module that is the module itself.
#: Without it (another name): places are named after the wrapper.
COMPILED_FROM = "_orig_mod"


def force_eager() -> Callable[[], object]:
    """Have compiled functions run as they were written; what is given ends that.

    The public `torch.compiler.set_stance` takes words alone, and this stance depends on who asks.
    Without the private one: the public one, so that ``cond`` with gradients fails in a block.
    """
    from torch._dynamo import eval_frame

    if not (hasattr(eval_frame, "_set_stance") and hasattr(eval_frame, "DynamoStance")):
        chosen = torch.compiler.set_stance("force_eager")
        return lambda: chosen.__exit__(None, None, None)
    prior = eval_frame._set_stance(_eager_stance())
    return lambda: eval_frame._set_stance(prior)


def _eager_stance() -> Any:
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
            needed = _in_hop_compile() and torch.is_grad_enabled()
            return "default" if needed else "force_eager"

    return Stance()


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

# --- devices and processes -----------------------------------------------------------------------


def cuda_driver_version() -> int:
    """The release of the CUDA driver, which a remembered ceiling belongs to. Without it: 0."""
    return int(getattr(torch._C, "_cuda_getDriverVersion", lambda: 0)())


def data_sheet_of(device: torch.device) -> Any:
    """What PyTorch has of a CUDA device's data sheet.

    Without it: None, so that rates are compared with measured ceilings alone.
    """
    try:
        from torch._inductor.analysis.device_info import lookup_device_info

        return lookup_device_info(torch.cuda.get_device_name(device))
    except Exception:
        return None


def default_store() -> Any:
    """The store over which the ranks of a job found each other, to gather their reports.

    Without it: an error that names it, when reports are gathered.
    """
    return torch.distributed.distributed_c10d._get_default_store()


if _missing:
    raise ImportError(
        f"this ipyflops does not know PyTorch {torch.__version__}, which lacks what counting needs "
        f"({'; '.join(_missing)}). Use PyTorch 2.12.1 to 2.15, or a newer ipyflops"
    )
