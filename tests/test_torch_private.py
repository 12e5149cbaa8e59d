"""PyTorch's private names: each is there and does what the package relies on.

With a new release of PyTorch the failures of this file are the list of what to look at, by name.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import logging
import mmap
import sys
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from ipyflops import torch_private as private
from tests.missing import needs

FOLDER = Path(private.__file__).parent
PACKAGE = FOLDER.parent
aten = torch.ops.aten

CHECKS: dict[str, Callable[[], None]] = {}


def relied_on(*names: str) -> Callable[[Callable[[], None]], Callable[[], None]]:
    """Enter a check of what the package relies on."""

    def enter(check: Callable[[], None]) -> Callable[[], None]:
        CHECKS.update(dict.fromkeys(names, check))
        return check

    return enter


class Seen(private.TorchDispatchMode):
    """Notes what a function gives for each operator that it sees."""

    def __init__(self, note: Callable[[Any], Any]) -> None:
        super().__init__()
        self.note = note
        self.noted: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.noted.append(self.note(func))
        return func(*args, **(kwargs or {}))


def frames() -> Iterator[Any]:
    """The frames that lead here: the innermost, whoever asks, comes first."""
    frame = sys._getframe(1)
    while frame is not None:
        yield frame
        frame = frame.f_back


# --- operators -----------------------------------------------------------------------------------


@relied_on("OpOverload", "OpOverloadPacket", "HigherOrderOperator")
def operators_are_of_these_types() -> None:
    assert type(aten.mm.default) is private.OpOverload
    assert type(aten.mm) is private.OpOverloadPacket
    assert isinstance(torch.ops.higher_order.cond, private.HigherOrderOperator)


@relied_on("tree_leaves", "tree_map")
def nested_arguments_are_taken_apart() -> None:
    nested = {"a": [1, (2, 3)]}
    assert private.tree_leaves(nested) == [1, 2, 3]
    assert private.tree_map(lambda one: -one, nested) == {"a": [-1, (-2, -3)]}


@relied_on("OPERATORS_MODULE")
def an_operator_calls_itself_from_this_module() -> None:
    with pytest.raises(RuntimeError) as error:
        aten.mm.default(torch.ones(2), torch.ones(2))
    innermost = error.traceback[-1].frame
    assert innermost.f_globals["__name__"] == private.OPERATORS_MODULE


@relied_on("SHARED_MODULES")
def these_modules_define_what_a_dry_run_shares() -> None:
    needs("torch._C._distributed" in sys.modules, "the module torch._C._distributed")
    assert set(private.SHARED_MODULES) <= set(sys.modules)
    assert type(aten.mm.default).__module__ in private.SHARED_MODULES


@relied_on("schema_of")
def a_schema_names_the_arguments() -> None:
    schema = private.schema_of(aten.addmm.out)
    assert schema.name == "aten::addmm"
    assert [one.name for one in schema.arguments] == [
        *("self", "mat1", "mat2", "beta", "alpha", "out")
    ]
    assert [one.is_out for one in schema.arguments] == [False] * 5 + [True]
    assert schema.arguments[3].default_value == 1
    assert [private.schema_of(func).is_mutable for func in (aten.add.Tensor, aten.add_.Tensor)] == [
        *(False, True)
    ]
    assert private.schema_of(torch.ops.higher_order.cond) is None


@relied_on("direct_call")
def the_direct_call_gives_the_same() -> None:
    one, other = torch.rand(3, 4), torch.rand(4, 5)
    direct = private.direct_call(aten.mm.default)
    assert direct is not aten.mm.default
    assert torch.equal(direct(one, other), aten.mm.default(one, other))
    assert private.direct_call(torch.ops.higher_order.cond) is torch.ops.higher_order.cond


@relied_on("can_decompose")
def what_can_decompose_does() -> None:
    assert private.can_decompose(aten.matmul.default)
    assert not private.can_decompose(aten.mm.default)
    # What the compiler alone decomposes is no composite operator.
    importlib.import_module("torch._decomp")

    assert aten.native_batch_norm.default._can_decompose()
    assert not private.can_decompose(aten.native_batch_norm.default)


@relied_on("decomposition_of")
def a_decomposition_is_what_eager_code_runs() -> None:
    importlib.import_module("torch._decomp")

    one = torch.rand(3, 3)
    assert torch.equal(private.decomposition_of(aten.matmul.default)(one, one), one @ one)
    # The compiler's own would call native_dropout, and gives other values.
    ones = torch.ones(100)
    torch.manual_seed(0)
    expected = torch.dropout(ones, 0.5, True)
    torch.manual_seed(0)
    given = private.decomposition_of(aten.dropout.default)(ones, 0.5, True)
    assert torch.equal(given, expected)


@relied_on("keeping_promises")
def conjugates_are_written_out_inside_of_a_handler() -> None:
    x = torch.rand(3, 4)
    expected = torch.fft.hfftn(x)

    class Handler(private.TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
            return private.keeping_promises(func)(*args, **(kwargs or {}))

    with torch.inference_mode(), Handler():  # there the whole of hfftn reaches the handler
        assert torch.equal(torch.fft.hfftn(x), expected)


@relied_on("current_node_name")
def the_node_that_runs_has_a_name() -> None:
    names = []
    x = torch.ones(2, requires_grad=True)
    x.register_hook(lambda grad: names.append(private.current_node_name()))
    (x * 2).sum().backward()
    assert private.current_node_name() == ""
    assert names == ["torch::autograd::AccumulateGrad"]


@relied_on("base_of")
def a_view_knows_what_it_looks_into() -> None:
    x = torch.ones(2, 3)
    assert private.base_of(x) is None
    assert private.base_of(x[0]) is x


@relied_on("composite_kernel")
def a_higher_order_operator_has_its_implementation() -> None:
    kernel = private.composite_kernel(torch.ops.higher_order.out_dtype)
    assert kernel is not None
    one = torch.ones(2, 2, dtype=torch.int8)
    assert kernel(aten.mm.default, torch.int32, one, one).tolist() == [[2, 2], [2, 2]]


@relied_on("custom_kernels")
def a_custom_operator_remembers_its_functions() -> None:
    with torch.library._scoped_library("private_test", "FRAGMENT"):

        @torch.library.custom_op("private_test::twice", mutates_args=())
        def twice(value: Tensor) -> Tensor:
            return value * 2

        kernels = private.custom_kernels(torch.ops.private_test.twice.default)
        assert kernels[None](torch.ones(1)).item() == 2
    assert not private.custom_kernels(aten.mm.default)
    assert not private.custom_kernels(torch.ops.higher_order.cond)


@relied_on("all_operator_names")
def all_operators_are_named_with_their_overloads() -> None:
    names = set(private.all_operator_names())
    assert {"aten::mm", "aten::add.Tensor", "aten::_foreach_add.List"} <= names


@relied_on("higher_order_operators")
def the_higher_order_operators_are_listed() -> None:
    assert private.higher_order_operators()["cond"] is torch.ops.higher_order.cond


@relied_on("launched_triton_kernel", "launched_triton_constants")
def the_table_of_triton_kernels_knows_what_is_launched() -> None:
    from torch._higher_order_ops.triton_kernel_wrap import kernel_side_table

    kernel: Any = len
    index = kernel_side_table.add_kernel(kernel)
    constants = kernel_side_table.add_constant_args({"BLOCK": 8})
    try:
        assert private.launched_triton_kernel(index) is kernel
        assert private.launched_triton_constants(constants) == {"BLOCK": 8}
    finally:
        kernel_side_table.reset_table()


@relied_on("asks_for_target_twice")
def the_file_of_linear_cross_entropy_is_looked_into() -> None:
    with pytest.MonkeyPatch.context() as patch:
        body = SimpleNamespace()
        patch.setattr(nn.modules, "linear_cross_entropy", body, raising=False)
        assert not private.asks_for_target_twice()
        body._corrected_target = None
        assert private.asks_for_target_twice()


# --- dispatch modes ------------------------------------------------------------------------------


@relied_on("TorchDispatchMode")
def a_mode_sees_operators() -> None:
    with Seen(str) as seen:
        torch.ones(2) + 1
    assert seen.noted == ["aten.ones.default", "aten.add.Tensor"]


@relied_on("mode_stack", "stack_height")
def the_stack_holds_the_modes_from_below() -> None:
    assert private.mode_stack() == []
    with Seen(str) as lower, Seen(str) as upper:
        assert private.mode_stack() == [lower, upper]
        assert private.stack_height() == 2


@relied_on("push_mode", "pop_mode")
def a_mode_is_put_on_the_stack_and_taken_off() -> None:
    seen = Seen(str)
    with Seen(str) as lower, private.FakeTensorMode() as of_pytorch:
        private.push_mode(seen)
        torch.ones(2)
        assert private.pop_mode() is seen
        assert private.mode_stack() == [of_pytorch, lower]
    assert seen.noted == ["aten.ones.default"]


@relied_on("settle_mode_flags")
def flags_say_which_modes_there_are() -> None:
    def flags() -> list[bool]:
        found = torch.utils._python_dispatch.is_in_torch_dispatch_mode
        return [found(include_infra_modes=infra) for infra in (True, False)]

    before = flags()
    assert before == [False, False]
    seen = Seen(str)
    private.push_mode(seen)
    private.settle_mode_flags(False)
    assert flags() == [True, True]
    with Seen(str):
        # The one below leaves first, and the other one must not bring the flags back.
        private.pop_mode()
        upper = private.pop_mode()
        private.push_mode(upper)
        private.push_mode(seen)
        private.pop_mode()
        private.settle_mode_flags(False)
        assert flags() == [True, True]
    private.settle_mode_flags(False)
    assert flags() == before
    private.settle_mode_flags(True)
    assert flags() == [True, True]
    private.settle_mode_flags(False)
    with private.FakeTensorMode():
        private.settle_mode_flags(False)
        assert flags() == [True, False]


@relied_on("without_dispatch")
def no_mode_sees_what_runs_without_dispatch() -> None:
    with Seen(str) as seen, private.without_dispatch():
        torch.ones(2)
    assert seen.noted == []


@relied_on("without_torch_function")
def a_subclass_is_not_asked() -> None:
    class Loud(Tensor):
        @classmethod
        def __torch_function__(
            cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            raise AssertionError(func)

    tensor = torch.ones(2, 3).as_subclass(Loud)
    with private.without_torch_function():
        assert tensor.numel() == 6
    with pytest.raises(AssertionError):
        tensor.numel()


@relied_on("mode_of", "TRACING")
def a_tracer_is_seen_while_it_works() -> None:
    def program(value: Tensor) -> Tensor:
        found.append(private.mode_of(private.TRACING))
        return value + 1

    found: list[Any] = []
    program(torch.ones(2))
    make_fx(program)(torch.ones(2))
    assert found[0] is None
    assert found[1] is not None


# --- autograd nodes ------------------------------------------------------------------------------


@relied_on("current_sequence_number")
def a_node_has_the_number_that_was_next_before_its_forward() -> None:
    leaf = torch.ones(2, requires_grad=True)
    before = private.current_sequence_number()
    first = leaf * 2
    between = private.current_sequence_number()
    second = first.sin()
    assert first.grad_fn._sequence_nr() == before
    assert second.grad_fn._sequence_nr() == between
    assert before < between < private.current_sequence_number()


@relied_on("current_node_number")
def the_node_at_work_has_the_number_of_its_forward() -> None:
    assert private.current_node_number() == -1
    leaf = torch.ones(2, requires_grad=True)
    number = private.current_sequence_number()
    out = leaf.sin()
    with Seen(lambda func: (str(func), private.current_node_number())) as seen:
        out.backward(torch.ones(2))
    assert dict(seen.noted)["aten.cos.default"] == number


@relied_on("current_backward_pass")
def each_backward_pass_has_its_number() -> None:
    passes = []
    for _ in range(2):
        leaf = torch.ones(2, requires_grad=True)
        leaf.register_hook(lambda _: passes.append(private.current_backward_pass()))
        leaf.sum().backward()
    assert private.current_backward_pass() == -1
    assert passes[0] != passes[1]
    assert -1 not in passes


@relied_on("ENGINE_CODE")
def the_engine_is_driven_by_a_frame_of_this_code() -> None:
    def drives(_: Any) -> bool:
        return any(frame.f_code is private.ENGINE_CODE for frame in frames())

    leaf = torch.ones(2, requires_grad=True)
    for run in (lambda: leaf.sin().sum().backward(), lambda: torch.autograd.grad(leaf.sum(), leaf)):
        with Seen(drives) as seen:
            run()
        assert not seen.noted[0]
        assert seen.noted[-1]


@relied_on("hooks_of", "post_accumulate_hooks_of")
def the_hooks_of_a_tensor_are_found() -> None:
    leaf = torch.ones(2, requires_grad=True)
    assert private.hooks_of(leaf) == private.post_accumulate_hooks_of(leaf) == []
    leaf.register_hook(str)
    leaf.register_post_accumulate_grad_hook(repr)
    assert private.hooks_of(leaf) == [str]
    assert private.post_accumulate_hooks_of(leaf) == [repr]


# --- fake tensors --------------------------------------------------------------------------------


@relied_on("FakeTensor", "FakeTensorMode")
def under_the_mode_tensors_are_fake() -> None:
    with private.FakeTensorMode():
        assert isinstance(torch.ones(2), private.FakeTensor)


@relied_on("UnwrappedMode")
def a_modes_method_is_not_wrapped_for_the_compiler() -> None:
    def dispatch(self: Any, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*args, **(kwargs or {}))

    asks = hasattr(private.TorchDispatchMode, "_should_skip_dynamo")
    needs(asks, "modes that are wrapped for the compiler")
    for base in (private.TorchDispatchMode, private.FakeTensorMode):
        wrapped = type("Mode", (base,), {"__torch_dispatch__": dispatch})
        mode = type("Mode", (private.UnwrappedMode, base), {"__torch_dispatch__": dispatch})
        assert vars(wrapped)["__torch_dispatch__"] is not dispatch, "the base is needed no more"
        assert vars(mode)["__torch_dispatch__"] is dispatch


@relied_on("FunctionalTensor")
def functional_tensors_are_of_this_type() -> None:
    from torch._subclasses.functional_tensor import FunctionalTensorMode

    with FunctionalTensorMode():
        made = private.FunctionalTensor.to_functional(torch.ones(2))
    assert isinstance(made, private.FunctionalTensor)


@relied_on("DataDependentOutputException")
def a_value_of_a_fake_tensor_is_refused() -> None:
    with private.FakeTensorMode(), pytest.raises(private.DataDependentOutputException) as error:
        torch.ones(2).sum().item()
    assert error.value.func is aten._local_scalar_dense.default


@relied_on("DynamicOutputShapeException")
def a_shape_that_depends_on_values_is_refused() -> None:
    with private.FakeTensorMode(), pytest.raises(private.DynamicOutputShapeException) as error:
        torch.ones(2).nonzero()
    assert error.value.func is aten.nonzero.default


@relied_on("UnsupportedOperatorException")
def an_operator_without_a_fake_form_is_refused() -> None:
    with torch.library._scoped_library("private_test", "FRAGMENT") as library:
        library.define("plain(Tensor x) -> Tensor")
        library.impl("plain", lambda x: x.clone(), "CPU")
        with private.FakeTensorMode(), pytest.raises(private.UnsupportedOperatorException) as error:
            torch.ops.private_test.plain(torch.ones(2))
    assert "private_test.plain" in str(error.value.func)


@relied_on("UnsupportedFakeTensorException")
def a_tensor_without_a_fake_form_is_refused() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.quantize_per_tensor", UserWarning)
        quantized = torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)
    with pytest.raises(private.UnsupportedFakeTensorException):
        private.FakeTensorMode().from_tensor(quantized)


@relied_on("FAKE_TENSOR_LOGGER")
def errors_of_fake_tensors_are_logged_by_this_logger() -> None:
    from torch._subclasses import fake_tensor

    assert logging.getLogger(private.FAKE_TENSOR_LOGGER) is fake_tensor.log


@relied_on("FAKE_PARAMETER", "FAKE_BUFFER")
def a_fake_tensor_passes_for_a_parameter_or_a_buffer() -> None:
    for name, kind in ((private.FAKE_PARAMETER, nn.Parameter), (private.FAKE_BUFFER, nn.Buffer)):
        with private.FakeTensorMode():
            fake = torch.ones(2)
        assert not isinstance(fake, kind)
        setattr(fake, name, True)
        assert isinstance(fake, kind)


@relied_on("forget_value")
def the_value_of_a_fake_number_is_forgotten_with_its_aliases() -> None:
    mode: Any = private.FakeTensorMode(allow_non_fake_inputs=True)
    with mode:
        fake = torch.tensor(2.0)
        alias = fake.view(1)
    assert fake.item() == alias.item() == 2.0
    private.forget_value(alias)
    private.forget_value(torch.ones(()))
    for one in (fake, alias):
        with pytest.raises(private.DataDependentOutputException):
            one.item()


@relied_on("ASKS_FINITE", "CHOOSES_NUMBERS")
def these_functions_ask_for_numbers() -> None:
    for module, name in {*private.ASKS_FINITE, *private.CHOOSES_NUMBERS}:
        source = inspect.getsource(importlib.import_module(module))
        assert name == "<listcomp>" or f"def {name}(" in source


@relied_on("KEPT_ELEMENTS")
def a_fake_tensor_keeps_as_many_values_as_this_number_says() -> None:
    assert getattr(*private.KEPT_ELEMENTS) == 1
    mode: Any = private.FakeTensorMode()
    assert mode.may_turn_const(torch.ones(1))
    assert not mode.may_turn_const(torch.ones(2))


@relied_on("StrongConverter")
def a_strong_converter_has_one_fake_of_a_real_tensor_and_no_weak_reference() -> None:
    mode: Any = private.FakeTensorMode(allow_non_fake_inputs=True)
    mode.fake_tensor_converter = converter = private.StrongConverter()
    real = nn.Parameter(torch.ones(2, 3))
    fake = mode.from_tensor(real)
    assert mode.from_tensor(real) is fake
    with mode:
        made = torch.ones(2).mul(3).view(1, 2)
    assert weakref.getweakrefcount(fake) == weakref.getweakrefcount(made) == 0
    kept = weakref.ref(fake)
    del fake, real
    assert kept() is None
    real = nn.Parameter(torch.ones(2))
    kept = weakref.ref(mode.from_tensor(real))
    converter.forget()
    assert kept() is None


@relied_on("conversion_of_modules", "CONVERSION")
def a_conversion_treats_some_fakes_as_real() -> None:
    convert = private.conversion_of_modules(lambda value: isinstance(value, private.FakeTensor))
    assert convert is not None
    mode: Any = private.FakeTensorMode(allow_non_fake_inputs=True)
    module = nn.Linear(2, 3)
    weight = module.weight = mode.from_tensor(module.weight)
    with mode:
        loss = module.weight.sum()
        convert(module, lambda tensor: tensor.double())
        assert module.weight is weight
        assert weight.dtype is torch.float64
        loss.backward()
    assert weight.grad is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(nn.Module, private.CONVERSION)
        assert private.conversion_of_modules(lambda value: True) is None


@relied_on("kernel_below_a_mode")
def a_kernel_runs_while_a_mode_is_there() -> None:
    kernel = private.composite_kernel(torch.ops.higher_order.cond)
    assert kernel is not None
    below = private.kernel_below_a_mode(kernel)
    assert below is not None
    given = (True, torch.sin, torch.cos, (torch.ones(2),))
    with Seen(lambda func: func) as seen:
        with pytest.raises(AssertionError, match="Mode"):
            kernel(*given)
        below(*given)
    assert seen.noted == [aten.sin.default]
    assert private.kernel_below_a_mode(None) is None


@relied_on("is_made_a_graph")
def it_is_known_that_a_graph_is_made() -> None:
    with Seen(lambda _: private.is_made_a_graph()) as seen:
        torch.ones(2)
        make_fx(torch.sin)(torch.ones(2))
    assert seen.noted[0] is False
    assert True in seen.noted
    assert not private.is_made_a_graph()


@relied_on("FAKE_TENSOR_FILES")
def what_fake_tensors_give_is_worked_out_in_these_files() -> None:
    from torch._subclasses import fake_impls

    for module in (fake_impls, torch._meta_registrations, torch._refs, torch._decomp):
        assert str(module.__file__).startswith(private.FAKE_TENSOR_FILES)


# --- tensors -------------------------------------------------------------------------------------


@relied_on("stored_values", "stored_indices", "stored_count")
def what_a_sparse_tensor_keeps_is_read_with_repetitions() -> None:
    sparse = torch.sparse_coo_tensor([[0, 0, 2]], [1.0, 2.0, 3.0], (4,), check_invariants=True)
    assert private.stored_values(sparse).tolist() == [1, 2, 3]
    assert private.stored_indices(sparse).tolist() == [[0, 0, 2]]
    assert private.stored_count(sparse) == 3


@relied_on("is_view")
def an_operator_tells_whether_it_gives_views() -> None:
    assert private.is_view(aten.t.default)
    assert private.is_view(aten.split.Tensor)
    assert not private.is_view(aten.mm.default)
    assert not private.is_view(aten.add_.Tensor)
    assert not private.is_view(aten.empty.memory_format)


def test_a_storage_has_one_object_as_long_as_it_lives() -> None:
    """Memory is followed by the id of that object, and its end by a weak reference to it."""
    ends: list[object] = []
    tensor = torch.ones(3)
    key = id(tensor.untyped_storage())
    reference = weakref.ref(tensor.untyped_storage(), ends.append)
    view = tensor.view(3, 1)
    del tensor
    assert id(view.untyped_storage()) == key
    assert not ends
    del view
    assert ends == [reference]


@relied_on("nested_sizes")
def a_nested_tensor_tells_the_sizes_of_its_parts() -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The PyTorch API of nested tensors", UserWarning)
        nested = torch.nested.nested_tensor([torch.ones(2, 3), torch.ones(4, 3)])
    assert private.nested_sizes(nested).tolist() == [[2, 3], [4, 3]]


@relied_on("version_of")
def writing_changes_the_version() -> None:
    tensor = torch.ones(2)
    before = private.version_of(tensor)
    tensor + 1
    assert private.version_of(tensor) == before
    tensor.add_(1)
    assert private.version_of(tensor) != before


# --- older releases ------------------------------------------------------------------------------


@relied_on("operator_of")
def an_operator_is_found_by_its_name() -> None:
    assert private.operator_of("aten::mm.default") is aten.mm.default
    assert private.operator_of("aten::mm") is aten.mm
    assert private.operator_of("aten::mm.nothing") is None
    assert private.operator_of("aten::nothing.default") is None


# --- the compiler --------------------------------------------------------------------------------


@relied_on(
    "EagerStance", "runs_eagerly", "COMPILED_CALLS_FILE", "COMPILED_CALLS_MODULE", "COMPILER_MODULE"
)
def compiled_functions_run_eagerly_and_stay_compiled() -> None:
    graphs, runs, files = [], [], []

    def backend(graph: Any, inputs: Any) -> Any:
        graphs.append(graph)

        def run(*args: Any) -> Any:
            runs.append(args)
            return graph(*args)

        return run

    @torch.compile(backend=backend)
    def program(value: Tensor) -> Tensor:
        return value.sin() + 1

    value = torch.ones(2)
    program(value)
    assert (len(graphs), len(runs)) == (1, 1)
    stance = private.EagerStance()
    assert not private.runs_eagerly()
    stance.set()
    assert stance.is_set()
    assert private.runs_eagerly()
    with Seen(lambda _: files.extend(frame.f_code.co_filename for frame in frames())) as seen:
        program(value)
    stance.set_back()
    assert not stance.is_set()
    assert (len(graphs), len(runs)) == (1, 1)
    assert len(seen.noted) == 2
    assert private.COMPILED_CALLS_FILE in files
    program(value)
    assert (len(graphs), len(runs)) == (1, 2)
    assert private.COMPILER_MODULE in sys.modules
    assert sys.modules[private.COMPILED_CALLS_MODULE].__file__ == private.COMPILED_CALLS_FILE


@relied_on("is_compiled_call")
def the_frame_that_calls_compiled_code_is_told_from_the_one_that_keeps_from_it() -> None:
    found = []

    def note(value: Tensor) -> Tensor:
        codes = [frame.f_code for frame in frames()]
        codes = [one for one in codes if one.co_filename == private.COMPILED_CALLS_FILE]
        found.append([private.is_compiled_call(one) for one in codes])
        return value

    value = torch.ones(2)
    with torch.compiler.set_stance("force_eager"):
        torch.compile(note, backend="eager")(value)
    torch.compiler.disable(note)(value)
    compiled, kept = found
    assert any(compiled)
    assert kept
    assert not any(kept)


@relied_on("COMPILED_FROM")
def a_compiled_module_holds_the_module() -> None:
    module = nn.Linear(2, 2)
    compiled: Any = torch.compile(module, backend="eager")
    assert type(compiled) is sys.modules[private.COMPILED_CALLS_MODULE].OptimizedModule
    assert vars(compiled)[private.CHILDREN][private.COMPILED_FROM] is module


@relied_on("GUARDED_CALLS_FILE")
def the_handler_of_a_mode_is_called_from_these_files_alone() -> None:
    files = []

    class Mode(private.TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            here = sys._getframe().f_back
            while here is not None and here.f_code.co_filename != __file__:
                files.append(here.f_code.co_filename)
                here = here.f_back
            return func(*args, **(kwargs or {}))

    with Mode():
        torch.ops.aten.neg.default(torch.ones(2))
    operators = sys.modules[private.OPERATORS_MODULE].__file__
    assert operators in files
    assert {*files} <= {private.GUARDED_CALLS_FILE, private.COMPILED_CALLS_FILE, operators}


@relied_on("HIGHER_ORDER_FOLDER", "SHARDING_FILE")
def these_files_run_operators_to_learn_shapes() -> None:
    assert inspect.getfile(torch.cond).startswith(private.HIGHER_ORDER_FOLDER)
    spec = importlib.util.find_spec("torch.distributed.tensor._sharding_prop")
    assert spec is not None
    assert spec.origin == private.SHARDING_FILE


# --- modules -------------------------------------------------------------------------------------


@relied_on("CALL_CODE", "WRAPPED_CALL_CODE")
def a_forward_is_called_through_these_frames() -> None:
    codes = []

    class Module(nn.Module):
        def forward(self) -> None:
            codes.extend(frame.f_code for frame in frames())

    Module()()
    assert codes[2:4] == [private.CALL_CODE, private.WRAPPED_CALL_CODE]


@relied_on("CHILDREN", "PARAMETERS", "BUFFERS")
def a_module_keeps_what_is_registered() -> None:
    norm = nn.BatchNorm1d(2)
    assert vars(nn.Sequential(norm))[private.CHILDREN] == {"0": norm}
    assert set(vars(norm)[private.PARAMETERS]) == {"weight", "bias"}
    assert set(vars(norm)[private.BUFFERS]) == {
        *("running_mean", "running_var", "num_batches_tracked")
    }


@relied_on("FORWARD_HOOKS", "REPLICA")
def a_replica_shares_the_dictionary_of_its_hooks() -> None:
    module = nn.Linear(2, 2)
    replica = module._replicate_for_data_parallel()
    assert private.REPLICA not in vars(module)
    assert vars(replica)[private.REPLICA] is True
    assert vars(replica)[private.FORWARD_HOOKS] is vars(module)[private.FORWARD_HOOKS]


# --- devices and processes -----------------------------------------------------------------------


@relied_on("ENGINE_THREADS")
def the_engine_has_this_name_for_its_threads() -> None:
    """That they bear it is in `tests/safety/test_engine_threads.py`, on a device that has some."""
    libraries = [*(Path(torch.__file__).parent / "lib").glob("libtorch_cpu.*")]
    needs(libraries, "a library of this name")
    with (
        libraries[0].open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        assert content.find(private.ENGINE_THREADS.encode()) >= 0


@relied_on("scaled_product")
def matrices_of_float8_are_multiplied_with_scales() -> None:
    left, right = (torch.ones(32, 32).to(torch.float8_e4m3fn) for _ in range(2))
    try:
        private.scaled_product(left, right)()
    except NotImplementedError:
        needs(False, "products of float8 on a CPU")
    wanted = torch.full((32, 32), 32.0, dtype=torch.bfloat16)
    assert torch.equal(private.scaled_product(left, right)(), wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(nn.functional, "scaled_mm", raising=False)  # as before PyTorch 2.10
        assert torch.equal(private.scaled_product(left, right)(), wanted)


@relied_on("let_functions_reach")
def operators_that_take_functions_go_through_a_mode() -> None:
    names: list[str] = []

    class Mode(private.TorchDispatchMode):
        supports_higher_order_operators = True

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            names.append(str(func))
            return args[2] if names[-1] == "while_loop" else func(*args, **(kwargs or {}))

    from torch._higher_order_ops.while_loop import while_loop_op

    mode, given = Mode(), (torch.zeros(1),)
    private.let_functions_reach(mode)
    with mode:
        assert while_loop_op(lambda x: x.sum() < 3, lambda x: (x + 1,), given, ()) is given
    assert names == ["while_loop"]


@relied_on("raw_stream", "is_capturing", "is_past", "occupy", "record_event")
def streams_and_events_of_cuda_are_asked_without_detours() -> None:
    if torch.cuda.is_available():
        stream = torch.cuda.current_stream()
        event = torch.cuda.Event(enable_timing=True)
        assert private.raw_stream(0) == stream.cuda_stream
        private.occupy(20_000_000)  # 10 ms, for which the event has to wait
        private.record_event(event, stream)
        assert not private.is_past(event)
        torch.cuda.synchronize()
        assert private.is_past(event)
        assert private.is_capturing() is False
        return
    needs(not torch.backends.cuda.is_built(), "a GPU for its build with CUDA")
    # What stands in where a build has none of them calls the public methods.
    event, stream = mock.Mock(), mock.Mock(cuda_stream=7)
    event.query.return_value = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "current_stream", lambda device: stream)
        patch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
        patch.setattr(torch.cuda, "_sleep", event.sleep)
        assert private.raw_stream(0) == 7
        assert private.is_capturing()
        private.occupy(9)
    private.record_event(event, stream)
    assert private.is_past(event)
    assert [one[0] for one in event.method_calls] == ["sleep", "record", "query"]


@relied_on("default_store")
def the_ranks_share_a_store() -> None:
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        private.default_store().set("ipyflops", "there")
        assert private.default_store().get("ipyflops") == b"there"
    finally:
        torch.distributed.destroy_process_group()


# --- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CHECKS)
def test_it_is_there_and_does_what_is_relied_on(name: str) -> None:
    assert hasattr(private, name)
    CHECKS[name]()


def test_each_name_has_a_check() -> None:
    defined = set().union(*(defined_by(tree_of(path)) for path in FOLDER.glob("*.py")))
    assert {name for name in defined if name[0] != "_"} == set(CHECKS)


# --- the dispatcher's kernels ---------------------------------------------------------------------


def on_cuda(function: Callable[[Any], Any]) -> list[str]:
    """The operators that a function runs on a fake tensor with CUDA's keys."""
    with private.FakeTensorMode() as mode:
        tensor: Any = mode.fake_tensor_converter.from_meta_and_device(
            mode, torch.ones(2, device="meta"), torch.device("cuda", 0)
        )
        with Seen(str) as seen:
            function(tensor)
    return [name for name in seen.noted if "prim" not in name]


