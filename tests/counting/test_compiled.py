"""Compiled code: counted as eager code, and still compiled afterwards."""

import subprocess
import sys
import textwrap
from typing import Any

import pytest
import torch
from torch import nn

from ipyflops.attribution import NOT_EAGERLY
from ipyflops.counting import FlopCounter
from ipyflops.counting.compiled import CompilerStance
from ipyflops.torch_private import COMPILER_MODULE

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script")


class Backend:
    """A compiler back end that compiles nothing and counts how often it was asked, and run."""

    def __init__(self) -> None:
        self.compilations = 0
        self.runs = 0

    def __call__(self, graph: Any, inputs: Any) -> Any:
        self.compilations += 1

        def run(*args: Any) -> Any:
            self.runs += 1
            return graph(*args)

        return run


@pytest.fixture(autouse=True)
def _fresh_compiler() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


def test_a_compiled_function_counts_as_eager_and_stays_compiled() -> None:
    backend = Backend()
    a = torch.randn(4, 4)

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ x) + 1

    compiled = torch.compile(function, backend=backend)
    compiled(a)
    assert (backend.compilations, backend.runs) == (1, 1)
    with FlopCounter() as eager:
        expected = function(a)
    with FlopCounter() as counter:
        result = compiled(a)
    assert torch.equal(result, expected)
    assert counter.report.flops == eager.report.flops == 128 + 16 + 16
    assert backend.runs == 1
    compiled(a)
    assert (backend.compilations, backend.runs) == (1, 2)


def test_a_function_called_first_inside_the_block_compiles_afterwards() -> None:
    backend = Backend()
    a = torch.randn(4, 4)
    with FlopCounter() as counter:
        compiled = torch.compile(lambda x: x @ x, backend=backend)
        compiled(a)
    assert counter.report.flops == 128
    assert backend.compilations == 0
    compiled(a)
    compiled(a)
    assert (backend.compilations, backend.runs) == (1, 2)


def test_a_compiled_model_keeps_its_modules() -> None:
    backend = Backend()
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    compiled = torch.compile(model, backend=backend)
    x = torch.randn(3, 4)
    with FlopCounter() as eager:
        model(x).sum().backward()
    model.zero_grad()  # else the second run adds its gradients to these
    with FlopCounter() as counter:
        compiled(x).sum().backward()  # type: ignore[operator]
    assert counter.report.flops == eager.report.flops
    report = counter.report
    found = {
        node.path.rpartition(".")[2]: node.flops for node in report.walk() if not node.children
    }
    assert found["0"] == eager.report.find("model.0").flops
    compiled(x)  # type: ignore[operator]
    assert backend.compilations == 1


def test_nested_and_overlapping_blocks_restore_the_stance() -> None:
    backend = Backend()
    a = torch.randn(4, 4)
    compiled = torch.compile(lambda x: x @ x, backend=backend)
    with FlopCounter():
        with FlopCounter():
            compiled(a)
        compiled(a)
        assert backend.compilations == 0
    compiled(a)
    assert backend.compilations == 1


def test_a_block_that_raises_restores_the_stance() -> None:
    backend = Backend()
    compiled = torch.compile(lambda x: x @ x, backend=backend)
    with pytest.raises(ZeroDivisionError), FlopCounter():
        raise ZeroDivisionError
    compiled(torch.randn(4, 4))
    assert backend.compilations == 1


def test_the_stance_of_the_user_comes_back() -> None:
    a = torch.randn(4, 4)
    backend = Backend()
    compiled = torch.compile(lambda x: x @ x, backend=backend)
    with torch.compiler.set_stance("force_eager"):
        with FlopCounter():
            pass
        compiled(a)
    assert backend.compilations == 0
    compiled(a)
    assert backend.compilations == 1


