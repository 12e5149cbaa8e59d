"""The dtype of a call's arithmetic is that of what is multiplied, whatever stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_unflatten
from torch.utils.flop_counter import FlopCounterMode

import ipyflops
from ipyflops.formulas import Call, Formula, dtype_of, lookup, tf32_switches
from ipyflops.formulas.registry import REGISTRY, RESULT
from tests.missing import needs, needs_float8
from tests.pytorch_databases import running

aten = torch.ops.aten
HALF, SINGLE, FLOAT8 = torch.bfloat16, torch.float32, torch.float8_e4m3fn


def half(*sizes: int, grad: bool = False) -> Tensor:
    return torch.randn(*sizes, dtype=HALF, requires_grad=grad)


def flops_by_dtype(function: Callable[[], object]) -> dict[str, int]:
    with ipyflops.FlopCounter(device_time=False) as counter:
        function()
    by_dtype = counter.report.by_dtype
    return {dtype: totals.flops for dtype, totals in by_dtype.items() if totals.flops}


# --- programs ------------------------------------------------------------------------------------


def test_attention_and_its_gradients_in_half_precision() -> None:
    q = half(2, 3, 16, 8, grad=True)
    counted = flops_by_dtype(lambda: F.scaled_dot_product_attention(q, q, q).sum().backward())
    assert set(counted) == {"bfloat16"}


def test_a_norm_in_half_precision_with_weights_in_single() -> None:
    """What PyTorch calls mixed: half-precision numbers, statistics and weights in single."""
    norms: list[nn.Module] = [nn.BatchNorm2d(4), nn.GroupNorm(2, 4), nn.LayerNorm([4, 6, 6])]
    for norm in norms:
        x = half(2, 4, 6, 6, grad=True)
        counted = flops_by_dtype(lambda norm=norm, x=x: norm(x).sum().backward())
        assert set(counted) == {"bfloat16"}, norm


def test_float8_products() -> None:
    needs_float8()
    a, b = torch.randn(32, 64).to(FLOAT8), torch.randn(48, 64).to(FLOAT8).t()
    scales = torch.tensor(0.5), torch.tensor(2.0)
    counted = flops_by_dtype(lambda: torch._scaled_mm(a, b, *scales, out_dtype=HALF))
    # A product, and the two scales as one factor of each output.
    assert counted == {"float8_e4m3fn": 2 * 32 * 64 * 48 + 32 * 48}


def test_a_product_that_is_added_to_single_precision() -> None:
    added, a, b = torch.empty(4, 6), half(4, 8), half(8, 6)
    call = Call(aten.addmm.dtype, (added, a, b, SINGLE), {}, added)
    assert dtype_of(call) == "bfloat16"


def test_a_convolution_with_a_bias_in_single_precision() -> None:
    x, weight, bias = half(1, 3, 8), half(5, 3, 3), torch.zeros(5)
    # As a library's own layer calls it: `F.conv1d` refuses such a bias.
    geometry = [1], [0], [1], False, [0], 1
    counted = flops_by_dtype(lambda: aten.convolution(x, weight, bias, *geometry))
    assert counted == {"bfloat16": 2 * 5 * 6 * 3 * 3}


def test_a_scalar_tensor_makes_nothing_wider() -> None:
    x, factor = half(4, 8), torch.tensor(2.0)
    assert (x * factor).dtype is HALF
    assert flops_by_dtype(lambda: x * factor) == {"bfloat16": 32}
    assert flops_by_dtype(lambda: torch._foreach_mul([x, x], factor)) == {"bfloat16": 64}
    assert flops_by_dtype(lambda: x * torch.ones(8)) == {"float32": 32}


def test_a_reduction_in_another_dtype_casts_first() -> None:
    x = half(4, 8)
    assert set(flops_by_dtype(lambda: x.sum(dtype=SINGLE))) == {"float32"}
    assert set(flops_by_dtype(lambda: x.sum())) == {"bfloat16"}


def test_integers_are_told_from_what_is_floating() -> None:
    x = torch.arange(6)
    assert flops_by_dtype(lambda: x / x) == {"float32": 6}
    call = Call(aten.add.Tensor, (x, x), {}, x)
    assert dtype_of(call) == "int64"


def test_an_optimizer_step_is_in_the_dtype_of_the_parameters() -> None:
    weight = nn.Parameter(half(4, 8))
    weight.grad = half(4, 8)
    optimizer = torch.optim.AdamW([weight], fused=True)  # its steps are counted in float32
    counted = flops_by_dtype(optimizer.step)
    assert counted.pop("float32") == 1  # the step
    assert set(counted) == {"bfloat16"}


@pytest.mark.filterwarnings("ignore")
def test_quantized_products_are_products_of_integers() -> None:
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 4))
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    with ipyflops.FlopCounter() as counter:
        quantized(torch.randn(12, 8))
    report = counter.report
    macs = 12 * 8 * 24 + 12 * 24 * 4
    assert report.by_dtype["quint8"].int_ops == report.int_ops == 2 * macs
    # The activation is plain.
    assert report.by_dtype["float32"].flops == 12 * 24
    assert report.macs == macs


def test_an_operator_of_another_library_is_told_by_its_largest_tensor() -> None:
    with torch.library._scoped_library("ipyflops_dtypes", "FRAGMENT") as library:
        library.define("attention_backward(Tensor grad, Tensor q, Tensor lse) -> Tensor")
        library.impl("attention_backward", lambda grad, q, lse: grad.clone(), "CPU")
        operator = torch.ops.ipyflops_dtypes.attention_backward
        grad, lse = half(2, 4, 8), torch.randn(2, 4)
        with ipyflops.temporary_formula(operator, lambda call: 64):
            assert flops_by_dtype(lambda: operator(grad, grad, lse)) == {"bfloat16": 64}


class Network(nn.Module):
    """A convolution with its norm, a transformer layer, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Sequential(nn.Conv2d(3, 16, 4, stride=4), nn.BatchNorm2d(16), nn.GELU())
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.0, batch_first=True)
        self.classifier = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        patches: Tensor = self.patches(x).flatten(2).transpose(1, 2)
        logits: Tensor = self.classifier(self.layer(patches).mean(1))
        return logits