@relied_on("KernelSet")
def kernels_are_there_for_the_keys_of_a_device_and_go_again() -> None:
    kernels = private.KernelSet()
    kernels.add_composite(
        "dropout", lambda own, x, p, train: x.neg() if train else own(x, p, train)
    )
    kernels.add_autocast("exp", lambda x: x.sin())
    kernels.add_kernel("_fused_rms_norm", lambda *_: None)
    kernels.add_kernel("of_no_release", lambda *_: None)
    dropout = aten.dropout.default

    def inside() -> None:
        assert on_cuda(lambda x: torch.dropout(x, 0.5, True)) == ["aten.neg.default"]
        assert on_cuda(lambda x: torch.dropout(x, 0.5, False)) == []
        assert private.decomposition_of(dropout)(torch.ones(1), 0.5, True) == -1
        assert torch.dropout(torch.ones(1), 0.0, True) == 1
        torch.set_autocast_enabled("cuda", True)
        try:
            assert on_cuda(torch.exp) == ["aten.sin.default"]
            with private.without_autocast():
                assert on_cuda(torch.exp) == ["aten.exp.default"]
        finally:
            torch.set_autocast_enabled("cuda", False)

    before = on_cuda(lambda x: torch.dropout(x, 0.5, True))
    kernels.install()
    try:
        inside()
    finally:
        kernels.remove()
    assert on_cuda(lambda x: torch.dropout(x, 0.5, True)) == before != ["aten.neg.default"]
    assert private.decomposition_of(dropout)(torch.ones(1), 0.0, True) == 1