STANCE = """
import torch
from ipyflops import FlopCounter

compilations = []

def backend(graph, inputs):
    compilations.append(graph)
    return graph

a = torch.randn(4, 4)
compiled = torch.compile(lambda x: x @ x, backend=backend)
with FlopCounter() as counter:
    torch.compiler.set_stance("fail_on_recompile")
try:
    compiled(a)
except RuntimeError as error:
    assert "fail_on_recompile" in str(error)
else:
    raise AssertionError("it was compiled")
torch.compiler.set_stance("default")
assert ["set_stance" in note for note in counter.report.notes] == [True]
compiled(a)
assert len(compilations) == 1
"""


def test_a_stance_that_the_user_sets_in_the_block_stays_and_the_report_says_what_it_means() -> None:
    """In a process of its own: what PyTorch raises there changes how it runs other code later."""
    subprocess.run([sys.executable, "-c", STANCE], check=True, timeout=200)


def test_compiled_code_under_a_stance_for_a_part_of_the_block_is_named() -> None:
    def product(x: torch.Tensor) -> torch.Tensor:
        return x @ x

    compiled = torch.compile(product, backend="aot_eager")
    with FlopCounter() as counter:
        compiled(torch.ones(2, 2))
        with torch.compiler.set_stance("default"):
            compiled(torch.ones(2, 2))
    notes = counter.report.notes
    assert [note for note in notes if note == NOT_EAGERLY] == [NOT_EAGERLY]
    assert len(notes) == 2
    assert notes[0].startswith("compiled code was run and counted as the eager code")
    torch._dynamo.reset()


def test_a_stance_that_the_user_sets_for_a_part_of_the_block() -> None:
    a = torch.randn(4, 4)
    backend = Backend()
    compiled = torch.compile(lambda x: x @ x, backend=backend)
    with FlopCounter() as counter:
        with torch.compiler.set_stance("force_eager"):
            compiled(a)
        compiled(a)
    assert counter.report.flops == 2 * 128
    assert backend.compilations == 0
    compiled(a)
    assert backend.compilations == 1


def test_each_step_can_be_taken_again() -> None:
    backend = Backend()
    a = torch.randn(4, 4)
    compiled = torch.compile(lambda x: x @ x, backend=backend)
    stance = CompilerStance()
    stance.step_aside()
    stance.step_aside()
    compiled(a)
    assert backend.compilations == 0
    stance.step_back()
    stance.step_back()
    compiled(a)
    assert backend.compilations == 1


def test_what_waits_for_the_compiler_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, COMPILER_MODULE)
    before = list(sys.meta_path)
    stance = CompilerStance()
    stance.step_aside()
    stance.step_aside()
    assert sys.meta_path[1:] == before
    stance.step_back()
    stance.step_back()
    assert sys.meta_path == before


PROGRAM = """
    import importlib.util
    import sys
    import torch
    from ipyflops import FlopCounter

    def backend(graph, inputs):
        print("compiled")
        return graph

    def watchers():
        return [one for one in sys.meta_path if "ipyflops" in type(one).__module__]

    with FlopCounter() as counter:
        for _ in range(2):  # whoever asks where the compiler is, as many libraries do
            spec = importlib.util.find_spec("torch._dynamo")
            assert spec.loader.get_filename() == spec.origin
        assert "torch._dynamo" not in sys.modules, "the counter loads the compiler"
        function = torch.compile(lambda x: x @ x, backend=backend)
        function(torch.ones(4, 4))
    print(counter.report.flops)
    assert not watchers()
    loader = type(sys.modules["torch._dynamo"].__spec__.loader).__name__
    assert loader == "SourceFileLoader", loader
    function(torch.ones(4, 4))

    with FlopCounter():
        pass
    assert not watchers()
"""


def test_the_compiler_is_loaded_only_by_those_who_use_it() -> None:
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(PROGRAM)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.stderr == ""
    assert result.stdout.split() == ["128", "compiled"]


def test_what_torch_itself_keeps_from_being_compiled_is_no_compiled_code() -> None:
    model = nn.Linear(4, 4)
    optimizer = torch.optim.AdamW(model.parameters())
    with FlopCounter() as counter:
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()
        torch.vmap(torch.addr)(torch.ones(3, 2, 2), torch.ones(3, 2), torch.ones(3, 2))
    assert counter.report.notes == ()
