"""Points of a sweep share the copies of the user's objects, and none sees what another has done.

Each program below changes something, and does more work if it finds it changed already. So a point
that finds what an earlier one has left has another count than the same call alone.
"""

from __future__ import annotations

import functools
import random
import sys
import weakref
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import ipyflops
from ipyflops.dry_runs.calls import RepeatedCalls, count_call
from ipyflops.dry_runs.mode import DryRunMode
from tests.thoroughness import ALL_SAMPLES

Program = Callable[..., object]


def work(amount: float = 1) -> None:
    for _ in range(round(amount)):
        torch.ones(7) + 1


class Slotted:
    __slots__ = ("missing", "number")

    def __init__(self) -> None:
        self.number = 1


class Grown(nn.Linear):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x) * 2


class Classes:
    calls = 1


class State:
    """Something of every kind that a program may change."""

    def __init__(self) -> None:
        self.number = 1
        self.list, self.dict, self.set, self.deque = [1], {"one": 1}, {1}, deque([1])
        self.empty: list[int] = []
        self.ordered = OrderedDict(a=1, b=2)
        self.default: Any = defaultdict(int, a=1)
        self.simple, self.slotted, self.nested = SimpleNamespace(n=1), Slotted(), [[{"n": [1]}]]
        self.array, self.random = np.ones(3), random.Random(0)
        self.partial = functools.partial(work)
        self.generator = torch.Generator()
        self.cached = functools.lru_cache(lambda: 1)
        self.model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 3))
        self.linear, self.bias = nn.Linear(3, 3), nn.Parameter(torch.zeros(3))
        self.buffer, self.step = torch.zeros(3), torch.zeros((), dtype=torch.long)
        self.mask = torch.ones(4, dtype=torch.long)
        self.same_mask = self.mask[1:]
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, 1)


def of_number(s: State, n: int) -> None:
    work(s.number)
    s.number += n
    s.new = 3  # type: ignore[attr-defined]


def of_containers(s: State, n: int) -> None:
    work(len(s.list) + len(s.dict) + len(s.set) + len(s.deque) + len(s.empty) + len(s.default))
    work(s.nested[0][0]["n"][-1])
    s.list += [1, 1]
    s.dict["two"] = 2
    s.set.add(n)
    s.deque.append(n)
    s.empty.append(1)
    s.default["b"] += 1
    s.nested[0][0]["n"].append(n)
    del s.list[0]


def of_order(s: State, n: int) -> None:
    work(1 + (next(iter(s.ordered)) == "b") + (next(iter(s.dict)) != "one"))
    s.ordered.move_to_end("a")
    s.dict["one"] = s.dict.pop("one")
    s.dict = {"other": 1, **s.dict}


def of_factory(s: State, n: int) -> None:
    work(2 if s.default.default_factory is int else 5)
    s.default.default_factory = list


def of_plain_objects(s: State, n: int) -> None:
    work(s.simple.n + s.slotted.number + hasattr(s.slotted, "missing"))
    s.simple.n += n
    s.slotted.number = 7
    s.slotted.missing = 3  # type: ignore[attr-defined]


def of_array(s: State, n: int) -> None:
    work(s.array.sum())
    s.array += n


def of_random(s: State, n: int) -> None:
    work(s.random.randrange(20))
    work(5 * (1 + (s.generator.initial_seed() == 3)))
    s.generator.manual_seed(3)


def of_cache(s: State, n: int) -> None:
    work(1 + s.cached.cache_info().hits)
    s.cached()
    s.cached()


def of_class(s: State, n: int) -> None:
    work(Classes.calls)
    Classes.calls += n


def of_kind(s: State, n: int) -> None:
    s.linear(torch.ones(n, 3))
    s.linear.__class__ = Grown


def of_dictionary(s: State, n: int) -> None:
    work(1 + hasattr(s.linear, "other"))
    s.linear.__dict__ = {**s.linear.__dict__, "other": 1}


def of_modules(s: State, n: int) -> None:
    for module in s.model:
        module(torch.ones(n, 3))
    s.model.append(nn.Linear(3, 3))
    s.linear.extra = nn.Linear(3, 3)
    s.linear.register_buffer("more", torch.zeros(3))
    work(len(list(s.linear.parameters())))


