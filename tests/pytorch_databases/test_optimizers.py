"""Every optimizer of `torch.optim`: a step counts, and much the same in all the forms it has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing._internal.common_optimizers import optim_db

from ipyflops.counting.counter import FlopCounter
from ipyflops.report import Report
from tests.pytorch_databases.running import WARNINGS, same_bits, seed

pytestmark = pytest.mark.filterwarnings(*WARNINGS)

ENTRIES = {info.optim_cls.__name__: info for info in optim_db}

#: Optimizers whose form over all tensors at once does not always cost what the loop costs, and why.
FOREACH_DIFFERS = {
    "ASGD": "the loop copies the parameters until the average starts; at once, it is computed",
    "RAdam": "the loop leaves the rectification out at first; at once, it multiplies by zero",
    "Rprop": "to maximize, the gradients of the last step are negated once more",
    "SGD": "a learning rate in a tensor is negated for every parameter by the loop, else once",
}
#: The most by which the forms may differ: they compute the same step.
SAME_ORDER = 3.0


def parameters(info: Any) -> list[torch.nn.Parameter]:
    """Matrices alone, which every optimizer takes, with gradients of the kind it takes."""
    made = [torch.nn.Parameter(torch.randn(4, 3)), torch.nn.Parameter(torch.randn(5, 2))]
    for parameter in made:
        gradient = torch.randn_like(parameter)
        parameter.grad = (
            gradient.to_sparse() if info.optim_cls.__name__ == "SparseAdam" else gradient
        )
    return made


def step(info: Any, options: dict[str, Any], *, counted: bool) -> tuple[Any, Report]:
    """The second step of an optimizer: the first one fills its state."""
    seed()
    given = parameters(info)
    optimizer = info.optim_cls(given, **options)

    def closure() -> torch.Tensor:
        return torch.stack([parameter.square().sum() for parameter in given]).sum()

    arguments = [closure] if info.step_requires_closure else []
    optimizer.step(*arguments)
    counter = FlopCounter(device_time=False)
    if counted:
        with counter:
            optimizer.step(*arguments)
    else:
        optimizer.step(*arguments)
    return [parameter.detach() for parameter in given], counter.report


def forms(info: Any) -> list[dict[str, Any]]:
    """The options that choose between the loop, all at once and fused."""
    found: list[dict[str, Any]] = [{}]
    if "foreach" in info.supported_impls:
        found = [{"foreach": False}, {"foreach": True}]
    if "cpu" in info.supports_fused_on:
        found.append({"fused": True})
    return found


def form_of(options: dict[str, Any]) -> str:
    return next((key for key in ("fused", "foreach") if options.get(key)), "loop")


def test_every_optimizer_is_here() -> None:
    classes = {
        name
        for name, value in vars(torch.optim).items()
        if isinstance(value, type) and value is not torch.optim.Optimizer
    }
    assert classes == ENTRIES.keys()
    fused = {name for name, info in ENTRIES.items() if {"fused": True} in forms(info)}
    assert {"Adam", "AdamW", "SGD", "Adagrad"} <= fused


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_step_counts_in_all_its_forms(name: str) -> None:
    info = ENTRIES[name]
    foreach_differs = False
    samples = info.optim_inputs_func(device="cpu")
    assert len(samples) >= 4
    for sample in samples:
        counts = {}
        for form in forms(info):
            options = {**sample.kwargs, **form}
            plain, _ = step(info, options, counted=False)
            result, report = step(info, options, counted=True)
            assert same_bits(plain, result)
            assert report.unknown == {}
            assert report.notes == ()
            optimizer = report.by_phase["optimizer"].flops
            assert optimizer > 0
            # Only a closure, which computes the loss again, is no part of the optimizer.
            assert (optimizer == report.flops) == (not info.step_requires_closure)
            counts[form_of(form)] = optimizer
        for count in counts.values():
            assert counts["loop"] / SAME_ORDER <= count <= counts["loop"] * SAME_ORDER, counts
        foreach_differs |= counts.get("foreach", counts["loop"]) != counts["loop"]
        assert not foreach_differs or name in FOREACH_DIFFERS, (sample.desc, counts)
    assert foreach_differs == (name in FOREACH_DIFFERS), "the table is out of date"
