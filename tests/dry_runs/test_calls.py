"""`ipyflops.dry_run` in scripts: which programs it counts as they run, and what it leaves alone."""

from __future__ import annotations

import gc
import importlib
import random
import signal
import sys
import threading
import types
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ipyflops import DryRunError, FlopCounter, dry_run, sweep
from ipyflops.dry_runs.copies import Copier
from ipyflops.dry_runs.substitution import Substitution
from ipyflops.report import Report
from tests.pictures import Picture

torch.manual_seed(0)
MODEL = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 8))
X = torch.randn(4, 8)
LEAF = torch.randn(4, 8, requires_grad=True)
GENERATOR = torch.Generator().manual_seed(3)
INDICES, OFFSETS = torch.tensor([1, 2, 3, 4]), torch.tensor([0, 2])
BAG, PADDED = nn.EmbeddingBag(10, 4), nn.Embedding(10, 4, padding_idx=2)
GRAPH = torch.fx.symbolic_trace(MODEL)
ARRAY = X.numpy().copy()
NORMED = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))


def really(function: Callable[[], object]) -> Report:
    with FlopCounter(device_time=False) as counter:
        function()
    return counter.report


# --- programs ------------------------------------------------------------------------------------


class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * gradients[0]


def checkpointed(reentrant: bool) -> None:
    LEAF.grad = None
    MODEL.zero_grad()
    checkpoint(MODEL, LEAF, use_reentrant=reentrant).sum().backward()


def with_autocast() -> None:
    MODEL.zero_grad()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = MODEL(X).sum()
    loss.backward()


def clipped() -> None:
    MODEL.zero_grad()
    MODEL(X).sum().backward()
    nn.utils.clip_grad_norm_(MODEL.parameters(), 1.0)


def own_function() -> None:
    LEAF.grad = None
    Square.apply(LEAF).sum().backward()


def in_a_thread() -> None:
    thread = threading.Thread(target=MODEL, args=(X,))
    thread.start()
    thread.join()


def functional_gradient() -> None:
    torch.func.grad(lambda weight: F.linear(X, weight).sum())(MODEL[0].weight.detach())