def of_hooks(s: State, n: int) -> None:
    s.linear(torch.ones(n, 3)).sum().backward()
    s.linear.register_forward_hook(lambda *_: work(3))
    s.linear.weight.register_hook(lambda _: work(4))
    s.bias.register_post_accumulate_grad_hook(lambda _: work(5))


def of_training(s: State, n: int) -> None:
    if s.linear.weight.grad is not None:
        work(10)
    s.model.train()
    (s.model(torch.ones(n, 3)).sum() + s.linear(torch.ones(n, 3)).sum()).backward()
    s.optimizer.step()
    s.schedule.step()
    work(len(s.optimizer.state) + s.schedule.last_epoch)


def of_rates(s: State, n: int) -> None:
    work(1000 * s.optimizer.param_groups[0]["lr"])
    s.optimizer.param_groups[0]["lr"] *= n
    s.optimizer.add_param_group({"params": [s.bias]})
    work(len(s.optimizer.param_groups))


def of_freezing(s: State, n: int) -> None:
    s.linear(torch.ones(n, 3)).sum().backward()
    s.linear.requires_grad_(not s.linear.weight.requires_grad)


def of_casting(s: State, n: int) -> None:
    work(s.linear.weight.element_size())
    s.linear.half()


def of_data(s: State, n: int) -> None:
    work(s.bias.numel() + s.buffer.numel())
    s.bias.data = torch.zeros(8)
    s.buffer.resize_(10)


def of_view(s: State, n: int) -> None:
    work(s.buffer.stride(0) + s.buffer.dim())
    s.buffer.unsqueeze_(0)


def of_graph(s: State, n: int) -> None:
    work(1 + s.buffer.requires_grad)
    s.buffer += s.bias


def of_deleting(s: State, n: int) -> None:
    work(5 if s.linear.bias is not None else 1)
    s.linear.bias = None  # type: ignore[assignment]
    del s.model[1]


def of_known_values(s: State, n: int) -> None:
    work(int(s.step) + 1)
    s.step += n
    work(int(s.mask.sum()) + int(s.same_mask.sum()))
    s.mask[1] += 2


def of_values_lost(s: State, n: int) -> None:
    work(1 + int(s.mask[0]))
    s.mask.random_()


def of_attributes_of_tensors(s: State, n: int) -> None:
    work(getattr(s.bias, "seen", 1))
    s.bias.seen = 5  # type: ignore[attr-defined]
    s.bias.grad = torch.zeros_like(s.bias)


def of_moving(s: State, n: int) -> None:
    work(2 if hasattr(s.model, "linear") else 1)
    s.model.linear = s.linear
    s.linear.weight, s.bias = s.bias, s.linear.weight  # type: ignore[assignment]


#: Each of them changes something that can be put back.
RESTORED = [
    of_number, of_containers, of_order, of_plain_objects, of_array, of_random, of_cache, of_class,
    of_modules, of_training, of_rates, of_freezing, of_deleting, of_known_values,
    of_attributes_of_tensors, of_moving,
]  # fmt: skip
#: After these everything is copied anew.
COPIED_ANEW = [
    of_factory, of_kind, of_dictionary, of_hooks, of_casting, of_data, of_view, of_graph,
    of_values_lost,
]  # fmt: skip


def of_state(*parts: Callable[[State, int], None]) -> Program:
    state = State()

    def program(n: int) -> None:
        for part in parts:
            part(state, n)
        torch.ones(n) + 1

    return program


def count(program: Program, n: int, repeated: RepeatedCalls | None = None) -> dict[str, Any]:
    frame = sys._getframe()
    report = count_call(program, (), {"n": n}, frame, look_for_leaks=False, repeated=repeated)
    return report.to_dict()


