"""`%%flops --fake` in a shell: what it counts, what it refuses, and that nothing changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import ipyflops
from ipyflops import DryRunError, Report
from tests.pictures import Picture
from tests.shells import fresh_shell, run, variables

SETUP = """\
import collections, copy, dataclasses, enum, functools, random, weakref
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

class Net(nn.Module):
    calls = 0
    scale = torch.tensor([2.0])
    shapes = []
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(8, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 8, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("kept", torch.zeros(4))
        self.plain = torch.ones(4)
        self.seen = []
    def forward(self, tokens):
        Net.calls += 1
        self.shapes.append(tokens.shape)
        self.seen.append(tokens)
        self.kept += 1
        x = self.norm(self.embed(tokens).flatten(0, 1)) * self.scale * self.plain
        return self.head(x)

class Color(enum.Enum):
    RED = torch.device("cpu")

@dataclasses.dataclass(frozen=True)
class Pair:
    left: object
    right: object

class Slots:
    __slots__ = ("value",)
    def __init__(self, value):
        self.value = value

class Own:
    def __init__(self, value):
        self.value = value
    def __deepcopy__(self, memo):
        return Own(copy.deepcopy(self.value, memo))

Point = collections.namedtuple("Point", "x y")

torch.manual_seed(0)
model = Net()
tokens = torch.arange(6).view(2, 3)
optimizer = torch.optim.AdamW(model.parameters())
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
matrix = torch.rand(4, 4)
view = matrix[1:, ::2]
history, table = [], {"matrix": matrix, "deep": [{"view": view}]}
ordered = collections.OrderedDict(a=matrix)
default = collections.defaultdict(list, a=[matrix])
queue = collections.deque([matrix], maxlen=3)
pair, slots, own, point = Pair(matrix, view), Slots(matrix), Own(matrix), Point(matrix, 1)
chosen = Color.RED
names = {"a", "b"}
array, objects = np.ones(3), np.array([matrix, None], dtype=object)
generator = torch.Generator().manual_seed(3)
numbers = np.random.default_rng(0)
dice = random.Random(0)
weak = weakref.ref(model)
cycle = [matrix]
cycle.append(cycle)
handle = model.head.register_forward_hook(lambda module, args, out: history.append(out.shape))
matrix_hook = torch.rand(3, requires_grad=True)
matrix_hook.register_hook(lambda gradient: gradient * 2)
counted = 0

def make():
    count, kept = 0, []
    def step(tokens=tokens, *, where=history):
        nonlocal count
        global counted
        count, counted = count + 1, counted + 1
        loss = F.cross_entropy(model(tokens), tokens.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        kept.append(loss)
        where.append(loss)
        return loss
    step.remembered = []
    return step

step = make()
bound, partial, method = history.append, functools.partial(step, tokens), model.forward

@functools.lru_cache(maxsize=None)
def angles(count):
    return torch.arange(count) / count

step()
step()
angles(4)
"""
#: Everything above is used, written to and bound anew.
EVERYTHING = """\
loss = step()
partial()
method(tokens)
model.eval()
model.head.weight.data.zero_()
model.extra = nn.Linear(2, 2)
matrix.add_(1)
view.mul_(2)
table["deep"][0]["view"].zero_()
table["new"] = ordered.pop("a")
default["b"].append(matrix)
queue.append(view)
bound(3)
pair.left.fill_(2)
slots.value = own.value.add_(1)
point.x.add_(1)
names.add("c")
array += 1
objects[1] = 3
torch.rand(3, generator=generator)
numbers.random()
dice.random()
random.random()
np.random.rand()
torch.rand(2) + weak().kept.sum()
cycle[1][0].add_(1)
handle.remove()
(matrix_hook * 2).sum().backward()
angles(4) + angles(7).sum()
Net.added = 3
Net.scale = Net.scale + 1
step.remembered.append(1)
step.new = 2
chosen == Color.RED
torch.set_grad_enabled(False)
torch.set_default_dtype(torch.float64)
optimizer.param_groups[0]["lr"] = 7
counted += 1
del history
"""


@pytest.fixture
def shell() -> Iterator[InteractiveShell]:
    with fresh_shell("ipyflops") as shell:
        assert run(shell, SETUP).error is None
        yield shell


def picture(shell: InteractiveShell) -> Picture:
    return Picture(**variables(shell))


def report() -> Report:
    found = ipyflops.last()
    assert found is not None
    return found


def test_nothing_in_the_namespace_changes(shell: InteractiveShell) -> None:
    before = picture(shell)
    done = run(shell, "%%flops --fake\n" + EVERYTHING)
    assert done.error is None
    before.assert_same(picture(shell))
    assert shell.user_ns["angles"].cache_info().currsize == 1
    assert report().complete
    assert report().find("model").calls == 3
    assert not any("still held" in note for note in report().notes)


def test_floats_of_a_training_loop_are_stand_ins(shell: InteractiveShell) -> None:
    """Annotations and questions for a type are no dtypes, in a cell that makes tensors."""
    cell = (
        "losses, total = [], 0.0\n"
        "def mean(values: list, start: float = 0.0) -> float:\n"
        "    assert all(isinstance(one, float) for one in values)\n"
        "    return sum(values, start) / len(values)\n"
        "for _ in range(2):\n"
        "    loss = (torch.ones(2, 3) @ torch.ones(3, 2)).sum()\n"
        "    losses.append(float(loss))\n"
        "    total += float(loss)\n"
        "print(f'{total:.2f} {mean(losses)} {int(total)}')\n"
    )
    before = picture(shell)
    assert run(shell, "%%flops --fake\n" + cell).error is None
    before.assert_same(picture(shell))
    assert "float" not in shell.user_ns
    dry = report()
    assert run(shell, "%%flops\n" + cell).error is None
    assert dry.flops == report().flops == 2 * (2 * 2 * 2 * 3 + 3)
    done = run(shell, "%%flops --fake\nif float(torch.rand(2).sum()) < 3:\n    pass")
    assert "a decision" in str(done.error)


def test_it_would_have_changed_for_real(shell: InteractiveShell) -> None:
    before = picture(shell)
    try:
        done = run(shell, "%%flops\n" + EVERYTHING)
    finally:
        torch.set_grad_enabled(True)
        torch.set_default_dtype(torch.float32)
    assert done.error is None
    with pytest.raises(AssertionError, match="changed"):
        before.assert_same(picture(shell))


def test_it_counts_what_the_real_run_counts(shell: InteractiveShell) -> None:
    run(shell, "%flops -q --fake step()")
    dry = report()
    run(shell, "%flops -q step()")
    real = report()
    for convention in ("standard", "contractions", "article"):
        assert dry.under(convention).flops == real.under(convention).flops
    assert dry.bytes == real.bytes
    assert {node.path: node.flops for node in dry.walk() if node.kind != "code"} == {
        node.path: node.flops for node in real.walk() if node.kind != "code"
    }
    assert dry.seconds == 0 < real.seconds


@pytest.mark.parametrize("error", ["1 / 0", "raise KeyboardInterrupt", "torch.rand(2) @ matrix"])
def test_nothing_changes_when_it_fails(
    shell: InteractiveShell, error: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = picture(shell)
    done = run(shell, f"%%flops --fake\n{EVERYTHING}{error}")
    assert done.error is not None
    assert not isinstance(done.error, DryRunError)
    before.assert_same(picture(shell))
    assert not report().complete
    assert type(done.error).__name__ in report().error
    assert "failed while attempting to run meta" not in done.out + done.err + caplog.text
    assert run(shell, "%flops -q step()").error is None


def test_what_is_assigned_is_gone_and_the_report_says_so(shell: InteractiveShell) -> None:
    done = run(
        shell, "%%flops --fake\nloss = step()\nfor i in range(2):\n    out = i\ntokens = 3\nloss"
    )
    assert done.error is None
    assert done.result is None
    assert not {"loss", "i", "out"} & set(shell.user_ns)
    assert isinstance(shell.user_ns["tokens"], torch.Tensor)
    assert "what the code assigned is gone: " in done.out
    (note,) = [note for note in report().notes if note.startswith("what the code assigned")]
    assert {"loss", "i", "out", "tokens"} <= set(note.partition(": ")[2].split(", "))
    assert "a dry run on fake tensors: nothing was computed, so nothing took any time" in done.out


def test_a_model_is_built_in_the_cell_itself(shell: InteractiveShell) -> None:
    cell = "%%flops --fake\nhuge = nn.Linear(2_000_000, 3_000_000)\nhuge(torch.rand(7, 2_000_000))"
    assert run(shell, cell).error is None
    assert report().under("contractions").flops == 2 * 7 * 2_000_000 * 3_000_000
    assert "huge" not in shell.user_ns
    node = report().find("huge")
    assert (node.calls, node.parameters) == (1, 6_000_003_000_000)


def test_a_model_on_the_meta_device(shell: InteractiveShell) -> None:
    run(shell, "with torch.device('meta'):\n    huge = nn.Linear(2_000_000, 3_000_000)")
    before = picture(shell)
    done = run(shell, "%flops --fake huge(torch.rand(7, 2_000_000)).sum().backward()")
    assert done.error is None
    before.assert_same(picture(shell))
    assert report().under("contractions").flops == 2 * 2 * 7 * 2_000_000 * 3_000_000
    assert "tensors of the meta device were counted as tensors of the CPU" in report().notes


# --- options -------------------------------------------------------------------------------------


def test_the_other_options_work(shell: InteractiveShell, tmp_path: Path) -> None:
    run(shell, "%flops -q -v base --fake step()")
    assert isinstance(shell.user_ns["base"], Report)
    path = tmp_path / "dry.json"
    line = f"%flops --fake -c contractions --per 6:token --by lines --against base --save {path} -o"
    done = run(shell, f"{line} step()")
    assert done.error is None
    assert done.result is report()
    assert "per token" in done.out
    assert "[contractions]" in done.out
    assert Report.load(path).notes == report().notes
    assert done.result.flops == shell.user_ns["base"].under("contractions").flops


def test_no_time_is_shown(shell: InteractiveShell) -> None:
    out = run(shell, "%flops --fake model(tokens)").out
    assert "in kernels" not in out
    assert "FLOPS " not in out
    assert " time" not in out.replace("took any time", "")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("%flops --fake -t step()", "-t needs a run that takes time"),
        ("%flops --fake --peak step()", "--peak needs a run that takes time"),
        ("%flops --fake -t --restore step()", "-t needs a run that takes time"),
        ("%flops --fake --restore step()", "--restore is about clean repeats"),
        ("%flops --fake", "--fake runs code, and there is none"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: InteractiveShell, line: str, message: str) -> None:
    done = run(shell, line)
    assert isinstance(done.error, UsageError)
    assert message in str(done.error)


def test_in_a_function(shell: InteractiveShell) -> None:
    run(
        shell,
        "def inner():\n"
        "    own = nn.Linear(4, 5)\n"
        "    held = []\n"
        "    get_ipython().run_line_magic('flops', '--fake held.append(own(matrix))')\n"
        "    return own, held",
    )
    done = run(shell, "own, held = inner()")
    assert done.error is None
    assert shell.user_ns["held"] == []
    assert report().find("own").macs == 4 * 4 * 5
    assert not any("still held" in note for note in report().notes)


def test_other_magics_in_the_cell(shell: InteractiveShell) -> None:
    before = picture(shell)
    done = run(shell, "%%flops --fake\n%time out = model(tokens)\nprint(out.shape)")
    assert done.error is None
    assert "torch.Size([6, 8])" in done.out
    before.assert_same(picture(shell))


def test_await(shell: InteractiveShell) -> None:
    before = picture(shell)
    done = run(shell, "%%flops --fake\nimport asyncio\nawait asyncio.sleep(0)\nmodel(tokens)")
    assert done.error is None
    assert report().find("model").calls == 1
    before.assert_same(picture(shell))


# --- what needs values ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "1 if matrix.sum().item() > 0 else 2",
            "by a number read from a tensor needs its value",
        ),
        ("bool(matrix.sum())", "float(), int(), bool() or an if needs the value of a tensor"),
        ("if matrix.sum() > 0: pass", "bool() or an if needs the value of a tensor"),
        ("[1, 2][matrix.tolist()[0][0] > 0]", "an index or a range by a number read from a tensor"),
        ("max(matrix.numpy()[0])", "by a number read from a tensor needs its value"),
        ("np.asarray(matrix).astype(float)", "was read from a tensor, which needs its value"),
        ("range(int(matrix.sum().item()))", "an index or a range by a number read from a tensor"),
        ("matrix.nonzero()", "the values of a tensor say how large the result of nonzero is"),
        ("matrix[matrix > 0]", "the values of a tensor say how large the result of nonzero is"),
        ("matrix.unique()", "the values of a tensor say how large the result of _unique2 is"),
        ("torch.equal(matrix, matrix)", "equal needs the value of a tensor"),
        ("nn.LazyLinear(3)(matrix)", "a lazy module cannot be built in a dry run"),
        (
            "next(iter(torch.utils.data.DataLoader(matrix, collate_fn=lambda x: bool(x[0][0]))))",
            "a DataLoader picks and collates real values",
        ),
    ],
)
def test_what_needs_values_says_where(shell: InteractiveShell, code: str, message: str) -> None:
    before = picture(shell)
    done = run(shell, f"%%flops --fake\nstep()\n{code}")
    assert isinstance(done.error, DryRunError)
    assert str(done.error).startswith("In[2]:3: ")
    assert message in str(done.error)
    instead = ("Take this out of the code", "Take a batch before", "Give it its sizes")
    assert any(words in str(done.error) for words in instead)
    before.assert_same(picture(shell))
    assert report().error.startswith("DryRunError: In[2]:3: ")
    assert report().find("model").calls == 1


def test_the_line_may_be_in_a_function(shell: InteractiveShell) -> None:
    run(shell, "def total(x):\n    y = x * 2\n    return bool(y.sum())")
    done = run(shell, "%flops --fake total(matrix)")
    assert str(done.error).startswith("In[3]:1 (In[2]:3): ")
    # The traceback ends there, and shows nothing of torch or of ours.
    assert "return bool(y.sum())" in done.out
    assert "site-packages/torch" not in done.out
    if sys.version_info >= (3, 11):  # before, an error raised again has its first traceback back
        assert "fake_" not in done.out


@pytest.mark.parametrize(
    ("setup", "code", "message"),
    [
        ("out = model(tokens).sum()", "out.backward()", "whose forward ran before, for real"),
        ("mid = model(tokens)", "(mid * 2).sum().backward()", "whose forward ran before"),
    ],
)
def test_a_graph_of_a_real_run_has_no_backward(
    shell: InteractiveShell, setup: str, code: str, message: str
) -> None:
    run(shell, setup)
    before = picture(shell)
    done = run(shell, f"%flops --fake {code}")
    assert isinstance(done.error, DryRunError)
    assert str(done.error).startswith("In[3]:1: ")
    assert message in str(done.error)
    before.assert_same(picture(shell))


@pytest.mark.parametrize(
    ("setup", "message"),
    [
        ("odd = matrix.to_sparse()", "cannot stand in for sparse_coo tensors (float32, 4×4)"),
        ("odd = matrix.to_sparse_csr()", "cannot stand in for sparse_csr tensors"),
        ("odd = torch.quantize_per_tensor(matrix, 0.1, 0, torch.qint8)", "quantized tensors"),
        ("odd = nn.LazyLinear(3)", "a dry run cannot give a lazy module its parameters"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*Sparse CSR tensor support is in beta:UserWarning")
@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning")
@pytest.mark.filterwarnings("ignore:.*LazyModules are a new feature:UserWarning")
def test_tensors_that_have_no_fakes(shell: InteractiveShell, setup: str, message: str) -> None:
    run(shell, setup)
    done = run(shell, "%%flops --fake\nran = 1\nodd(matrix)")
    assert isinstance(done.error, UsageError)
    assert str(done.error).startswith("--fake: ")
    assert message in str(done.error)
    # What the code does not use is of no concern.
    assert run(shell, "%flops -q --fake model(tokens)").error is None


def test_what_cannot_be_copied_is_named(shell: InteractiveShell) -> None:
    run(shell, "numbers = (i for i in range(5))")
    done = run(shell, "%flops --fake matrix + 0 * next(numbers)")
    assert done.error is None
    assert "not copied, so what the dry run did to them has happened: generator" in report().notes
    assert next(shell.user_ns["numbers"]) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there(shell: InteractiveShell) -> None:
    cell = (
        "device = 'cuda' if torch.cuda.is_available() else 'cpu'\n"
        "nn.LSTM(4, 4).to(device)(torch.randn(3, 2, 4, device=device))"
    )
    done = run(shell, f"%%flops --fake cuda -v there\n{cell}")
    assert done.error is None
    assert "dry run for a cuda device that is not there" in done.out
    assert "aten::_cudnn_rnn" in shell.user_ns["there"].by_operator
    assert shell.user_ns["there"].device == "cuda"
    run(shell, f"%%flops --fake -q -v here\n{cell}")
    assert "aten::_cudnn_rnn" not in shell.user_ns["here"].by_operator
    assert shell.user_ns["here"].device == "cpu"
    assert run(shell, "%flops -q --fake mps step()").error is not None
