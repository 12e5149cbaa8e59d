"""The counter as a whole: what it adds up, and that it changes nothing."""

import asyncio
import copy
import gc
import sys
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from models.gpt2 import GPT2, GPT2Config
from models.resnet import ResNet
from torch import nn
from torch.utils._python_dispatch import (
    TorchDispatchMode,
    _get_current_dispatch_mode_stack,
)

from ipyflops.counting import FlopCounter
from ipyflops.counting.recording import MAX_ENTRIES, FormulaWarning
from ipyflops.formulas import Formula, FormulaError, temporary_formula
from ipyflops.formulas.registry import REGISTRY
from ipyflops.report import Source
from tests.formulas.dispatch import total


def small_resnet() -> nn.Module:
    torch.manual_seed(0)
    return ResNet((1, 1, 1, 1), num_classes=10, width=8)


def small_gpt2(**options: Any) -> nn.Module:
    torch.manual_seed(0)
    return GPT2(GPT2Config(vocabulary=50, context=16, layers=2, heads=2, width=16, **options))


Step = Callable[[], list[torch.Tensor]]


def resnet_step() -> list[torch.Tensor]:
    model = small_resnet().train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        output = model(torch.randn(2, 3, 32, 32))
        loss = nn.functional.cross_entropy(output, torch.tensor([1, 2]))
        loss.backward()
        optimizer.step()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [output, loss, *model.parameters(), *model.buffers(), *gradients]


def gpt2_step() -> list[torch.Tensor]:
    model = small_gpt2(dropout=0.1).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    tokens = torch.randint(50, (2, 16))
    output = model(tokens)
    logits = output[0] if isinstance(output, tuple) else output
    loss = logits.float().pow(2).mean()
    loss.backward()
    optimizer.step()
    return [logits, loss, *model.parameters()]


def recurrent_step() -> list[torch.Tensor]:
    model = nn.LSTM(3, 4, num_layers=2, dropout=0.5, bidirectional=True)
    output, (hidden, cell) = model(torch.randn(5, 2, 3, requires_grad=True))
    output.sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [output, hidden, cell, *gradients]


def inference() -> list[torch.Tensor]:
    with torch.inference_mode():
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True).eval()
        x = torch.randn(2, 5, 16)
        return [layer(x), nn.Linear(16, 3)(x), torch.fft.rfft(x), torch.cdist(x, x)]


STEPS: list[Step] = [resnet_step, gpt2_step, recurrent_step, inference]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_counting_changes_no_bit(step: Step) -> None:
    torch.manual_seed(1)
    plain = step()
    state = torch.get_rng_state()
    torch.manual_seed(1)
    with FlopCounter() as counter:
        counted = step()
    assert counter.report.flops > 0
    assert torch.equal(torch.get_rng_state(), state)
    assert len(plain) == len(counted)
    for one, other in zip(plain, counted, strict=True):
        assert one.dtype == other.dtype
        assert one.stride() == other.stride()
        assert torch.equal(one, other)


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_the_total_is_that_of_a_plain_dispatch_log(step: Step) -> None:
    torch.manual_seed(1)
    expected = total(step)
    torch.manual_seed(1)
    with FlopCounter() as counter:
        step()
    report = counter.report
    assert report.flops == expected
    assert report.unknown == {}
    assert report.tree.flops == expected
    for groups in (report.by_operator, report.by_phase, report.by_dtype, report.by_line):
        assert sum(group.flops for group in groups.values()) == expected
        assert sum(group.calls for group in groups.values()) == report.totals.calls
    for convention in ("contractions", "article"):
        other = report.under(convention)
        assert other.tree.flops == other.flops
        assert other.macs == report.macs
    assert 0 < 2 * report.macs == report.under("contractions").flops < expected


# --- nothing is left behind ----------------------------------------------------------------------