@relied_on("without_autocast")
def autocast_can_be_left_out() -> None:
    weight = torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        assert (weight @ weight).dtype is torch.bfloat16
        with private.without_autocast():
            assert (weight @ weight).dtype is torch.float32


@relied_on("operator_named")
def operators_are_found_by_name() -> None:
    assert private.operator_named("mm") is aten.mm.default
    assert private.operator_named("pow.Scalar") is aten.pow.Scalar
    assert private.operator_named("of_no_release") is None
    assert private.operator_named("mm.of_no_release") is None


@relied_on("active_fake_mode")
def the_mode_of_fake_tensors_is_known() -> None:
    assert private.active_fake_mode() is None
    with private.FakeTensorMode() as mode, Seen(str):
        assert private.active_fake_mode() is mode


@relied_on("attention_order")
def the_order_of_the_kernels_of_attention_is_known() -> None:
    kernels = nn.attention.SDPBackend
    chosen = [kernels.MATH, kernels.EFFICIENT_ATTENTION]
    with nn.attention.sdpa_kernel(chosen, set_priority=True):
        assert private.attention_order()[:2] == [int(one.value) for one in chosen]


@relied_on("PRIVATE_ANSWERS")
def torch_cuda_has_these_functions() -> None:
    assert all(callable(getattr(torch.cuda, name)) for name in private.PRIVATE_ANSWERS)


