"""The traceback of a counted cell is the one that the cell has without counting."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator
from types import CodeType

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyflops.cells.tracebacks import trim
from tests.shells import cell_frames, fresh_shell, run


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        run(shell, "import torch\nmodel = torch.nn.Sequential(torch.nn.Linear(2, 3))")
        yield shell


#: Python 3.10 undoes the trimming when the error is raised again.
TRIMMED = pytest.mark.skipif(sys.version_info < (3, 11), reason="needs Python 3.11")
FAILING = [
    "model(torch.ones(1, 5))",
    "torch.ones(2) @ torch.ones(3)",
    "def f(x):\n    return model(x)\nf(torch.ones(1, 7))",
    "x = torch.ones(2, requires_grad=True)\n(x * 2).backward()",
    "try:\n    torch.ones(2) @ torch.ones(3)\nexcept RuntimeError as e:\n    raise KeyError from e",
    "try:\n    torch.ones(2) @ torch.ones(3)\nexcept RuntimeError:\n    1/0",
    "class M(torch.nn.Module):\n    def forward(self, x):\n        raise KeyError(x)\nM()(3)",
]


def all_frames(error: BaseException | None) -> list[list[tuple[str, str, int]]]:
    """The frames of an error, and of those that it was raised from or while handling."""
    if error is None:
        return []
    frames = [
        ("cell" if filename.startswith("<ipython") else filename, name, line)
        for filename, name, line in cell_frames(error)
    ]
    return [frames, *all_frames(error.__cause__ or error.__context__)]


@TRIMMED
@pytest.mark.parametrize("body", FAILING)
def test_the_frames_are_those_without_counting(shell: InteractiveShell, body: str) -> None:
    plain = run(shell, f"# the first line\n{body}").error
    counted = run(shell, f"%%flops -q\n{body}").error
    assert plain is not None
    assert all_frames(counted) == all_frames(plain)
    assert len(all_frames(counted)[0]) >= 1
    assert type(counted) is type(plain)
    assert str(counted) == str(plain)


@TRIMMED
def test_a_nested_magic_adds_ipythons_frames_alone(shell: InteractiveShell) -> None:
    error = run(shell, "%%flops -q\nx = 1\n%flops -q model(torch.ones(1, 5))").error
    assert error is not None
    frames = traceback.extract_tb(error.__traceback__)
    assert not [frame.filename for frame in frames if "/ipyflops/" in frame.filename]
    assert [(frame.name, frame.lineno) for frame in frames].count(("<module>", 3)) == 1
    assert "torch" in cell_frames(error)[0][0]


@TRIMMED
@pytest.mark.parametrize(
    ("cell", "lines"),
    [
        ("%flops -q fail()", [("Cell In[4], line 1", 1), ("Cell In[3], line 1", 1)]),
        ("a = 1\n%flops -q fail()", [("Cell In[4], line 2", 1), ("Cell In[3], line 1", 1)]),
        ("def f():\n    %flops -q fail()\nf()", [("Cell In[4], line 2", 1)]),
        ("%flops -q (lambda: fail())()", [("Cell In[4], line 1\n", 1)]),
        ("for i in [1]:\n    r = %flops -q fail()", [("Cell In[4], line 2", 1)]),
        # The error is raised in the line itself, and the traceback begins there.
        ("%flops -q 1/0", [("Cell In[4], line 1", 1), ("-> 1 1/0", 1)]),
        # A cell's own line is no other frame's.
        ("%%flops -q\nfail()", [("Cell In[4], line 2", 1), ("Cell In[3], line 1", 1)]),
    ],
)
def test_a_line_is_one_frame(
    shell: InteractiveShell, cell: str, lines: list[tuple[str, int]]
) -> None:
    run(shell, "pass")
    run(shell, "def fail(): 1/0")
    done = run(shell, cell)
    assert type(done.error) is ZeroDivisionError
    for text, times in lines:
        assert done.out.count(text) == times, done.out


def module_function(module: str, body: str) -> Callable[..., object]:
    """A function whose frame belongs to a module of that name."""
    namespace: dict[str, object] = {"__name__": module}
    exec(f"def call(inner=None):\n    {body}", namespace)
    function = namespace["call"]
    assert callable(function)
    return function


def code_of(function: Callable[..., object]) -> CodeType:
    code = function.__code__
    assert isinstance(code, CodeType)
    return code


@pytest.mark.parametrize(
    ("raised", "modules"),
    [
        (
            "raise ValueError",
            ["user", "torch.nn", "ipyflops.counting.counter", "ipyflops.attribution.locator"],
        ),
        ("raise KeyboardInterrupt", ["user", "torch.nn"]),
    ],
)
def test_an_error_of_ours_stays_whole_and_an_interrupt_is_no_error_of_ours(
    raised: str, modules: list[str]
) -> None:
    functions = [
        module_function("ipyflops.attribution.locator", raised),
        module_function("ipyflops.counting.counter", "return inner[-1](inner[:-1])"),
        module_function("torch.nn", "return inner[-1](inner[:-1])"),
        module_function("user", "return inner[-1](inner[:-1])"),
    ]
    with pytest.raises((ValueError, KeyboardInterrupt)) as caught:
        functions[-1](functions[:-1])
    error = caught.value
    trim(error, [code_of(functions[-1])])
    found = [frame.f_globals["__name__"] for frame, _ in traceback.walk_tb(error.__traceback__)]
    assert [name for name in found if name != __name__] == modules


def test_an_error_without_a_traceback_and_a_circle_are_no_trouble() -> None:
    first, second = ValueError(), ValueError()
    first.__context__, second.__context__ = second, first
    trim(first, [])
    assert first.__traceback__ is None
