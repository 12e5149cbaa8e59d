"""Replicas: what ``torch.nn.DataParallel`` does, on a CPU.

PyTorch makes replicas on GPUs only. What it does there is done here with its own steps: one copy
of each module by ``_replicate_for_data_parallel``, children and parameters put in, a thread for
each replica.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch._C._autograd import _get_sequence_nr

from ipyflops.counting import FlopCounter
from tests.safety.programs import Pair, adds_up, modules, phases


def replicate(network: nn.Module, number: int) -> list[nn.Module]:
    """Copies whose parameters autograd leads back to those of the module."""
    copies: list[nn.Module] = []
    for _ in range(number):
        of = {module: module._replicate_for_data_parallel() for module in network.modules()}
        for module, copy in of.items():
            for name, child in module._modules.items():
                setattr(copy, name, None if child is None else of[child])
            for name, parameter in module._parameters.items():
                setattr(copy, name, None if parameter is None else parameter.view_as(parameter))
        copies.append(of[network])
    return copies


def run_in_parallel(replicas: Sequence[nn.Module], inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    results: dict[int, torch.Tensor] = {}

    def work(index: int) -> None:
        results[index] = replicas[index](inputs[index])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(replicas))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return torch.cat([results[index] for index in range(len(replicas))])


class OnTwo(nn.DataParallel[Any]):
    """A `DataParallel` whose devices are two times the CPU."""

    def forward(self, *inputs: Any, **kwargs: Any) -> torch.Tensor:
        (batch,) = inputs
        halves = batch.chunk(2)
        return run_in_parallel(replicate(self.module, len(halves)), halves)


def number_nodes_from(number: int) -> None:
    """Make this thread's next node of autograd have at least that number."""
    grows = torch.ones(1, requires_grad=True)
    while _get_sequence_nr() < number:
        grows = grows * 1


def test_replicas_count_as_the_module_that_they_are_copies_of() -> None:
    model = OnTwo(Pair())
    # The threads of replicas number their nodes from 0; where the main thread has made some of the
    # same numbers, nobody knows whose they are.
    number_nodes_from(100)
    with FlopCounter("contractions") as counter:
        for _ in range(3):
            model(torch.ones(4, 4)).sum().backward()
    report = counter.report
    adds_up(report)
    forward, backward = 3 * 4 * 64, 3 * 4 * (64 + 128)
    assert phases(report) == {"forward": 2 * forward, "backward": backward}
    assert modules(report) == {
        "model": 2 * forward + backward,
        "model.module": 2 * forward + backward,
        "model.module.layers": forward + backward // 3,
        "model.module.layers.0": forward + backward // 3,
        "model.module.out": forward + 2 * backward // 3,
    }
    assert report.find("model").calls == 3
    assert report.find("model.module").calls == report.find("model.module.out").calls == 6
    assert report.find("model").parameters == report.find("model.module").parameters == 40 + 36


def test_backward_passes_whose_nodes_are_numbered_alike_stay_within_the_model() -> None:
    model = OnTwo(Pair())
    with FlopCounter("contractions") as counter:
        for _ in range(3):
            model(torch.ones(4, 4)).sum().backward()
    report = counter.report
    adds_up(report)
    assert modules(report)["model"] == report.flops == 3 * 4 * (2 * 64 + 64 + 128)
    assert modules(report)["model.module.out"] <= 3 * 4 * (64 + 128)
    assert modules(report)["model.module.layers"] <= 3 * 4 * (64 + 64)


def test_replicas_of_a_function_that_the_user_wrote() -> None:
    network = Pair()

    def apply(batch: torch.Tensor) -> torch.Tensor:
        return run_in_parallel(replicate(network, 2), batch.chunk(2))

    with FlopCounter("contractions") as counter:
        apply(torch.ones(2, 4))
    assert modules(counter.report)["network"] == counter.report.flops == 2 * 128
    assert modules(counter.report)["network.out"] == 2 * 64


def test_a_replica_whose_module_is_out_of_sight_counts_by_its_class() -> None:
    def made() -> list[nn.Module]:
        return replicate(Pair(), 2)

    with FlopCounter("contractions") as counter:
        made()[0](torch.ones(1, 4))
    assert modules(counter.report)["Pair"] == counter.report.flops == 128