def module_hooks(module: nn.Module) -> int:
    """How many hooks of any kind a module and its children hold, and torch for all modules."""
    names = [name for name in vars(nn.Module()) if name.endswith("_hooks")]
    assert len(names) >= 6
    own = sum(len(getattr(part, name)) for part in module.modules() for name in names)
    machinery = vars(sys.modules["torch.nn.modules.module"])
    everywhere = [value for name, value in machinery.items() if name.startswith("_global_")]
    return own + sum(len(value) for value in everywhere if isinstance(value, dict))


def test_no_hook_exists_and_nothing_is_patched_during_the_block() -> None:
    model = small_resnet()
    x = torch.randn(2, 3, 32, 32, requires_grad=True)
    patchable = (nn.Module, nn.Linear, nn.Conv2d, torch.Tensor, torch.autograd.Function)
    before = [dict(vars(owner)) for owner in patchable]
    seen: list[int] = []
    with FlopCounter():
        output = model(x)
        seen.append(module_hooks(model))
        assert output._backward_hooks is None
        assert x._backward_hooks is None
        output.sum().backward()
        seen.append(module_hooks(model))
        assert [dict(vars(owner)) for owner in patchable] == before
    assert seen == [0, 0]


def test_a_look_for_hooks_finds_one() -> None:
    model = nn.Linear(2, 2)
    model.register_forward_hook(lambda *values: None)
    assert module_hooks(model) == 1


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("error", [ValueError("wrong"), KeyboardInterrupt(), Interrupted("x")])
def test_an_exception_passes_and_leaves_nothing(error: BaseException) -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    def fail(module: nn.Module, inputs: Any) -> None:
        raise error

    handle = model[1].register_forward_pre_hook(fail)
    counter = FlopCounter()
    with pytest.raises(type(error)) as caught, counter:
        model(torch.ones(1, 4))
    assert caught.value is error
    assert _get_current_dispatch_mode_stack() == []
    report = counter.report
    assert not report.complete
    assert report.error.startswith(type(error).__name__)
    assert report.flops == 32
    handle.remove()
    with FlopCounter() as after:
        model(torch.ones(1, 4))
    assert after.report.flops == 64
    assert after.report.complete


def test_an_operator_that_raises_is_not_counted() -> None:
    with FlopCounter() as counter, pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert counter.report.flops == 0


def test_a_return_out_of_the_block() -> None:
    counter = FlopCounter()

    def run() -> torch.Tensor:
        with counter:
            return torch.ones(2, 2) @ torch.ones(2, 2)

    run()
    assert _get_current_dispatch_mode_stack() == []
    assert (counter.report.flops, counter.report.complete) == (16, True)


def test_a_generator_that_is_closed_half_way() -> None:
    counter = FlopCounter()

    def steps() -> Iterator[torch.Tensor]:
        with counter:
            while True:
                yield torch.ones(2, 2) @ torch.ones(2, 2)

    generator = steps()
    next(generator)
    next(generator)
    generator.close()  # type: ignore[attr-defined]
    assert _get_current_dispatch_mode_stack() == []
    assert counter.report.flops == 32
    assert counter.report.error == "GeneratorExit"


def test_the_report_can_be_read_inside_the_block() -> None:
    a = torch.ones(2, 2)
    with FlopCounter() as counter:
        a @ a
        during = counter.report
        a @ a
    assert (during.flops, during.complete, during.error) == (16, False, "")
    assert (counter.report.flops, counter.report.complete) == (32, True)


def test_a_counter_that_never_counted_has_an_empty_report() -> None:
    report = FlopCounter().report
    assert (report.flops, report.macs, report.bytes, report.unknown) == (0, 0, 0, {})
    assert report.tree.children == ()
    with FlopCounter() as counter:
        pass
    assert counter.report == report


def test_counters_nest_and_both_count() -> None:
    a = torch.ones(2, 2)
    with FlopCounter() as outer:
        a @ a
        with FlopCounter() as inner:
            a @ a
    assert (inner.report.flops, outer.report.flops) == (16, 32)


