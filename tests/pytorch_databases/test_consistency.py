"""The same computation costs the same, however it is written and wherever it runs.

Over PyTorch's operator database: in place, with ``out=``, on strided tensors, on meta tensors and
on fake ones, against the plain functional call.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.testing._internal.common_methods_invocations import op_db
from torch.utils._pytree import tree_leaves, tree_map_only

from tests.pytorch_databases.counting import Inapplicable, count
from tests.pytorch_databases.exceptions import FORMS_DIFFER
from tests.pytorch_databases.running import (
    WARNINGS,
    identity,
    make_samples,
    one_thread,
    seed,
    spread,
)

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

#: Samples of an entry, evenly spread over all that it has.
MOST = 2
ENTRIES = {identity(op): op for op in op_db if torch.float32 in op.supported_dtypes("cpu")}
#: The least number of comparisons of each form: where PyTorch has no such form, none is made.
LEAST = {"in place": 250, "out": 600, "strided": 1100, "meta": 1100, "fake": 1100}
MADE: Counter[str] = Counter()

Run = Callable[[], object]


@pytest.fixture(autouse=True, scope="module")
def few_threads() -> Iterator[None]:
    with one_thread(), torch.random.fork_rng(devices=[]):
        yield


@functools.cache
def few_samples(name: str) -> list[Any]:
    return spread(make_samples(ENTRIES[name], torch.float32, gradients=False), MOST)


def run(op: Callable[..., Any], sample: Any, **more: Any) -> Any:
    seed()
    return op(sample.input, *sample.args, **sample.kwargs, **more)


def in_place(op: Any, sample: Any) -> Run:
    variant = op.get_inplace()
    if variant is None or not isinstance(sample.input, Tensor) or sample.broadcasts_input:
        raise Inapplicable("no in-place form, or none for a result of another shape")
    # Not the sample itself, which would hold the result for the other forms.
    return lambda: run(
        lambda value, *args, **kwargs: variant(value.clone(), *args, **kwargs), sample
    )


def into_out(op: Any, sample: Any) -> Run:
    if not op.supports_out:
        raise Inapplicable("no out= form")
    given = tree_map_only(Tensor, torch.empty_like, run(op, sample))
    if not all(isinstance(leaf, Tensor) for leaf in tree_leaves(given)):
        raise Inapplicable("the result is no tensor")
    return lambda: run(op, sample, out=given)


def on_strided(op: Any, sample: Any) -> Run:
    try:
        given = sample.noncontiguous()
    except RuntimeError as error:
        raise Inapplicable("sparse tensors have no strides") from error
    return lambda: run(op, given)


def on_meta(op: Any, sample: Any) -> Run:
    given = sample.transform(lambda value: value.to("meta") if isinstance(value, Tensor) else value)
    for name, value in given.kwargs.items():
        if name == "device" or isinstance(value, torch.device):
            given.kwargs[name] = torch.device("meta")
    return lambda: run(op, given)


FORMS: dict[str, Callable[[Any, Any], Run]] = {
    "in place": in_place,
    "out": into_out,
    "strided": on_strided,
    "meta": on_meta,
}


def fake(op: Any, sample: Any) -> tuple[AbstractContextManager[Any], Run]:
    mode = FakeTensorMode()
    given = sample.transform(
        lambda value: mode.from_tensor(value) if isinstance(value, Tensor) else value
    )
    return mode, lambda: run(op, given)


def differences(name: str) -> dict[str, list[str]]:
    """Which forms cost something else than the functional call on real tensors."""
    op = ENTRIES[name]
    found: dict[str, list[str]] = {}
    for sample in few_samples(name):
        with contextlib.suppress(Inapplicable):
            expected = count(lambda sample=sample: run(op, sample))
            for form in (*FORMS, "fake"):
                with contextlib.suppress(Inapplicable):
                    mode: AbstractContextManager[Any] = contextlib.nullcontext()
                    if form == "fake":
                        mode, function = fake(op, sample)
                    else:
                        function = FORMS[form](op, sample)
                    with mode:
                        counted = count(function)
                    MADE[form] += 1
                    if counted != expected:
                        found.setdefault(form, []).append(f"{counted} instead of {expected}")
    return found


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_every_form_of_a_call_costs_the_same(name: str) -> None:
    found = differences(name)
    expected = {form for form, names in FORMS_DIFFER.items() if name in names}
    lines = [f"{form}: {line}" for form in found.keys() - expected for line in found[form]]
    assert not lines, "\n".join(lines)
    assert not expected - found.keys(), "the table of forms that differ is out of date"


def test_the_comparisons_are_not_over_nothing(request: pytest.FixtureRequest) -> None:
    selected = [item for item in request.session.items if item.fspath == request.node.fspath]
    if len(selected) < len(ENTRIES):
        pytest.skip("only a part of the sweep was selected")
    assert {form: MADE[form] for form in LEAST if MADE[form] < LEAST[form]} == {}


def test_the_table_names_entries_and_reasons() -> None:
    assert FORMS_DIFFER.keys() <= LEAST.keys()
    for names in FORMS_DIFFER.values():
        assert names.keys() <= ENTRIES.keys()
        assert all(names.values())
