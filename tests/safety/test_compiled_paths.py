"""Compiled, scripted, exported and captured programs: right counts, the modules' own names."""

import warnings
from typing import Any

import pytest
import torch
from functorch.compile import aot_function, aot_module, nop
from torch import fx, nn

from ipyflops.counting import FlopCounter
from tests.safety.programs import Pair, adds_up, counted, modules

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*torch.jit"),
    pytest.mark.filterwarnings("ignore:.*torch.jit.script"),
    pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning"),
]
EAGERLY = "compiled"
#: A forward of `Pair` on one row.
FORWARD = 2 * 4 * 8 * 2


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def notes_on_compiling(counter: FlopCounter) -> list[str]:
    return [note for note in counter.report.notes if EAGERLY in note]


def test_the_report_says_that_compiled_code_was_counted_eagerly() -> None:
    function = torch.compile(lambda x: x @ x, backend="eager")
    with FlopCounter() as counter:
        function(torch.ones(4, 4))
        function(torch.ones(4, 4))
    assert len(notes_on_compiling(counter)) == 1
    assert "eager" in notes_on_compiling(counter)[0]


def test_nothing_is_said_where_nothing_is_compiled() -> None:
    with FlopCounter() as counter:
        torch.ones(4, 4) @ torch.ones(4, 4)
    assert counter.report.notes == ()


def test_a_compiled_model_has_the_paths_of_the_model_it_was_made_of() -> None:
    compiled = torch.compile(Pair(), backend="eager")
    with FlopCounter("contractions") as counter:
        compiled(torch.ones(1, 4)).sum().backward()
    report = counter.report
    assert modules(report) == {
        "compiled": 128 + 64 + 128,
        "compiled.layers": 128,
        "compiled.layers.0": 128,
        "compiled.out": 64 + 128,
    }
    assert report.find("layers.0").calls == 1
    assert report.find("compiled").type == "Pair"
    assert report.find("compiled").calls == 1
    assert notes_on_compiling(counter)


def test_a_compiled_and_an_eager_call_of_one_model_are_one_place() -> None:
    model = Pair()
    compiled = torch.compile(model, backend="eager")
    with FlopCounter("contractions") as counter:
        compiled(torch.ones(1, 4))
        model(torch.ones(1, 4))
    # It has the name that the code calls it by first.
    assert modules(counter.report)["compiled.out"] == FORWARD
    assert counter.report.find("compiled").calls == 2


def test_a_compiled_part_of_a_model_keeps_its_name() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = torch.compile(Pair(), backend="eager")
            self.blocks = nn.ModuleList([nn.Linear(4, 4)])
            self.blocks[0].compile(backend="eager")

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.blocks[0](self.body(x))  # type: ignore[no-any-return]

    model = Outer()
    with FlopCounter("contractions") as counter:
        model(torch.ones(1, 4)).sum().backward()
    found = modules(counter.report)
    assert set(found) == {
        "model", "model.body", "model.body.layers", "model.body.layers.0", "model.body.out",
        "model.blocks", "model.blocks.0",
    }  # fmt: skip
    assert found["model.body.out"] == 3 * 64
    assert counter.report.find("model").parameters == sum(p.numel() for p in model.parameters())


def scripted() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(Pair())


def traced() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.trace(Pair(), torch.ones(1, 4))


@pytest.mark.parametrize("make", [scripted, traced])
def test_torchscript_counts_and_the_report_says_why_it_shows_no_submodules(make: Any) -> None:
    model = make()
    x = torch.ones(1, 4)

    def step() -> tuple[torch.Tensor, ...]:
        output = model(x)
        return output, *torch.autograd.grad(output.sum(), list(model.parameters()))

    for _ in range(3):
        step()  # its executor profiles the first runs
    report = counted(step)
    assert modules(report) == {"model": FORWARD + 64 + 2 * 64}
    assert any("TorchScript" in note and "model" in note for note in report.notes)


def test_tracing_within_the_block_works() -> None:
    with FlopCounter("contractions") as counter:
        model = traced()
    assert counter.report.flops >= FORWARD
    assert torch.equal(model(torch.ones(1, 4)), model(torch.ones(1, 4)))


def test_an_exported_program() -> None:
    x = torch.ones(1, 4)
    program = torch.export.export(Pair(), (x,)).module()
    report = counted(lambda: program(x))
    assert report.flops == FORWARD
    assert report.find("program").flops == FORWARD
    assert report.find("program").calls == 1
    assert report.notes == (
        "a flattened graph does not show its submodules: program counted as a whole",
    )


