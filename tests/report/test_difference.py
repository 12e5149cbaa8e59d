"""Which place of one tree is set against which of the other."""

import pickle

import pytest
import torch
from torch import nn

from ipyflops.counting.counter import FlopCounter
from ipyflops.report import Change, Difference, Report
from tests.views import reports


def counted(model: nn.Module, batch: int = 2) -> Report:
    x = torch.ones(batch, 8)
    with FlopCounter() as counter:
        model(x)
    return counter.report


def by_path(difference: Difference) -> dict[str, Change]:
    found = {change.path: change for change in difference.changes}
    assert len(found) == len(difference.changes)
    return found


@pytest.mark.parametrize("after", reports.ALL)
@pytest.mark.parametrize("before", ["empty", "resnet", "hostile", "transformer"])
def test_the_parts_add_up(before: str, after: str) -> None:
    difference = reports.ALL[after]() - reports.ALL[before]()
    assert difference.tree.flops == difference.flops
    for change in difference.changes:
        for name in ("before", "after"):
            whole, own = getattr(change, name), getattr(change, f"own_{name}")
            children = [getattr(child, name) for child in change.children]
            inside = sum(child.flops for child in children if child)
            assert (whole.flops if whole else 0) == own.flops + inside


def test_every_place_of_either_is_there_once() -> None:
    before, after = reports.transformer(), reports.resnet(training=True)
    changes = (after - before).changes
    assert sum(change.before is not None for change in changes) == len(list(before.walk()))
    assert sum(change.after is not None for change in changes) == len(list(after.walk()))


def test_modules_are_matched_by_their_paths() -> None:
    small = nn.Sequential(nn.Linear(8, 8), nn.ReLU())
    large = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    difference = counted(large) - counted(small)
    changes = by_path(difference)
    (top,) = difference.tree.children
    assert top.name == "small → large"
    assert top.path == "large"
    assert (changes["large.0"].status, changes["large.0"].ratio) == ("changed", 2.0)
    assert changes["large.2"].status == "added"
    assert changes["large.2"].flops == 2 * 2 * 16 * 4
    back = by_path(counted(small) - counted(large))
    assert back["small.2"].status == "removed"
    assert back["small.2"].flops == -changes["large.2"].flops


def test_a_place_that_has_another_type_now_says_both() -> None:
    first, second = nn.Sequential(nn.ReLU()), nn.Sequential(nn.Tanh())
    difference = counted(second) - counted(first)
    assert by_path(difference)["second.0"].type == "ReLU → Tanh"


def with_line(number: int, text: str, *more: tuple[int, str], n: int = 1000) -> Report:
    builder = reports.Builder()
    for line, source in ((number, text), *more):
        builder.line(line, source, file=f"In[{number}]")
        scope = builder.scope(0, f"In[{number}]:{line}", kind="code", calls=0)
        builder.run(scope, "aten::add", reports.Cost.of(other="n", n=n))
    return builder.report()


def test_code_is_matched_by_what_it_says() -> None:
    """The cell that was run again has another number, and so have its lines."""
    difference = with_line(7, "  loss = f(x)", n=3000) - with_line(5, "loss = f(x)")
    (line,) = difference.tree.children
    assert (line.status, line.ratio, line.path) == ("changed", 3.0, "In[7]:7")
    other = with_line(7, "loss = g(x)") - with_line(5, "loss = f(x)")
    assert [change.status for change in other.tree.children] == ["added", "removed"]


def test_the_same_line_twice_is_two_places() -> None:
    once = with_line(5, "f(x)")
    twice = with_line(7, "f(x)", (8, "f(x)"))
    statuses = [change.status for change in (twice - once).tree.children]
    assert statuses == ["unchanged", "added"]


def test_both_are_under_the_convention_of_the_second() -> None:
    difference = reports.resnet(training=True).under("article") - reports.resnet()
    assert difference.before.convention == "article"
    assert difference.before.flops == reports.resnet().under("article").flops


def test_it_can_be_pickled_however_deep() -> None:
    difference = reports.ALL["deep"]() - reports.ALL["resnet"]()
    assert difference.changes
    again = pickle.loads(pickle.dumps(difference))
    assert again == difference
    assert len(again.changes) == len(difference.changes)


def test_a_change_is_known_by_its_path() -> None:
    change = (reports.transformer(3) - reports.transformer(2)).tree.children[0]
    assert repr(change).startswith("<Change encoder: changed, +3,")
