"""Every operator of the installed torch that can reach a dispatch mode has a verdict."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest
import torch
from torch._ops import _higher_order_ops

from ipyflops.formulas import Formula, FreeOperator, Unknown, lookup
from ipyflops.formulas.catalogue import NAMESPACES
from tests.missing import IS_OTHER
from tests.pytorch_databases.running import WARNINGS

# Loading torch's compiler warns of torch's own old corners.
pytestmark = pytest.mark.filterwarnings(*WARNINGS)

#: Namespaces whose operators need no verdict, and why. Where one of them does reach the counter, it
#: is reported as unknown.
LEFT_OUT = {
    "static_runtime": "called by the runtime of TorchScript's exported graphs, never dispatched",
    "profiler": "marks in a profile: no tensor goes in or comes out",
    "inductor": "called by the code that torch.compile makes; counted code runs eagerly",
    "inductor_prims": "stands in a graph of torch.compile, never called",
    "rngprims": "stands in a graph of torch.compile, never called",
    "debugprims": "loads a tensor that the compiler's own debugger has saved",
    "debug_mode_ops": "marks in a log of torch's own debug mode",
    "export": "stands in an exported graph, never called",
    "_test": "torch's own tests of its schemas",
    "_native": "replacements for aten's own operators, chosen inside of those",
    "quantization": "Caffe2's casts, kept for models of its time",
    "prepacked": "XNNPACK's layers in TorchScript's mobile graphs; PyTorch 2.13 has them no more",
    "_native_aot": "asks which of those replacements there are",
    "coor": "stands in a graph of torch.compile: the device of one rank",
    "fsdp": "has its verdicts, though most of it is there only once FSDP is imported",
    "flex_gemm": "an error of torch._higher_order_ops.flex_gemm, and a layout that it compiles",
    "_dtensor": "DTensor's own collective, made of those of _c10d_functional",
}

#: How each higher-order operator is counted. One that is new in torch fails until it stands here.
CALLED = "the functions that it is given are counted whenever it calls them"
WRAPPED = "only calls its function, under another setting or with a name"
GRAPH = "stands in a graph of torch.compile or torch.export; counted code runs eagerly"
TRITON = "has a formula: that of the kernel, which is unknown until its author registers one"
HIGHER_ORDER = {
    "_export_tracepoint": GRAPH,
    "aoti_call_delegate": GRAPH,
    "associative_scan": CALLED,
    "auto_functionalized": GRAPH,
    "auto_functionalized_v2": GRAPH,
    "autograd_function_apply": CALLED,
    "call_torchbind": "calls a method of a C++ object, whose operators are dispatched",
    "cond": CALLED,
    "control_deps": GRAPH,
    "custom_function_call": CALLED,
    "dynamo_bypassing_wrapper": WRAPPED,
    "executorch_call_delegate": GRAPH,
    "flat_apply": CALLED,
    "flex_attention": "has a formula: the blocks that its mask keeps",
    "flex_attention_backward": "has a formula: the blocks that its mask keeps",
    "flex_gemm": CALLED,
    "foreach_map": CALLED,
    "graphsafe_run_with_rng_state": GRAPH,
    "hints_wrapper": WRAPPED,
    "inductor_compiled_code": GRAPH,
    "inline_asm_elementwise": GRAPH,
    "invoke_leaf_function": CALLED,
    "invoke_quant": WRAPPED,
    "invoke_quant_packed": WRAPPED,
    "invoke_subgraph": CALLED,
    "local_map_hop": WRAPPED,
    "map_impl": CALLED,
    "out_dtype": "its implementation calls the operator, and that is counted",
    "print": "prints: no tensor comes out",
    "run_and_save_rng_state": GRAPH,
    "run_const_graph": GRAPH,
    "run_dtensor_rng_op": GRAPH,
    "run_with_rng_state": GRAPH,
    "scan": CALLED,
    "strict_mode": WRAPPED,
    "switch": CALLED,
    "tag_activation_checkpoint": WRAPPED,
    "trace_wrapped": GRAPH,
    "triton_kernel_wrapper_functional": TRITON,
    "triton_kernel_wrapper_mutation": TRITON,
    "while_loop": CALLED,
    "while_loop_stack_output": CALLED,
    "with_effects": GRAPH,
    "wrap": WRAPPED,
    "wrap_activation_checkpoint": WRAPPED,
    "wrap_with_autocast": WRAPPED,
    "wrap_with_set_grad_enabled": WRAPPED,
}


def test_every_overload_has_a_verdict() -> None:
    missing = []
    seen = 0
    for full in sorted(torch._C._dispatch_get_all_op_names()):
        name, _, overload = full.partition(".")
        namespace, _, base = name.partition("::")
        if namespace not in NAMESPACES:
            continue
        packet = getattr(getattr(torch.ops, namespace), base, None)
        func = getattr(packet, overload or "default", None)
        if func is None:
            # Operators of TorchScript alone: Python cannot call them.
            continue
        seen += 1
        if isinstance(lookup(func), Unknown) and not func._can_decompose():
            missing.append(full)
    assert seen > 3_400
    assert not missing, "operators without a verdict:\n" + "\n".join(missing)


def test_overloads_that_python_cannot_call_are_few_and_known() -> None:
    absent = set()
    for full in torch._C._dispatch_get_all_op_names():
        name, _, overload = full.partition(".")
        namespace, _, base = name.partition("::")
        if namespace in NAMESPACES:
            packet = getattr(getattr(torch.ops, namespace), base, None)
            if getattr(packet, overload or "default", None) is None:
                absent.add(full)
    assert absent == set()


def test_a_look_for_unknown_operators_finds_one() -> None:
    with torch.library._scoped_library("ipyflops_sweep", "FRAGMENT") as library:
        library.define("mystery(Tensor x) -> Tensor")
        func = torch.ops.ipyflops_sweep.mystery.default
        assert "ipyflops_sweep::mystery" in torch._C._dispatch_get_all_op_names()
        assert isinstance(lookup(func), Unknown)
        assert not func._can_decompose()


def test_every_namespace_is_in_the_table_or_left_out_for_a_reason() -> None:
    # In a process of its own: other tests make operators.
    program = "import torch; print(*torch._C._dispatch_get_all_op_names())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    found = {full.partition("::")[0] for full in done.stdout.split()}
    assert "aten" in found
    assert found - set(NAMESPACES) - LEFT_OUT.keys() == set()
    assert not LEFT_OUT.keys() & set(NAMESPACES)
    assert all(LEFT_OUT.values())


def test_every_higher_order_operator_is_accounted_for() -> None:
    # These load the operators that stand in compiled graphs.
    importlib.import_module("torch._inductor.compile_fx")
    importlib.import_module("torch._dynamo")

    assert len(_higher_order_ops) >= (20 if IS_OTHER else 45)
    missing = set(_higher_order_ops) - HIGHER_ORDER.keys()
    assert not missing, f"higher-order operators that nobody has looked at: {sorted(missing)}"


def test_formulas_of_higher_order_operators_are_those_of_the_table() -> None:
    said = {name for name, reason in HIGHER_ORDER.items() if reason.startswith("has a formula")}
    have = {
        name
        for name, func in _higher_order_ops.items()
        if isinstance(lookup(func), (Formula, FreeOperator))
    }
    assert have == said & _higher_order_ops.keys()
    assert said