def test_exporting_within_the_block_gives_the_right_program() -> None:
    x = torch.ones(1, 4)
    model = Pair()
    with FlopCounter("contractions"):
        # As PyTorch 2.7 and newer do by default. Else the compiler makes the graph, which PyTorch
        # 2.6 cannot do in a block that counts.
        program = torch.export.export(model, (x,), strict=False)
    assert torch.equal(program.module()(x), model(x))


def test_an_unflattened_exported_program_has_its_modules() -> None:
    x = torch.ones(1, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.unflatten(torch.export.export(Pair(), (x,)))
    report = counted(lambda: program(x))
    assert report.find("program").flops == FORWARD
    assert report.find("program.out").flops == 64


def test_a_graph_module_of_the_user_has_module_paths() -> None:
    graph = fx.symbolic_trace(Pair())
    x = torch.ones(1, 4)
    report = counted(lambda: graph(x))
    assert modules(report) == {
        "graph": FORWARD, "graph.layers": 64, "graph.layers.0": 64, "graph.out": 64
    }  # fmt: skip
    assert report.find("graph").calls == report.find("graph.out").calls == 1
    assert report.notes == ()


def test_an_interpreter_of_a_graph_keeps_the_modules() -> None:
    graph = fx.symbolic_trace(Pair())
    x = torch.ones(1, 4)
    report = counted(lambda: fx.Interpreter(graph).run(x))
    assert report.find("graph.layers.0").flops == 64


def test_aot_autograd_compiled_outside_counts_what_it_runs() -> None:
    x = torch.randn(4, 4, requires_grad=True)
    function = aot_function(lambda a: (a @ a).tanh().sum(), fw_compiler=nop, bw_compiler=nop)
    function(x).backward()

    def step() -> torch.Tensor:
        return torch.autograd.grad(function(x), x)[0]

    report = counted(step)
    assert report.by_phase["forward"].flops == 128
    assert report.by_phase["backward"].flops == 2 * 128


def test_aot_autograd_compiled_inside_does_not_count_its_tracing() -> None:
    x = torch.randn(4, 4, requires_grad=True)
    expected = torch.autograd.grad((x @ x).tanh().sum(), x)[0]
    with FlopCounter("contractions") as counter:
        function = aot_function(lambda a: (a @ a).tanh().sum(), fw_compiler=nop, bw_compiler=nop)
        gradient = torch.autograd.grad(function(x), x)[0]
    assert torch.allclose(gradient, expected)
    assert counter.report.flops == 3 * 128
    assert torch.equal(torch.autograd.grad(function(x), x)[0], gradient)


def test_aot_module() -> None:
    model = Pair()
    module = aot_module(model, nop)
    x = torch.ones(1, 4)
    with FlopCounter("contractions") as counter:
        result = module(x)
        result.sum().backward()
    assert torch.equal(result, model(x))
    assert counter.report.flops == FORWARD + 64 + 2 * 64
    adds_up(counter.report)


def test_make_fx_runs_once_and_counts_once() -> None:
    from torch.fx.experimental.proxy_tensor import make_fx

    x = torch.ones(4, 4)
    for mode in ("real", "fake"):
        with FlopCounter("contractions") as counter:
            graph = make_fx(lambda a: a @ a, tracing_mode=mode)(x)
        assert counter.report.flops == (128 if mode == "real" else 0)
        assert torch.equal(graph(x), x @ x)


@pytest.mark.filterwarnings("ignore:.*torch.compile:UserWarning")
def test_compiled_attention_does_not_warn_that_it_is_not_compiled() -> None:
    from torch.nn.attention import flex_attention as module

    module._WARNINGS_SHOWN.clear()
    q = torch.randn(1, 1, 16, 16)
    attention = torch.compile(module.flex_attention, backend="eager")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with FlopCounter("contractions") as counter:
            attention(q, q, q)
    assert not [one for one in caught if "without torch.compile" in str(one.message)]
    # Two products of 16x16 matrices, of scores and of values.
    assert counter.report.flops == 2 * 2 * 16 * 16 * 16
    # Where it is not compiled, it says so, as without the block.
    with pytest.warns(UserWarning, match="without torch.compile"):
        module.flex_attention(q, q, q)


def test_the_report_says_that_eager_code_draws_other_random_numbers() -> None:
    function = torch.compile(lambda x: torch.dropout(x, 0.5, True), backend="eager")
    with FlopCounter() as counter:
        function(torch.ones(4, 4))
    (note,) = notes_on_compiling(counter)
    assert "other random numbers" in note
    assert "more memory" in note