@pytest.mark.parametrize("dtype", [HALF, torch.float16])
def test_a_training_step_in_mixed_precision(dtype: torch.dtype) -> None:
    """All products of a step under autocast, as many as PyTorch's counter finds, are in half."""
    model, x, target = Network(), torch.randn(2, 3, 16, 16), torch.tensor([1, 3])

    def step() -> None:
        with torch.autocast("cpu", dtype=dtype):
            loss = F.cross_entropy(model(x), target)
        loss.backward()

    with FlopCounterMode(display=False) as theirs, ipyflops.FlopCounter() as counter:
        step()
    report = counter.report
    products = report.under("contractions")
    name = str(dtype).removeprefix("torch.")
    ours = {one: totals.flops for one, totals in products.by_dtype.items() if totals.flops}
    assert set(ours) == {name}
    # PyTorch leaves out attention on a CPU: 4 heads of 16 tokens of size 4, for 2 images; forward
    # two products, backward five.
    attention = (2 + 5) * 2 * 2 * 4 * 16 * 16 * 4
    assert ours[name] == theirs.get_total_flops() + attention
    # Autocast keeps the loss and some norms in single precision.
    assert 0 < report.by_dtype["float32"].flops < report.flops / 20


# --- all operators --------------------------------------------------------------------------------

#: Names of arguments that stand beside what is multiplied, in float32 in mixed precision.
STATISTICS = {
    *("logsumexp", "softmax_logsumexp", "logsum_exp", "rstd", "invstd", "save_mean", "save_var"),
    *("save_invstd", "running_mean", "running_var", "sum_dy", "sum_dy_xmu", "saved_norms"),
    *("scale_a", "scale_b", "scale_result", "w_scale", "x_scale"),
}


def overloads() -> Iterator[tuple[str, Any]]:
    """Every overload of PyTorch's that has a formula."""
    for name in REGISTRY.formulas:
        namespace, _, base = name.partition("::")
        packet = getattr(getattr(torch.ops, namespace), base.partition(".")[0], None)
        for overload in getattr(packet, "overloads", list)():
            yield name, getattr(packet, overload)