@relied_on("GROUPING")
def tensors_are_grouped_by_device_and_dtype() -> None:
    owner, name = private.GROUPING
    one, other = torch.ones(1), torch.ones(1).double()
    groups = getattr(owner, name)([[one, other], [None, None]], True)
    assert set(groups) == {(one.device, one.dtype), (other.device, other.dtype)}
    assert groups[one.device, one.dtype][0][0] == [one]


@relied_on("FOREACH_TYPES")
def optimizers_take_tensors_of_these_types_together() -> None:
    assert private.FOREACH_TYPES
    assert all(torch.Tensor in types for types in private.FOREACH_TYPES)


# --- releases that lack something ----------------------------------------------------------------


def loaded_again() -> ModuleType:
    """The file, run once more in a module of its own."""
    spec = importlib.util.spec_from_file_location("private_again", private.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (torch._ops, "OpOverload"),
        (torch.utils._pytree, "tree_map"),
        (torch.utils._python_dispatch, "_get_current_dispatch_mode_stack"),
        (torch._C, "_DisableTorchDispatch"),
        (torch._C, "_current_graph_task_id"),
        (torch.autograd.graph, "_engine_run_backward"),
        (torch._subclasses.fake_tensor, "DynamicOutputShapeException"),
    ],
)
def test_a_release_that_lacks_what_is_required_is_named(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "__version__", "9.9.0")
    monkeypatch.delattr(owner, name)
    with pytest.raises(ImportError, match=rf"PyTorch 9\.9\.0.*{name}.*newer ipyflops"):
        loaded_again()


