"""Sweeps: real models counted over a grid of sizes, and how their FLOPs grow."""

import pickle
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import ipyflops
from ipyflops.dry_runs.sweeping import SweepError, sweep
from ipyflops.report import Sweep

WIDTH = 16


class Attention(nn.Module):
    """Attention in its simplest form, whose scores are a module of their own."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        return self.out(F.softmax(q @ k.transpose(-2, -1), -1) @ v)


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(5))
        self.attention = Attention()
        self.mlp = nn.Sequential(nn.Linear(WIDTH, 64), nn.ReLU(), nn.Linear(64, WIDTH))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _ = self.position * 2
        return self.mlp(self.attention(x))


@cache
def of_block() -> Sweep:
    model = Block()

    def forward(batch: int, tokens: int) -> None:
        model(torch.randn(batch, tokens, WIDTH))

    return sweep(forward, batch=[2, 4, 6], tokens=[8, 16, 32])


# --- growth of real models -----------------------------------------------------------------------


def test_if_the_batch_grows_flops_grow_linearly() -> None:
    """What the article says, on a network of its layers, under its own convention."""
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        nn.Linear(8 * 8 * 8, 10), nn.Softmax(dim=-1),
    ).eval()  # fmt: skip

    def forward(batch: int) -> None:
        model(torch.randn(batch, 3, 16, 16))

    swept = sweep(forward, batch=[1, 2, 4, 8, 16])
    for convention in ("article", "standard", "contractions"):
        under = swept.under(convention)
        assert under.growth().name == "linear in batch"
        one = under.report(batch=1).flops
        assert one > 0
        assert under.growth().expression == f"{one:,}·batch"
        assert under.counts() == [batch * one for batch in (1, 2, 4, 8, 16)]
        for path in under.paths:
            assert under.growth(path).by_variable[0].name in ("linear", "constant")


def test_a_linear_layer_is_linear_in_everything() -> None:
    def forward(batch: int, inner: int, out: int) -> None:
        nn.Linear(inner, out)(torch.randn(batch, inner))

    swept = sweep(forward, batch=[1, 2, 3], inner=[4, 8, 12], out=[5, 10, 15])
    growth = swept.under("contractions").growth()
    assert growth.expression == "2·batch·inner·out"
    assert growth.name == "linear in batch, linear in inner, linear in out"


def test_attention_is_quadratic_in_tokens() -> None:
    growth = of_block().growth("attention", own=True)
    # Both products, 2·t²·d each, and the softmax, 3·t − 1 for each of t rows.
    assert growth.expression == f"{4 * WIDTH + 3}·batch·tokens² − batch·tokens"
    assert growth.by_variable[1].name == "quadratic"
    assert growth.by_variable[0].name == "linear"


def test_linear_layers_are_linear_in_tokens_and_the_whole_is_both() -> None:
    swept = of_block()
    assert swept.growth("mlp").name == "linear in batch, linear in tokens"
    assert swept.growth("attention.qkv").expression == f"{6 * WIDTH**2}·batch·tokens".replace(
        "1536", "1,536"
    )
    assert swept.growth("attention").name == "linear in batch, linear + quadratic in tokens"
    assert swept.growth().name == "linear in batch, linear + quadratic in tokens"


def test_what_does_not_depend_on_the_sizes_is_constant() -> None:
    growth = of_block().growth("model", own=True)
    assert (growth.name, growth.expression) == ("constant in batch, constant in tokens", "5")


def test_the_growth_of_every_module_by_its_path() -> None:
    growths = of_block().growths()
    named = {path: growth["tokens"].name for path, growth in growths.items()}
    assert named["model"] == named["model.attention"] == named[""] == "quadratic"
    assert named["model.mlp.0"] == named["model.attention.out"] == "linear"
    assert tuple(growths) == of_block().paths
    assert of_block().growths("bytes")["model.mlp.1"]["batch"].name == "linear"
    with pytest.raises(KeyError, match="there is no variable 'heads'; there are batch, tokens"):
        growths["model"]["heads"]
    with pytest.raises(ValueError, match="there is no metric 'seconds'"):
        of_block().growths("seconds")


def test_growth_foretells_what_is_counted() -> None:
    model = Block()
    with ipyflops.FlopCounter() as counter:
        model(torch.randn(3, 40, WIDTH))
    counted = counter.report.find("model").flops
    assert of_block().growth("model").at(batch=3, tokens=40) == counted


def test_a_training_step_grows_as_its_forward_does() -> None:
    model = nn.Linear(6, 4)

    def step(batch: int) -> None:
        model(torch.randn(batch, 6)).sum().backward()

    growth = sweep(step, batch=[1, 2, 3, 4]).growth("model")
    assert growth.name == "linear in batch"


def test_a_fourier_transform_is_n_log_n() -> None:
    def forward(n: int) -> None:
        torch.fft.fft(torch.randn(n, dtype=torch.complex64))

    growth = sweep(forward, n=[64, 128, 256, 1024, 4096]).growth()
    assert growth.name == "n·log n in n"
    assert growth.expression == "5·n·log₂ n"


def test_bytes_and_macs_grow_as_well() -> None:
    swept = of_block()
    assert swept.growth("mlp", "macs").expression == f"{2 * 64 * WIDTH:,}·batch·tokens"
    # The weights are read once, however large the batch is.
    assert swept.growth("mlp", "bytes").terms[-1].factors == ((0, False), (0, False))


def test_generation_is_a_sweep_over_the_position() -> None:
    """One token against a cache of keys and values: each step costs a little more than the last."""
    d = 32

    def decode(position: int) -> None:
        cache = torch.empty(1, position, d)
        query = torch.empty(1, 1, d)
        scores = query @ cache.transpose(-2, -1)
        scores @ cache

    swept = sweep(decode, position=[16, 64, 256, 1024]).under("contractions")
    assert swept.growth().expression == f"{4 * d}·position"
    intensities = swept.to_frame().query("path == ''")["intensity"]
    # A product of a matrix and a vector: about half a FLOP for each byte, at every position.
    assert all(0.4 < intensity < 0.5 for intensity in intensities)


# --- the grid ------------------------------------------------------------------------------------


def test_the_grid_is_every_combination_in_order() -> None:
    swept = of_block()
    points = [point.values for point in swept.points]
    assert points == [(b, t) for b in (2, 4, 6) for t in (8, 16, 32)]
    assert swept.report(batch=4, tokens=16) is swept.points[4].report
    assert swept.counts()[4] == swept.report(tokens=16, batch=4).flops


@pytest.mark.parametrize(
    "values", [(4, 1, 2, 2), range(1, 5), np.array([1, 2, 4]), {4, 1}, iter([2, 1])],
    ids=["tuple", "range", "array", "set", "iterator"],
)  # fmt: skip
def test_values_are_any_whole_numbers(values: Any) -> None:
    given = sorted({int(value) for value in values}) if not hasattr(values, "__next__") else [1, 2]
    swept = sweep(lambda n: torch.ones(n) + 1, n=values)
    assert list(swept.variables[0].values) == given
    assert all(type(value) is int for value in swept.variables[0].values)
    assert swept.counts() == given


def test_nothing_of_the_users_changes() -> None:
    model = nn.Linear(3, 3)
    seen = []
    before = [parameter.detach().clone() for parameter in model.parameters()]
    state = torch.get_rng_state()

    def step(n: int) -> None:
        loss = model(torch.randn(n, 3)).sum()
        loss.backward()
        seen.append(n)

    sweep(step, n=[1, 2])
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_sizes_that_no_machine_holds() -> None:
    def forward(n: int) -> None:
        x = torch.empty(n, n)
        x @ x

    assert sweep(forward, n=[10**6, 10**7, 10**8, 10**9]).growth().expression == "2·n³"


def test_further_points_are_counted_only_where_the_given_ones_do_not_tell() -> None:
    calls: list[int] = []

    def linear(n: int) -> None:
        calls.append(n)
        torch.ones(n) + 1

    assert sweep(linear, n=[4, 8, 12]).checks == ()
    quadratic = sweep(lambda n: torch.ones(n, n) + 1, n=[4, 8, 32])
    # A multiple of 4 between the two largest.
    assert [point.values for point in quadratic.checks] == [(20,)]
    assert quadratic.growth().name == "quadratic in n"
    assert quadratic.counts() == [16, 64, 1024]
    two = sweep(lambda n: torch.ones(n) + 1, n=[4, 8])
    assert [point.values for point in two.checks] == [(12,)]


def test_a_further_point_that_fails_is_said_and_nothing_else() -> None:
    def quadratic(n: int) -> None:
        if n not in (4, 8, 32):
            raise RuntimeError("only some sizes")
        torch.ones(n, n) + 1

    swept = sweep(quadratic, n=[4, 8, 32])
    assert swept.growth().name == "quadratic or more in n"
    assert swept.notes[0] == (
        "the growth with n could not be checked at n=20: RuntimeError: only some sizes"
    )


def test_it_can_be_pickled() -> None:
    swept = of_block()
    assert swept.points[0].nodes
    again = pickle.loads(pickle.dumps(swept))
    assert again == swept
    assert again.growth() == swept.growth()


def test_a_node_is_found_as_in_a_report() -> None:
    swept = of_block()
    assert swept.counts("mlp") == swept.counts("model.mlp")
    with pytest.raises(KeyError, match="no module has the path 'mpl'; did you mean"):
        swept.growth("mpl")
    with pytest.raises(ValueError, match="choose one of flops, macs, int_ops, bytes"):
        swept.growth("mlp", "seconds")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch": 3, "tokens": 8}, "batch is one of 2, 4, 6, not 3"),
        ({"batch": 2}, "tokens is one of 8, 16, 32, not None"),
        ({"batch": 2, "tokens": 8, "heads": 1}, "there is no variable 'heads'"),
    ],
)
def test_a_point_that_is_not_on_the_grid(values: dict[str, int], message: str) -> None:
    with pytest.raises(KeyError, match=message):
        of_block().report(**values)


# --- what goes wrong -----------------------------------------------------------------------------


def one_size(n: int) -> None:
    torch.ones(n)


@pytest.mark.parametrize(
    ("function", "variables", "error", "message"),
    [
        (
            3,
            {"n": [1, 2]},
            TypeError,
            r"sweep calls .* no function \(int\): write sweep",
        ),
        (one_size, {}, ValueError, "a sweep needs a variable, as sweep"),
        (one_size, {"n": []}, ValueError, "n has no values"),
        (one_size, {"n": [4]}, ValueError, "a variable with two values or more"),
        (one_size, {"n": 4}, TypeError, r"the values of n are a list, as n=\[1, 2, 4\], not 4"),
        (one_size, {"n": "12"}, TypeError, "the values of n are a list"),
        (one_size, {"n": [1, 2.5]}, TypeError, "the values of n are whole numbers, and 2.5"),
        (one_size, {"n": [1, "a"]}, TypeError, "whole numbers, and 'a' is none"),
        (one_size, {"n": [False, True]}, TypeError, "whole numbers, and False is none"),
        (one_size, {"n": range(10_001)}, ValueError, "10,001 points; at most 10,000"),
        (
            one_size,
            {"m": [1, 2]},
            TypeError,
            r"one_size\(n: int\) -> None cannot be called as one_size\(m=…\)",
        ),
        (one_size, {"n": [1, 2], "m": [1]}, TypeError, "unexpected keyword argument 'm'"),
    ],
)
def test_mistakes_are_told(
    function: Any, variables: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        sweep(function, **variables)


def test_a_point_that_fails_is_named() -> None:
    def forward(batch: int, tokens: int) -> None:
        torch.ones(batch, tokens)
        if tokens > 1:
            raise LookupError("no such position")

    message = r"^at batch=1, tokens=2: LookupError: no such position"
    with pytest.raises(SweepError, match=message) as caught:
        sweep(forward, batch=[1, 2], tokens=[1, 2])
    assert isinstance(caught.value.__cause__, LookupError)


def test_what_depends_on_values_is_named_too() -> None:
    def forward(n: int) -> None:
        if torch.rand(n).sum() > 3:
            torch.ones(n) + 1

    with pytest.raises(SweepError, match=r"^at n=1: DryRunError: ") as caught:
        sweep(forward, n=[1, 2])
    assert isinstance(caught.value.__cause__, ipyflops.DryRunError)


def test_an_interrupt_goes_through() -> None:
    def forward(n: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(forward, n=[1, 2])


@pytest.mark.parametrize(
    ("power", "name"), [(1, "linear"), (2, "quadratic"), (3, "cubic")], ids=["1", "2", "3"]
)
@pytest.mark.parametrize("rows", [[2], [1, 2]])
def test_two_values_get_as_many_more_as_it_takes(power: int, name: str, rows: list[int]) -> None:
    def elements(n: int, m: int) -> None:
        torch.ones(*(n,) * power, m) + 1

    swept = sweep(elements, n=[4, 8], m=rows)
    assert swept.growth()["n"].name == name
    assert swept.growth().determined
    assert swept.growth().at(n=100, m=rows[0]) == 100**power * rows[0]
    assert [point.values for point in swept.points] == [(n, m) for n in (4, 8) for m in rows]


def test_what_no_value_tells_stays_irregular() -> None:
    def elements(n: int) -> None:
        torch.ones((n * n) // 5 % 11 + 1) + 1

    assert sweep(elements, n=[4, 8]).growth().name == "irregular in n"
