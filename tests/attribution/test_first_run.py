"""What the first run in a block costs: calls and dictionaries are counted, not seconds."""

from __future__ import annotations

import cProfile
import gc
import sys

import pytest
import torch
from torch import nn

import ipyflops
from ipyflops import FlopCounter
from ipyflops.attribution.labels import Labels
from ipyflops.attribution.places import Place

FOLDER = ipyflops.__path__[0]
X = torch.ones(1, 2)


def calls_of_the_first_run(layers: int, *, backward: bool) -> int:
    """How many calls of functions of this package, and from these, a first run makes."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(layers)))
    profile = cProfile.Profile()
    with FlopCounter():
        # So that what is imported or looked up once is done.
        nn.Linear(2, 2)(X).sum().backward()
        profile.enable()
        out = model(X)
        if backward:
            out.sum().backward()
        profile.disable()
    total = 0
    for one in profile.getstats():
        if not isinstance(one.code, str) and one.code.co_filename.startswith(FOLDER):
            total += one.callcount + sum(inner.callcount for inner in one.calls or ())
    return total


#: A build that knows GPUs asks for the device of each kernel.
FOR_DEVICES = 0 if torch.version.cuda is None else 3
#: What was measured on Python 3.11; others count more of the calls of built-in functions.
OF_PYTHON = 0 if sys.version_info[:2] == (3, 11) else 3


@pytest.mark.parametrize(
    ("backward", "most"),
    [(False, 222 + FOR_DEVICES + OF_PYTHON), (True, 620 + 2 * FOR_DEVICES + OF_PYTHON)],
)
def test_a_new_module_takes_so_many_calls_and_no_more(backward: bool, most: int) -> None:
    """A bound from measuring: what is added for each module, or each entry, has to be seen here."""
    calls_of_the_first_run(2, backward=backward)
    few, many = (calls_of_the_first_run(size, backward=backward) for size in (10, 60))
    assert (many - few) / 50 <= most


def test_the_place_of_a_module_without_others_below_makes_no_dictionary() -> None:
    """Nor a set or a list: a model of 100,000 modules has as many places, most of them such."""
    root = Place(None, "", "", "root")
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    outer = root.unregistered(model, "model")
    leaf = outer.first_call(model, model[1])
    assert leaf is not None
    assert leaf.name == "1"
    own = [one for one in gc.get_referents(leaf) if type(one) in (dict, set, list)]
    assert own == [one for one in own if one is root.met]


def test_the_first_child_of_a_name_has_it_and_one_of_another_class_a_number() -> None:
    labels = Labels()
    assert labels.take("module", "layer", "Linear")
    # Python gives the same text for the name of one class each time.
    assert not labels.take("module", "layer", "Linear")
    assert not labels.take("module", "layer", "ReLU")
    assert labels.label("module", "layer", "Linear") == "layer"
    assert labels.label("module", "layer", "ReLU") == "layer#2"
    assert labels.label("module", "layer", "GELU") == "layer#3"
    assert labels.label("module", "layer", "Linear") == "layer"
    assert labels.label("optimizer", "layer", "SGD") == "layer"
    assert not labels.take("module", "layer", "GELU")


def test_a_name_is_looked_for_until_so_many_of_a_class_had_none() -> None:
    labels = Labels()
    for _ in range(Labels.MAX_LOOKED_FOR):
        assert labels.is_looked_for(X)
        labels.found_no_name(X)
    assert not labels.is_looked_for(X)
    assert labels.is_looked_for(X, everywhere=True)
    assert labels.is_looked_for("another class")