def call_in_mixed_precision(func: Any) -> Call | None:
    """A call with the statistics in float32 and all other numbers in bfloat16; nothing runs."""
    arguments, statistics = [], 0
    for argument in func._schema.arguments:
        kind = str(argument.type).removeprefix("Optional[").removesuffix("]")
        dtype = SINGLE if argument.name in STATISTICS else HALF
        value: Any = None
        if kind in ("Tensor", "List[Tensor"):
            value = torch.empty(2, 3, dtype=dtype, device="meta")
            value = [value] if kind != "Tensor" else value
            statistics += dtype is SINGLE
        arguments.append(value)
    return Call(func, arguments, {}, None) if statistics else None


def test_statistics_and_scales_never_tell_the_dtype() -> None:
    wrong, seen = [], set()
    for name, func in overloads():
        call = call_in_mixed_precision(func)
        # This one merges statistics, so that these are what is multiplied.
        if call is None or "gather_stats" in name:
            continue
        seen.add(name)
        if dtype_of(call) != "bfloat16":
            wrong.append(f"{func}: {dtype_of(call)}")
    assert not wrong
    # The kernels of NVIDIA's and AMD's libraries are among them, though they cannot run here.
    kernels = {
        "aten::_scaled_dot_product_cudnn_attention_backward",
        "aten::_scaled_dot_product_flash_attention_backward",
        "aten::_flash_attention_backward",
        "aten::_efficient_attention_backward",
        "aten::cudnn_batch_norm_backward",
        "aten::miopen_batch_norm_backward",
        "aten::_scaled_grouped_mm",
        "aten::_fused_rms_norm_backward",
    }
    assert {name for name in kernels if hasattr(aten, name.removeprefix("aten::"))} <= seen


def test_a_formula_names_arguments_that_its_operators_have() -> None:
    wrong = []
    for name, func in overloads():
        entry = REGISTRY.formulas[name]
        sources = [one for one in entry.dtype_from if isinstance(one, str) and one != RESULT]
        names = {argument.name for argument in func._schema.arguments}
        if sources and len(sources) == len(entry.dtype_from) and not names.intersection(sources):
            wrong.append(f"{func}: {sources}")
    assert not wrong