PROGRAMS: dict[str, Callable[[], object]] = {
    "checkpoint": lambda: checkpointed(False),
    "reentrant checkpoint": lambda: checkpointed(True),
    "autocast": with_autocast,
    "clipping": clipped,
    "own function": own_function,
    "thread": in_a_thread,
    "vmap": lambda: torch.func.vmap(lambda row: MODEL[0](row) @ MODEL[0].weight)(X),
    "func.grad": functional_gradient,
    "functional_call": lambda: torch.func.functional_call(
        MODEL, dict(MODEL.named_parameters()), (X,)
    ),
    "inference": lambda: torch.inference_mode()(MODEL)(X),
    "generator": lambda: torch.randn(4, 8, generator=GENERATOR) @ X.T,
    "graph": lambda: GRAPH(X),
    "weight norm": lambda: NORMED(X),
    "bag": lambda: BAG(INDICES, OFFSETS),
    "svd": lambda: torch.linalg.svd(X),
    "fft": lambda: torch.fft.rfft(X),
    "einsum": lambda: torch.einsum("ab,cb->ac", X, X),
    "numpy": lambda: MODEL(torch.from_numpy(ARRAY)),
    "nested": lambda: dry_run(lambda: MODEL(X)),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_counts_as_it_runs(name: str) -> None:
    run = PROGRAMS[name]
    before = Picture(run, MODEL, X, LEAF, GENERATOR, GRAPH, NORMED, ARRAY)
    dry = dry_run(run)
    before.assert_same(Picture(run, MODEL, X, LEAF, GENERATOR, GRAPH, NORMED, ARRAY))
    real = really(run)
    for convention in ("standard", "contractions", "article"):
        assert dry.under(convention).flops == real.under(convention).flops
    phases = {phase: totals.flops for phase, totals in dry.by_phase.items()}
    assert phases == {phase: totals.flops for phase, totals in real.by_phase.items()}
    assert dry.flops > 0
    assert dry.unknown == {}


OPTIMIZERS = ("SGD", "Adam", "AdamW", "Adagrad", "RMSprop", "Adadelta", "NAdam", "RAdam", "Adamax")


@pytest.mark.parametrize("options", [{}, {"foreach": True}], ids=["loop", "foreach"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_before_and_after_their_first_step(name: str, options: dict[str, bool]) -> None:
    model = nn.Linear(4, 3)
    optimizer = getattr(torch.optim, name)(model.parameters(), lr=0.1, **options)

    def step() -> None:
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
        optimizer.step()

    for _ in range(2):
        before = Picture(step)
        dry = dry_run(step)
        before.assert_same(Picture(step))
        assert dry.flops == really(step).flops


def test_values_that_tell_a_cost_are_missed_and_noted() -> None:
    def step() -> None:
        PADDED.zero_grad()
        PADDED(INDICES).sum().backward()

    dry, real = dry_run(step), really(step)
    assert dry.flops - real.flops == 4  # one index of four numbers is padding
    (note,) = [note for note in dry.notes if "aten::embedding_dense_backward" in note]
    assert "values tell what these cost, and there were none" in note
    assert not any("values tell" in note for note in real.notes)


def test_any_size_fits() -> None:
    def huge() -> None:
        a = torch.zeros(10**9, 10**6)
        (a @ a.T).sum()

    report = dry_run(huge).under("contractions")
    assert report.flops == 2 * 10**9 * 10**9 * 10**6


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("there", ["cuda", "cuda:1", torch.device("cuda"), "mps", "xpu"])
@pytest.mark.parametrize("way", ["made", "moved", "as default"])
def test_devices_that_are_not_there(there: str | torch.device, way: str) -> None:
    """Torch would make the tensors, and end the process in their backward pass."""

    def run() -> None:
        if way == "made":
            torch.ones(4, 8, device=there)
        elif way == "moved":
            X.to(there)
        else:
            with torch.device(there):
                nn.Linear(8, 2)

    message = r"^test_calls.py:\d+: there is no such device here"
    with pytest.raises(DryRunError, match=message):
        dry_run(run)


# --- what is seen and named ----------------------------------------------------------------------


def test_modules_have_their_names() -> None:
    inner = nn.Linear(8, 3)
    assert dry_run(MODEL, X).find("MODEL").calls == 1
    assert dry_run(inner, X).find("inner").macs == 4 * 8 * 3
    assert dry_run(lambda: inner(X)).find("inner").macs == 4 * 8 * 3
    assert dry_run(lambda layer, x: layer(x), inner, x=X).find("inner").macs == 4 * 8 * 3


def test_aliases_stay_aliases() -> None:
    tied = nn.Linear(4, 4)
    tied.register_parameter("other", tied.weight)
    base = torch.zeros(4, 6)
    held = {"base": base, "view": base[1:, ::2], "again": base, "tied": tied}

    def check() -> None:
        assert held["base"] is held["again"] is base
        view: Any = held["view"]
        assert view._base is base
        assert view.untyped_storage()._cdata == base.untyped_storage()._cdata
        assert (view.stride(), view.storage_offset()) == ((6, 2), 6)
        assert tied.other is tied.weight
        assert isinstance(tied.weight, nn.Parameter)
        assert tied.weight.requires_grad
        assert next(iter(tied.parameters())) is tied.weight

    dry_run(check)


def test_numbers_keep_their_values() -> None:
    length, learnt = torch.tensor(3), nn.Parameter(torch.tensor(2.0))

    def run() -> None:
        length.add_(1)
        X[:length, :].exp()

    assert dry_run(run).flops == 4 * 8
    assert int(length) == 3
    with pytest.raises(DryRunError, match=r"needs the value of a tensor"):
        dry_run(lambda: 1 if learnt > 0 else 2)


def test_hooks_run() -> None:
    model, seen = nn.Linear(2, 2), []
    model.register_forward_hook(lambda *_: seen.append("forward"))
    model.weight.register_hook(lambda gradient: gradient * 3)

    def run() -> None:
        model.zero_grad()
        model(torch.ones(1, 2)).sum().backward()
        assert seen == ["forward"]

    with_hook = dry_run(run)
    assert seen == []
    assert with_hook.by_operator["aten::mul"].flops == 4


def test_dictionaries_of_hooks_are_copied_by_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each module has a dozen; what copies any object takes ten times as long for one."""
    copied = []
    own = Copier._by_protocol

    def by_protocol(self: Copier, value: Any) -> Any:
        copied.append(type(value))
        return own(self, value)

    monkeypatch.setattr(Copier, "_by_protocol", by_protocol)
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    state = model.state_dict()

    def run() -> None:
        model(torch.ones(1, 2))
        assert (
            state["0.weight"].untyped_storage()._cdata == model[0].weight.untyped_storage()._cdata
        )
        assert state._metadata == {"": {"version": 1}, "0": {"version": 1}, "1": {"version": 1}}
        model.register_forward_hook(lambda *_: None)

    before = Picture(model, state)
    dry_run(run)
    before.assert_same(Picture(model, state))
    assert OrderedDict not in copied


# --- what lies outside ---------------------------------------------------------------------------


@pytest.fixture
def library() -> Iterator[Any]:
    """A module that no file of the user's is: installed code."""
    module: Any = types.ModuleType("installed_library")
    module.weight, module.cache = nn.Parameter(torch.rand(8, 2)), {}
    module.out = torch.zeros(4, 4)
    exec(
        "def product(x):\n    return x @ weight\n"
        "def remembered(x):\n    cache['x'] = x * 2\n    return cache['x']\n",
        vars(module),
    )
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def test_tensors_of_a_library_are_read(library: Any) -> None:
    before = Picture(library.weight)
    report = dry_run(lambda: library.product(X).sum().backward())
    assert report.macs == 2 * 4 * 8 * 2
    before.assert_same(Picture(library.weight))
    assert library.weight.grad is None


def test_tensors_of_a_library_are_not_written(library: Any) -> None:
    before = Picture(library.weight)

    def write() -> None:
        with torch.no_grad():
            library.weight.add_(X.sum())

    with pytest.raises(DryRunError, match=r"would write to a real tensor \(float32, 8×2\) that"):
        dry_run(write)
    with pytest.raises(DryRunError, match="would write to a real tensor"):
        dry_run(lambda: torch.mm(X, X.T, out=library.out))
    before.assert_same(Picture(library.weight))


def test_what_a_library_remembers_is_noted(library: Any) -> None:
    report = dry_run(library.product, X)
    assert not any("still held" in note for note in report.notes)
    report = dry_run(lambda: library.remembered(X))
    (note,) = [note for note in report.notes if "still held" in note]
    assert note.startswith("1 fake tensor is still held, by something outside the variables in use")


class Connection:
    """Closes what it is connected to when it is gone, as files and channels do."""

    closed: ClassVar[list[str]] = []

    def __init__(self) -> None:
        self.name, self.weight = "the real one", torch.ones(2, 2)

    def __del__(self) -> None:
        Connection.closed.append(self.name)


def test_copies_that_are_gone_close_nothing() -> None:
    connection = Connection()

    def run() -> Tensor:
        assert type(connection) is Connection
        connection.weight = connection.weight @ connection.weight
        return connection.weight

    for _ in range(2):
        assert dry_run(run).flops == 2 * 2 * 2 * 2
    with pytest.raises(ZeroDivisionError):
        dry_run(lambda: [connection.weight @ connection.weight, 1 // 0])
    sweep(lambda n: torch.ones(n, 2) @ connection.weight, n=[1, 2, 3])
    gc.collect()
    assert Connection.closed == []
    assert type(connection) is Connection


def test_what_other_threads_build_is_not_held() -> None:
    # A tuple that a thread is just building out of a generator must have no second reference.
    errors: list[BaseException] = []
    over = threading.Event()

    def build() -> None:
        try:
            while not over.is_set():
                assert len(tuple(one for one in range(2_000))) == 2_000
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=build)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        thread.start()
        for _ in range(3):
            dry_run(torch.nn.Linear(2, 2), torch.ones(1, 2))
    finally:
        over.set()
        thread.join(30)
        sys.setswitchinterval(interval)
    assert not errors, errors


def test_modules_that_the_code_itself_imports_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users_numbers.py").write_text("import torch\nweight = torch.ones(8, 2)\nn = [1]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    numbers: Any = importlib.import_module("users_numbers")
    before = Picture(numbers.weight, numbers.n)

    def step() -> None:
        import users_numbers  # type: ignore[import-not-found]

        users_numbers.n.append(2)
        users_numbers.weight.add_(1)

    assert dry_run(step).flops == 8 * 2
    before.assert_same(Picture(numbers.weight, numbers.n))


def test_modules_of_the_users_own_are_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "users_helpers.py").write_text(
        "import torch\nweight = torch.ones(8, 2)\ncache = {}\nruns = 0\n"
        "class Layer(torch.nn.Module):\n"
        "    table = torch.ones(2, 3)\n"
        "    def forward(self, x):\n"
        "        global runs\n"
        "        runs += 1\n"
        "        weight.add_(1)\n"
        "        Layer.latest = cache[runs] = x @ weight @ self.table\n"
        "        return Layer.latest\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    helpers: Any = importlib.import_module("users_helpers")
    layer = helpers.Layer()
    before = Picture(vars(helpers)["cache"], helpers.weight, helpers.Layer, layer, helpers.runs)
    report = dry_run(lambda: layer(X) + helpers.Layer()(X))
    assert report.macs == 2 * (4 * 8 * 2 + 4 * 2 * 3)
    after = Picture(vars(helpers)["cache"], helpers.weight, helpers.Layer, layer, helpers.runs)
    before.assert_same(after)
    assert not any("still held" in note for note in report.notes)
    del sys.modules["users_helpers"]


def test_errors_of_the_function_are_its_own() -> None:
    state = random.getstate()

    def fail() -> None:
        random.random()
        torch.rand(3)
        raise LookupError("mine")

    before = Picture(fail)
    with pytest.raises(LookupError, match=r"^mine$"):
        dry_run(fail)
    before.assert_same(Picture(fail))
    assert random.getstate() == state
    assert torch.ones(1).sum().item() == 1  # no mode is left


def test_an_interrupt_waits_until_all_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Substitution.restore

    def put_back(self: Substitution, *, keep: bool) -> None:
        signal.raise_signal(signal.SIGINT)
        real(self, keep=keep)

    def run() -> None:
        MODEL.eval()
        MODEL(X)

    monkeypatch.setattr(Substitution, "restore", put_back)
    before, handler = Picture(run, MODEL, X), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        dry_run(run)
    before.assert_same(Picture(run, MODEL, X))
    assert signal.getsignal(signal.SIGINT) is handler


class Changing:
    """Stands in for another thread: what holds it changes while it is copied."""

    def __init__(self, change: Callable[[], object]) -> None:
        self.change = change

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.change()
        return object.__new__, (Changing,)


def test_what_another_thread_changes_is_copied_all_the_same() -> None:
    mapping: dict[Any, Any] = {}
    ordered: OrderedDict[Any, Any] = OrderedDict()
    members: set[Any] = set()
    layer = torch.nn.Linear(8, 2)
    mapping["one"] = Changing(lambda: mapping.update(two=2))
    ordered["one"] = Changing(lambda: ordered.update(two=2))
    members.add(Changing(lambda: members.update(range(20))))
    layer.one = Changing(lambda: setattr(layer, "two", 2))  # type: ignore[assignment]
    assert dry_run(lambda: (layer(X), mapping, ordered, members)).macs == 4 * 8 * 2


def test_dry_runs_in_another_thread() -> None:
    reports = []
    thread = threading.Thread(target=lambda: reports.append(dry_run(MODEL, X)))
    thread.start()
    thread.join()
    assert reports[0].flops == really(lambda: MODEL(X)).flops


# --- custom operators ----------------------------------------------------------------------------


@pytest.fixture
def operator() -> Iterator[Any]:
    @torch.library.custom_op("ipyflops_tests::dry_square", mutates_args=())
    def square(x: Tensor) -> Tensor:
        return x * x

    yield square
    square._lib._destroy()


def test_custom_operators_need_a_fake(operator: Any) -> None:
    with pytest.raises(DryRunError, match=r"by register_fake$"):
        dry_run(lambda: operator(X))
    operator.register_fake(lambda x: torch.empty_like(x))
    # Its own code is not run, so that nobody knows what it computes.
    assert dry_run(lambda: operator(X)).unknown == {"ipyflops_tests::dry_square": 1}


# --- errors --------------------------------------------------------------------------------------


def test_a_result_in_the_place_of_a_function_is_named() -> None:
    message = (
        r"^dry_run calls a function itself, and was given no function \(Tensor\): write dry_run"
    )
    with pytest.raises(TypeError, match=message):
        dry_run(MODEL(X))  # type: ignore[arg-type]
    message = (
        r"^a FlopCounter counts what runs in its block, and was given a Sequential: write with"
    )
    with pytest.raises(TypeError, match=message):
        FlopCounter(MODEL)  # type: ignore[arg-type]


def test_errors_of_pytorchs_own_machinery_name_the_users_line() -> None:
    from torch._subclasses import fake_tensor

    def fails() -> None:
        MODEL(X)
        fake_tensor.FakeTensor(None, X, "cpu")

    with pytest.raises(DryRunError, match=r"^test_calls\.py:\d+: PyTorch fails on fake"):
        dry_run(fails)


@pytest.mark.parametrize(
    "run",
    [
        lambda: MODEL(torch.ones(4, 9)),
        lambda: torch.ones(2) + torch.ones(3),
        lambda: torch.cat([torch.ones(2, 2), torch.ones(3, 3)], 1),
        lambda: torch.ones(3).view(2, 2),
        lambda: F.conv2d(torch.ones(1, 4, 8, 8), torch.ones(3, 2, 3, 3)),
        lambda: torch.ones(2).backward(),
        lambda: torch.ones(2)[5],
        lambda: {}["a"],
    ],
)
def test_errors_of_the_users_are_theirs_and_nothing_else_is_shown(
    run: Callable[[], object], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Exception, match=r".") as real:
        run()
    with pytest.raises(real.type) as dry:
        dry_run(run)
    assert type(dry.value) is real.type
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


class Talkative:
    """Warns when it is copied."""

    def __init__(self) -> None:
        self.weight = torch.ones(8, 8)

    def __reduce_ex__(self, protocol: Any) -> Any:
        warnings.warn("I am copied", UserWarning, stacklevel=2)
        return super().__reduce_ex__(protocol)


TALKATIVE = Talkative()


NO_LEAF = torch.ones(8, 8, requires_grad=True) * 2


def test_what_warns_while_it_is_copied_is_no_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dry_run(lambda: X @ TALKATIVE.weight).flops == 2 * 4 * 8 * 8
        # It has no gradient, and PyTorch warns whoever asks for it.
        assert dry_run(lambda: X @ NO_LEAF).flops == 2 * 4 * 8 * 8
    with pytest.warns(UserWarning, match="of the code"):
        dry_run(lambda: warnings.warn("of the code", UserWarning, stacklevel=1))


class Watchful:
    """Prints the filters of warnings when it is copied, and when the code uses it."""

    def __init__(self) -> None:
        self.weight = torch.ones(8, 8)

    def look(self) -> torch.Tensor:
        print(id(warnings.filters), warnings.filters)
        return self.weight

    def __reduce_ex__(self, protocol: Any) -> Any:
        self.look()
        return super().__reduce_ex__(protocol)


WATCHFUL = Watchful()


def test_filters_of_warnings_which_belong_to_all_threads_are_never_touched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run() -> str:
        dry_run(lambda: WATCHFUL.look() @ NO_LEAF @ TALKATIVE.weight)
        return f"{id(warnings.filters)} {warnings.filters}"

    before = (id(warnings.filters), list(warnings.filters))
    with pytest.warns(UserWarning, match="I am copied"):
        filters = run()
    assert capsys.readouterr().out.splitlines() == [filters, filters]

    def sets_filters() -> None:
        warnings.simplefilter("ignore")
        warnings.filterwarnings("error", "anything")

    dry_run(sets_filters)
    assert (id(warnings.filters), list(warnings.filters)) == before