def test_other_modes_work_inside_and_outside() -> None:
    class Log(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.seen: list[str] = []

        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            self.seen.append(str(func))
            return func(*args, **(kwargs or {}))

    a = torch.ones(2, 2)
    with Log() as outside, FlopCounter() as counter, Log() as inside:
        a @ a
    assert outside.seen == inside.seen == ["aten.mm.default"]
    assert counter.report.flops == 16


def test_another_asyncio_task_is_not_counted() -> None:
    a = torch.ones(2, 2)

    async def other() -> None:
        for _ in range(5):
            a @ a
            await asyncio.sleep(0)

    async def counted() -> int:
        with FlopCounter() as counter:
            for _ in range(3):
                a @ a
                await asyncio.sleep(0)
        return counter.report.flops

    async def main() -> int:
        flops, _ = await asyncio.gather(counted(), other())
        return flops

    assert asyncio.run(main()) == 3 * 16


def test_nothing_is_kept_alive() -> None:
    model = small_gpt2()
    hidden: list[torch.Tensor] = []
    norm = next(part for part in model.modules() if isinstance(part, nn.LayerNorm))
    norm.register_forward_hook(lambda module, inputs, output: hidden.append(output))
    counter = FlopCounter()
    with counter:
        output = model(torch.randint(50, (1, 8)))
        logits = output[0] if isinstance(output, tuple) else output
        logits.sum().backward()
    references = [weakref.ref(model), weakref.ref(logits), weakref.ref(hidden[0])]
    report = counter.report
    del model, output, logits, norm
    hidden.clear()
    gc.collect()
    assert [reference() for reference in references] == [None] * 3
    assert report.find("model").calls == 1


def test_the_memory_does_not_grow_with_shapes_that_never_repeat() -> None:
    a = torch.ones(2, 2)
    with FlopCounter() as counter:
        for width in range(1, MAX_ENTRIES + 500):
            a @ torch.ones(2, width)
    report = counter.report
    widths = range(1, MAX_ENTRIES + 500)
    assert report.flops == report.by_operator["aten::mm"].flops == sum(8 * n for n in widths)
    assert len(report.rows) <= MAX_ENTRIES + 4
    assert any(signature.summed for signature in report.signatures)


# --- what is counted -----------------------------------------------------------------------------


def test_integers_are_counted_apart() -> None:
    a = torch.ones(3, 4, dtype=torch.int64)
    with FlopCounter() as counter:
        a + a
        a.float() * 2.0
    assert (counter.report.flops, counter.report.int_ops) == (12, 12)
    assert counter.report.by_dtype["int64"].int_ops == 12


def test_a_complex_multiply_accumulate_is_eight() -> None:
    a = torch.ones(2, 3, dtype=torch.complex64)
    with FlopCounter() as counter:
        a @ a.T
    assert counter.report.flops == 8 * 2 * 2 * 3
    assert counter.report.macs == 4 * 2 * 2 * 3


def test_bytes_are_those_read_and_written_once() -> None:
    a, b = torch.ones(2, 3), torch.ones(3, 4)
    with FlopCounter() as counter:
        c = a @ b
        c.add_(1.0)
        d = torch.empty_like(c)
        d.copy_(c)
        d.zero_()
    operators = counter.report.by_operator
    assert operators["aten::mm"].bytes == 4 * (6 + 12 + 8)
    assert operators["aten::add_"].bytes == 4 * 16
    assert operators["aten::copy_"].bytes == 4 * 16
    assert operators["aten::zero_"].bytes == 4 * 8


def test_kernel_time_is_taken_unless_it_is_not_wanted() -> None:
    a = torch.ones(64, 64)
    with FlopCounter() as timed:
        a @ a
    with FlopCounter(device_time=False) as untimed:
        a @ a
    assert timed.report.seconds > 0
    assert timed.report.flops_per_second == timed.report.flops / timed.report.seconds
    assert (untimed.report.seconds, untimed.report.flops_per_second) == (0, 0)


def test_time_is_that_of_the_clock_around_each_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(0, 10_000, 7))
    counter = FlopCounter()
    monkeypatch.setattr(counter, "_clock", lambda: next(ticks))
    a = torch.ones(2, 2)
    with counter:
        a @ a
        a + a
    assert counter.report.seconds == 2 * 7e-9
    assert counter.report.by_operator["aten::mm"].seconds == 7e-9