class Copied:
    """Counts the tensors that are copied."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.tensors = 0
        own = DryRunMode.fake_of

        def fake_of(mode: DryRunMode, tensor: torch.Tensor) -> torch.Tensor:
            self.tensors += 1
            return own(mode, tensor)

        monkeypatch.setattr(DryRunMode, "fake_of", fake_of)

    def by(self, function: Callable[[], object]) -> int:
        before = self.tensors
        function()
        return self.tensors - before


@pytest.mark.parametrize("part", RESTORED + COPIED_ANEW, ids=lambda part: part.__name__)
def test_a_point_finds_nothing_that_an_earlier_one_has_left(
    part: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, repeated, copied = of_state(part), RepeatedCalls(), Copied(monkeypatch)
    alone = count(program, 2)
    of_one, of_each = copied.tensors, []
    for _ in range(4):
        before = copied.tensors
        assert count(program, 2, repeated) == alone
        of_each.append(copied.tensors - before)
    # The first point has copies of its own; those of the second one are kept.
    kept = 0 if part in RESTORED else of_one
    assert of_each == [of_one, of_one, kept, kept]


@pytest.mark.parametrize("seed", range(200 if ALL_SAMPLES else 3))
def test_points_of_programs_that_change_much_count_as_single_calls(seed: int) -> None:
    choice = random.Random(seed)
    program = of_state(*choice.sample(RESTORED, 5), *choice.sample(COPIED_ANEW, seed % 2))
    repeated = RepeatedCalls()
    for n in choice.choices((2, 3, 5), k=3):
        assert count(program, n, repeated) == count(program, n), f"at n={n}"


def test_many_points_copy_a_model_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(*(nn.Linear(3, 3) for _ in range(3)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    def step(n: int) -> None:
        model(torch.ones(n, 3)).sum().backward()
        optimizer.step()

    copied = Copied(monkeypatch)
    swept = ipyflops.sweep(step, n=range(1, 9))
    assert copied.tensors == 2 * len(list(model.parameters()))
    assert len(set(swept.counts())) == len(swept.points)


def test_memory_that_a_point_gives_back_is_not_kept_for_the_next() -> None:
    """Parameters of 4 × 4 and 4 numbers of float64, 160 bytes, become float32: 80."""
    layer = nn.Linear(4, 4, dtype=torch.float64)

    def program(n: int) -> None:
        layer.float()
        torch.ones(100 * n, 4) + 1

    for point in ipyflops.sweep(program, n=[1, 2, 3, 4], memory=True).points:
        memory = point.report.memory
        assert memory is not None
        # The ones and their sum, and what is left of the layer.
        assert memory.peak == 2 * 100 * point.values[0] * 4 * 4 + 80


REMEMBERED: Any = weakref.WeakKeyDictionary()


def test_what_is_remembered_of_a_copy_is_gone_with_it() -> None:
    """The dictionary is shared, and forgets an entry only when the copy of the model goes."""
    model = nn.Linear(3, 3)

    def program(n: int) -> None:
        work(5 if model in REMEMBERED else 1)
        REMEMBERED[model] = True

    swept = ipyflops.sweep(program, n=range(1, 6))
    assert set(swept.counts()) == {7}


def test_what_holds_tensors_gets_others_at_each_point(monkeypatch: pytest.MonkeyPatch) -> None:
    """Example: a library's cache by the model's number."""
    cache: dict[int, torch.Tensor] = {}
    monkeypatch.setattr(ipyflops, "cache", cache, raising=False)
    model = nn.Linear(3, 3)

    def program(n: int) -> None:
        held = ipyflops.cache.setdefault(id(model), torch.ones(n))  # type: ignore[attr-defined]
        assert held.shape[0] == n, "another point's"
        held + 1

    assert ipyflops.sweep(program, n=range(1, 6)).counts() == [1, 2, 3, 4, 5]


def test_modules_that_a_point_imports_are_copied_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imported_by_a_point.py").write_text("NUMBERS = [1]\n")
    monkeypatch.syspath_prepend(tmp_path)

    def program(n: int) -> None:
        if n > 2:
            import imported_by_a_point  # type: ignore[import-not-found]

            work(len(imported_by_a_point.NUMBERS))
            imported_by_a_point.NUMBERS.append(n)

    try:
        counts = ipyflops.sweep(program, n=range(1, 6)).counts()
        # As in single calls: what a call itself imports stays, as it has left it.
        assert counts == [0, 0, 7, 14, 14]
    finally:
        sys.modules.pop("imported_by_a_point", None)


def test_a_point_that_fails_leaves_nothing_for_the_next() -> None:
    numbers = [1]

    def quadratic(n: int, m: int) -> None:
        work(len(numbers))
        numbers.append(n)
        if n == 6:
            raise LookupError("no such size")
        torch.ones(n, n) + 1

    # The growth needs a further point between 4 and 8, which fails, and then more of them.
    swept = ipyflops.sweep(quadratic, n=[2, 4, 8], m=[1])
    assert swept.counts() == [n * n + 7 for n in (2, 4, 8)]
    assert numbers == [1]