def test_all_that_a_release_lacks_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.utils._pytree, "tree_leaves")
    monkeypatch.delattr(torch._C, "DisableTorchFunctionSubclass")
    monkeypatch.delattr(torch._C, "_current_graph_task_id")
    lacks = r"tree_leaves.*; .*DisableTorchFunctionSubclass.*; .*_current_graph_task_id"
    with pytest.raises(ImportError, match=lacks):
        loaded_again()


def number_at_work(module: ModuleType) -> int:
    """What a module says is the number of the node at work, in a backward pass."""
    out = torch.ones(2, requires_grad=True).sin()
    with Seen(lambda _: module.current_node_number()) as seen:
        out.backward(torch.ones(2))
    return int(seen.noted[-1])


@pytest.mark.parametrize(
    ("owner", "name", "stands_in"),
    [
        (
            torch._C,
            "_current_autograd_node",
            lambda again: number_at_work(again) == -1 < number_at_work(private),
        ),
        (
            torch._C._autograd,
            "_get_sequence_nr",
            lambda again: again.current_sequence_number() == 0,
        ),
        (torch._C, "_get_dispatch_mode", lambda again: again.mode_of(again.TRACING) is None),
        (torch._C, "_TorchDispatchModeKey", lambda again: again.mode_of(again.TRACING) is None),
        (
            torch._C,
            "_FunctionBase",
            lambda again: number_at_work(again) == -1 < number_at_work(private),
        ),
        (torch._C, "_dispatch_get_all_op_names", lambda again: again.all_operator_names() == []),
        (torch._ops, "_higher_order_ops", lambda again: not again.higher_order_operators()),
        (
            nn.Module,
            "_call_impl",
            lambda again: again.CALL_CODE is again.WRAPPED_CALL_CODE is private.WRAPPED_CALL_CODE,
        ),
        (
            nn.Module,
            "_wrapped_call_impl",
            lambda again: again.WRAPPED_CALL_CODE is private.WRAPPED_CALL_CODE,
        ),
    ],
)
def test_something_else_stands_in_for_the_rest(
    owner: Any,
    name: str,
    stands_in: Callable[[ModuleType], bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(owner, name)
    assert stands_in(loaded_again())


@pytest.mark.parametrize(
    ("module", "stands_in"),
    [
        ("torch._library.custom_ops", lambda: private.custom_kernels(aten.mm.default) == {}),
        (
            "torch._higher_order_ops.triton_kernel_wrap",
            lambda: private.launched_triton_kernel(0) is None,
        ),
        (
            "torch._higher_order_ops.triton_kernel_wrap",
            lambda: private.launched_triton_constants(0) == {},
        ),
    ],
)
def test_a_part_that_cannot_be_imported_is_left_out(
    module: str, stands_in: Callable[[], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert stands_in()


def test_an_operator_of_another_make_is_taken_as_it_is() -> None:
    func: Any = SimpleNamespace()
    assert private.schema_of(func) is None
    assert private.direct_call(func) is func
    assert not private.can_decompose(func)
    func.decompose = len
    assert private.decomposition_of(func)([1, 2]) == 2
    assert private.composite_kernel(func) is None


def test_the_public_stance_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo import eval_frame

    stance = eval_frame._stance.stance
    with monkeypatch.context() as patch:
        patch.delattr(eval_frame, "DynamoStance")
        eager = private.EagerStance()
        eager.set()
        assert eager.is_set()
        assert eval_frame._stance.stance == "force_eager"
        eager.set_back()
        assert not eager.is_set()
    assert eval_frame._stance.stance == stance


def test_a_stance_that_the_user_has_set_since_stays() -> None:
    from torch._dynamo import eval_frame

    before = eval_frame._stance
    eager = private.EagerStance()
    eager.set()
    eager.set()
    assert eager.is_eager()
    chosen = torch.compiler.set_stance("eager_on_recompile")
    assert not eager.is_set()
    assert not eager.is_eager()
    eager.set_back()
    assert eval_frame._stance.stance == "eager_on_recompile"
    chosen.__exit__(None, None, None)
    eager.set_back()
    eager.set_back()
    assert eval_frame._stance is before


# --- no other file does --------------------------------------------------------------------------

#: Private names that are not PyTorch's, and not of the file that uses them either.
OTHERS = {
    "_getframe",  # of sys
    "_current_frames",  # of sys
    "_targets",  # of ipyparallel's results
    "_autopx",  # of ipyparallel's magics
    "_locator",  # of our counter, in a dry run
}


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name.strip("_") != ""


def defined_by(tree: ast.Module) -> set[str]:
    """The names that a file defines, in `with` blocks too, but not in functions or classes."""
    found: set[str] = set()
    waiting: list[ast.stmt] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.With):
            waiting += node.body
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update(one.id for one in targets if isinstance(one, ast.Name))
    return found


def names_of_torch() -> set[str]:
    """The private names that the files of torch_private take from PyTorch."""
    trees = [tree_of(path) for path in FOLDER.glob("*.py")]
    return set().union(*map(_names_of_torch, trees))


def _names_of_torch(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            found.update(() if ast.unparse(node.value) == "self" else {node.attr})
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update({node.value} if node.value.isidentifier() else ())
        elif isinstance(node, ast.ImportFrom):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ClassDef):
            found.update(one.name for one in node.body if isinstance(one, ast.FunctionDef))
    return {name for name in found if is_private(name)} - defined_by(tree)


def own_names(tree: ast.Module) -> set[str]:
    """The private names that a file gives to functions, methods and attributes of its objects."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "cls"):
            found.add(node.attr)
    return found


def uses_of_torch(tree: ast.Module) -> Iterator[str]:
    """What a file uses of PyTorch's private names, each with its line."""
    of_torch = names_of_torch()
    allowed = (own_names(tree) | OTHERS) - of_torch
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Import):
            parts = [part for one in node.names for part in one.name.split(".")]
            torchs = any(one.name.partition(".")[0] == "torch" for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = [*(node.module or "").split("."), *(one.name for one in node.names)]
            torchs = parts[0] == "torch"
        elif isinstance(node, ast.Attribute):
            base = ast.unparse(node.value)
            is_operator = base.split(".")[-1] == "aten"
            parts = [] if base in ("self", "cls") or is_operator else [node.attr]
            torchs = node.attr not in allowed
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            module = node.value.startswith("torch.") and " " not in node.value
            parts = node.value.split(".") if module else [node.value]
            torchs = id(node) not in texts and (module or node.value in of_torch)
        elif isinstance(node, ast.ClassDef) and node.bases:  # else it overrides nothing
            parts = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
            parts = [one for one in parts if one in of_torch]
            torchs = True
        else:
            continue
        if torchs and any(map(is_private, parts)):
            yield f"line {line}: {ast.unparse(node).splitlines()[0]}"


FILES = sorted(set(PACKAGE.rglob("*.py")) - set(FOLDER.glob("*.py")))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_other_file_uses_a_private_name_of_pytorch(path: Path) -> None:
    assert list(uses_of_torch(tree_of(path))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import torch._C",
        "import torch.utils._pytree as pytree",
        "from torch import _dynamo",
        "from torch._ops import OpOverload",
        "from torch.utils._pytree import tree_map",
        "from torch._C import DispatchKey",
        "torch._C.DispatchKey",
        "key = torch._something_new",
        "number = node._sequence_nr()",
        "schema = func._schema",
        "schema = getattr(func, '_schema', None)",
        "children = vars(module)['_modules']",
        "compiler = sys.modules.get('torch._dynamo')",
        "tensor._unheard_of()",
        "class Mode(Other):\n    def _should_skip_dynamo(cls): ...",
        "class A:\n    def _values(self): return tensor._values()",
    ],
)
def test_the_search_finds(source: str) -> None:
    assert list(uses_of_torch(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "import torch.utils.data",
        "from concurrent.futures import _base",
        "sys._getframe(1)",
        "self._schema = 1",
        "class A:\n    def __init__(self): self._kept = {}\n    def of(self, one): one._kept",
        "aten._softmax.default",
        "torch.ops.aten._softmax.default",
        "'''The operator, a torch._ops.OpOverload.'''",
        "name = 'aten::_softmax'",
        "tensor.__torch_dispatch__",
    ],
)
def test_the_search_leaves_alone(source: str) -> None:
    assert list(uses_of_torch(ast.parse(source))) == []