def test_inference_mode_counts_what_grad_mode_counts() -> None:
    model = small_resnet().eval()
    x = torch.randn(1, 3, 32, 32)
    reports = []
    for mode in (torch.no_grad, torch.inference_mode, torch.enable_grad):
        with mode(), FlopCounter() as counter:
            model(x)
        reports.append(counter.report)
    assert len({report.flops for report in reports}) == 1
    assert len({report.find("model.layer1.0.conv1").flops for report in reports}) == 1


def test_an_unknown_convention_is_refused() -> None:
    with pytest.raises(ValueError, match="standard, contractions, article"):
        FlopCounter("flops")  # type: ignore[arg-type]


def test_a_source_names_the_lines() -> None:
    source = Source(__file__, "In[7]")
    with FlopCounter(source=source) as counter:
        torch.ones(2, 2) @ torch.ones(2, 2)
    line = sys._getframe().f_lineno - 1
    assert list(counter.report.by_line) == [f"In[7]:{line}"]


# --- operators nobody knows ----------------------------------------------------------------------


@pytest.fixture
def library() -> Iterator[torch.library.Library]:
    with torch.library._scoped_library("ipyflops_test", "FRAGMENT") as scoped:
        yield scoped


def test_an_unknown_operator_is_named(library: torch.library.Library) -> None:
    library.define("mystery(Tensor x) -> Tensor")
    library.impl("mystery", lambda x: x.clone(), "CPU")
    with FlopCounter() as counter:
        for _ in range(3):
            torch.ops.ipyflops_test.mystery(torch.ones(2))
    assert counter.report.unknown == {"ipyflops_test::mystery": 3}
    assert 0 < counter.report.share_known < 1


def test_a_formula_that_fails_harms_nobody(library: torch.library.Library) -> None:
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: 2 * x, "CPU")

    def formula(call: Any) -> int:
        raise ZeroDivisionError("no")

    x = torch.ones(2)
    with (
        temporary_formula(torch.ops.ipyflops_test.twice, formula),
        pytest.raises(FormulaError, match="ipyflops_test::twice failed with ZeroDivisionError: no"),
        FlopCounter() as counter,
    ):
        result = torch.ops.ipyflops_test.twice(x)
    assert torch.equal(result, 2 * x)
    assert counter.report.unknown == {"ipyflops_test::twice": 1}
    assert "ZeroDivisionError" in counter.report.notes[0]


def test_a_deep_copy_of_a_counted_model_runs_uncounted() -> None:
    model = nn.Linear(4, 4)
    with FlopCounter() as counter:
        model(torch.ones(1, 4))
    copy.deepcopy(model)(torch.ones(1, 4))
    assert counter.report.flops == 32


def test_a_formula_that_fails_is_raised_once_and_never_instead_of_the_users_error(
    library: torch.library.Library,
) -> None:
    library.define("thrice(Tensor x) -> Tensor")
    library.impl("thrice", lambda x: 3 * x, "CPU")
    operator = torch.ops.ipyflops_test.thrice
    counter = FlopCounter()

    def fail() -> None:
        with counter:
            operator(torch.ones(2))
            raise ZeroDivisionError

    with temporary_formula(operator, lambda call: -1):
        with pytest.raises(ZeroDivisionError):
            fail()
        assert "gave -1, which is negative" in counter.report.notes[0]
        with counter:
            operator(torch.ones(2))
    assert counter.report.unknown == {"ipyflops_test::thrice": 2}


def test_one_of_our_own_formulas_that_fails_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(call: Any) -> int:
        raise IndexError("no dimension 7")

    monkeypatch.setitem(REGISTRY.formulas, "aten::trace", Formula(broken, "linear_algebra"))
    warned = pytest.warns(FormulaWarning, match="aten::trace failed .IndexError")
    with warned as caught, FlopCounter() as counter:
        result = torch.eye(3).trace()
    assert result == 3
    assert caught[0].filename == __file__
    assert counter.report.unknown == {"aten::trace": 1}