class _Calls(TorchDispatchMode):
    """Keeps some calls with several floating point tensors, by operator."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: dict[Any, list[tuple[list[Any], Any]]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        flat, spec = tree_flatten((args, kwargs or {}))
        if isinstance(lookup(func), Formula) and not any(one.is_out for one in _arguments(func)):
            kept = self.calls.setdefault(func, [])
            if len(_floating(flat)) > 1 and len(kept) < 4:
                kept.append((list(map(_copied, flat)), spec))
        return func(*args, **(kwargs or {}))


def _arguments(func: Any) -> Any:
    return getattr(getattr(func, "_schema", None), "arguments", ())


def _copied(value: Any) -> Any:
    return value.detach().clone() if isinstance(value, Tensor) else value


def _floating(flat: list[Any]) -> list[int]:
    return [
        place
        for place, value in enumerate(flat)
        if isinstance(value, Tensor) and value.is_floating_point()
    ]


def _widened(flat: list[Any]) -> Iterator[list[Any]]:
    """The arguments with each of the smaller tensors in float32, one at a time."""
    places = _floating(flat)
    most = max(flat[place].numel() for place in places)
    for place in places:
        if flat[place].numel() < most:
            changed = list(map(_copied, flat))
            changed[place] = changed[place].float()
            yield changed


#: Several pointwise steps in one operator: some in single precision, and the last casts back.
IN_STEPS = (aten._trilinear.default, aten.binary_cross_entropy_with_logits.default)


def _result_type(flat: list[Any]) -> torch.dtype:
    """What PyTorch compares two tensors in."""
    first, second = (flat[place] for place in _floating(flat))
    return torch.result_type(first, second)


@pytest.mark.filterwarnings(*running.WARNINGS)
def test_one_argument_in_single_precision_decides_only_where_pytorch_promotes() -> None:
    """Every call of `op_db` in half precision, again with one of its smaller tensors in single.

    PyTorch refuses most of these. What it promotes gives its result in single precision, or is a
    comparison; all else computes in half precision, whatever the small tensor is. In place the
    result is cast back, as it is for an addition to a tensor in half precision.
    """
    log = _Calls()
    for op in op_db:
        gradients = op.supports_autograd and HALF in op.supported_backward_dtypes("cpu")
        if op.supports_dtype(HALF, "cpu"):
            for sample in running.spread(running.make_samples(op, HALF, gradients=gradients), 3):
                running.run_sample(op, sample, backward=gradients, mode=log)
    tried, wrong = 0, []
    for func, kept in log.calls.items():
        for flat, spec in () if func in IN_STEPS else kept:
            for changed in _widened(flat):
                args, kwargs = tree_unflatten(changed, spec)
                try:
                    out = func(*args, **kwargs)
                except Exception:
                    continue
                tried += 1
                call = Call(func, args, kwargs, out)
                floating = [one.dtype for one in call.outputs() if one.is_floating_point()]
                in_place = func.overloadpacket.__name__ == "add_"
                expected = floating[0] if floating and not in_place else _result_type(changed)
                if dtype_of(call) != str(expected).removeprefix("torch."):
                    wrong.append(f"{func}: {dtype_of(call)} in place of {expected}")
    assert not sorted(set(wrong))
    assert tried > 50


# --- TF32, on a GPU that is not here -------------------------------------------------------------


class OnGpu(Tensor):
    """A tensor that says it is on a GPU."""

    is_cuda = True


@pytest.fixture
def ampere(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A GPU of a capability; the switch for TF32 is put back afterwards."""
    needs(hasattr(torch.backends.cuda.matmul, "fp32_precision"), "the newer switch for TF32")
    capability = [8, 0]
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: tuple(capability))
    yield capability
    torch.backends.cuda.matmul.fp32_precision = "none"


def on_gpu(*sizes: int, dtype: torch.dtype = SINGLE) -> Tensor:
    return torch.ones(*sizes, dtype=dtype).as_subclass(OnGpu)


def product() -> Call:
    return Call(aten.mm.default, (on_gpu(2, 2), on_gpu(2, 2)), {}, on_gpu(2, 2))


def convolution(dtype: torch.dtype = SINGLE) -> Call:
    image, weight = on_gpu(1, 1, 4, 4, dtype=dtype), on_gpu(1, 1, 3, 3, dtype=dtype)
    rest = (None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1)
    return Call(aten.convolution.default, (image, weight, *rest), {}, on_gpu(1, 1, 2, 2))


def test_convolutions_run_in_tf32_unless_they_are_told_not_to(ampere: list[int]) -> None:
    assert dtype_of(convolution()) == "tf32"
    assert dtype_of(convolution(HALF)) == "bfloat16"
    with torch.backends.cudnn.flags(allow_tf32=False):
        assert dtype_of(convolution()) == "float32"


def test_products_run_in_tf32_where_they_are_told_to(ampere: list[int]) -> None:
    assert dtype_of(product()) == "float32"
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert dtype_of(product()) == "tf32"
    summed = Call(aten.add.Tensor, (on_gpu(2), on_gpu(2)), {}, on_gpu(2))
    assert dtype_of(summed) == "float32"


def test_what_was_remembered_before_the_switch_is_not_taken_after_it(ampere: list[int]) -> None:
    """What a call costs is remembered for the whole process."""
    found = []
    for precision in ("ieee", "tf32", "ieee"):
        torch.backends.cuda.matmul.fp32_precision = precision
        found.append(tf32_switches())
    assert found == [(False, True, True), (True, True, True), (False, True, True)]


def test_older_gpus_have_no_tf32(ampere: list[int]) -> None:
    ampere[0] = 7
    assert dtype_of(convolution()) == "float32"


def test_nothing_is_asked_before_cuda_is_set_up(
    ampere: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fake tensor may be on a GPU that is not there."""
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: pytest.fail("asked"))
    assert dtype_of(convolution()) == "float32"
