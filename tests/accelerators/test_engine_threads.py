"""Backward passes run in threads of the autograd engine, which get the identifiers of ended ones.

The engine starts its threads for the first backward pass of a process, so each case has a process
of its own.
"""

from __future__ import annotations

import pytest
import torch

from tests.accelerators.conftest import InProcess

#: A product of a 32×64 by a 64×64 matrix; its backward takes the gradient of the weight, and that
#: of the input where it needs one.
PRODUCT = 2 * 32 * 64 * 64


def test_the_first_backward_after_two_threads_that_ended(in_process: InProcess) -> None:
    found = in_process("""
        import json, threading, torch
        from ipyflops import FlopCounter

        x = torch.randn(32, 64, device="cuda")
        w = torch.randn(64, 64, device="cuda", requires_grad=True)
        flops = []
        for _ in range(2):
            with FlopCounter("contractions") as counter:
                for _ in range(2):
                    thread = threading.Thread(target=lambda: torch.ones(3) + 1)
                    thread.start()
                    thread.join()
                (x @ w).sum().backward()
            flops.append([counter.report.flops, counter.report.by_phase["backward"].flops])
        print(json.dumps(flops))
    """)
    assert 2 * PRODUCT == 524_288
    assert found == [[2 * PRODUCT, PRODUCT]] * 2


def test_validating_with_a_pinning_loader_and_training_in_one_block(in_process: InProcess) -> None:
    found = in_process("""
        import json, torch
        from torch.utils.data import DataLoader, TensorDataset
        from ipyflops import FlopCounter

        model = torch.nn.Linear(64, 64, bias=False).cuda()
        data = TensorDataset(torch.randn(64, 64))
        loader = DataLoader(data, batch_size=32, num_workers=1, pin_memory=True)
        with FlopCounter("contractions") as counter:
            for (batch,) in loader:
                with torch.no_grad():
                    model(batch.cuda())
            model(torch.randn(32, 64, device="cuda")).sum().backward()
        report = counter.report
        phases = {name: totals.flops for name, totals in report.by_phase.items()}
        print(json.dumps([phases["forward"], phases["backward"], report.find("model").flops]))
    """)
    # Two batches and a training step forward, one product backward.
    assert found == [3 * PRODUCT, PRODUCT, 4 * PRODUCT]


@pytest.mark.usefixtures("two_gpus")
def test_the_first_backward_of_data_parallel_on_two_gpus(in_process: InProcess) -> None:
    found = in_process("""
        import json, torch
        from torch import nn
        from ipyflops import FlopCounter

        net = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64)).cuda()
        model = nn.DataParallel(net)
        x = torch.randn(32, 64, device="cuda")
        flops = []
        for _ in range(3):
            with FlopCounter("contractions") as counter:
                model(x).sum().backward()
            flops.append(counter.report.flops)
        print(json.dumps(flops))
    """)
    # Two products forward; backward two for the second layer and one for the first.
    assert 5 * PRODUCT == 1_310_720
    assert found == [5 * PRODUCT] * 3


def test_each_layer_has_its_own_backward(cuda: torch.device) -> None:
    from torch import nn

    from ipyflops import FlopCounter

    model = nn.Sequential(*(nn.Sequential(nn.Linear(64, 64), nn.ReLU()) for _ in range(8)))
    model = model.to(cuda)
    x = torch.randn(32, 64, device=cuda, requires_grad=True)
    with FlopCounter("contractions") as counter:
        model(x).sum().backward()
    assert [counter.report.find(f"{i}.0").flops for i in range(8)] == [3 * PRODUCT] * 8
